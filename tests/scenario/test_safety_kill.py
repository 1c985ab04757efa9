# SPDX-License-Identifier: Apache-2.0
"""kill -9 of orderer, peers and chaincode under load: what was acknowledged as committed stays."""

import asyncio
import contextlib
import json
import os
import random
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import cast

import grpc.aio
import pytest

from fastledger.client.endorsement import call, transaction
from fastledger.client.peer import commit_everywhere
from fastledger.common.codes import TxValidationCode
from fastledger.common.errors import FastledgerError
from fastledger.ledger import kvledger
from fastledger.ledger.kvledger import Ledger
from fastledger.network.plan import Node, Plan
from fastledger.network.session import Session, User
from fastledger.protos.common.ledger_pb2 import BlockchainInfo
from live_network import Network
from waiting import elapse, until

CHANNEL = "mychannel"
CLIENTS = 8
COMMIT_TIMEOUT_S = 10
CATCH_UP_S = 60
ROUNDS = 6
SOAK_ROUNDS = 60
PROGRESS = 10
"""Commits that are seen after each restart, before the next kill."""


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    made = Network(tmp_path)
    try:
        made.up()
        yield made
    finally:
        made.run("down", "--clean")


class Load:
    """Clients that create assets and note what they were told."""

    def __init__(self, plan: Plan) -> None:
        self.acknowledged: dict[str, tuple[str, int]] = {}
        self._plan = plan
        self._stopped = False
        self._clients: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._clients = [asyncio.create_task(self._client(number)) for number in range(CLIENTS)]

    async def stop(self) -> None:
        self._stopped = True
        await asyncio.gather(*self._clients)

    async def progress(self) -> None:
        """Wait until more has been committed: the network serves again by itself."""
        goal = len(self.acknowledged) + PROGRESS

        def reached() -> bool:
            for client in self._clients:
                assert not client.done(), client
            return len(self.acknowledged) >= goal

        await until(reached, CATCH_UP_S)

    async def _client(self, number: int) -> None:
        made = 0
        while not self._stopped:
            # Connections to the dead are not worth keeping.
            with contextlib.suppress(FastledgerError, grpc.aio.AioRpcError, TimeoutError):
                async with Session(self._plan) as session:
                    while not self._stopped:
                        made += 1
                        await self._create(session, f"asset-{number}-{made}")
            await elapse(0.05, "before the next attempt to reach a node that may be down")

    async def _create(self, session: Session, name: str) -> None:
        nodes = [org.peers[0] for org in self._plan.organizations]
        user = session.identity(self._plan.organizations[0], "User1")
        args = [b"CreateAsset", name.encode(), b"red", b"5", b"Ann", b"100"]
        endorsement = await session.endorse(user, nodes, self._plan.chaincode, args)
        envelope = transaction(endorsement, user)
        witness = await session.peer(random.choice(nodes))
        stream = await witness.filtered_blocks(CHANNEL, user)
        try:
            await (await session.orderer()).broadcast(envelope)
            [(block, code)] = await commit_everywhere([stream], endorsement.tx_id, COMMIT_TIMEOUT_S)
        finally:
            stream.cancel()
        assert code == TxValidationCode.VALID
        self.acknowledged[name] = endorsement.tx_id, block


async def kill_rounds(network: Network, load: Load, rounds: int, chance: random.Random) -> None:
    plan = network.plan
    victims: list[list[Node]] = [[node] for node in plan.nodes]
    victims += [[], list(plan.all_peers), list(plan.nodes)]
    for number in range(rounds):
        await load.progress()
        await asyncio.sleep(chance.random() * 0.3)
        if number % len(victims) == 0:
            chance.shuffle(victims)
        doomed = victims[number % len(victims)]
        for node in doomed:
            network.kill(node)
        if not doomed:
            assert network.kill_chaincode(plan.all_peers[chance.randrange(2)])
        await asyncio.sleep(chance.random() * 0.3)
        await asyncio.to_thread(network.restart)
    await load.progress()


async def height(session: Session, node: Node) -> int:
    org = next(org for org in session.plan.organizations if node in org.peers)
    args = [b"GetChainInfo", CHANNEL.encode()]
    user = session.signer(User(org, "User1"))
    info = await call(await session.peer(node), user, "qscc", args, channel_id=CHANNEL)
    return BlockchainInfo.FromString(info).height


async def settled(session: Session, load: Load) -> int:
    """Wait until all peers have the same blocks, and all that was acknowledged."""
    least = 1 + max(block for _, block in load.acknowledged.values())
    heights: set[int] = set()

    async def the_same() -> bool:
        heights.clear()
        heights.update([await height(session, node) for node in session.plan.all_peers])
        return len(heights) == 1 and min(heights) >= least

    try:
        await until(the_same, CATCH_UP_S)
    except TimeoutError:
        raise AssertionError(f"heights {heights}, acknowledged {least}") from None
    return heights.pop()


async def replayed(session: Session, node: Node, blocks: int, folder: Path) -> bytes:
    """Judge a peer's blocks again, offline; return the last commit hash."""
    org = next(org for org in session.plan.organizations if node in org.peers)
    user = session.signer(User(org, "User1"))
    source = (await session.peer(node)).full_blocks(CHANNEL, user, 0)
    last = b""
    with kvledger.open(folder, durable=False) as ledger:
        async for block in source:
            commit = await asyncio.to_thread(ledger.commit, block)
            assert commit.stored_filter == commit.filter, commit.number
            if commit.number:
                assert commit.stored_commit_hash == commit.commit_hash, commit.number
                last = commit.commit_hash or b""
            if commit.number == blocks - 1:
                break
        await cast(AsyncGenerator[bytes], source).aclose()
    return last


async def assets(session: Session, node: Node) -> set[str]:
    org = next(org for org in session.plan.organizations if node in org.peers)
    user = session.signer(User(org, "User1"))
    answer = await session.endorse(user, [node], session.plan.chaincode, [b"GetAllAssets"])
    [response] = answer.responses
    return {asset["ID"] for asset in json.loads(response.response.payload)}


def survive(network: Network, folder: Path, rounds: int) -> None:
    seed = int(os.environ.get("FASTLEDGER_SEED", "0")) or random.randrange(1, 1 << 32)
    print(f"FASTLEDGER_SEED={seed}")
    load = Load(network.plan)

    async def run() -> None:
        load.start()
        await kill_rounds(network, load, rounds, random.Random(seed))
        await load.stop()
        async with Session(network.plan) as session:
            blocks = await settled(session, load)
            hashes = set()
            for node in network.plan.all_peers:
                assert not load.acknowledged.keys() - await assets(session, node)
                hashes.add(await replayed(session, node, blocks, folder / node.name))
            assert len(hashes) == 1
            assert hashes.pop()
            print(f"{len(load.acknowledged)} acknowledged, {blocks} blocks")

    asyncio.run(run())
    with kvledger.open(folder / network.plan.all_peers[0].name) as ledger:
        for tx_id, block in load.acknowledged.values():
            found(ledger, tx_id, block)


def found(ledger: Ledger, tx_id: str, block: int) -> None:
    transaction = ledger.transaction(tx_id)
    assert transaction is not None
    assert transaction.code == TxValidationCode.VALID
    assert transaction.version.block == block


def test_nothing_acknowledged_is_lost_by_kills(network: Network, tmp_path: Path) -> None:
    survive(network, tmp_path / "copies", ROUNDS)


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_by_many_kills(network: Network, tmp_path: Path) -> None:
    survive(network, tmp_path / "copies", SOAK_ROUNDS)
