# SPDX-License-Identifier: Apache-2.0
"""Carries TCP connections from ports to others, and holds back what passes for a while.

    python benches/relay.py MILLISECONDS LISTEN:TARGET...

It stands in for a slow network where the kernel has none to offer: a process of its own, whose
processor time is nobody's. The delay holds in each direction; connections are made at once. A line
on the standard input sets another one.
"""

import asyncio
import sys
from collections import deque
from typing import cast

import uvloop

HOST = "127.0.0.1"


class Delay:
    """How long everything is held back."""

    seconds = 0.0


class Way(asyncio.Protocol):
    """One end of a connection: what it receives goes out of the other end, later."""

    def __init__(self, delay: Delay, target: int = 0) -> None:
        """Begin; the end that was dialed has no target to dial."""
        self._delay = delay
        self._target = target
        self._held: deque[tuple[float, bytes]] = deque()
        self._is_due = False
        self._is_over = False
        self._transport: asyncio.Transport | None = None
        self.other: Way | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Dial the other end."""
        self._transport = cast("asyncio.Transport", transport)
        if self._target:
            self._dialing = asyncio.ensure_future(self._dial())
        else:
            self._pass_on()

    def data_received(self, data: bytes) -> None:
        """Hold data back."""
        self._held.append((asyncio.get_running_loop().time() + self._delay.seconds, data))
        self._pass_on()

    def connection_lost(self, _: Exception | None) -> None:
        """Hang up at the other end, behind what is held back."""
        self._is_over = True
        self._pass_on()

    async def _dial(self) -> None:
        other = Way(self._delay)
        self.other, other.other = other, self
        try:
            await asyncio.get_running_loop().create_connection(lambda: other, HOST, self._target)
        except OSError:
            if self._transport is not None:
                self._transport.abort()
        self._pass_on()

    def _pass_on(self) -> None:
        """Send what was held back for long enough, and come again for the rest."""
        to = self.other._transport if self.other else None
        if to is None or to.is_closing() or self._is_due:
            return
        loop = asyncio.get_running_loop()
        now = loop.time()
        while self._held and self._held[0][0] <= now:
            to.write(self._held.popleft()[1])
        if self._held:
            self._is_due = True
            loop.call_later(self._held[0][0] - now, self._due)
        elif self._is_over:
            to.close()

    def _due(self) -> None:
        self._is_due = False
        self._pass_on()


async def main(milliseconds: str, *pairs: str) -> None:
    """Relay until the standard input ends."""
    delay = Delay()
    delay.seconds = float(milliseconds) / 1e3
    loop = asyncio.get_running_loop()
    for pair in pairs:
        listen, target = map(int, pair.split(":"))
        await loop.create_server(lambda target=target: Way(delay, target), HOST, listen)
    print("relaying", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        delay.seconds = float(line) / 1e3


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
