# SPDX-License-Identifier: Apache-2.0
"""What nodes say of themselves at /healthz."""

import asyncio
from collections.abc import Sequence

import aiohttp

from fastledger.network.plan import HOST, Node

TIMEOUT_S = 5.0
"""A node that runs answers in milliseconds."""


async def ailments(nodes: Sequence[Node]) -> dict[str, str]:
    """Return by name why nodes cannot go on; those that can, or do not answer, are not in it."""
    timeout = aiohttp.ClientTimeout(TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as client:
        found = await asyncio.gather(*(_ailment(client, node) for node in nodes))
    return {node.name: reason for node, reason in zip(nodes, found, strict=True) if reason}


async def _ailment(client: aiohttp.ClientSession, node: Node) -> str:
    url = f"http://{HOST}:{node.operations_port}/healthz"
    try:
        async with client.get(url) as response:
            answer = await response.json()
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return ""
    failed = answer.get("failed_checks", []) if isinstance(answer, dict) else []
    return "; ".join(str(check.get("reason", "")) for check in failed)
