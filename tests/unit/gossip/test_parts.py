# SPDX-License-Identifier: Apache-2.0
"""The emitter and the dispatcher, which whatever comes later is put between."""

import random
from dataclasses import replace

import pytest

from fastledger.common import metrics
from fastledger.gossip import emitter as room
from fastledger.gossip.dispatch import Dispatcher
from fastledger.gossip.effects import Effects, HangUp, Later, Push, Send
from fastledger.gossip.emitter import Emitter
from fastledger.gossip.members import Member
from fastledger.gossip.messages import MessageRefused, Sealed, channel_mac, seal
from fastledger.gossip.settings import GossipSettings
from fastledger.protos.gossip.message_pb2 import (
    DataMessage,
    Envelope,
    GossipHello,
    GossipMessage,
    PullMsgType,
    SecretEnvelope,
    StateInfo,
    StateInfoPullRequest,
)

SETTINGS = GossipSettings("h:1", burst_size=3, burst_latency_s=0.5, propagate_peer_num=2)
MEMBERS = [
    Member(bytes([number]), mspid, b"", f"{number}:1", "", Envelope())
    for number, mspid in enumerate(("Own", "Own", "Other", "Other"))
]
BLOCK = GossipMessage(tag=GossipMessage.CHAN_AND_ORG, channel=b"c", data_msg=DataMessage())


def message(nonce: int, *members: Member, but: bytes = b"") -> Push:
    return Push(seal(GossipMessage(nonce=nonce)), lambda: members, but)


def nonces(effects: Effects) -> list[int]:
    sends = [one for one in effects if isinstance(one, Send)]
    return [GossipMessage.FromString(one.envelope.payload).nonce for one in sends]


def emitter(**settings: int) -> Emitter:
    return Emitter(replace(SETTINGS, **settings), "Own", random.Random(7))


def test_messages_wait_for_each_other_or_for_a_moment() -> None:
    one = emitter()
    (later,) = one.add(message(1, MEMBERS[0]))
    assert isinstance(later, Later)
    assert later.pause_s == SETTINGS.burst_latency_s
    assert not one.add(message(2, MEMBERS[0]))
    assert nonces(one.add(message(3, MEMBERS[0]))) == [1, 2, 3]
    # The moment comes all the same, and for what came since.
    assert not one.add(message(4, MEMBERS[0]))
    assert nonces(later.work()) == [4]
    assert not later.work()


def test_a_message_goes_out_as_often_as_is_set() -> None:
    one = emitter(propagate_iterations=2)
    (later,) = one.add(message(1, MEMBERS[0]))
    sent = later.work()
    assert nonces(sent) == [1]
    again = sent[-1]
    assert isinstance(again, Later)
    assert nonces(again.work()) == [1]
    assert not emitter(propagate_iterations=0).add(message(1, MEMBERS[0]))


def test_it_goes_to_some_of_the_route_but_not_back_and_secrets_stay_at_home() -> None:
    sealed = Sealed(
        GossipMessage(), Envelope(payload=b"p", secret_envelope=SecretEnvelope(payload=b"s"))
    )
    one = emitter(burst_size=1, propagate_peer_num=9)
    sends = one.add(Push(sealed, lambda: MEMBERS, but=MEMBERS[0].pki_id))
    with_secret = {one.to: one.envelope.HasField("secret_envelope") for one in sends}
    assert with_secret == {b"\x01": True, b"\x02": False, b"\x03": False}
    assert len(emitter(burst_size=1).add(message(1, *MEMBERS))) == 2


def test_so_many_wait_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MAX_EMITTED", 2)
    one = emitter(burst_size=10)
    (later,) = one.add(message(1, MEMBERS[0]))
    for number in (2, 3, 4):
        assert not one.add(message(number, MEMBERS[0]))
    assert nonces(later.work()) == [1, 2]


def unhandled() -> float:
    text = metrics.exposition().decode()
    lines = [x for x in text.splitlines() if x.startswith("gossip_comm_messages_unhandled_total{")]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def test_a_new_kind_needs_only_to_be_registered() -> None:
    dispatcher = Dispatcher()
    before = unhandled()
    assert dispatcher.dispatch(b"peer", seal(BLOCK)) == []
    assert unhandled() == before + 1
    heard: list[tuple[bytes, str]] = []

    def handle(sender: bytes, sealed: Sealed) -> Effects:
        heard.append((sender, sealed.kind))
        return [HangUp(sender)]

    dispatcher.register(["data_msg"], GossipMessage.CHAN_AND_ORG, handle, "c")
    assert dispatcher.dispatch(b"peer", seal(BLOCK)) == [HangUp(b"peer")]
    assert heard == [(b"peer", "data_msg")]
    elsewhere = GossipMessage(tag=BLOCK.tag, channel=b"d", data_msg=DataMessage())
    assert dispatcher.dispatch(b"peer", seal(elsewhere)) == []
    assert unhandled() == before + 2


def test_a_pull_is_known_by_its_tag() -> None:
    """Blocks of a channel and identities are pulled by messages of the same kinds."""
    dispatcher = Dispatcher()
    dispatcher.register(["hello"], GossipMessage.EMPTY, lambda *_: [HangUp(b"identities")])
    blocks = GossipMessage.CHAN_AND_ORG
    dispatcher.register(["hello"], blocks, lambda *_: [HangUp(b"blocks")], "c")

    def hello(kind: "PullMsgType.ValueType", **more: object) -> Sealed:
        return seal(GossipMessage(hello=GossipHello(msg_type=kind), **more))

    identity = hello(PullMsgType.IDENTITY_MSG, tag=GossipMessage.EMPTY)
    assert dispatcher.dispatch(b"", identity) == [HangUp(b"identities")]
    block = hello(PullMsgType.BLOCK_MSG, tag=blocks, channel=b"c")
    assert dispatcher.dispatch(b"", block) == [HangUp(b"blocks")]
    with pytest.raises(MessageRefused, match="tag"):
        dispatcher.dispatch(b"", hello(PullMsgType.BLOCK_MSG, tag=GossipMessage.EMPTY))


def test_a_channel_is_found_behind_its_code() -> None:
    dispatcher = Dispatcher()
    tag = GossipMessage.CHAN_OR_ORG
    for name in ("c", "d"):
        found = [HangUp(name.encode())]
        dispatcher.register(["state_info"], tag, lambda *_, found=found: found, name)
        dispatcher.register(["state_info_pull_req"], tag, lambda *_, found=found: found, name)
    said = StateInfo(pki_id=b"author", channel_MAC=channel_mac(b"author", "d"))
    assert dispatcher.dispatch(b"x", seal(GossipMessage(tag=tag, state_info=said))) == [
        HangUp(b"d")
    ]
    asked = StateInfoPullRequest(channel_MAC=channel_mac(b"sender", "c"))
    request = seal(GossipMessage(tag=tag, state_info_pull_req=asked))
    assert dispatcher.dispatch(b"sender", request) == [HangUp(b"c")]
    assert dispatcher.dispatch(b"another", request) == []
