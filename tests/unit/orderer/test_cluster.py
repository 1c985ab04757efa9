# SPDX-License-Identifier: Apache-2.0
"""The wire between orderers: who is heard, what is lost, what waits, and what is told of it."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator

import grpc
import grpc.aio
import pytest

import certificates
from certificates import Pair
from cluster_wire import CA, CHANNEL, Peer, consensus, peer, submit
from consenting import run
from fastledger.comm import ClientTls, dial
from fastledger.common.errors import InputError
from fastledger.orderer.cluster import ClusterSettings, NotDelivered
from fastledger.orderer.cluster.expiration import ExpirationCheck
from fastledger.orderer.cluster.stream import STEP
from fastledger.protos.orderer.cluster_pb2 import StepRequest
from waiting import elapse, until


@contextlib.asynccontextmanager
async def two() -> AsyncIterator[tuple[Peer, Peer]]:
    async with peer(1) as one, peer(2) as other:
        one.meet(other.as_others_see())
        other.meet(one.as_others_see())
        yield one, other


def payloads(heard: Peer) -> list[bytes]:
    requests = [StepRequest.FromString(message) for _, message in heard.channel.requests]
    return [
        request.consensus_request.payload or request.submit_request.payload.payload
        for request in requests
    ]


def test_requests_arrive_in_order_with_their_sender() -> None:
    async def story() -> None:
        async with two() as (one, other):
            for number in range(50):
                assert one.comm.send_consensus(CHANNEL, 2, consensus(b"%d" % number))
            await until(lambda: len(other.channel.requests) == 50)
            assert payloads(other) == [b"%d" % number for number in range(50)]
            assert {sender for sender, _ in other.channel.requests} == {1}
            await one.comm.send_submit(CHANNEL, 2, submit(b"of a client"))
            await until(lambda: len(other.channel.requests) == 51)
            request = StepRequest.FromString(other.channel.requests[-1][1]).submit_request
            assert (request.channel, request.last_validation_seq) == (CHANNEL, 3)
            assert not one.unreachable

    run(story())


async def refusal(other: Peer, pair: Pair | None, request: bytes) -> tuple[object, str | None]:
    """How a stream ends that says one thing."""
    tls = ClientTls(CA.cert, *((pair.cert, pair.key) if pair else ()))
    channel = await dial(f"127.0.0.1:{other.server.port}", tls)
    try:
        call = channel.stream_stream(STEP)()
        await call.write(request)
        with pytest.raises(grpc.aio.AioRpcError) as ended:
            await call.read()
        return ended.value.code(), ended.value.details()
    finally:
        await channel.close()


def step(channel: str = CHANNEL) -> bytes:
    return consensus(b"vote", channel)


def test_strangers_and_nonsense_are_refused_as_fabric_does() -> None:
    async def story() -> None:
        async with two() as (one, other):
            stranger = certificates.leaf(CA)
            told = [
                (stranger, step(), "certificate extracted from TLS connection isn't authorized"),
                (None, step(), "no TLS certificate sent"),
                (one.pair, step("elsewhere"), "channel elsewhere doesn't exist"),
                (one.pair, step(""), "badly formatted message, cannot extract channel"),
                (one.pair, b"", "message is neither a Submit nor a Consensus request"),
                (one.pair, b"\xff", "grpc: failed to unmarshal the received message: "),
            ]
            for pair, request, text in told:
                code, details = await refusal(other, pair, request)
                assert code is grpc.StatusCode.UNKNOWN
                assert details is not None
                assert details.startswith(text)
            assert not other.channel.requests

    run(story())


def test_a_renewed_certificate_with_the_same_key_is_as_good() -> None:
    async def story() -> None:
        async with peer(1) as one, peer(2) as other:
            renewed = certificates.renewed(CA, other.pair)
            assert renewed.cert != other.pair.cert
            one.meet(other.as_others_see(renewed))
            other.meet(one.as_others_see(certificates.renewed(CA, one.pair)))
            one.comm.send_consensus(CHANNEL, 2, consensus(b"hello"))
            await until(lambda: payloads(other) == [b"hello"])

    run(story())


def test_a_server_with_another_key_is_not_spoken_to() -> None:
    """Its certificate comes from the same authority, for the same address."""

    async def story() -> None:
        async with peer(1) as one, peer(2) as other:
            one.meet(other.as_others_see(certificates.leaf(CA)))
            other.meet(one.as_others_see())
            with pytest.raises(NotDelivered, match="doesn't match the expected public key") as lost:
                await one.comm.send_submit(CHANNEL, 2, submit(b"secret"))
            assert lost.value.is_certain
            one.comm.send_consensus(CHANNEL, 2, consensus(b"secret"))
            await until(lambda: one.unreachable)
            assert not other.channel.requests

    run(story())


def test_a_server_of_another_authority_is_not_spoken_to() -> None:
    async def story() -> None:
        other_ca = certificates.authority("other")
        async with peer(1) as one, peer(2, certificates.leaf(other_ca)) as other:
            one.meet(other.as_others_see())
            with pytest.raises(NotDelivered, match="invalid peer certificate"):
                await one.comm.send_submit(CHANNEL, 2, submit(b"secret"))

    run(story())


def test_one_that_is_away_is_told_of_once_and_found_when_it_comes_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story() -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{probe.getsockname()[1]}"
        async with peer(1) as one:
            pair = certificates.leaf(CA)
            async with peer(2, pair, address) as other:
                seen = other.as_others_see()
                other.meet(one.as_others_see())
                one.meet(seen)
                one.comm.send_consensus(CHANNEL, 2, consensus(b"first"))
                await until(lambda: payloads(other) == [b"first"])
            await until(lambda: one.unreachable)
            with pytest.raises(NotDelivered) as lost:
                await one.comm.send_submit(CHANNEL, 2, submit(b"of a client"))
            assert lost.value.is_certain
            for _ in range(3):
                one.unreachable.clear()
                one.comm.send_consensus(CHANNEL, 2, consensus(b"lost"))
                await until(lambda: one.unreachable)
            async with peer(2, pair, address) as other:
                other.meet(one.as_others_see())

                def is_heard() -> bool:
                    one.comm.send_consensus(CHANNEL, 2, consensus(b"again"))
                    return bool(other.channel.requests)

                await until(is_heard)
                assert payloads(other)[0] == b"again"

    with caplog.at_level(logging.INFO, "orderer.common.cluster"):
        run(story())
    told = [text for text in caplog.messages if "StepRequest to 2" in text or "connected" in text]
    assert "Failed to send StepRequest to 2, because: the server stops" in told[0]
    assert "Successfully connected to 2" in told[1]


def test_a_refused_request_ends_its_stream_and_the_next_begins_another() -> None:
    async def story() -> None:
        async with two() as (one, other):
            other.channel.refusal = InputError("no such message")
            one.comm.send_consensus(CHANNEL, 2, consensus(b"bad"))
            await until(lambda: one.unreachable)
            other.channel.refusal = None
            one.comm.send_consensus(CHANNEL, 2, consensus(b"good"))
            await until(lambda: payloads(other) == [b"good"])

    run(story())


@contextlib.asynccontextmanager
async def silent_address() -> AsyncIterator[int]:
    """Somebody who accepts connections, and then says nothing."""
    accepted: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: accepted.append(writer), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in accepted:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


def test_a_full_queue_drops_consensus_and_ends_the_stream() -> None:
    async def story() -> None:
        settings = ClusterSettings(send_buffer=3)
        async with peer(1, settings=settings) as one, peer(2) as other, silent_address() as port:
            node = other.as_others_see()
            one.meet(type(node)(2, f"127.0.0.1:{port}", node.server_key, node.client_key))
            sent = [one.comm.send_consensus(CHANNEL, 2, consensus(b"x")) for _ in range(4)]
            assert sent == [True, True, True, False]
            assert one.unreachable == [2, 2]
            assert one.comm.send_consensus(CHANNEL, 2, consensus(b"on another stream"))

    run(story())


def test_a_full_queue_lets_clients_wait() -> None:
    async def story() -> None:
        settings = ClusterSettings(send_buffer=2, dial_timeout_s=0.2)
        async with peer(1, settings=settings) as one, peer(2) as other, silent_address() as port:
            node = other.as_others_see()
            one.meet(type(node)(2, f"127.0.0.1:{port}", node.server_key, node.client_key))
            waiting = [
                asyncio.ensure_future(one.comm.send_submit(CHANNEL, 2, submit(b"%d" % n)))
                for n in range(5)
            ]
            await elapse(0.05, "nobody is refused before the other end had its time")
            assert not any(task.done() for task in waiting)
            ends = await asyncio.gather(*waiting, return_exceptions=True)
            assert all(isinstance(end, NotDelivered) and end.is_certain for end in ends)

    run(story())


def test_one_that_left_is_neither_heard_nor_spoken_to() -> None:
    async def story() -> None:
        async with two() as (one, other):
            one.comm.send_consensus(CHANNEL, 2, consensus(b"before"))
            await until(lambda: payloads(other) == [b"before"])
            one.meet()
            assert not one.comm.send_consensus(CHANNEL, 2, consensus(b"after"))
            with pytest.raises(NotDelivered, match="node 2 doesn't exist in channel mychannel's"):
                await one.comm.send_submit(CHANNEL, 2, submit(b"after"))
            code, details = await refusal(one, other.pair, step())
            assert code is grpc.StatusCode.UNKNOWN
            assert details == "certificate extracted from TLS connection isn't authorized"
            one.comm.forget(CHANNEL)
            assert await refusal(one, other.pair, step()) == (
                grpc.StatusCode.UNKNOWN,
                f"channel {CHANNEL} doesn't exist",
            )

    run(story())


def test_one_that_left_hears_what_it_was_sent_before() -> None:
    """Where it is a member of raft, that is how it learns that it is none any more."""

    async def story() -> None:
        async with two() as (one, other):
            for number in range(20):
                one.comm.send_consensus(CHANNEL, 2, consensus(b"%d" % number))
            one.meet()
            one.meet()
            await until(lambda: len(other.channel.requests) == 20)
            assert payloads(other) == [b"%d" % number for number in range(20)]
            assert not one.unreachable

    run(story())


def test_one_that_left_and_is_silent_is_not_waited_for_long() -> None:
    async def story() -> None:
        settings = ClusterSettings(dial_timeout_s=60, rpc_timeout_s=0.1)
        async with peer(1, settings=settings) as one, peer(2) as other, silent_address() as port:
            node = other.as_others_see()
            one.meet(type(node)(2, f"127.0.0.1:{port}", node.server_key, node.client_key))
            one.comm.send_consensus(CHANNEL, 2, consensus(b"last words"))
            one.meet()
            assert one.comm._parting
            await until(lambda: not one.comm._parting)

    run(story())


def test_certificates_that_end_soon_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    now = 1000.0
    check = ExpirationCheck("10.0.0.1:7050", 2000, 1500, now=lambda: now)
    early = ExpirationCheck("10.0.0.2:7050", 2000, 900, now=lambda: now)
    for _ in range(2):
        check.warn(CHANNEL)
        early.warn(CHANNEL)
    assert caplog.messages == [
        "Certificate from 10.0.0.1:7050 for channel mychannel expires in less than 16m40s"
    ]
    now += 300
    check.warn(CHANNEL)
    assert len(caplog.messages) == 2
