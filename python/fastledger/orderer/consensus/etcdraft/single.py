# SPDX-License-Identifier: Apache-2.0
"""The log of an etcdraft channel with one consenter, which needs no votes.

Its blocks carry what a real consenter writes: who the consenters are, and at which place of the
log the block stands. A log that nobody else reads is not kept, the block files are as good; only
its places are counted as in Fabric: one entry adds the consenter, one opens each term, one is each
block (``orderer/consensus/etcdraft``).
"""

from fastledger.channelconfig import Bundle
from fastledger.common.errors import InputError
from fastledger.orderer.consensus.chain import ConsenterSupport, Relation
from fastledger.orderer.consensus.clock import LOOP, Clock
from fastledger.orderer.consensus.etcdraft.membership import (
    Membership,
    consenters_of,
    following_membership,
    key_of,
)
from fastledger.orderer.consensus.solo.chain import SoloChain
from fastledger.protos.orderer.etcdraft.configuration_pb2 import Consenter


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

    def check_update(self, following: Bundle) -> None:
        """Refuse another key for this consenter: nobody would be left who has the old one."""
        values = following.orderer
        if values is None or values.consensus_type != self._support.orderer.consensus_type:
            return
        membership = self._places.membership
        transition = membership.following(consenters_of(values))
        if transition.rotated:
            before = membership.consenters[transition.rotated]
            after = transition.membership.consenters[transition.rotated]
            if not _keys(before) & _keys(after):
                raise InputError(
                    "none of its consenters is this orderer, which has another TLS key; add a "
                    "second consenter first, or have the same key certified anew"
                )

    async def _write_config(self, envelope: bytes) -> None:
        await super()._write_config(envelope)
        if len(self._places.membership.consenters) > 1:
            self._support.switch_chain()


def _keys(consenter: Consenter) -> set[bytes | None]:
    return {key_of(consenter.server_tls_cert), key_of(consenter.client_tls_cert)}
