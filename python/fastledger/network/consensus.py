# SPDX-License-Identifier: Apache-2.0
"""What orderers say of consensus at /metrics."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from fastledger.network.plan import HOST, Node

TIMEOUT_S = 2.0
"""A node that runs answers in milliseconds."""

_PREFIX = "consensus_etcdraft_"


@dataclass(frozen=True, slots=True)
class Raft:
    """Where an orderer is in a channel's cluster.

    Attributes:
        member: Its number among the consenters.
        leader: That of the leader that it knows; 0 for none.
        term: The term that it is in.
        last_index: Place of the last entry in its log.
    """

    member: int
    leader: int
    term: int
    last_index: int


async def raft_of(nodes: Sequence[Node], channel_id: str) -> dict[str, Raft]:
    """Return by name where orderers are, without those that do not answer, or have no cluster."""
    timeout = aiohttp.ClientTimeout(TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as client:
        found = await asyncio.gather(*(_raft_of(client, node, channel_id) for node in nodes))
    return {node.name: raft for node, raft in zip(nodes, found, strict=True) if raft is not None}


async def _raft_of(client: aiohttp.ClientSession, node: Node, channel_id: str) -> Raft | None:
    url = f"http://{HOST}:{node.operations_port}/metrics"
    try:
        async with client.get(url) as response:
            return read(await response.text(), channel_id)
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return None


def read(text: str, channel_id: str) -> Raft | None:
    """Read where an orderer is out of its metrics, in Prometheus's format.

    Returns:
        None where the channel has no cluster.

    Raises:
        ValueError: They are in no such format.
    """
    found = {
        sample.name.removeprefix(_PREFIX): int(sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith(_PREFIX) and sample.labels.get("channel") == channel_id
    }
    if "node_id" not in found:
        return None
    names = ("node_id", "leader_id", "term", "last_index")
    return Raft(*(found.get(name, 0) for name in names))
