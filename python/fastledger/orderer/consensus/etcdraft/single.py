# SPDX-License-Identifier: Apache-2.0
"""The log of an etcdraft channel with one consenter, which needs no votes.

Its blocks carry what a real consenter writes: who the consenters are, and at which place of the
log the block stands. A log that nobody else reads is not kept, the block files are as good; only
its places are counted as in Fabric: one entry adds the consenter, one opens each term, one is each
block (``orderer/consensus/etcdraft``).
"""

from fastledger.orderer.consensus.chain import ConsenterSupport, Relation
from fastledger.orderer.consensus.clock import LOOP, Clock
from fastledger.orderer.consensus.etcdraft.membership import Membership, following_membership
from fastledger.orderer.consensus.solo.chain import SoloChain


class SingleConsenterLog:
    """Counts the places of a log that is not kept."""

    def __init__(self, support: ConsenterSupport, membership: Membership, index: int) -> None:
        """Go on after the last block's place, 0 for none."""
        self._support = support
        self._index = index or 1
        self.membership = membership

    def begin(self) -> None:
        """Open a term."""
        self._index += 1

    def next(self) -> bytes:
        """Return the next block's ``etcdraft.BlockMetadata`` in a ``common.Metadata``."""
        self._index += 1
        return self.membership.kept(self._index)

    def next_config(self, envelope: bytes) -> bytes:
        """Return a configuration's, which may name more consenters."""
        transition = following_membership(self._support, self.membership, envelope)
        self.membership = transition.membership
        return self.next()


class SingleConsenterChain(SoloChain):
    """The chain of a consenter that is alone, until a configuration gives it company."""

    def __init__(
        self, support: ConsenterSupport, log: SingleConsenterLog, *, clock: Clock = LOOP
    ) -> None:
        """Prepare the chain of a channel; `start` begins to take messages."""
        super().__init__(support, log, relation=Relation.CONSENTER, clock=clock)
        self._places = log

    async def _write_config(self, envelope: bytes) -> None:
        await super()._write_config(envelope)
        if len(self._places.membership.consenters) > 1:
            self._support.switch_chain()
