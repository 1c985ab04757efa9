# SPDX-License-Identifier: Apache-2.0
"""Raft orderers in processes of their own, which a test ends, suspends and asks."""

import asyncio
import signal
from collections.abc import Iterable
from pathlib import Path

import grpc.aio

import ordering
from fastledger.comm import ClientTls, GrpcChannel, dial
from fastledger.common.errors import ConnectionFailed
from fastledger.network.consensus import Raft, places_of
from fastledger.network.deployment import join_orderer
from fastledger.protos.common.common_pb2 import Status
from fastledger.protos.orderer.ab_pb2 import BroadcastResponse
from raft_network import RaftNetwork
from waiting import elapse, until

ANSWER_S = 20.0
"""An orderer answers a message after 10 s at the latest; one that is suspended does not."""


class RaftProcesses:
    """The orderers of a network, numbered from 1 as raft does."""

    def __init__(self, network: RaftNetwork) -> None:
        self.network = network
        self.plan = network.plan
        self.running: dict[int, ordering.OrdererProcess] = {}
        self.suspended: set[int] = set()
        self.sent: set[bytes] = set()
        """What `order` has sent."""
        self._tls = ClientTls((self.plan.orderer.identity / "tls" / "ca.crt").read_bytes())

    @property
    def numbers(self) -> range:
        return range(1, self.plan.orderers + 1)

    @property
    def majority(self) -> int:
        return self.plan.orderers // 2 + 1

    def process_id(self, number: int) -> int | None:
        return self.running[number].pid if number in self.running else None

    async def start(self, *numbers: int) -> None:
        """Start orderers."""

        async def start(number: int) -> None:
            environment = self.network.environment(number)
            process = await asyncio.to_thread(ordering.OrdererProcess, environment)
            self.running[number] = process

        await asyncio.gather(*map(start, numbers))

    async def join(self) -> None:
        for node in self.plan.all_orderers:
            await asyncio.to_thread(join_orderer, self.plan, node)

    def kill(self, *numbers: int) -> None:
        """End orderers at once, as a power switch would."""
        processes = {number: self.running.pop(number) for number in numbers}
        for process in processes.values():
            process.send(signal.SIGKILL)
        for number, process in processes.items():
            self.suspended.discard(number)
            process.kill()
            self._keep_log(number, process)

    def suspend(self, *numbers: int) -> None:
        for number in numbers:
            self.suspended.add(number)
            self.running[number].send(signal.SIGSTOP)

    def resume(self, *numbers: int) -> None:
        for number in numbers or list(self.suspended):
            self.running[number].send(signal.SIGCONT)
            self.suspended.discard(number)

    async def terminate(self, *numbers: int) -> None:
        """Ask orderers to end, as an operator does."""
        processes = [self.running[number] for number in numbers]
        codes = await asyncio.gather(*(asyncio.to_thread(one.terminate) for one in processes))
        for number, process in zip(numbers, processes, strict=True):
            self._keep_log(number, process)
            del self.running[number]
        assert not any(codes)

    def end(self) -> None:
        """Leave nothing that runs."""
        self.kill(*self.running)

    def _keep_log(self, number: int, process: ordering.OrdererProcess) -> None:
        with self.log(number).open("a", encoding="utf-8") as file:
            file.writelines(process.lines)

    def log(self, number: int) -> Path:
        """What an orderer said, until it was ended last."""
        return self.network.node(number).folder / "log"

    async def leader(self, among: Iterable[int] = ()) -> int:
        """Wait until orderers, by default all that run, know the same leader, one of them."""
        asked = set(among) or set(self.running) - self.suspended
        found = 0

        async def is_agreed() -> bool:
            nonlocal found
            nodes = [self.network.node(number) for number in asked]
            places = await places_of(nodes, self.plan.channel)
            leaders = {one.leader for one in places.values() if isinstance(one, Raft)}
            found = leaders.pop() if len(leaders) == 1 and len(places) == len(asked) else 0
            return found in asked

        await until(is_agreed)
        return found

    async def connect(self, number: int) -> GrpcChannel:
        return await dial(self.network.node(number).address, self._tls)

    async def broadcast(self, number: int, content: bytes) -> BroadcastResponse | None:
        """Send a message to an orderer; None when it does not answer."""
        try:
            async with asyncio.timeout(ANSWER_S):
                channel = await self.connect(number)
                try:
                    call = channel.stream_stream("/orderer.AtomicBroadcast/Broadcast")()
                    await call.write(self.network.envelope(content))
                    encoded = await call.read()
                finally:
                    await channel.close()
        except (TimeoutError, ConnectionFailed, grpc.aio.AioRpcError):
            return None
        return None if encoded is grpc.aio.EOF else BroadcastResponse.FromString(encoded)

    async def order(self, content: bytes) -> bytes:
        """Send a message to any orderer that takes it; return it as it was taken.

        What is refused, or not answered, may be ordered nevertheless. So it is another message each
        time.
        """
        while True:
            for number in set(self.running) - self.suspended:
                message = b"%s (%d)" % (content, len(self.sent))
                self.sent.add(message)
                response = await self.broadcast(number, message)
                if response is not None and response.status == Status.SUCCESS:
                    return message
            await elapse(0.05, "nobody takes it yet")
