# SPDX-License-Identifier: Apache-2.0
"""Which orderer takes a message: another one when one is gone, suspended, or has no leader."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence

from fastledger.common.errors import (
    BroadcastRefused,
    ConnectionFailed,
    FastledgerError,
    NodeFailed,
    RpcFailed,
)
from fastledger.network.plan import Node

ANSWER_TIMEOUT_S = 5.0
"""An orderer that answers at all does so in milliseconds."""

PATIENCE_S = 10.0
"""A cluster that has lost its leader has another one within a second or two."""

_PAUSE_S = 0.1

_FINAL = ("BAD_REQUEST", "FORBIDDEN", "NOT_FOUND", "REQUEST_ENTITY_TOO_LARGE")
"""What an orderer says of the message; another one would say the same."""


class Ordering:
    """The orderers of a network, the one that took something last first."""

    def __init__(self, nodes: Sequence[Node]) -> None:
        """Begin with the first."""
        self._nodes = list(nodes)

    async def send(self, send: Callable[[Node], Awaitable[None]]) -> None:
        """Hand something to one orderer after the other, until one takes it.

        What an orderer gave no answer to may have been ordered; the peers then find the second one
        to be a duplicate, and only one of them valid.

        Raises:
            BroadcastRefused: One refuses it for what it is.
            NodeFailed: None took it in time; says why not.
        """
        give_up = time.monotonic() + PATIENCE_S
        while True:
            reasons = []
            for node in list(self._nodes):
                reason = await _reason(send, node)
                if reason is None:
                    return
                reasons.append(f"{node.name}: {reason}")
                # Whoever is asked next should not begin with this one.
                self._nodes.remove(node)
                self._nodes.append(node)
            if time.monotonic() >= give_up:
                raise NodeFailed(f"no orderer takes the transaction: {'; '.join(reasons)}")
            await asyncio.sleep(_PAUSE_S)


async def _reason(send: Callable[[Node], Awaitable[None]], node: Node) -> FastledgerError | None:
    """Return why an orderer did not take it; raises what another one would say, too."""
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await send(node)
    except (ConnectionFailed, RpcFailed) as error:
        return error
    except TimeoutError:
        return NodeFailed(f"it does not answer within {ANSWER_TIMEOUT_S:g} s")
    except BroadcastRefused as error:
        if error.status in _FINAL:
            raise
        return error
    return None
