# SPDX-License-Identifier: Apache-2.0
"""The kinds of consensus that this orderer runs, by the name that a configuration gives them."""

from collections.abc import Mapping
from types import MappingProxyType

from fastledger.channelconfig import Orderer
from fastledger.common.errors import Unsupported
from fastledger.orderer.consensus.chain import Consenter
from fastledger.orderer.consensus.etcdraft import consenter as etcdraft
from fastledger.orderer.consensus.solo import chain as solo
from fastledger.orderer.replication.replication import Replication


class Consenters:
    """Finds the kind of a channel."""

    def __init__(
        self,
        server_certificate: bytes | None = None,
        replication: Replication | None = None,
        raft: etcdraft.RaftParts | None = None,
        others: Mapping[str, Consenter] = MappingProxyType({}),
    ) -> None:
        """Know this node.

        Args:
            server_certificate: Its PEM TLS certificate; None where TLS is off.
            replication: How it pulls blocks from others; None where it follows nobody.
            raft: What it has for raft among several; None where it orders alone.
            others: Kinds besides those of this package.
        """
        self._kinds = {
            "solo": solo.consenter(),
            "etcdraft": etcdraft.consenter(server_certificate, replication, raft),
            **others,
        }

    def of(self, values: Orderer) -> Consenter:
        """Return the kind that a configuration names; raises Unsupported."""
        kind = self._kinds.get(values.consensus_type)
        if kind is None:
            raise Unsupported(
                f"error retrieving consenter of type: {values.consensus_type}; this orderer runs "
                f"{', '.join(self._kinds)}"
            )
        return kind

    def forget(self, channel_id: str) -> None:
        """Delete what any kind keeps of a channel; it may take a while."""
        for kind in self._kinds.values():
            kind.forget(channel_id)
