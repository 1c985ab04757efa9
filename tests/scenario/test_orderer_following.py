# SPDX-License-Identifier: Apache-2.0
"""An orderer joins a channel with a later block, over TLS, as an administrator sees it."""

import asyncio
from pathlib import Path

import ordering
from consenters import consenter_of, genesis_with, with_addresses, with_consenters
from fastledger.network import channel, identities, settings
from fastledger.network.plan import Node, Plan
from fastledger.node.orderer.node import OrdererNode
from fastledger.protos.common.configtx_pb2 import Config
from following import Answer, Story
from live_network import free_port_base
from waiting import until


async def started(node: Node) -> OrdererNode:
    made = OrdererNode(ordering.configuration(settings.read_env(node)))
    await made.start()
    return made


def info(height: int, status: str) -> Answer:
    return 200, {
        "name": "mychannel",
        "url": "/participation/v1/channels/mychannel",
        "consensusRelation": "follower",
        "status": status,
        "height": height,
    }


async def told(plan: Plan) -> None:
    story = Story(plan)
    name = plan.channel

    def write(config: Config) -> None:
        with_consenters(config, [consenter_of(story.source)])
        with_addresses(config, [story.source.address])

    async def ask(what: str, *arguments: object) -> Answer:
        return await asyncio.to_thread(story.answer, what, *arguments)

    async def height(expected: int) -> None:
        await until(lambda: node.registrar.info(name).height == expected)

    genesis = genesis_with(plan, write)
    source, node = await started(story.source), await started(story.follower)
    join = await asyncio.to_thread(story.admin(story.source).join, genesis)
    assert join.status == 201
    join_block = await story.history(genesis)

    await source.stop()
    status, body = await ask("join", join_block)
    assert (status, body) == (201, info(0, "onboarding")[1])
    exists = {"error": "cannot join: channel already exists"}
    assert await ask("join", join_block) == (405, exists)
    # Nobody is there to pull from; a restart goes on with it.
    await node.stop()
    node = await started(story.follower)
    assert await ask("channels", name) == info(0, "onboarding")
    source = await started(story.source)
    await height(6)
    await until(lambda: node.registrar.info(name).standing.status == "active")
    assert await ask("channels", name) == info(6, "active")

    not_ready = "channel is not ready, he is a follower"
    assert await ask("fetch", name, "newest") == (404, {"error": not_ready})
    update = story.update(genesis).SerializeToString()
    assert await ask("update", update) == (403, {"error": f"cannot update: {not_ready}"})
    refusals = await story.refusals()
    assert refusals == ["got unexpected status: BAD_REQUEST -- channel does not exist", "NOT_FOUND"]

    await story.order(b"later")
    await height(7)
    assert (await ask("remove", name))[0] == 204
    await until(lambda: node.registrar.channel_ids() == [])
    assert await ask("channels", name) == (404, {"error": "channel does not exist"})
    left = [path for path in (story.follower.folder / "data").rglob("*") if path.is_file()]
    assert left == []
    await node.stop()
    await source.stop()


def test_a_later_block_is_joined_followed_and_removed(tmp_path: Path) -> None:
    plan = Plan(folder=tmp_path, orgs=1, orderers=3, port_base=free_port_base())
    plan.save()
    identities.write(plan)
    channel.write(plan)
    settings.write(plan)
    asyncio.run(asyncio.wait_for(told(plan), ordering.DEADLINE_S))
