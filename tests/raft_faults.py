# SPDX-License-Identifier: Apache-2.0
"""What a cluster of orderers is put through, while clients send and read."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from links import Links
from raft_clients import LOST_S, Chains, Senders
from raft_processes import RaftProcesses
from waiting import elapse, until

PATIENCE_S = 5.0

SERVED = 10
"""So many messages taken show that a cluster goes on."""


class Trial:
    """A cluster under load, with what was done to it."""

    def __init__(self, orderers: RaftProcesses, random_source: random.Random) -> None:
        self.orderers = orderers
        self.random = random_source
        self.chains = Chains(orderers)
        self.senders = Senders(orderers, 0.01 * len(orderers.numbers))
        self.done: Counter[str] = Counter()

    @asynccontextmanager
    async def reading(self, *, load: bool = False) -> AsyncIterator[None]:
        """Read at every orderer, and send there; whoever reads what must not be ends it."""
        works = (self.chains.read, self.senders.send) if load else (self.chains.read,)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(work(number))
                for number in self.orderers.numbers
                for work in works
            ]
            yield
            for task in tasks:
                task.cancel()

    async def all_go_on(self, *numbers: int) -> None:
        """Find that a new message reaches everybody, or some orderers.

        One that is handed to a leader who does not know yet that it leads no more may be lost
        though it was acknowledged; so there are more of them, of which any will do.
        """
        markers: set[bytes] = set()

        def ordered() -> set[bytes]:
            return markers & self.chains.ordered.keys()

        async with asyncio.timeout(LOST_S):
            while not ordered():
                markers.add(await self.orderers.order(b"marker"))
                with suppress(TimeoutError):
                    await until(lambda: bool(ordered()), PATIENCE_S)
        await self.chains.until_have(ordered().pop(), numbers or self.orderers.numbers)

    async def settle(self) -> str:
        """Read all again, find that nothing is there that nobody sent, and tell the figures."""
        await self.chains.reread()
        ordered = set(self.chains.ordered)
        senders = self.senders
        assert ordered <= senders.sent | self.orderers.sent
        lost = Counter(
            during for content, during in senders.acknowledged.items() if content not in ordered
        )
        return (
            f"{dict(self.done)}; {len(self.chains.hashes)} blocks, equal at "
            f"{len(self.chains.heights)} orderers; {len(senders.sent)} messages sent, "
            f"{len(senders.acknowledged)} acknowledged, of which {lost.total()} were not ordered "
            f"{dict(lost)}, {len(senders.refused)} refused, of which "
            f"{len(senders.refused & ordered)} were ordered; {len(ordered)} ordered, none twice"
        )

    # Kills, of which each is counted as one whatever the number of orderers.

    async def kill(self, *victims: int) -> None:
        """End orderers at some moment; start them when the others have gone on, if they can."""
        orderers = self.orderers
        await self.moment()
        orderers.kill(*victims)
        if len(orderers.running) >= orderers.majority:
            await self.senders.acknowledge(SERVED)
        else:
            await self.moment()
        await orderers.start(*victims)

    async def stop_leader(self) -> None:
        """End the leader as operators do; start it when the others have gone on."""
        victim = self.senders.stopping = await self.orderers.leader()
        await self.moment()
        await self.orderers.terminate(victim)
        await self.senders.acknowledge(SERVED)
        self.senders.stopping = 0
        await self.orderers.start(victim)

    async def suspend(self, *victims: int) -> None:
        """Have orderers stand still until the others have gone on, if they can."""
        orderers = self.orderers
        await self.moment()
        orderers.suspend(*victims)
        if len(orderers.running) - len(victims) >= orderers.majority:
            await orderers.leader()
            await self.senders.acknowledge(SERVED)
        else:
            await self.moment()
        orderers.resume(*victims)

    async def kill_leader(self) -> None:
        await self.kill(await self.orderers.leader())

    async def kill_follower(self) -> None:
        await self.kill(self.random.choice(await self._followers()))

    async def kill_majority(self) -> None:
        victims = self.random.sample(self.orderers.numbers, self.orderers.majority)
        await self.kill(*victims)

    async def kill_all(self) -> None:
        await self.kill(*self.orderers.numbers)

    async def suspend_leader(self) -> None:
        await self.suspend(await self.orderers.leader())

    async def suspend_follower(self) -> None:
        await self.suspend(self.random.choice(await self._followers()))

    async def suspend_majority(self) -> None:
        await self.suspend(*self.random.sample(self.orderers.numbers, self.orderers.majority))

    async def _followers(self) -> list[int]:
        leader = await self.orderers.leader()
        return [number for number in self.orderers.numbers if number != leader]

    async def moment(self, seconds: float = 0.5) -> None:
        await elapse(self.random.random() * seconds, "faults come at any time")

    async def suffer(self, fault: Callable[[], Awaitable[None]], name: str) -> None:
        """Bring a fault about, and find that all go on after it."""
        await self.senders.acknowledge(SERVED)
        self.senders.happening = name
        await fault()
        self.done[name] += 1
        await self.all_go_on()


KILLS = ("kill_leader", "kill_follower", "kill_majority", "kill_all")
SUSPENSIONS = ("suspend_leader", "suspend_follower")


class Weather:
    """Links that are cut, slow, or break, and orderers that end or stand still, all at random."""

    def __init__(self, trial: Trial, links: Links) -> None:
        self._trial = trial
        self._links = links
        self._kinds = {
            "partitions": self._partition,
            "one-way partitions": self._part_one_way,
            "delays": self._delay,
            "resets": self._reset,
            "kills": self._kill,
            "suspensions": self._suspend,
        }

    async def storm(self) -> None:
        """One to three faults at once, for a while; then all is healed, and all go on."""
        trial, orderers = self._trial, self._trial.orderers
        trial.senders.happening = "storms"
        for _ in range(trial.random.randint(1, 3)):
            name = trial.random.choice(list(self._kinds))
            self._kinds[name]()
            trial.done[name] += 1
            await trial.moment(2)
        await trial.moment(3)
        trial.senders.happening = "healing"
        self._links.heal()
        orderers.resume()
        await orderers.start(*(set(orderers.numbers) - set(orderers.running)))
        await trial.all_go_on()

    def _some(self) -> tuple[list[int], list[int]]:
        """Some orderers, up to a majority of them, and the others."""
        random_source, orderers = self._trial.random, self._trial.orderers
        some = random_source.sample(orderers.numbers, random_source.randint(1, orderers.majority))
        return some, [number for number in orderers.numbers if number not in some]

    def _partition(self) -> None:
        some, others = self._some()
        for link in self._links.between(some, others) + self._links.between(others, some):
            link.cut()

    def _part_one_way(self) -> None:
        for link in self._links.between(*self._some()):
            link.cut()

    def _delay(self) -> None:
        some, others = self._some()
        delay_s = self._trial.random.choice((0.005, 0.05, 0.3))
        for link in self._links.between(some, others) + self._links.between(others, some):
            link.delay_s = delay_s

    def _reset(self) -> None:
        some, others = self._some()
        for link in self._links.between(some, others) + self._links.between(others, some):
            link.reset()

    def _kill(self) -> None:
        orderers = self._trial.orderers
        orderers.kill(*(number for number in self._some()[0] if number in orderers.running))

    def _suspend(self) -> None:
        orderers = self._trial.orderers
        some = (number for number in self._some()[0] if number in orderers.running)
        orderers.suspend(*some)
