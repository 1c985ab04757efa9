# SPDX-License-Identifier: Apache-2.0
"""A client's right to a call that lasts: events, and the wait for a verdict.

Fabric's gateway looks when the call begins. A client whose certificate is revoked, or whom a policy
no longer admits, would be served for as long as the call lasts, so the right is asked for again
with each configuration, as Deliver does. As in Fabric a call may begin with a certificate that has
expired; one that expires meanwhile ends it.
"""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

import grpc

from fastledger.gateway.failure import GatewayFailed
from fastledger.gateway.peer import GatewayChannel
from fastledger.msp import expires_at

_T = TypeVar("_T")


class Permit:
    """One call's right to go on."""

    def __init__(self, channel: GatewayChannel, identity: bytes, check: Callable[[], None]) -> None:
        """Look whether the call may begin.

        Args:
            channel: Whose configuration decides.
            identity: The client.
            check: Raises a FastledgerError when the client has no right.
        """
        self._channel = channel
        self._check = check
        end = expires_at(identity)
        self._expires_at = end if end is not None and end > time.time() else None
        self._sequence = channel.bundle.sequence
        check()

    def evaluate(self) -> None:
        """Return when the client may go on.

        Raises:
            FastledgerError: The client may not.
        """
        if self._expires_at is not None and time.time() > self._expires_at:
            raise GatewayFailed(
                grpc.StatusCode.PERMISSION_DENIED, "the client's certificate has expired"
            )
        sequence = self._channel.bundle.sequence
        if sequence != self._sequence:
            self._check()
            self._sequence = sequence

    async def wait(self, awaited: "asyncio.Future[_T]") -> _T:
        """Wait for something for as long as the client may; then it is cancelled.

        Raises:
            FastledgerError: The client may no longer.
        """
        try:
            while not awaited.done():
                await asyncio.wait(
                    (awaited, self._channel.reconfiguration()),
                    timeout=self._remaining_s(),
                    return_when=asyncio.FIRST_COMPLETED,
                )
                if not awaited.done():
                    self.evaluate()
            return awaited.result()
        finally:
            awaited.cancel()

    def _remaining_s(self) -> float | None:
        if self._expires_at is None:
            return None
        return min(max(self._expires_at - time.time(), 0) + MOMENT_S, LONGEST_WAIT_S)


MOMENT_S = 0.01
"""Later than the end itself, so that it is over when it is looked at."""

LONGEST_WAIT_S = 24 * 3600.0
"""The clock may be set meanwhile."""
