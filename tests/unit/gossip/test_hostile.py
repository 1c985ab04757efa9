# SPDX-License-Identifier: Apache-2.0
"""What no peer may do: each is dropped, counted, and changes nothing."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import grpc.aio
import pytest

from corpora import OpenCorpus
from fastledger.comm import dial
from fastledger.common import metrics
from fastledger.gossip import comm, membership
from fastledger.gossip.identities import Identities
from fastledger.gossip.messages import channel_mac, seal, unseal, with_secret
from fastledger.protos.gossip.message_pb2 import (
    AliveMessage,
    ConnEstablish,
    DataDigest,
    DataMessage,
    DataRequest,
    DataUpdate,
    Envelope,
    GossipHello,
    GossipMessage,
    Member,
    MembershipRequest,
    MembershipResponse,
    Payload,
    PeerIdentity,
    PeerTime,
    PrivateDataMessage,
    Properties,
    PullMsgType,
    RemoteStateRequest,
    StateInfo,
    StateInfoPullRequest,
    StateInfoSnapshot,
)
from fastledger.protos.gossip.message_pb2_grpc import GossipStub
from gossip_world import Peer, Person, World
from gossiping import CHANNEL, QUICK, Cast, gossiping

EMPTY, CHAN_OR_ORG = GossipMessage.EMPTY, GossipMessage.CHAN_OR_ORG


@pytest.fixture(scope="module")
def cast(open_corpus: OpenCorpus) -> Cast:
    return Cast(open_corpus("v14").folder)


class Stranger(Person):
    """A peer written by hand, connected to one that is not."""

    def __init__(self, world: World, identities: Identities, victim: Peer) -> None:
        super().__init__(world, identities, "stranger:1")
        self.victim = victim
        self.heard: list[GossipMessage] = []

    def receive(self, sender: Person, envelope: Envelope) -> None:
        self.heard.append(unseal(envelope).message)

    def tell(self, envelope: Envelope) -> None:
        """Have the victim read this at once."""
        self.victim.receive(self, envelope)

    def say(self, message: GossipMessage, *, signed: bool = False) -> None:
        self.tell(seal(message, self.identities.signer if signed else None).envelope)

    def hear(self, kind: str) -> GossipMessage:
        """Wait for a message of a kind."""

        def found() -> list[GossipMessage]:
            return [one for one in self.heard if one.WhichOneof("content") == kind]

        self.world.until(found)
        return found()[-1]

    def alive(self, number: int, endpoint: str = "h:1", **more: Any) -> GossipMessage:
        said = AliveMessage(
            membership=Member(endpoint=endpoint, pki_id=self.identities.own_id),
            timestamp=PeerTime(inc_num=1, seq_num=number),
            **more,
        )
        return GossipMessage(tag=EMPTY, alive_msg=said)


def introduction(identities: Identities, **changes: Any) -> GossipMessage:
    said = {"pki_id": identities.own_id, "identity": identities.signer.serialized}
    return GossipMessage(tag=EMPTY, conn=ConnEstablish(**(said | changes)))


def counted(name: str) -> float:
    text = metrics.exposition().decode()
    lines = [line for line in text.splitlines() if line.startswith(f"{name}_total{{")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def dropped() -> float:
    return counted("gossip_comm_messages_dropped")


@pytest.fixture
def me(cast: Cast) -> Stranger:
    """A stranger of the other organization, connected to a peer on a channel."""
    world = World()
    victim = world.start(cast.identities(1, "peer0", clock=world), "victim:1")
    victim.join()
    stranger = Stranger(world, cast.identities(2, "peer1", clock=world), victim)
    world.enter(stranger)
    world.meet(stranger, victim)
    return stranger


def refused(stranger: Stranger, *messages: GossipMessage, signed: bool = False) -> None:
    """Each of these is counted as dropped, and they stay connected."""
    for message in messages:
        before = dropped()
        stranger.say(message, signed=signed)
        assert dropped() == before + 1
        assert stranger.world.are_connected(stranger, stranger.victim)


@pytest.mark.parametrize(
    "said",
    [
        lambda me: seal(introduction(me)),
        lambda me: seal(introduction(me, pki_id=b"x" * 32), me.signer),
        lambda me: seal(introduction(me, identity=b"\xff\xff"), me.signer),
        lambda me: seal(introduction(me, identity=b""), me.signer),
        lambda me: seal(GossipMessage(tag=EMPTY), me.signer),
    ],
    ids=["unsigned", "another PKI-ID", "no identity", "empty identity", "no handshake"],
)
def test_handshakes_that_prove_nothing_end(cast: Cast, said: Callable[[Identities], Any]) -> None:
    async def run() -> None:
        async with (
            gossiping(cast.identities(1, "peer0")) as victim,
            await dial(victim.endpoint) as channel,
        ):
            victim.join()
            call = GossipStub(channel).GossipStream()
            await call.write(said(cast.identities(1, "peer1")).envelope)
            await call.read()
            with pytest.raises(grpc.aio.AioRpcError, match="handshake failed"):
                await call.read()

    asyncio.run(run())


def test_a_handshake_of_somebody_else_is_refused(cast: Cast) -> None:
    """Signed by the right peer, for another TLS connection."""

    async def run() -> None:
        victim = cast.identities(1, "peer0")
        peer = cast.identities(1, "peer1")
        made = comm.GossipComm(victim, Tls(), QUICK, lambda *_: None, lambda _: None)
        stolen = seal(introduction(peer, tls_cert_hash=b"of another"), peer.signer)
        with pytest.raises(comm.MessageRefused, match="another TLS connection"):
            await made.handshake(Said(stolen.envelope), b"shown", b"seen")
        right = seal(introduction(peer, tls_cert_hash=b"seen"), peer.signer)
        connection, probe = await made.handshake(Said(right.envelope), b"shown", b"seen")
        assert (connection.pki_id, probe) == (peer.own_id, False)
        with pytest.raises(comm.MessageRefused, match="no TLS certificate"):
            await made.handshake(Said(right.envelope), b"shown", b"")

    asyncio.run(run())


class Tls:
    server_hash = client_hash = b"shown"


@dataclass
class Said:
    envelope: Envelope

    async def send(self, envelope: Envelope) -> None:
        pass

    async def receive(self) -> Envelope:
        return self.envelope


def test_silence_ends_a_handshake(cast: Cast) -> None:
    async def run() -> None:
        hasty = replace(QUICK, conn_timeout_s=0.1)
        async with (
            gossiping(cast.identities(1, "peer0"), settings=hasty) as victim,
            await dial(victim.endpoint) as channel,
        ):
            call = GossipStub(channel).GossipStream()
            await call.read()
            with pytest.raises(grpc.aio.AioRpcError):
                await call.read()

    asyncio.run(run())


def test_so_many_handshakes_at_a_time(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comm, "MAX_HANDSHAKES", 3)

    async def run() -> None:
        async with (
            gossiping(cast.identities(1, "peer0")) as victim,
            await dial(victim.endpoint) as channel,
        ):
            calls = [GossipStub(channel).GossipStream() for _ in range(3)]
            for call in calls:
                await call.read()
            with pytest.raises(grpc.aio.AioRpcError, match="too many handshakes"):
                await GossipStub(channel).GossipStream().read()

    asyncio.run(run())


def test_alive_messages_must_be_authentic_and_newer(cast: Cast, me: Stranger) -> None:
    victim = me.victim
    me.say(me.alive(5))
    me.say(me.alive(5, endpoint="h:2"), signed=True)
    assert victim.sees() == {"h:2"}
    me.say(me.alive(4, endpoint="h:3"), signed=True)
    me.say(me.alive(5, endpoint="h:3"), signed=True)
    other = cast.signer(2, "peer0")
    forged = seal(me.alive(6, endpoint="h:4"), other).envelope
    me.tell(forged)
    loose = with_secret(seal(me.alive(6, endpoint="h:5"), me.identities.signer), "i:1", other)
    me.tell(loose.envelope)
    me.say(me.alive(6, endpoint="h:6", identity=other.serialized), signed=True)
    refused(me, GossipMessage(tag=EMPTY))
    assert victim.sees() == {"h:2"}
    me.say(me.alive(7, endpoint="h:7"), signed=True)
    assert victim.sees() == {"h:7"}


def test_rules_about_members_hold(cast: Cast, me: Stranger) -> None:
    other = cast.identities(2, "peer0")
    somebody = Stranger(me.world, other, me.victim).alive(1)
    envelope = seal(somebody, other.signer).envelope
    unsigned = seal(me.alive(1)).envelope
    nonsense = Envelope(payload=b"\xff\xff\xff")
    refused(
        me,
        GossipMessage(tag=EMPTY),
        GossipMessage(tag=CHAN_OR_ORG, alive_msg=AliveMessage()),
        GossipMessage(tag=EMPTY, alive_msg=AliveMessage()),
        GossipMessage(tag=EMPTY, mem_req=MembershipRequest()),
        GossipMessage(tag=EMPTY, mem_req=MembershipRequest(self_information=envelope)),
        GossipMessage(tag=EMPTY, mem_req=MembershipRequest(self_information=unsigned)),
        GossipMessage(tag=EMPTY, mem_res=MembershipResponse(alive=[nonsense])),
        GossipMessage(tag=EMPTY, mem_res=MembershipResponse(dead=[Envelope()])),
        GossipMessage(tag=EMPTY, hello=GossipHello(msg_type=PullMsgType.UNDEFINED)),
    )
    assert not me.victim.sees()


def test_a_hidden_peer_of_another_organization_learns_nothing(me: Stranger) -> None:
    own = seal(me.alive(1, endpoint=""), me.identities.signer).envelope
    request = MembershipRequest(self_information=own)
    refused(me, GossipMessage(tag=EMPTY, nonce=7, mem_req=request))


def test_so_many_members(me: Stranger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership, "MAX_MEMBERS", 0)

    refused(me, me.alive(1), signed=True)
    assert not me.victim.sees()


def test_rules_about_channels_hold(me: Stranger) -> None:
    def state(**changes: Any) -> GossipMessage:
        values = {
            "pki_id": me.identities.own_id,
            "channel_MAC": channel_mac(me.identities.own_id, CHANNEL),
            "timestamp": PeerTime(inc_num=1, seq_num=1),
            "properties": Properties(ledger_height=5),
        }
        return GossipMessage(tag=CHAN_OR_ORG, state_info=StateInfo(**(values | changes)))

    peers = me.victim.gossip
    me.say(me.alive(1), signed=True)
    assert me.victim.sees()
    me.say(state())
    me.say(state(channel_MAC=b"no channel"), signed=True)
    me.say(state(pki_id=b"somebody"), signed=True)
    mac = channel_mac(b"somebody", CHANNEL)
    request = StateInfoPullRequest(channel_MAC=mac)
    me.say(GossipMessage(tag=CHAN_OR_ORG, state_info_pull_req=request))
    snapshot = StateInfoSnapshot(elements=[seal(me.alive(2)).envelope])
    refused(
        me,
        GossipMessage(tag=EMPTY, state_info=StateInfo()),
        GossipMessage(tag=CHAN_OR_ORG, channel=CHANNEL.encode(), state_snapshot=snapshot),
    )
    assert len(peers.of_channel(CHANNEL)) == 1
    me.say(state(), signed=True)
    assert len(peers.of_channel(CHANNEL)) == 2
    me.say(state(properties=Properties(ledger_height=9)), signed=True)
    refused(me, GossipMessage(tag=EMPTY))
    assert me.victim.heights() == {"h:1": 5}
    newer = PeerTime(inc_num=1, seq_num=2)
    wanted = Properties(ledger_height=6)
    me.say(state(timestamp=newer, properties=wanted), signed=True)
    assert me.victim.heights() == {"h:1": 6}


def test_what_was_not_asked_for_is_not_taken(cast: Cast, me: Stranger) -> None:
    kind = PullMsgType.IDENTITY_MSG
    other = cast.identities(2, "peer0")
    own = PeerIdentity(pki_id=other.own_id, cert=other.signer.serialized)
    item = seal(GossipMessage(tag=EMPTY, peer_identity=own), other.signer).envelope
    update = DataUpdate(nonce=5, data=[item], msg_type=kind)
    me.say(GossipMessage(tag=EMPTY, data_update=update))
    digest = DataDigest(nonce=5, digests=[b"x"], msg_type=kind)
    me.say(GossipMessage(tag=EMPTY, data_dig=digest))
    request = DataRequest(nonce=5, digests=[other.own_id], msg_type=kind)
    me.say(GossipMessage(tag=EMPTY, data_req=request))
    me.say(me.alive(1), signed=True)
    # When it is asked, by the right nonce, a forged identity still is none.
    asked = me.hear("hello")
    offer = DataDigest(nonce=asked.hello.nonce, digests=[other.own_id], msg_type=kind)
    me.say(GossipMessage(tag=EMPTY, data_dig=offer))
    wanted = me.hear("data_req")
    assert list(wanted.data_req.digests) == [other.own_id]
    message = GossipMessage(tag=EMPTY, peer_identity=own)
    forged = seal(message, me.identities.signer).envelope
    update = DataUpdate(nonce=wanted.data_req.nonce, data=[forged], msg_type=kind)
    refused(me, GossipMessage(tag=EMPTY, data_update=update))


def test_messages_that_nobody_takes_yet_are_counted_and_passed_over(me: Stranger) -> None:
    block = DataMessage(payload=Payload(seq_num=1, data=b"\xff"))
    before, passed_over = dropped(), counted("gossip_comm_messages_unhandled")
    for message in (
        GossipMessage(tag=GossipMessage.CHAN_AND_ORG, channel=b"c", data_msg=block),
        GossipMessage(tag=CHAN_OR_ORG, state_request=RemoteStateRequest(end_seq_num=2**63)),
        GossipMessage(tag=EMPTY, private_data=PrivateDataMessage()),
        me.alive(1),
    ):
        me.say(message, signed=True)
    assert me.victim.sees()
    assert dropped() == before
    assert counted("gossip_comm_messages_unhandled") == passed_over + 3


def test_what_cannot_be_decoded_ends_the_stream(cast: Cast) -> None:
    async def run() -> None:
        async with (
            gossiping(cast.identities(1, "peer0")) as victim,
            await dial(victim.endpoint) as channel,
        ):
            stranger = cast.identities(1, "peer1")
            call = GossipStub(channel).GossipStream()
            await call.write(seal(introduction(stranger), stranger.signer).envelope)
            assert unseal(await call.read()).kind == "conn"
            await call.write(Envelope(payload=b"\xff\xff\xff"))
            async with asyncio.timeout(30):
                while await call.read() is not grpc.aio.EOF:
                    pass

    asyncio.run(run())


@pytest.mark.parametrize("is_member", [False, True])
def test_whoever_is_revoked_is_hung_up_on_member_or_not(cast: Cast, is_member: bool) -> None:
    world = World()
    bundles = {CHANNEL: cast.bundle}
    victim = world.start(cast.identities(1, "peer0", bundles=bundles, clock=world), "victim:1")
    victim.join()
    stranger = Stranger(world, cast.identities(2, "peer1", clock=world), victim)
    world.enter(stranger)
    world.meet(stranger, victim)
    if is_member:
        stranger.say(stranger.alive(1), signed=True)
    assert victim.gossip.knows(stranger.id)
    # The channel's next configuration knows the stranger's organization no more.
    del bundles[CHANNEL]
    victim.join()
    assert not world.are_connected(stranger, victim)
    assert not victim.gossip.knows(stranger.id)
    assert not victim.sees()


def test_a_peer_that_reads_nothing_costs_a_bounded_queue(cast: Cast) -> None:
    class Deaf:
        async def send(self, envelope: Envelope) -> None:
            await asyncio.Event().wait()

        async def receive(self) -> Envelope | None:
            await asyncio.Event().wait()
            return None

        async def close(self) -> None:
            pass

    async def run() -> None:
        connection = comm.Connection(b"id", b"", Deaf(), 10)
        serving = asyncio.create_task(connection.serve(lambda *_: None))
        await asyncio.sleep(0)
        sent = [connection.send(Envelope()) for _ in range(20)]
        assert sent.count(True) == 10
        connection.hang_up()
        await serving
        assert not connection.send(Envelope())

    asyncio.run(run())


def test_nobody_takes_the_place_of_the_peer_itself(cast: Cast) -> None:
    async def run() -> None:
        victim = cast.identities(1, "peer0")
        made = comm.GossipComm(victim, Tls(), QUICK, lambda *_: None, lambda _: None)
        mirrored = seal(introduction(victim), victim.signer)
        with pytest.raises(comm.MessageRefused, match="this peer itself"):
            await made.handshake(Said(mirrored.envelope), b"", b"")

    asyncio.run(run())
