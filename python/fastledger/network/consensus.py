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

_RAFT = tuple(
    f"consensus_etcdraft_{name}" for name in ("node_id", "leader_id", "term", "last_index")
)
_OFFSET = "consensus_kafka_last_offset_persisted"
_STATUS = "participation_status"
_NAMES = frozenset((*_RAFT, _OFFSET, _STATUS))
_ACTIVE = 1
"""What the status is of a channel whose blocks come."""


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


@dataclass(frozen=True, slots=True)
class Kafka:
    """How far an orderer has come in a channel's topic.

    Attributes:
        offset: Of the last message whose effect is in a block; -3 before the first.
        answers: Whether the brokers do.
    """

    offset: int
    answers: bool


Place = Raft | Kafka
"""Where an orderer is."""


async def places_of(nodes: Sequence[Node], channel_id: str) -> dict[str, Place]:
    """Return by name where orderers are, without those that do not answer, or order alone."""
    timeout = aiohttp.ClientTimeout(TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as client:
        found = await asyncio.gather(*(_place_of(client, node, channel_id) for node in nodes))
    return {node.name: place for node, place in zip(nodes, found, strict=True) if place is not None}


async def _place_of(client: aiohttp.ClientSession, node: Node, channel_id: str) -> Place | None:
    url = f"http://{HOST}:{node.operations_port}/metrics"
    try:
        async with client.get(url) as response:
            return read(await response.text(), channel_id)
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return None


def read(text: str, channel_id: str) -> Place | None:
    """Read where an orderer is out of its metrics, in Prometheus's format.

    Returns:
        None where the channel has no cluster, or is not there.

    Raises:
        ValueError: They are in no such format.
    """
    found = {
        sample.name: int(sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name in _NAMES and sample.labels.get("channel") == channel_id
    }
    if _RAFT[0] in found:
        return Raft(*(found.get(name, 0) for name in _RAFT))
    if _OFFSET in found:
        return Kafka(found[_OFFSET], found.get(_STATUS) == _ACTIVE)
    return None
