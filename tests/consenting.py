# SPDX-License-Identifier: Apache-2.0
"""A clock that a test moves, and a channel that keeps what would be written."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastledger.orderer.blockcutter import Message
from fastledger.orderer.errors import Rejected
from fastledger.protos.common.common_pb2 import Block
from fastledger.protoutil.blocks import new_block

DEADLINE_S = 300
"""No story takes as long, however busy the machine is, unless it hangs."""

TIMEOUT_S = 2.0


def run(story: Coroutine[Any, Any, None]) -> None:
    """Run a story to its end; one that hangs fails."""
    asyncio.run(asyncio.wait_for(story, DEADLINE_S))


async def turns() -> None:
    """Let everything happen that waits for nothing but its turn."""
    for _ in range(20):
        await asyncio.sleep(0)


def message(name: bytes) -> Message:
    return Message(name, len(name))


@dataclass
class _Timer:
    due: float
    callback: Callable[[], None]
    is_cancelled: bool = False

    def cancel(self) -> None:
        self.is_cancelled = True


class ManualClock:
    """Stands still until the test moves it."""

    def __init__(self) -> None:
        self._now = 0.0
        self._timers: list[_Timer] = []

    def time(self) -> float:
        return self._now

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> _Timer:
        timer = _Timer(self._now + delay_s, callback)
        self._timers.append(timer)
        return timer

    @property
    def pending(self) -> int:
        """How many timers run."""
        return sum(not timer.is_cancelled for timer in self._timers)

    def advance(self, seconds: float) -> None:
        end = self._now + seconds
        while due := [t for t in self._timers if t.due <= end and not t.is_cancelled]:
            timer = min(due, key=lambda one: one.due)
            self._timers.remove(timer)
            self._now = max(self._now, timer.due)
            timer.callback()
        self._now = end


@dataclass
class Size:
    max_message_count: int = 3
    absolute_max_bytes: int = 1 << 20
    preferred_max_bytes: int = 1 << 20


@dataclass
class Values:
    batch_size: Size = field(default_factory=Size)
    batch_timeout: float = TIMEOUT_S
    consensus_type: str = "solo"
    consensus_metadata: bytes = b""


class Support:
    """A channel whose blocks are a list."""

    def __init__(self) -> None:
        self.channel_id = "channel"
        self.sequence = 0
        self.orderer: Any = Values()
        self.unwritten = 0
        self.written: list[tuple[list[bytes], bytes]] = []
        self.configurations: list[int] = []
        self.refused: set[bytes] = set()
        self.may_write_config = asyncio.Event()
        self.may_write_config.set()
        self.room = asyncio.Event()
        self._numbers = itertools.count(1)

    def process_normal(self, envelope: bytes) -> None:
        if envelope in self.refused:
            raise Rejected("not any more")

    def process_config(self, envelope: bytes) -> bytes:
        return envelope + b"'"

    def create_next(self, envelopes: Sequence[bytes]) -> Block:
        return new_block(next(self._numbers), b"", envelopes)

    def write(self, block: Block, consenter_metadata: bytes = b"") -> None:
        assert block.header.number == len(self.written) + 1
        self.written.append((list(block.data.data), consenter_metadata))

    async def write_config(self, block: Block, consenter_metadata: bytes = b"") -> None:
        await self.may_write_config.wait()
        self.configurations.append(block.header.number)
        self.write(block, consenter_metadata)
        self.sequence += 1

    async def drained(self, blocks: int) -> None:
        while self.unwritten > blocks:
            await self.room.wait()

    @property
    def contents(self) -> list[list[bytes]]:
        return [envelopes for envelopes, _ in self.written]
