# SPDX-License-Identifier: Apache-2.0
"""Blocks with the private writes that a client may have (Fabric: ``deliverevents.go``)."""

import asyncio
from collections.abc import Callable, Mapping

from fastledger.common.errors import LedgerCorrupted
from fastledger.deliver.forms import field, without_data
from fastledger.deliver.request import DeliverRequest
from fastledger.deliver.source import BlockSource
from fastledger.endorser.channel import Channel
from fastledger.endorser.collectionconfigs import may_read
from fastledger.ledger.pvteffects import PrivateEffects
from fastledger.protos.ledger.rwset import rwset_pb2 as rwset
from fastledger.protos.peer import events_pb2
from fastledger.protoutil.blocks import EncodedBlock
from fastledger.protoutil.signed_data import SignedData

_BLOCK, _BLOCK_AND_PRIVATE_DATA = 0x0A, 0x22
"""Tags of the fields of a BlockAndPrivateData, and of a DeliverResponse."""


class PrivateDataForm:
    """Blocks, and of their private writes what this peer has and the client may read."""

    data_type = "block_and_pvtdata"

    def __init__(self, channels: Callable[[str], Channel | None]) -> None:
        """Serve the peer's channels."""
        self._channels = channels

    async def response(
        self, source: BlockSource, number: int, request: DeliverRequest, *, header_only: bool
    ) -> bytes:
        """Encode a ``protos.DeliverResponse`` with a block and its private data.

        The block is prepared once for all clients. Its private data is read for each of them, so
        that what is purged is gone at once.

        Raises:
            LedgerCorrupted: What is kept is not what the block's transactions wrote.
            FastledgerError: A collection was not defined before the block.
        """
        public = await source.blocks.get(number, _header if header_only else _whole)
        channel = self._channels(request.channel_id)
        kept = channel.private.write_sets(number) if channel is not None else {}
        if channel is None or not kept:
            return field(_BLOCK_AND_PRIVATE_DATA, public)
        effects = await asyncio.to_thread(channel.ledger.private_effects, number)
        _check(number, {one.index: one for one in effects}, kept)
        may = _Reader(channel, number, request)
        private = events_pb2.BlockAndPrivateData()
        for index, written in kept.items():
            readable = _readable(written, may)
            if readable.ns_pvt_rwset:
                private.private_data_map[index].CopyFrom(readable)
        return field(_BLOCK_AND_PRIVATE_DATA, public, private.SerializeToString())


def _whole(encoded: EncodedBlock) -> bytes:
    """Encode the part of ``protos.BlockAndPrivateData`` that is the block."""
    return field(_BLOCK, bytes(encoded))


def _header(encoded: EncodedBlock) -> bytes:
    return _whole(without_data(encoded))


def _check(
    number: int,
    effects: Mapping[int, PrivateEffects],
    kept: Mapping[int, rwset.TxPvtReadWriteSet],
) -> None:
    """Hold private write sets against the hashes in their block."""
    for index, written in kept.items():
        for ns in written.ns_pvt_rwset:
            for coll in ns.collection_pvt_rwset:
                name = coll.collection_name
                if index not in effects or not effects[index].wrote(ns.namespace, name, coll.rwset):
                    raise LedgerCorrupted(
                        f"the private write set of transaction {index} in block {number} for "
                        f"collection {name} of {ns.namespace} is damaged on this peer: it does "
                        "not have the hashes that stand in the block"
                    )


class _Reader:
    """One client and one block; a collection is asked about once."""

    def __init__(self, channel: Channel, block: int, request: DeliverRequest) -> None:
        self._channel = channel
        self._block = block
        envelope = request.envelope
        self._client = SignedData(envelope.payload, request.creator, envelope.signature)
        self._known: dict[tuple[str, str], bool] = {}

    def reads(self, ns: str, coll: str) -> bool:
        if (ns, coll) not in self._known:
            self._known[ns, coll] = may_read(self._channel, self._block, ns, coll, self._client)
        return self._known[ns, coll]


def _readable(written: rwset.TxPvtReadWriteSet, may: _Reader) -> rwset.TxPvtReadWriteSet:
    kept = rwset.TxPvtReadWriteSet(data_model=written.data_model)
    for ns in written.ns_pvt_rwset:
        sets = [
            coll
            for coll in ns.collection_pvt_rwset
            if may.reads(ns.namespace, coll.collection_name)
        ]
        if sets:
            kept.ns_pvt_rwset.add(namespace=ns.namespace, collection_pvt_rwset=sets)
    return kept
