# SPDX-License-Identifier: Apache-2.0
"""Consenters of a channel that a system channel made, some of them of Fabric 1.4."""

from fastledger.network.plan import Node
from fastledger.protos.common.common_pb2 import Envelope
from mixed_cluster import PATIENCE_S, Cluster
from waiting import until


class OldCluster(Cluster):
    """Heights of real ones are measured: who is of 1.4 has nothing to ask about channels."""

    def height(self, node: Node) -> int:
        if not self.nodes.is_real(node):
            return super().height(node)
        return (self.measured(node, "consensus_etcdraft_committed_block_number") or 0) + 1

    async def created(self, node: Node, creation: Envelope) -> None:
        """Have a node take the request for the channel."""

        async def is_created() -> bool:
            # It may be, though nobody said so in time; then it is refused for ever.
            made = (await self.delivered(node)).blocks
            return bool(made) or await self.hand(node, creation) == ""

        await until(is_created, PATIENCE_S)
