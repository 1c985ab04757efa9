# SPDX-License-Identifier: Apache-2.0
"""Consenters of a channel, some of which do not answer who asks for channels."""

from fastledger.network.plan import Node
from fastledger.protos.common.common_pb2 import Envelope
from mixed_cluster import PATIENCE_S, Cluster
from waiting import until


class OldCluster(Cluster):
    """Heights are measured: who is of 1.4 has nothing to ask about channels."""

    def height(self, node: Node) -> int:
        return (self.measured(node, "consensus_etcdraft_committed_block_number") or 0) + 1

    async def created(self, node: Node, creation: Envelope) -> None:
        """Have a node take the request for the channel."""

        async def is_created() -> bool:
            # It may be, though nobody said so in time; then it is refused for ever.
            made = (await self.delivered(node)).blocks
            return bool(made) or await self.hand(node, creation) == ""

        await until(is_created, PATIENCE_S)
