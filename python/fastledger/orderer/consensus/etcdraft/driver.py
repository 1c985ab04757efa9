# SPDX-License-Identifier: Apache-2.0
"""Turns the wheel of a channel's raft, which has no thread, clock, disk or network of its own.

One turn (Fabric: ``etcdraft/node.go``), one after the other; messages and ticks come in meanwhile::

    step, tick, propose ──► ready ──► send messages ──► save ──► send replies ──► apply ──► advance
                                                      (its thread)

A full disk is waited for: nothing of a turn counts until it is saved.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol

from fastledger._core import CoreBytes, RaftEntry, RaftMessage, RaftNode, RaftReady, RaftSnapshot
from fastledger.common import log
from fastledger.common.errors import LedgerIo
from fastledger.ledger.room import RETRY_S
from fastledger.orderer.consensus.clock import Clock, Timer
from fastledger.orderer.consensus.etcdraft.metrics import RaftMetrics

_logger = log.get("orderer.consensus.etcdraft")


class Driven(Protocol):
    """A chain, as what raft decides goes to it."""

    def ticking(self) -> None:
        """A tick is about to be counted."""

    def send(self, message: RaftMessage) -> bool:
        """Send a message to another member; False when it is lost already."""

    def observe(self, ready: RaftReady) -> None:
        """Learn who leads."""

    async def take_over(self, snapshot: RaftSnapshot) -> None:
        """Come to where a leader's snapshot is."""

    async def apply(self, entry: RaftEntry) -> None:
        """Take a committed entry."""

    def applied(self) -> None:
        """All that was committed so far is applied."""

    def failed(self, error: Exception) -> None:
        """Learn that the wheel stands still for good."""


class Driver:
    """One member's wheel."""

    def __init__(
        self, node: RaftNode, driven: Driven, metrics: RaftMetrics, *, tick_s: float, clock: Clock
    ) -> None:
        """Stand still until started."""
        self._node = node
        self._driven = driven
        self._metrics = metrics
        self._tick_s = tick_s
        self._clock = clock
        self._timer: Timer | None = None
        self._more = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="raft")
        self._due: tuple[int, bytes | CoreBytes] | None = None
        self._is_stopped = False

    def start(self) -> None:
        """Begin to turn."""
        self._task = asyncio.get_running_loop().create_task(self._run())
        self._timer = self._clock.call_later(self._tick_s, self._tick)
        self.wake()

    async def stop(self) -> None:
        """Stand still, and close the log; a second time does nothing."""
        if self._is_stopped:
            return
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
            await asyncio.wait([self._task])
        await asyncio.to_thread(self._disk.shutdown)
        self._node.close()

    def wake(self) -> None:
        """See what there is to do."""
        self._more.set()

    def compact(self, index: int, block: bytes | CoreBytes) -> None:
        """Have a snapshot made at an applied entry, whose block is durable."""
        self._due = index, block
        self.wake()

    def _tick(self) -> None:
        if self._is_stopped:
            return
        # A loop that was held up counts one tick, not those that it has missed.
        self._timer = self._clock.call_later(self._tick_s, self._tick)
        self._driven.ticking()
        self._node.tick()
        self.wake()

    async def _run(self) -> None:
        try:
            while True:
                await self._more.wait()
                self._more.clear()
                while (ready := self._node.ready()) is not None:
                    await self._turn(ready)
                    # What has come meanwhile goes into one turn.
                    await asyncio.sleep(0)
                if self._due is not None:
                    (index, block), self._due = self._due, None
                    await self._on_disk(partial(self._node.compact, index, block))
        except Exception as error:  # noqa: BLE001 - whatever it is, this member cannot go on
            if self._timer is not None:
                self._timer.cancel()
            self._driven.failed(error)

    async def _turn(self, ready: RaftReady) -> None:
        self._send(ready.messages)
        began = time.monotonic()
        await self._save(ready)
        self._metrics.data_persist_duration.observe(time.monotonic() - began)
        self._send(ready.replies)
        self._driven.observe(ready)
        if ready.snapshot is not None:
            await self._driven.take_over(ready.snapshot)
        for entry in ready.committed:
            await self._driven.apply(entry)
        self._node.advance()
        self._driven.applied()

    async def _save(self, ready: RaftReady) -> None:
        if not ready.must_sync and ready.snapshot is None:
            with contextlib.suppress(LedgerIo):
                self._node.save()
                return
        await self._on_disk(self._node.save)

    def _send(self, messages: list[RaftMessage]) -> None:
        for message in messages:
            arrived = self._driven.send(message)
            if message.is_snapshot:
                self._node.report_snapshot(message.to, arrived)

    async def _on_disk(self, work: Callable[[], None]) -> None:
        """Do what may wait for the disk, again and again while that is full."""
        loop = asyncio.get_running_loop()
        is_told = False
        while True:
            try:
                await loop.run_in_executor(self._disk, work)
            except LedgerIo as error:
                if not is_told:
                    _logger.critical("Failed to persist etcd/raft data, trying again: %s", error)
                is_told = True
                await asyncio.sleep(RETRY_S)
            else:
                return
