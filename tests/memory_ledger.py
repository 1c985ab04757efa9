# SPDX-License-Identifier: Apache-2.0
"""A ledger of generated JSON documents in memory, for what follows a ledger's blocks."""

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastledger.protos.common import common_pb2
from fastledger.protos.ledger.rwset import rwset_pb2 as rwset
from fastledger.protos.ledger.rwset.kvrwset import kv_rwset_pb2 as kvrwset
from fastledger.protos.peer import proposal_pb2, proposal_response_pb2, transaction_pb2
from fastledger.protoutil import block as blocks

CHAINCODE = "cc"
SIZE = "META-INF/statedb/couchdb/indexes/size.json"
OWNER = "META-INF/statedb/couchdb/indexes/owner.json"
FILES = {
    SIZE: b'{"index":{"fields":["size"]},"ddoc":"size","name":"size"}',
    OWNER: b'{"index":{"fields":["owner","size"]},"ddoc":"owner","name":"owner"}',
}

Writes = Mapping[str, bytes | None]


@dataclass
class Found:
    value: bytes
    version: tuple[int, int] = (0, 0)
    metadata: bytes = b""


class View:
    """The state after some blocks."""

    def __init__(self, height: int, state: Mapping[str, bytes]) -> None:
        self.height = height
        self._state = state

    def close(self) -> None:
        pass

    def get(self, namespace: str, key: str) -> Found | None:
        value = self._state.get(key) if namespace == CHAINCODE else None
        return None if value is None else Found(value)

    def range(
        self, namespace: str, start: str, end: str
    ) -> Iterator[tuple[str, str, bytes, Found]]:
        for key in sorted(self._state) if namespace == CHAINCODE else ():
            if key >= start and (not end or key < end):
                yield namespace, "", key.encode(), Found(self._state[key])


class MemoryLedger:
    """Grows by generated blocks; equal seeds make equal ledgers."""

    channel_id = "memory"

    def __init__(self, seed: int, height: int = 0, keys: int = 30) -> None:
        self._chance = random.Random(seed)
        self._keys = keys
        self._blocks: list[bytes] = []
        self._states: list[dict[str, bytes]] = [{}]
        while self.height < height:
            self.grow()

    @property
    def height(self) -> int:
        return len(self._blocks)

    def view(self, height: int | None = None) -> Any:
        at = self.height if height is None else height
        return View(at, self._states[at])

    def block(self, number: int) -> blocks.Block:
        return blocks.parse(self._blocks[number])

    def grow(self) -> bytes:
        """Add a block of some transactions; return it."""
        transactions = [self._writes() for _ in range(self._chance.randrange(1, 4))]
        codes = bytes(self._chance.choice([0, 0, 0, 11]) for _ in transactions)
        state = dict(self._states[-1])
        for writes, code in zip(transactions, codes, strict=True):
            for key, value in writes.items() if not code else ():
                state.pop(key, None)
                if value is not None:
                    state[key] = value
        encoded = encode_block(self.height, transactions, codes)
        self._states.append(state)
        self._blocks.append(encoded)
        return encoded

    def _writes(self) -> Writes:
        chance = self._chance
        return {
            f"k{chance.randrange(self._keys):03}": None
            if chance.random() < 0.2
            else json.dumps({"size": chance.randrange(9), "owner": chance.choice("ab")}).encode()
            for _ in range(chance.randrange(1, 5))
        }


def encode_block(number: int, transactions: list[Writes], codes: bytes) -> bytes:
    block = common_pb2.Block()
    block.header.number = number
    block.data.data.extend(_envelope(writes) for writes in transactions)
    block.metadata.metadata.extend([b"", b"", codes])
    return block.SerializeToString()


def _envelope(writes: Writes) -> bytes:
    kv = kvrwset.KVRWSet()
    for key, value in writes.items():
        kv.writes.add(key=key, is_delete=value is None, value=value or b"")
    results = rwset.TxReadWriteSet()
    results.ns_rwset.add(namespace=CHAINCODE, rwset=kv.SerializeToString())
    action = proposal_pb2.ChaincodeAction(results=results.SerializeToString())
    response = proposal_response_pb2.ProposalResponsePayload(extension=action.SerializeToString())
    payload = transaction_pb2.ChaincodeActionPayload()
    payload.action.proposal_response_payload = response.SerializeToString()
    transaction = transaction_pb2.Transaction()
    transaction.actions.add(payload=payload.SerializeToString())
    header = common_pb2.ChannelHeader(type=common_pb2.ENDORSER_TRANSACTION)
    outer = common_pb2.Payload(data=transaction.SerializeToString())
    outer.header.channel_header = header.SerializeToString()
    return common_pb2.Envelope(payload=outer.SerializeToString()).SerializeToString()
