# SPDX-License-Identifier: Apache-2.0
"""Peers of two organizations find each other, and tell what they may."""

import asyncio
from dataclasses import replace

import pytest

from corpora import OpenCorpus
from gossip_world import World
from gossiping import CHANNEL, USUAL, Cast, gossiping, heights, sees

FIRST, SECOND, THIRD, HIDDEN = "first:1", "second:1", "third:1", "hidden:1"


@pytest.fixture(scope="module")
def cast(open_corpus: OpenCorpus) -> Cast:
    return Cast(open_corpus("v14").folder)


def test_peers_know_of_each_other_what_they_may(cast: Cast) -> None:
    world = World()
    first = world.start(cast.identities(1, "peer0", clock=world), FIRST)
    second = world.start(cast.identities(1, "peer1", clock=world), SECOND, FIRST)
    third = world.start(cast.identities(2, "peer0", clock=world), THIRD)
    hidden = world.start(cast.identities(2, "peer1", clock=world), HIDDEN, THIRD, hidden=True)
    for height, peer in enumerate((first, second, third, hidden), 10):
        peer.join(Org1MSP=[FIRST], Org2MSP=[THIRD])
        peer.gossip.set_height(CHANNEL, height)
        peer.do(peer.gossip.set_chaincodes(CHANNEL, [("cc", "1")]))
    world.run(60)
    assert first.sees() == {SECOND, THIRD}
    assert second.sees() == {FIRST, THIRD}
    assert third.sees() == {FIRST, SECOND, HIDDEN}
    assert first.heights() == {SECOND: 11, THIRD: 12}
    assert third.heights()[HIDDEN] == 13
    second.gossip.set_height(CHANNEL, 99)
    world.until(lambda: third.heights()[SECOND] == 99, limit_s=20)
    for one in first.gossip.of_channel(CHANNEL):
        assert [(cc.name, cc.version) for cc in one.properties.chaincodes] == [("cc", "1")]
    # Nobody of the other organization ever hears of the hidden peer: not of its life, not of its
    # identity, however long they talk.
    world.run(600)
    assert not first.gossip.knows(hidden.id)
    assert not second.gossip.knows(hidden.id)
    secret = {one.internal_endpoint for one in first.gossip.alive() if one.mspid == "Org2MSP"}
    assert secret == {""}


def test_a_dead_peer_is_none_of_its_channels(cast: Cast) -> None:
    world = World()
    stays = world.start(cast.identities(1, "peer0", clock=world), FIRST)
    goes = world.start(cast.identities(1, "peer1", clock=world), SECOND, FIRST)
    stays.join()
    goes.join()
    world.until(lambda: len(stays.gossip.of_channel(CHANNEL)) == 2)
    world.stop(SECOND)
    world.until(lambda: not stays.sees(), limit_s=30)
    assert len(stays.gossip.of_channel(CHANNEL)) == 1


def test_a_peer_that_leaves_a_channel_is_none_of_its_peers(cast: Cast) -> None:
    world = World()
    one = world.start(cast.identities(1, "peer0", clock=world), FIRST)
    other = world.start(cast.identities(1, "peer1", clock=world), SECOND, FIRST)
    one.join()
    other.join()
    world.until(lambda: len(one.gossip.of_channel(CHANNEL)) == 2)
    other.do(other.gossip.leave(CHANNEL))
    world.until(lambda: len(one.gossip.of_channel(CHANNEL)) == 1)
    assert one.sees() == {SECOND}


def test_identities_are_pulled_where_messages_do_not_bring_them(cast: Cast) -> None:
    """A chain of peers: the ends meet the middle alone, and learn of each other from it."""
    late = replace(USUAL, publish_cert_s=0.001)
    world = World()
    # The third one is somebody who is no peer by role; members gossip.
    middle, *ends = [
        world.start(cast.identities(1, name, clock=world), place, settings=late)
        for name, place in (("peer0", FIRST), ("peer1", SECOND), ("User1", THIRD))
    ]
    # What they say first brings their identities along, and is said anew after a while.
    world.run(5)
    for end in ends:
        end.join(Org1MSP=[FIRST])
    world.until(lambda: ends[0].sees() == {FIRST, THIRD})
    world.until(lambda: ends[1].sees() == {FIRST, SECOND})
    assert middle.sees() == {SECOND, THIRD}
    assert any(kind == "data_update" for _, _, _, kind in world.story)


def test_organizations_without_a_common_channel_stay_strangers(cast: Cast) -> None:
    world = World()
    one = world.start(cast.identities(1, "peer0", bundles={}, clock=world), FIRST)
    other = world.start(cast.identities(2, "peer0", bundles={}, clock=world), THIRD)
    one.do(one.gossip.join("another", {"Org1MSP": [], "Org2MSP": [THIRD]}))
    world.run(600)
    assert not one.sees()
    assert not other.sees()


def test_nodes_meet_on_sockets_and_part(cast: Cast) -> None:
    """The same machine, carried out by a node on gRPC streams and the machine's clock."""

    async def run() -> None:
        async with gossiping(cast.identities(1, "peer0")) as stays:
            stays.join()
            async with gossiping(cast.identities(1, "peer1"), stays.endpoint) as goes:
                goes.join()
                goes.gossip.set_height(CHANNEL, 7)
                await stays.until(lambda: heights(stays.gossip) == {goes.endpoint: 7})
                await goes.until(lambda: sees(goes.gossip) == {stays.endpoint})
            await stays.until(lambda: not sees(stays.gossip))

    asyncio.run(run())
