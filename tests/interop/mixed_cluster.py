# SPDX-License-Identifier: Apache-2.0
"""Consenters of one channel, some of them Fabric's, and what clients sent them and saw of them."""

import asyncio
import contextlib
import itertools
import json
import os
import re
import signal
import urllib.request
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import grpc.aio

import config_changes as changes
from block_reader import blocks_from
from config_updates import update_of
from consenters import Write, with_consenters
from fastledger.channelconfig import Bundle
from fastledger.client.orderer import Orderer
from fastledger.client.target import Target
from fastledger.comm import ClientTls
from fastledger.common.errors import FastledgerError
from fastledger.ledger.blockstores import Ledgers
from fastledger.msp import SigningIdentity
from fastledger.network import processes
from fastledger.network.plan import HOST, Node
from fastledger.protos.common.common_pb2 import Block, Envelope, HeaderType
from fastledger.protos.common.configtx_pb2 import Config
from fastledger.protos.orderer.etcdraft.configuration_pb2 import Consenter
from fastledger.protoutil.blocks import last_config_index
from fastledger.protoutil.envelope import signed_envelope
from fastledger.protoutil.hashes import header_hash
from fastledger.tools.osnadmin import OsnAdmin
from raft_network import contents_of
from real_nodes import Nodes
from waiting import elapse, pause, until, wait_until

PATIENCE_S = 180
FALLS = 20 if os.environ.get("FASTLEDGER_SLOW") == "1" else 6
"""Of leaders, at least."""

FALLS_TAKE_AT_MOST_S = 300 * FALLS
STORIES_TAKE_AT_MOST_S = 1800
"""On a machine that does other things, too."""

MAX_MORE_FALLS = 40
"""So often leaders are of one kind only when something is wrong."""

WAYS = (signal.SIGKILL, signal.SIGSTOP)
"""How they fall."""

GONE = (FastledgerError, TimeoutError, grpc.aio.AioRpcError, asyncio.InvalidStateError)
"""What comes of an orderer that does not answer, or goes meanwhile."""

ANSWER_S = 5
"""Whoever is suspended takes connections, and never answers."""


@dataclass
class Delivered:
    """What a node has delivered so far."""

    blocks: list[Block] = field(default_factory=list)
    contents: set[bytes] = field(default_factory=set)


@dataclass(frozen=True)
class Falls:
    """How many leaders fell, and of these how many of a kind in a way."""

    count: int
    ways: Counter[tuple[str, str]]


class Cluster:
    """The nodes, their administrators and a client; messages are `name/number` or a number."""

    def __init__(
        self,
        nodes: Nodes,
        members: Sequence[Node] = (),
        message_type: int = HeaderType.ENDORSER_TRANSACTION,
        channel_id: str = "",
    ) -> None:
        self.nodes = nodes
        self.channel_id = channel_id or nodes.plan.channel
        self._type = message_type
        self.time_shift_s = 0.0
        """Clients judge the orderers' certificates as of so long ago."""
        self.plan = nodes.plan
        self.members = list(members or self.plan.all_orderers)
        self.sent: set[bytes] = set()
        self.taken: set[bytes] = set()
        self._numbers = itertools.count()
        self._delivered: defaultdict[str, Delivered] = defaultdict(Delivered)
        self.admins = [
            SigningIdentity.load(Path(msp), mspid)
            for mspid, msp in changes.administrators(self.plan)
        ]
        self.client = self.admins[1]

    # Who they are, and what they say of themselves.

    def kind(self, node: Node) -> str:
        return "real" if self.nodes.is_real(node) else "ours"

    def admin(self, node: Node) -> OsnAdmin:
        tls = node.identity / "tls"
        address = f"{HOST}:{node.side_port}"
        return OsnAdmin(address, tls / "ca.crt", tls / "server.crt", tls / "server.key")

    def join(self, block: bytes, *nodes: Node) -> None:
        for node in nodes or self.members:
            answer = self.admin(node).join(block)
            assert answer.status == 201, answer

    def told(self, node: Node) -> dict[str, object]:
        """What a node says of the channel."""
        found: dict[str, object] = json.loads(self.admin(node).channels(self.channel_id).body)
        return found

    def height(self, node: Node) -> int:
        return int(str(self.told(node).get("height", 0)))

    def leaders(self) -> list[Node]:
        return [node for node in self.members if self._leads(node)]

    def _leads(self, node: Node) -> bool:
        return self.measured(node, "consensus_etcdraft_is_leader") == 1

    def measured(self, node: Node, name: str) -> int | None:
        """A number that a node tells of the channel."""
        url = f"http://{HOST}:{node.operations_port}/metrics"
        if processes.running(node.folder) is None:
            return None
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:
                metrics = answer.read().decode()
        except OSError:
            return None
        found = re.search(rf'^{name}{{channel="{self.channel_id}"}} (.+)$', metrics, re.MULTILINE)
        return int(float(found[1])) if found else None

    async def leader(self) -> Node:
        """Wait until there is one leader."""
        found: list[Node] = []

        async def is_led() -> bool:
            found[:] = await asyncio.to_thread(self.leaders)
            return len(found) == 1

        await until(is_led, PATIENCE_S)
        return found[0]

    async def led_by(self, kind: str) -> Node:
        """Have leaders die until the one that follows is of this kind; return it."""
        while self.kind(leader := await self.leader()) != kind:
            self.nodes.kill(leader)
            others = [node for node in self.members if node is not leader]
            await self.order(b"another leader", *others)
            await asyncio.to_thread(self.nodes.start, leader.name)
            await self.order(b"it is back", leader)
        return leader

    async def back(self, node: Node, after: signal.Signals) -> None:
        """Start a node that was killed, or let one that was suspended go on."""
        if after == signal.SIGSTOP:
            self.nodes.signal(node, signal.SIGCONT)
        else:
            await asyncio.to_thread(self.nodes.start, node.name)

    async def leaders_fall(self, at_least: int) -> Falls:
        """Have so many leaders fall under load, and go on until both kinds fell in both ways."""
        fallen: Counter[tuple[str, str]] = Counter()
        for number in itertools.count():
            if number >= at_least and len(fallen) == 2 * len(WAYS):
                return Falls(number, fallen)
            assert number < at_least + MAX_MORE_FALLS, fallen
            await self._leader_falls(number, fallen)
            await asyncio.to_thread(self.level)
        raise AssertionError("it ends before")

    async def _leader_falls(self, number: int, fallen: Counter[tuple[str, str]]) -> None:
        async with self.loaded():
            taken = len(self.taken)
            await until(lambda: len(self.taken) > taken + 30, PATIENCE_S)
            leader = await self.leader()
            kind = self.kind(leader)
            way = min(WAYS, key=lambda way: fallen[kind, way.name])
            if way == signal.SIGKILL:
                self.nodes.kill(leader)
            else:
                self.nodes.signal(leader, way)
            fallen[kind, way.name] += 1
            others = [node for node in self.members if node is not leader]
            await self.order(b"without %d" % number, *others)
            await self.back(leader, way)
            await self.order(b"with %d" % number, leader)

    def check_falls(self, falls: Falls) -> None:
        """Stop all; see that chains are equal, and hold what was ordered while leaders fell."""
        names = self.check_equal()
        print(dict(falls.ways))
        for number in range(falls.count):
            assert {b"without %d" % number, b"with %d" % number} <= names

    # Messages.

    def _target(self, node: Node) -> Target:
        tls = ClientTls(node.tls_root.read_bytes(), time_shift_s=self.time_shift_s)
        return Target(node.address, tls)

    def message(self, content: bytes) -> Envelope:
        return signed_envelope(self._type, self.channel_id, content, self.client)

    async def send(self, node: Node, content: bytes) -> bool:
        """Send a message, once; whether it was taken."""
        self.sent.add(content)
        if await self.hand(node, self.message(content)) == "":
            self.taken.add(content)
            return True
        return False

    async def hand(self, node: Node, envelope: Envelope) -> str:
        """Send an envelope, once; why it was not taken."""
        try:
            async with (
                asyncio.timeout(ANSWER_S),
                await Orderer.connect(self._target(node)) as orderer,
            ):
                await orderer.broadcast(envelope)
        except (FastledgerError, TimeoutError) as error:
            return str(error) or repr(error)
        return ""

    async def order(self, name: bytes, *nodes: Node) -> None:
        """Send messages of a name to nodes, in turn, until one is in a block.

        That one was taken says little: whoever took it may be about to lose its part.
        """
        choice = itertools.cycle(nodes)
        sent: set[bytes] = set()

        async def is_there() -> bool:
            content = b"%s/%d" % (name, next(self._numbers))
            sent.add(content)
            await self.send(next(choice), content)
            await elapse(0.3, "a block takes a batch timeout, and a round of messages")
            return bool(sent & (await self.delivered(nodes[0])).contents)

        await until(is_there, PATIENCE_S)

    async def fill(self, node: Node, size: int, count: int) -> None:
        """Have a node take so many messages of a size."""
        for _ in range(count):
            content = b"%d/" % next(self._numbers)
            await until(lambda content=content: self.send(node, content + b"." * size), PATIENCE_S)

    async def config_block(self) -> Block:
        """The configuration in force, as those know it who have delivered most."""
        chains = await asyncio.gather(*(self.delivered(node) for node in self.members))
        blocks = max((chain.blocks for chain in chains), key=len)
        return blocks[last_config_index(blocks[-1])]

    async def reconfigure(self, node: Node, *consenters: Consenter) -> None:
        """Have a node take a configuration with these consenters, and wait until it is in force.

        It is refused while the leader does not know yet that enough of them are there.
        """
        await self.configure(node, lambda config: with_consenters(config, consenters))

    async def configure(self, node: Node, write: Write) -> None:
        """Have a node take a changed configuration, and wait until it is in force.

        Whether it is, all are asked before it is sent again: one that is no consenter any more, or
        is known by another certificate from then on, has no leader, and gives no blocks; whatever
        else it is sent it refuses, because it comes too late.
        """
        told: list[str] = []

        async def is_in_force() -> bool:
            block = (await self.config_block()).SerializeToString()
            current, following = (Config.FromString(Bundle.from_block(block).config) for _ in "ab")
            write(following)
            if following == current:
                return True
            update = update_of(self.channel_id, current, following, self.admins)
            told.append(await self.hand(node, update))
            await elapse(0.5, "an update that is taken is in force a moment later")
            return False

        try:
            await until(is_in_force, PATIENCE_S)
        except TimeoutError as error:
            raise AssertionError(f"{node.name} said of the updates: {Counter(told)}") from error

    @contextlib.asynccontextmanager
    async def loaded(self) -> AsyncIterator[None]:
        """Have all nodes sent messages meanwhile."""
        floods = [asyncio.ensure_future(self._flood(node)) for node in self.members]
        try:
            yield
        finally:
            for flood in floods:
                flood.cancel()
            await asyncio.gather(*floods, return_exceptions=True)

    async def _flood(self, node: Node) -> None:
        while True:
            await self.send(node, b"%d" % next(self._numbers))
            await elapse(0.05, "the chains are read again and again, and must not become long")

    # Blocks.

    async def delivered(self, node: Node) -> Delivered:
        """What a node has delivered by now."""
        known = self._delivered[node.name]
        # From the last one on: there is one to read, then.
        first = max(len(known.blocks) - 1, 0)
        blocks = blocks_from(self._target(node), self.channel_id, self.client, first)
        with contextlib.suppress(*GONE):
            async with asyncio.timeout(ANSWER_S), contextlib.aclosing(blocks):
                async for block in blocks:
                    if block.header.number == len(known.blocks):
                        known.blocks.append(block)
                        known.contents.update(contents_of([block], self._type))
        return known

    def level(self, nodes: Sequence[Node] = ()) -> int:
        """Wait until all nodes are equally high, and stay so."""
        seen: list[int] = []

        def is_level() -> bool:
            heights = {self.height(node) for node in nodes or self.members}
            seen.append(min(heights) if len(heights) == 1 else -1)
            pause(0.1, "between two looks at the heights")
            return len(seen) > 5 and len(set(seen[-5:])) == 1 and seen[-1] > 0

        wait_until(is_level, PATIENCE_S)
        return seen[-1]

    def stored(self, node: Node, channel_id: str = "") -> list[Block]:
        """Read a stopped orderer's chain."""
        store = Ledgers(node.folder / "data").open(channel_id or self.channel_id)
        try:
            return [Block.FromString(store.block(number)) for number in range(store.height)]
        finally:
            store.close()

    def check_equal(self, *nodes: Node) -> set[bytes]:
        """Stop all; see that chains are equal, and hold whatever clients saw; return the names."""
        self.nodes.stop()
        chains = {node.name: self.stored(node) for node in nodes or self.members}
        chain, *others = chains.values()
        hashes = [header_hash(block.header) for block in chain]
        for other in others:
            assert [header_hash(block.header) for block in other] == hashes
            assert [block.data for block in other] == [block.data for block in chain]
        for before, block in itertools.pairwise(chain):
            assert block.header.previous_hash == header_hash(before.header)
        for name, seen in self._delivered.items():
            for block in seen.blocks:
                number = block.header.number
                assert header_hash(block.header) == hashes[number], (name, number)
                assert block.data == chain[number].data, (name, number)
        contents = contents_of(chain, self._type)
        counts = Counter(content for content in contents if content in self.sent)
        assert max(counts.values()) == 1, counts.most_common(3)
        ordered = len(self.taken & set(contents))
        print(
            f"{len(chain)} blocks on {len(chains)} nodes, {len(contents)} messages, of "
            f"{len(self.taken)} that were taken {ordered} in blocks"
        )
        return {content.partition(b"/")[0] for content in contents}
