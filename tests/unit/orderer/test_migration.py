# SPDX-License-Identifier: Apache-2.0
"""A channel's way from solo to Raft, through maintenance; and how those that pull nothing begin."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from consenting import run
from fastledger.channelconfig import Bundle
from fastledger.common.errors import Unsupported
from fastledger.orderer.consensus.chain import Relation, Standing, Status
from fastledger.orderer.consensus.etcdraft.beginning import kept_by
from fastledger.orderer.consensus.etcdraft.single import SingleConsenterChain
from fastledger.protos.common.common_pb2 import Block
from migration import migrate, network_of, restart
from raft_network import running
from waiting import until


@pytest.mark.parametrize("restarts", [True, False])
def test_from_solo_to_raft(tmp_path: Path, restarts: bool) -> None:
    """As documented, and by itself without any restart."""

    async def story() -> None:
        network = network_of(tmp_path, 8100 + 10 * restarts, 1, ())
        async with running(network):
            await network.order(1, b"by solo")
            await migrate(network, "solo", restarts=restarts)
            assert isinstance(network.chain(1), SingleConsenterChain)
            assert network.standing(1) == Standing(Relation.CONSENTER, Status.ACTIVE)
            await network.order(1, b"by raft")
            await until(lambda: network.contents(1) == [b"by solo", b"by raft"])
            # Only what comes after the change of the kind keeps something for raft.
            kept = [kept_by(block) for block in network.blocks(1)]
            assert [one is not None for one in kept] == [False] * 4 + [True] * 2
            await restart(network)
            await network.order(1, b"after a restart")
            await until(lambda: network.contents(1)[2:] == [b"after a restart"])

    run(story())


@pytest.mark.parametrize("brokers", [(), ("127.0.0.1:9",)], ids=["solo", "kafka"])
def test_who_pulls_no_blocks_begins_with_the_first(tmp_path: Path, brokers: Sequence[str]) -> None:
    async def story() -> None:
        network = network_of(tmp_path, 7880, 1, brokers)
        node = await network.start_without_joining(1)
        try:
            block = Block.FromString(network.genesis)
            block.header.number = 7
            bundle = Bundle.from_block(network.genesis)
            with pytest.raises(Unsupported, match="with its genesis block"):
                node.registrar.join(bundle, block.SerializeToString())
            assert not network.channels(1)
        finally:
            await network.stop()

    run(story())
