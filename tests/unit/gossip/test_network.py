# SPDX-License-Identifier: Apache-2.0
"""Peers of two organizations find each other, tell what they may, die, and come back."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from corpora import OpenCorpus
from gossiping import CHANNEL, QUICK, Cast, eventually, gossiping


@pytest.fixture(scope="module")
def cast(open_corpus: OpenCorpus) -> Cast:
    return Cast(open_corpus("v14").folder)


def test_peers_know_of_each_other_what_they_may(cast: Cast) -> None:
    async def run() -> None:
        async with AsyncExitStack() as stack:
            begin = stack.enter_async_context
            first = await begin(gossiping(cast.identities(1, "peer0")))
            second = await begin(gossiping(cast.identities(1, "peer1"), first.endpoint))
            third = await begin(gossiping(cast.identities(2, "peer0")))
            hidden = await begin(
                gossiping(cast.identities(2, "peer1"), third.endpoint, hidden=True)
            )
            everybody = (first, second, third, hidden)
            for height, peer in enumerate(everybody, 10):
                peer.join(Org1MSP=[first.endpoint], Org2MSP=[third.endpoint])
                peer.node.set_height(CHANNEL, height)
                peer.node.set_chaincodes(CHANNEL, [("cc", "1")])
            public = {first.endpoint, second.endpoint, third.endpoint}
            await eventually(lambda: first.sees() == public - {first.endpoint})
            await eventually(lambda: second.sees() == public - {second.endpoint})
            await eventually(lambda: third.sees() >= {hidden.endpoint, first.endpoint})
            await eventually(lambda: hidden.endpoint in third.sees())
            expected = {second.endpoint: 11, third.endpoint: 12}
            await eventually(lambda: first.heights() == expected)
            await eventually(lambda: third.heights().get(hidden.endpoint) == 13)
            second.node.set_height(CHANNEL, 99)
            await eventually(lambda: third.heights()[second.endpoint] == 99)
            for one in first.node.of_channel(CHANNEL):
                assert [(cc.name, cc.version) for cc in one.properties.chaincodes] == [("cc", "1")]
            # Nobody of the other organization ever hears of the hidden peer: not of its life, not
            # of its identity. Some rounds of every message have passed.
            await asyncio.sleep(1)
            for peer in (first, second):
                assert not peer.node._membership.knows(hidden.node.own_id)
                assert peer.node._identities.get(hidden.node.own_id) is None
            secret = {one.internal_endpoint for one in first.node.alive() if one.mspid == "Org2MSP"}
            assert secret == {""}

    asyncio.run(run())


def test_dead_peers_are_left_out_and_taken_back(cast: Cast) -> None:
    async def run() -> None:
        async with gossiping(cast.identities(1, "peer0")) as stays:
            stays.join()
            async with gossiping(cast.identities(1, "peer1"), stays.endpoint) as goes:
                goes.join()
                endpoint = goes.endpoint
                await eventually(lambda: stays.sees() == {endpoint})
                await eventually(lambda: len(stays.node.of_channel(CHANNEL)) == 2)
            await eventually(lambda: not stays.sees())
            assert len(stays.node.of_channel(CHANNEL)) == 1
            port = int(endpoint.rpartition(":")[2])
            # Nobody tells the new one of the other: it is found again.
            async with gossiping(cast.identities(1, "peer1"), port=port) as back:
                back.join()
                await eventually(lambda: stays.sees() == {endpoint})
                await eventually(lambda: back.sees() == {stays.endpoint})

    asyncio.run(run())


def test_a_peer_that_leaves_a_channel_is_none_of_its_peers(cast: Cast) -> None:
    async def run() -> None:
        async with (
            gossiping(cast.identities(1, "peer0")) as one,
            gossiping(cast.identities(1, "peer1"), one.endpoint) as other,
        ):
            one.join()
            other.join()
            await eventually(lambda: len(one.node.of_channel(CHANNEL)) == 2)
            other.node.leave(CHANNEL)
            await eventually(lambda: len(one.node.of_channel(CHANNEL)) == 1)
            assert one.sees() == {other.endpoint}

    asyncio.run(run())


def test_identities_are_pulled_where_messages_do_not_bring_them(cast: Cast) -> None:
    """A chain of peers: the ends meet the middle alone, and learn of each other from it."""
    late = replace(QUICK, publish_cert_s=0.001)

    async def run() -> None:
        async with AsyncExitStack() as stack:
            begin = stack.enter_async_context
            middle = await begin(gossiping(cast.identities(1, "peer0"), settings=late))
            left = await begin(
                gossiping(cast.identities(1, "peer1"), middle.endpoint, settings=late)
            )
            # The third one is somebody who is no peer by role; members gossip.
            right = await begin(
                gossiping(cast.identities(1, "User1"), middle.endpoint, settings=late)
            )
            await eventually(lambda: left.sees() == {middle.endpoint, right.endpoint})
            await eventually(lambda: right.sees() == {middle.endpoint, left.endpoint})

    asyncio.run(run())


def test_organizations_without_a_common_channel_stay_strangers(cast: Cast) -> None:
    async def run() -> None:
        async with (
            gossiping(cast.identities(1, "peer0", on_channel=False)) as one,
            gossiping(cast.identities(2, "peer0", on_channel=False)) as other,
        ):
            one.node.join("another", {"Org1MSP": [], "Org2MSP": [other.endpoint]})
            await asyncio.sleep(1)
            assert not one.sees()
            assert not other.sees()

    asyncio.run(run())
