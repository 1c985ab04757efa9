# SPDX-License-Identifier: Apache-2.0
"""A consensus of many nodes that has everything but an algorithm, for tests of the interface.

The leader is named by the test, and a proposal is decided when most of the members hold it; nobody
keeps a log. The members' numbers are the channel's consensus metadata, such as ``1,2``::

    SUBMIT   sequence, envelope   member ──► leader
    PROPOSE  number, block        leader ──► members     created ahead, not signed
    HELD     number               member ──► leader
    BLOCK    number, block        leader ──► everybody   decided, signed, stored
    WANT     number               who lacks blocks ──► leader
    LEAD     term, leader         the test ──► everybody
"""

import asyncio
import struct
from collections import defaultdict
from typing import Any

from fastledger.channelconfig import Bundle
from fastledger.common.errors import FastledgerError, InputError
from fastledger.orderer.blockcutter import Message
from fastledger.orderer.consensus.batcher import Batcher
from fastledger.orderer.consensus.chain import (
    ChainHalted,
    Consenter,
    ConsenterSupport,
    Relation,
    Standing,
    Status,
)
from fastledger.orderer.errors import BlockNotNext
from fastledger.orderer.msgprocessor.message import OrdererMessage
from fastledger.orderer.multichannel.chainsupport import ChainSupport
from fastledger.protoutil.blocks import checked_block, is_config_block
from fastledger.protoutil.coreblock import AnyBlock

MAX_PROPOSED = 4
"""Blocks that the leader has proposed before messages wait."""

SUBMIT, PROPOSE, HELD, BLOCK, WANT, LEAD = range(6)
_HEAD = struct.Struct(">BQ")


def packed(kind: int, number: int, content: bytes = b"") -> bytes:
    return _HEAD.pack(kind, number) + content


def lead(term: int, leader: int) -> bytes:
    return packed(LEAD, term << 8 | leader)


class Net:
    """Carries messages between nodes, those of one sender in order."""

    def __init__(self) -> None:
        self.nodes: dict[int, ChainSupport] = {}
        self.cut: set[tuple[int, int]] = set()
        self.refusals: list[FastledgerError] = []
        self._order: defaultdict[tuple[int, int], asyncio.Lock] = defaultdict(asyncio.Lock)
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, sender: int, to: int, message: bytes) -> None:
        if (sender, to) in self.cut:
            return
        task = asyncio.get_running_loop().create_task(self._deliver(sender, to, message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        """Return when nothing is on its way, to a node or to its disk."""
        while self._tasks:
            await asyncio.wait(self._tasks)
            for node in self.nodes.values():
                await node.drained(0)

    async def _deliver(self, sender: int, to: int, message: bytes) -> None:
        async with self._order[sender, to]:
            node = self.nodes.get(to)
            if node is None:
                return
            try:
                await node.step(sender, message)
            except FastledgerError as error:
                self.refusals.append(error)


class Follower:
    """Adopts what the leader has signed."""

    relation = Relation.FOLLOWER

    def __init__(self, kind: "Toy", support: ConsenterSupport, last_metadata: bytes) -> None:
        self.kind = kind
        self.support = support
        term, leader = last_metadata.split(b"/") if last_metadata else (b"1", b"1")
        self.term, self.leader = int(term), int(leader)
        self.is_running = False

    @property
    def standing(self) -> Standing:
        relation = Relation.CONSENTER if self.kind.me in self.members else Relation.FOLLOWER
        if not self.is_running:
            return Standing(relation, Status.INACTIVE)
        return Standing(
            relation, Status.ONBOARDING if self.support.is_onboarding else Status.ACTIVE
        )

    @property
    def errored(self) -> bool:
        return not self.is_running or not self.leader

    @property
    def members(self) -> set[int]:
        return {int(number) for number in self.support.orderer.consensus_metadata.split(b",")}

    @property
    def is_in_place(self) -> bool:
        """Whether this is the chain that the configuration asks for."""
        return self.kind.follows(self.support) == (type(self) is Follower)

    def check_update(self, following: Bundle) -> None:
        """Allow."""

    def start(self) -> None:
        self.is_running = True
        if self.leader != self.kind.me:
            self.send(self.leader, WANT, self.support.height)

    async def resign(self) -> None:
        """Do nothing: it is a toy."""

    async def halt(self) -> None:
        await self.kind.may_halt.wait()
        self.is_running = False
        await self.support.drained(0)

    async def wait_ready(self) -> None:
        self.check_ready()

    async def order(self, message: Message, sequence: int) -> None:
        raise ChainHalted("followers order nothing")

    async def configure(self, envelope: bytes, sequence: int) -> None:
        raise ChainHalted("followers order nothing")

    async def step(self, sender: int, message: bytes) -> None:
        kind, number = _HEAD.unpack_from(message)
        content = message[_HEAD.size :]
        if kind == BLOCK:
            await self.adopt(content)
        elif kind == LEAD:
            self.follow(number >> 8, number & 0xFF)

    def check_ready(self) -> None:
        if self.errored or type(self) is Follower:
            raise ChainHalted("no leader" if self.is_running else "halted")

    def send(self, to: int, kind: int, number: int, content: bytes = b"") -> None:
        self.kind.net.send(self.kind.me, to, packed(kind, number, content))

    async def adopt(self, block: bytes) -> None:
        try:
            await self.support.append(block)
        except BlockNotNext:
            # What is on its way is not there yet.
            await self.support.drained(0)
            self.send(self.leader, WANT, self.support.height)
            return
        if not self.is_in_place:
            self.support.switch_chain()

    def follow(self, term: int, leader: int) -> None:
        self.term, self.leader = term, leader
        self.support.changed()


class Member(Follower):
    """May lead."""

    def __init__(self, kind: "Toy", support: ConsenterSupport, last_metadata: bytes) -> None:
        super().__init__(kind, support, last_metadata)
        self.proposed: dict[int, tuple[AnyBlock, set[int]]] = {}
        self.progress = asyncio.Event()
        self.deciding = asyncio.Lock()
        self.batcher = Batcher(
            _Proposing(self), self.propose, self.propose_config, max_unwritten=MAX_PROPOSED
        )

    @property
    def leads(self) -> bool:
        return self.leader == self.kind.me

    def start(self) -> None:
        super().start()
        if self.leads:
            self.batcher.open()

    async def halt(self) -> None:
        await self.batcher.close()
        await super().halt()

    async def order(self, message: Message, sequence: int) -> None:
        if self.leads:
            await self.batcher.order(message, sequence)
        else:
            self.check_ready()
            self.send(self.leader, SUBMIT, sequence, message.encoded)

    async def configure(self, envelope: bytes, sequence: int) -> None:
        if not self.leads:
            raise ChainHalted("ask the leader")
        await self.batcher.configure(envelope, sequence)

    async def step(self, sender: int, message: bytes) -> None:
        kind, number = _HEAD.unpack_from(message)
        content = message[_HEAD.size :]
        if kind == PROPOSE:
            checked_block(content)
            self.send(sender, HELD, number)
        elif kind == HELD and number in self.proposed:
            self.proposed[number][1].add(sender)
            await self.decide()
        elif kind == SUBMIT:
            submitted = OrdererMessage.parse(content)
            await self.batcher.order(Message(submitted.encoded, submitted.size), number)
        elif kind == WANT:
            for wanted in range(number, self.support.height):
                self.send(sender, BLOCK, wanted, self.support.block(wanted))
        else:
            await super().step(sender, message)

    def follow(self, term: int, leader: int) -> None:
        led = self.leads
        super().follow(term, leader)
        if self.leads:
            self.batcher.open()
        elif led:
            self.batcher.drop()
            self.proposed.clear()
            self.support.rewind()
            self.progress.set()

    def propose(self, batch: list[bytes]) -> None:
        block = self.support.create_next(batch)
        number = block.header.number
        self.proposed[number] = (block, set())
        for member in self.members:
            # It hears itself, too.
            self.send(member, PROPOSE, number, block.SerializeToString())

    async def propose_config(self, envelope: bytes) -> None:
        term = self.term
        self.propose([envelope])
        while self.proposed:
            self.progress.clear()
            await self.progress.wait()
        if self.term != term:
            raise ChainHalted("another leads; the configuration is not ordered")

    async def decide(self) -> None:
        """Write and ship what most members hold, in order."""
        async with self.deciding:
            while self.proposed:
                number = min(self.proposed)
                block, held = self.proposed[number]
                if 2 * len(held) <= len(self.members):
                    break
                await self.write(block)
                self.proposed.pop(number, None)
                for node in set(self.kind.net.nodes) - {self.kind.me}:
                    self.send(node, BLOCK, number, self.support.block(number))
                self.progress.set()

    async def write(self, block: AnyBlock) -> None:
        kept = b"%d/%d" % (self.term, self.leader)
        if is_config_block(block):
            await self.support.write_config(block, kept)
        else:
            self.support.write(block, kept)
            await self.support.drained(0)


class _Proposing:
    """The channel, with what is proposed counted among the unwritten blocks."""

    def __init__(self, chain: Member) -> None:
        self._chain = chain

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chain.support, name)

    @property
    def unwritten(self) -> int:
        return len(self._chain.proposed) + self._chain.support.unwritten

    async def drained(self, blocks: int) -> None:
        while self.unwritten > blocks:
            self._chain.progress.clear()
            await self._chain.progress.wait()


class Toy:
    """The kind, as one node has it."""

    def __init__(self, me: int, net: Net) -> None:
        self.me = me
        self.net = net
        self.is_broken = False
        self.may_halt = asyncio.Event()
        self.may_halt.set()

    def consenter(self) -> Consenter:
        return Consenter(lambda *_: None, self._chain)

    def follows(self, support: ConsenterSupport) -> bool:
        members = support.orderer.consensus_metadata.split(b",")
        return support.is_onboarding or b"%d" % self.me not in members

    def _chain(self, support: ConsenterSupport, last_metadata: bytes) -> Follower:
        if self.is_broken:
            raise InputError("no such chain")
        return (Follower if self.follows(support) else Member)(self, support, last_metadata)
