# SPDX-License-Identifier: Apache-2.0
"""The log of an etcdraft channel with one consenter, which needs no votes.

Its blocks carry what a real consenter writes: who the consenters are, and at which place of the
log the block stands. A log that nobody else reads is not kept, the block files are as good; only
its places are counted as in Fabric: one entry adds the consenter, one opens each term, one is each
block (``orderer/consensus/etcdraft``).
"""

from fastledger.protos.common.common_pb2 import Metadata
from fastledger.protos.orderer.etcdraft.metadata_pb2 import BlockMetadata

_CONSENTER_ID = 1


class SingleConsenterLog:
    """Counts the places of a log that is not kept."""

    def __init__(self, last_metadata: bytes) -> None:
        """Go on after the last block's consenter metadata, empty for none."""
        last = BlockMetadata.FromString(Metadata.FromString(last_metadata).value)
        self._index = last.raft_index or 1
        self._id = last.consenter_ids[0] if last.consenter_ids else _CONSENTER_ID
        self._next_id = last.next_consenter_id or _CONSENTER_ID + 1

    def begin(self) -> None:
        """Open a term."""
        self._index += 1

    def next(self) -> bytes:
        """Return the next block's ``etcdraft.BlockMetadata`` in a ``common.Metadata``."""
        self._index += 1
        kept = BlockMetadata(
            consenter_ids=[self._id], next_consenter_id=self._next_id, raft_index=self._index
        )
        return Metadata(value=kept.SerializeToString()).SerializeToString()
