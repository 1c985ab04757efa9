# SPDX-License-Identifier: Apache-2.0
"""Blocks with the private writes that a client may have (Fabric: ``deliverevents.go``)."""

from collections.abc import Callable, Mapping

from fastledger.common.errors import LedgerCorrupted
from fastledger.deliver.request import DeliverRequest
from fastledger.endorser.channel import Channel
from fastledger.endorser.collectionconfigs import may_read
from fastledger.ledger.pvtrules import were_written
from fastledger.ledger.results import endorsed_results
from fastledger.protos.common.common_pb2 import Block
from fastledger.protos.ledger.rwset import rwset_pb2 as rwset
from fastledger.protos.peer import events_pb2
from fastledger.protoutil.signed_data import SignedData


class PrivateDataForm:
    """Blocks, and of their private writes what this peer has and the client may read."""

    data_type = "block_and_pvtdata"

    def __init__(self, channels: Callable[[str], Channel | None]) -> None:
        """Serve the peer's channels."""
        self._channels = channels

    def block(self, encoded: bytes, request: DeliverRequest) -> bytes:
        """Encode a ``protos.DeliverResponse`` with a block and its private data.

        Raises:
            LedgerCorrupted: What is kept is not what the block's transactions wrote.
            FastledgerError: A collection was not defined before the block.
        """
        both = events_pb2.BlockAndPrivateData(block=Block.FromString(encoded))
        channel = self._channels(request.channel_id)
        if channel is not None:
            number = both.block.header.number
            may = _Reader(channel, number, request)
            kept = channel.private.write_sets(number)
            _check(both.block, kept)
            for index, written in kept.items():
                readable = _readable(written, may)
                if readable.ns_pvt_rwset:
                    both.private_data_map[index].CopyFrom(readable)
        return events_pb2.DeliverResponse(block_and_private_data=both).SerializeToString()


def _check(block: Block, kept: Mapping[int, rwset.TxPvtReadWriteSet]) -> None:
    """Hold private write sets against the hashes in their block."""
    if not kept:
        return
    count = len(block.data.data)
    results = {
        one.index: one.results for one in endorsed_results(block.SerializeToString(), bytes(count))
    }
    for index, written in kept.items():
        for ns in written.ns_pvt_rwset:
            for coll in ns.collection_pvt_rwset:
                name = coll.collection_name
                if index not in results or not were_written(
                    results[index], ns.namespace, name, coll.rwset
                ):
                    raise LedgerCorrupted(
                        f"the private write set of transaction {index} in block "
                        f"{block.header.number} for collection {name} of {ns.namespace} is damaged "
                        "on this peer: it does not have the hashes that stand in the block"
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
