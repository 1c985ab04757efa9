# SPDX-License-Identifier: Apache-2.0
"""What the core reads from blocks for waiting clients, held against the plain decoder of Python.

Every ledger of `tests/vectors`, a generated channel with events, and blocks with damage in any
place. The plain version below is the judge: slow, and easy to read.
"""

import json
import random
from collections.abc import Iterator

import pytest
from google.protobuf.message import DecodeError

from corpora import OpenCorpus, archives
from fastledger._core import Workload, emitted_events, filtered_block, transaction_ids
from fastledger.common.codes import TxValidationCode
from fastledger.protos.common.common_pb2 import (
    TRANSACTIONS_FILTER,
    Block,
    ChannelHeader,
    Envelope,
    HeaderType,
    Payload,
)
from fastledger.protos.peer.chaincode_event_pb2 import ChaincodeEvent
from fastledger.protos.peer.events_pb2 import FilteredBlock
from fastledger.protos.peer.proposal_pb2 import ChaincodeAction
from fastledger.protos.peer.proposal_response_pb2 import ProposalResponsePayload
from fastledger.protos.peer.transaction_pb2 import ChaincodeActionPayload, Transaction

DAMAGED = 400
"""Blocks of one ledger that are damaged in one byte each."""


def headers(block: Block) -> Iterator[tuple[int, ChannelHeader, bytes]]:
    """Codes, headers and contents of the transactions that have a header."""
    slots = block.metadata.metadata
    codes = slots[TRANSACTIONS_FILTER] if len(slots) > TRANSACTIONS_FILTER else b""
    for index, envelope in enumerate(block.data.data):
        code = codes[index] if index < len(codes) else TxValidationCode.NOT_VALIDATED
        try:
            payload = Payload.FromString(Envelope.FromString(envelope).payload)
            header = ChannelHeader.FromString(payload.header.channel_header)
        except DecodeError:
            continue
        if payload.HasField("header"):
            yield code, header, payload.data


def events(data: bytes) -> list[bytes]:
    """Encoded events of a transaction's actions, empty for none; raises DecodeError."""
    found = []
    for action in Transaction.FromString(data).actions:
        endorsed = ChaincodeActionPayload.FromString(action.payload).action
        response = ProposalResponsePayload.FromString(endorsed.proposal_response_payload)
        found.append(ChaincodeAction.FromString(response.extension).events)
        ChaincodeEvent.FromString(found[-1])
    return found


def filtered(block: Block) -> bytes:
    """Fabric's `toFilteredBlock`, where what cannot be read emits nothing."""
    made = FilteredBlock(number=block.header.number)
    for code, header, data in headers(block):
        made.channel_id = header.channel_id
        one = made.filtered_transactions.add(txid=header.tx_id)
        one.type, one.tx_validation_code = header.type, code  # type: ignore[assignment]
        if header.type == HeaderType.ENDORSER_TRANSACTION:
            one.transaction_actions.SetInParent()
            try:
                emitted = [ChaincodeEvent.FromString(event) for event in events(data)]
            except DecodeError:
                continue
            for event in emitted:
                if event.chaincode_id:
                    event.ClearField("payload")
                    event.DiscardUnknownFields()
                    one.transaction_actions.chaincode_actions.add(chaincode_event=event)
    return made.SerializeToString()


def ids(block: Block) -> list[str]:
    found = []
    for envelope in block.data.data:
        alone = Block(data={"data": [envelope]})
        found.append(next((header.tx_id for _, header, _ in headers(alone)), ""))
    return found


def emitted(block: Block) -> list[tuple[str, int, tuple[str, bytes] | None]]:
    found = []
    for code, header, data in headers(block):
        event = None
        if header.type == HeaderType.ENDORSER_TRANSACTION:
            try:
                first = Transaction.FromString(data).actions[:1]
                encoded = events(Transaction(actions=first).SerializeToString())[0]
            except (DecodeError, IndexError):
                continue
            chaincode = ChaincodeEvent.FromString(encoded).chaincode_id
            event = (chaincode, encoded) if chaincode else None
        found.append((header.tx_id, code, event))
    return found


def compare(encoded: bytes) -> None:
    block = Block.FromString(encoded)
    assert filtered_block(encoded) == filtered(block)
    assert transaction_ids(encoded) == ids(block)
    assert emitted_events(encoded) == emitted(block)


@pytest.mark.parametrize("name", list(archives()))
def test_of_every_ledger(open_corpus: OpenCorpus, name: str) -> None:
    corpus = open_corpus(name)
    compared = 0
    for owner in ("peer", "orderer"):
        for encoded in corpus.blocks(owner):
            compare(encoded)
            compared += 1
    assert compared


def test_of_a_generated_channel() -> None:
    blocks = [encoded for _, encoded, _, _ in Workload(json.dumps({"transactions": 2000}))]
    for encoded in blocks:
        compare(encoded)
    assert len(blocks) > 3


def test_of_damaged_blocks(open_corpus: OpenCorpus) -> None:
    rng = random.Random(7)
    blocks = open_corpus("v14").blocks("peer")
    compared = 0
    while compared < DAMAGED:
        encoded = bytearray(rng.choice(blocks))
        encoded[rng.randrange(len(encoded))] ^= 1 << rng.randrange(8)
        try:
            Block.FromString(encoded)
        except DecodeError:
            continue
        compare(bytes(encoded))
        compared += 1


def test_payloads_are_left_out_of_filtered_blocks_alone() -> None:
    event = ChaincodeEvent(chaincode_id="cc", tx_id="t", event_name="made", payload=b"secret")
    action = ChaincodeAction(events=event.SerializeToString())
    response = ProposalResponsePayload(extension=action.SerializeToString())
    endorsed = ChaincodeActionPayload()
    endorsed.action.proposal_response_payload = response.SerializeToString()
    transaction = Transaction(actions=[{"payload": endorsed.SerializeToString()}])
    payload = Payload(data=transaction.SerializeToString())
    header = ChannelHeader(type=3, channel_id="ch", tx_id="t")
    payload.header.channel_header = header.SerializeToString()
    envelope = Envelope(payload=payload.SerializeToString()).SerializeToString()
    block = Block(header={"number": 5}, data={"data": [envelope, b"\xff", envelope]})
    block.metadata.metadata.extend([b"", b"", bytes([0, 1, 11])])
    encoded = block.SerializeToString()
    found = FilteredBlock.FromString(filtered_block(encoded))
    assert (found.channel_id, found.number) == ("ch", 5)
    assert [(one.txid, one.tx_validation_code) for one in found.filtered_transactions] == [
        ("t", 0),
        ("t", 11),
    ]
    kept = found.filtered_transactions[0].transaction_actions.chaincode_actions[0].chaincode_event
    assert (kept.event_name, kept.payload) == ("made", b"")
    assert transaction_ids(encoded) == ["t", "", "t"]
    own = ("cc", event.SerializeToString())
    assert emitted_events(encoded) == [("t", 0, own), ("t", 11, own)]
    compare(encoded)
