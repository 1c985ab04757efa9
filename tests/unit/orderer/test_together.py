# SPDX-License-Identifier: Apache-2.0
"""Messages that are ordered together: the same are taken as one by one, and the same refused."""

from pathlib import Path

from consenting import run as run_story
from fastledger._core import open_step_requests, submit_request
from fastledger.orderer.broadcast import BroadcastHandler
from fastledger.protos.common.common_pb2 import Envelope, HeaderType, Status
from fastledger.protos.orderer.ab_pb2 import BroadcastResponse
from fastledger.protos.orderer.cluster_pb2 import ConsensusRequest, StepRequest, SubmitRequest
from fastledger.protoutil.envelope import signed_envelope
from raft_network import RaftNetwork, running
from system_channel import begin_with_system_channel
from waiting import until

PORT_BASE = 24_700


def handler(network: RaftNetwork, number: int) -> BroadcastHandler:
    return BroadcastHandler(network.nodes[number].registrar)


async def streams_stand(network: RaftNetwork, number: int) -> None:
    """Wait until an orderer could hand messages on at once."""
    await network.order(number, b"first of %d" % number)
    await until(lambda: network.chain(number).room() > 0)


def test_the_leader_and_who_follows_take_many_messages_at_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(RaftNetwork(tmp_path, PORT_BASE)) as network:
            await network.leader()
            expected = set()
            for number in network.nodes:
                await streams_stand(network, number)
                contents = [b"%d of %d" % (place, number) for place in range(40)]
                answers = handler(network, number).take([network.envelope(one) for one in contents])
                taken = [BroadcastResponse.FromString(one).status for one in answers if one]
                assert taken == [Status.SUCCESS] * 40
                expected |= {b"first of %d" % number, *contents}
            await until(lambda: all(set(network.contents(n)) == expected for n in network.nodes))
            assert len(network.contents(1)) == len(expected)
            network.check_equal()

    run_story(story())


def test_what_would_be_refused_is_left_alone(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(RaftNetwork(tmp_path, PORT_BASE + 20, orderers=1)) as network:
            await network.order(1, b"first")
            signed = Envelope.FromString(network.envelope(b"forged"))
            signed.signature = signed.signature[:-1] + bytes([signed.signature[-1] ^ 1])
            elsewhere, update = (
                signed_envelope(kind, channel, b"", network.client).SerializeToString()
                for kind, channel in (
                    (HeaderType.ENDORSER_TRANSACTION, "elsewhere"),
                    (HeaderType.CONFIG_UPDATE, network.channel_id),
                )
            )
            bad = [signed.SerializeToString(), elsewhere, update, b"", b"\xff"]
            good = [network.envelope(b"a"), network.envelope(b"b")]
            mixed = [good[0], *bad, good[1]]
            broadcast = handler(network, 1)
            answers = broadcast.take(mixed)
            assert [answer is not None for answer in answers] == [True, *[False] * 5, True]
            statuses = [
                BroadcastResponse.FromString(await broadcast.process(one, "test")).status
                for one in bad
            ]
            assert Status.SUCCESS not in statuses
            await until(lambda: network.contents(1) == [b"first", b"a", b"b"])

    run_story(story())


def test_who_knows_no_leader_leaves_all_alone(tmp_path: Path) -> None:
    async def story() -> None:
        async with running(RaftNetwork(tmp_path, PORT_BASE + 40), 1) as network:
            assert handler(network, 1).take([network.envelope(b"a")]) == [None]

    run_story(story())


def test_a_system_channel_takes_no_messages_of_channels_that_there_are_not(tmp_path: Path) -> None:
    async def story() -> None:
        network = RaftNetwork(tmp_path, PORT_BASE + 60, orderers=1)
        creation = begin_with_system_channel(network.plan, network.client).SerializeToString()
        await network.start_without_joining(1)
        try:

            async def is_made() -> bool:
                return (await network.broadcast(1, creation)).status == Status.SUCCESS

            await until(is_made)
            await until(lambda: network.channels(1) == [network.channel_id])
            strange = signed_envelope(
                HeaderType.ENDORSER_TRANSACTION, "elsewhere", b"", network.client
            ).SerializeToString()
            assert handler(network, 1).take([strange]) == [None]
            assert (await network.broadcast(1, strange)).status == Status.NOT_FOUND
        finally:
            await network.stop()

    run_story(story())


def test_the_core_opens_and_writes_requests_as_the_decoder_does() -> None:
    envelope = Envelope(payload=b"p" * 300, signature=b"s")
    for sequence in (0, 1, 300):
        expected = StepRequest(
            submit_request=SubmitRequest(
                channel="c" * 20, last_validation_seq=sequence, payload=envelope
            )
        ).SerializeToString()
        made = bytes(submit_request("c" * 20, sequence, envelope.SerializeToString()))
        assert made == expected
        opened = ("c" * 20, True, sequence, envelope.SerializeToString(), b"")
        assert open_step_requests([made, made]) == [opened, opened]
    for metadata in (b"", b"m"):
        request = ConsensusRequest(channel="c", payload=b"raft" * 100, metadata=metadata)
        encoded = StepRequest(consensus_request=request).SerializeToString()
        assert open_step_requests([encoded]) == [("c", False, 0, b"raft" * 100, metadata)]


def test_what_is_encoded_otherwise_is_left_to_the_decoder() -> None:
    made = bytes(submit_request("c", 1, b"\x0a\x01p"))
    odd = [b"", b"\xff", made[:-1], made + made, made + b"\x18\x01"]
    assert open_step_requests(odd) == [None] * len(odd)
