# SPDX-License-Identifier: Apache-2.0
"""What no peer may do: each is dropped, counted, and changes nothing."""

import asyncio
from collections.abc import Awaitable, Callable
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
from gossiping import CHANNEL, QUICK, Cast, Peer, eventually, gossiping

EMPTY, CHAN_OR_ORG = GossipMessage.EMPTY, GossipMessage.CHAN_OR_ORG


@pytest.fixture(scope="module")
def cast(open_corpus: OpenCorpus) -> Cast:
    return Cast(open_corpus("v14").folder)


@dataclass
class Stranger:
    """A peer written by hand, connected to one that is not."""

    identities: Identities
    call: Any
    victim: Peer

    async def say(self, message: GossipMessage, *, signed: bool = False) -> None:
        await self.call.write(seal(message, self.identities.signer if signed else None).envelope)

    async def hear(self, kind: str) -> GossipMessage:
        async with asyncio.timeout(30):
            while True:
                heard = unseal(await self.call.read())
                if heard.kind == kind:
                    return heard.message

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


def dropped() -> float:
    text = metrics.exposition().decode()
    lines = [x for x in text.splitlines() if x.startswith("gossip_comm_messages_dropped_total{")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def with_stranger(cast: Cast, do: Callable[[Stranger], Awaitable[None]], org: int = 2) -> None:
    """Connect a stranger to a peer on a channel, and let him."""

    async def run() -> None:
        async with gossiping(cast.identities(1, "peer0")) as victim:
            victim.join()
            identities = cast.identities(org, "peer1")
            channel = await dial(victim.endpoint)
            try:
                call = GossipStub(channel).GossipStream()
                stranger = Stranger(identities, call, victim)
                await stranger.say(introduction(identities), signed=True)
                assert unseal(await call.read()).kind == "conn"
                await do(stranger)
            finally:
                await channel.close()

    asyncio.run(run())


async def refused(stranger: Stranger, *messages: GossipMessage, signed: bool = False) -> None:
    """Each of these is counted as dropped, and the stream goes on."""
    for message in messages:
        before = dropped()
        await stranger.say(message, signed=signed)
        await eventually(lambda before=before: dropped() == before + 1)


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
        made = comm.GossipComm(victim, Tls(), QUICK, lambda *_: None)
        stolen = seal(introduction(peer, tls_cert_hash=b"of another"), peer.signer)
        with pytest.raises(comm.MessageRefused, match="another TLS connection"):
            await made._meet(Said(stolen.envelope), b"shown", b"seen")
        right = seal(introduction(peer, tls_cert_hash=b"seen"), peer.signer)
        connection, probe = await made._meet(Said(right.envelope), b"shown", b"seen")
        assert (connection.pki_id, probe) == (peer.own_id, False)
        with pytest.raises(comm.MessageRefused, match="no TLS certificate"):
            await made._meet(Said(right.envelope), b"shown", b"")

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


def test_alive_messages_must_be_authentic_and_newer(cast: Cast) -> None:
    async def attack(me: Stranger) -> None:
        victim = me.victim
        await me.say(me.alive(5))
        await me.say(me.alive(5, endpoint="h:2"), signed=True)
        await eventually(lambda: victim.sees() == {"h:2"})
        await me.say(me.alive(4, endpoint="h:3"), signed=True)
        await me.say(me.alive(5, endpoint="h:3"), signed=True)
        other = cast.signer(2, "peer0")
        forged = seal(me.alive(6, endpoint="h:4"), other).envelope
        await me.call.write(forged)
        loose = with_secret(seal(me.alive(6, endpoint="h:5"), me.identities.signer), "i:1", other)
        await me.call.write(loose.envelope)
        await me.say(me.alive(6, endpoint="h:6", identity=other.serialized), signed=True)
        await refused(me, GossipMessage(tag=EMPTY))
        assert victim.sees() == {"h:2"}
        await me.say(me.alive(7, endpoint="h:7"), signed=True)
        await eventually(lambda: victim.sees() == {"h:7"})

    with_stranger(cast, attack)


def test_rules_about_members_hold(cast: Cast) -> None:
    async def attack(me: Stranger) -> None:
        other = cast.identities(2, "peer0")
        somebody = Stranger(other, me.call, me.victim).alive(1)
        envelope = seal(somebody, other.signer).envelope
        unsigned = seal(me.alive(1)).envelope
        nonsense = Envelope(payload=b"\xff\xff\xff")
        await refused(
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

    with_stranger(cast, attack)


def test_a_hidden_peer_of_another_organization_learns_nothing(cast: Cast) -> None:
    async def attack(me: Stranger) -> None:
        own = seal(me.alive(1, endpoint=""), me.identities.signer).envelope
        request = MembershipRequest(self_information=own)
        await refused(me, GossipMessage(tag=EMPTY, nonce=7, mem_req=request))

    with_stranger(cast, attack)


def test_so_many_members(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(membership, "MAX_MEMBERS", 0)

    async def attack(me: Stranger) -> None:
        await refused(me, me.alive(1), signed=True)
        assert not me.victim.sees()

    with_stranger(cast, attack)


def test_rules_about_channels_hold(cast: Cast) -> None:
    def state(me: Stranger, **changes: Any) -> GossipMessage:
        values = {
            "pki_id": me.identities.own_id,
            "channel_MAC": channel_mac(me.identities.own_id, CHANNEL),
            "timestamp": PeerTime(inc_num=1, seq_num=1),
            "properties": Properties(ledger_height=5),
        }
        return GossipMessage(tag=CHAN_OR_ORG, state_info=StateInfo(**(values | changes)))

    async def attack(me: Stranger) -> None:
        peers = me.victim.node
        await me.say(me.alive(1), signed=True)
        await eventually(lambda: me.victim.sees())
        await me.say(state(me))
        await me.say(state(me, channel_MAC=b"no channel"), signed=True)
        await me.say(state(me, pki_id=b"somebody"), signed=True)
        mac = channel_mac(b"somebody", CHANNEL)
        request = StateInfoPullRequest(channel_MAC=mac)
        await me.say(GossipMessage(tag=CHAN_OR_ORG, state_info_pull_req=request))
        snapshot = StateInfoSnapshot(elements=[seal(me.alive(2)).envelope])
        await refused(
            me,
            GossipMessage(tag=EMPTY, state_info=StateInfo()),
            GossipMessage(tag=CHAN_OR_ORG, channel=CHANNEL.encode(), state_snapshot=snapshot),
        )
        assert len(peers.of_channel(CHANNEL)) == 1
        await me.say(state(me), signed=True)
        await eventually(lambda: len(peers.of_channel(CHANNEL)) == 2)
        await me.say(state(me, properties=Properties(ledger_height=9)), signed=True)
        await refused(me, GossipMessage(tag=EMPTY))
        assert me.victim.heights() == {"h:1": 5}
        newer = PeerTime(inc_num=1, seq_num=2)
        wanted = Properties(ledger_height=6)
        await me.say(state(me, timestamp=newer, properties=wanted), signed=True)
        await eventually(lambda: me.victim.heights() == {"h:1": 6})

    with_stranger(cast, attack)


def test_what_was_not_asked_for_is_not_taken(cast: Cast) -> None:
    async def attack(me: Stranger) -> None:
        kind = PullMsgType.IDENTITY_MSG
        other = cast.identities(2, "peer0")
        own = PeerIdentity(pki_id=other.own_id, cert=other.signer.serialized)
        item = seal(GossipMessage(tag=EMPTY, peer_identity=own), other.signer).envelope
        update = DataUpdate(nonce=5, data=[item], msg_type=kind)
        await me.say(GossipMessage(tag=EMPTY, data_update=update))
        digest = DataDigest(nonce=5, digests=[b"x"], msg_type=kind)
        await me.say(GossipMessage(tag=EMPTY, data_dig=digest))
        request = DataRequest(nonce=5, digests=[other.own_id], msg_type=kind)
        await me.say(GossipMessage(tag=EMPTY, data_req=request))
        await me.say(me.alive(1), signed=True)
        # When it is asked, by the right nonce, a forged identity still is none.
        asked = await me.hear("hello")
        offer = DataDigest(nonce=asked.hello.nonce, digests=[other.own_id], msg_type=kind)
        await me.say(GossipMessage(tag=EMPTY, data_dig=offer))
        wanted = await me.hear("data_req")
        assert list(wanted.data_req.digests) == [other.own_id]
        message = GossipMessage(tag=EMPTY, peer_identity=own)
        forged = seal(message, me.identities.signer).envelope
        update = DataUpdate(nonce=wanted.data_req.nonce, data=[forged], msg_type=kind)
        await refused(me, GossipMessage(tag=EMPTY, data_update=update))

    with_stranger(cast, attack)


def test_messages_of_later_rooms_are_passed_over(cast: Cast) -> None:
    async def say(me: Stranger) -> None:
        block = DataMessage(payload=Payload(seq_num=1, data=b"\xff"))
        before = dropped()
        for message in (
            GossipMessage(tag=GossipMessage.CHAN_AND_ORG, channel=b"c", data_msg=block),
            GossipMessage(tag=CHAN_OR_ORG, state_request=RemoteStateRequest(end_seq_num=2**63)),
            GossipMessage(tag=EMPTY, private_data=PrivateDataMessage()),
            me.alive(1),
        ):
            await me.say(message, signed=True)
        await eventually(lambda: me.victim.sees())
        assert dropped() == before

    with_stranger(cast, say)


def test_what_cannot_be_decoded_ends_the_stream(cast: Cast) -> None:
    async def attack(me: Stranger) -> None:
        await me.call.write(Envelope(payload=b"\xff\xff\xff"))
        async with asyncio.timeout(30):
            while await me.call.read() is not grpc.aio.EOF:
                pass

    with_stranger(cast, attack)


def test_whoever_is_revoked_is_hung_up_on_member_or_not(cast: Cast) -> None:
    async def lose(me: Stranger) -> None:
        victim = me.victim.node
        pki_id = me.identities.own_id
        assert pki_id not in victim._membership._peers
        # As the next configuration of a channel finds it.
        victim._identities._forget(pki_id)
        async with asyncio.timeout(30):
            while await me.call.read() is not grpc.aio.EOF:
                pass

    with_stranger(cast, lose)


def test_a_peer_that_reads_nothing_costs_a_bounded_queue(cast: Cast) -> None:
    class Deaf:
        async def send(self, envelope: Envelope) -> None:
            await asyncio.sleep(3600)

        async def receive(self) -> Envelope | None:
            await asyncio.sleep(3600)

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
        made = comm.GossipComm(victim, Tls(), QUICK, lambda *_: None)
        mirrored = seal(introduction(victim), victim.signer)
        with pytest.raises(comm.MessageRefused, match="this peer itself"):
            await made._meet(Said(mirrored.envelope), b"", b"")

    asyncio.run(run())
