# SPDX-License-Identifier: Apache-2.0
"""What clients of Deliver get, by a source and a check of the test's own."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

import pytest

from deliver_chain import DEADLINE_S, Chain, allow, position, request, seek
from fastledger.common.errors import FastledgerError
from fastledger.deliver import BLOCKS, FILTERED_BLOCKS, DeliverHandler
from fastledger.protos.common.common_pb2 import (
    Block,
    ChannelHeader,
    Envelope,
    Payload,
    Status,
)
from fastledger.protos.orderer.ab_pb2 import DeliverResponse, SeekInfo
from waiting import settle


class Context:
    """A call without TLS, or with a client certificate."""

    def __init__(self, pem: bytes | None = None) -> None:
        self._pem = pem

    def peer(self) -> str:
        return "ipv4:127.0.0.1:1"

    def auth_context(self) -> dict[str, list[bytes]]:
        return {} if self._pem is None else {"x509_pem_cert": [self._pem]}


async def stream(*envelopes: bytes) -> AsyncIterator[bytes]:
    for envelope in envelopes:
        yield envelope


def serve(chain: Chain, *envelopes: bytes, check=allow, context=None, **settings):
    handler = DeliverHandler({"channel": chain}.get, **settings)
    return handler.serve(stream(*envelopes), context or Context(), check, BLOCKS)


async def answers(responses: AsyncIterator[bytes]) -> list[int | str]:
    """Block numbers, and statuses by name."""
    found: list[int | str] = []
    async for encoded in responses:
        response = DeliverResponse.FromString(bytes(encoded))
        if response.WhichOneof("Type") == "block":
            found.append(response.block.header.number)
        else:
            found.append(Status.Name(response.status))
    return found


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, DEADLINE_S))


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        ("oldest", "newest", ["NOT_FOUND"]),
        (1, 3, ["NOT_FOUND"]),
        (2, "newest", [2, 3, "SUCCESS"]),
        ("newest", "newest", [3, "SUCCESS"]),
    ],
)
def test_blocks_that_a_snapshot_holds_are_not_found(start, stop, expected) -> None:
    chain = Chain(4)
    chain.first = 2
    assert run(answers(serve(chain, request(seek(start, stop))))) == expected


def test_a_long_range_leaves_room_for_others_between_its_blocks() -> None:
    async def test() -> None:
        reading = asyncio.ensure_future(answers(serve(Chain(100), request(seek(0, 99)))))
        turns = 0
        while not reading.done():
            await asyncio.sleep(0)
            turns += 1
        assert await reading == [*range(100), "SUCCESS"]
        assert turns > 100

    run(test())


def test_the_newest_block_is_awaited_when_a_snapshot_holds_all() -> None:
    async def walk() -> list[int | str]:
        chain = Chain(4)
        chain.first = 4
        waiting = asyncio.create_task(answers(serve(chain, request(seek("newest", "newest")))))
        await asyncio.sleep(0)
        await chain.grow()
        return await waiting

    assert run(walk()) == [4, "SUCCESS"]


@pytest.mark.parametrize(
    ("start", "stop", "expected"),
    [
        ("oldest", "oldest", [0, "SUCCESS"]),
        ("oldest", "newest", [0, 1, 2, 3, "SUCCESS"]),
        ("newest", "newest", [3, "SUCCESS"]),
        (1, 2, [1, 2, "SUCCESS"]),
        (2, 2, [2, "SUCCESS"]),
        (2, "newest", [2, 3, "SUCCESS"]),
        (2, 1, ["BAD_REQUEST"]),
        (5, 5, ["NOT_FOUND"]),
        ("newest", 1, ["BAD_REQUEST"]),
    ],
)
def test_ranges(start: int | str, stop: int | str, expected: list[int | str]) -> None:
    async def story() -> list[int | str]:
        return await answers(serve(Chain(4), request(seek(start, stop))))

    assert run(story()) == expected


def test_a_start_or_a_stop_that_is_missing() -> None:
    async def story() -> None:
        for info in (SeekInfo(start=position(0)), SeekInfo(stop=position(0)), SeekInfo()):
            assert await answers(serve(Chain(1), request(info))) == ["BAD_REQUEST"]

    run(story())


def test_a_start_without_a_type_is_not_found() -> None:
    async def story() -> list[int | str]:
        info = SeekInfo(stop=position("newest"))
        info.start.SetInParent()
        return await answers(serve(Chain(1), request(info)))

    assert run(story()) == ["NOT_FOUND"]


def test_several_requests_on_one_stream() -> None:
    async def story() -> list[int | str]:
        first, second = request(seek("newest", "newest")), request(seek(0, 1))
        return await answers(serve(Chain(3), first, second))

    assert run(story()) == [2, "SUCCESS", 0, 1, "SUCCESS"]


def test_a_failure_ends_the_stream() -> None:
    async def story() -> list[int | str]:
        return await answers(serve(Chain(3), request(seek(2, 1)), request(seek(0, 0))))

    assert run(story()) == ["BAD_REQUEST"]


def test_waits_for_blocks_also_after_the_client_closed_its_side() -> None:
    async def story() -> None:
        chain = Chain(2)
        responses = serve(chain, request(seek(1, 3)))
        assert DeliverResponse.FromString(bytes(await anext(responses))).block.header.number == 1
        following = asyncio.ensure_future(anext(responses))
        await settle()
        assert not following.done()
        await chain.grow()
        assert DeliverResponse.FromString(bytes(await following)).block.header.number == 2
        await chain.grow()
        assert await answers(responses) == [3, "SUCCESS"]

    run(story())


def test_fail_if_not_ready() -> None:
    async def story() -> list[int | str]:
        info = seek(1, 5, behavior=SeekInfo.FAIL_IF_NOT_READY)
        return await answers(serve(Chain(3), request(info)))

    assert run(story()) == [1, 2, "NOT_FOUND"]


def test_next_commit_skips_what_is_there() -> None:
    async def story() -> None:
        chain = Chain(2)
        info = SeekInfo(start={"next_commit": {}}, stop=position(2))
        following = asyncio.ensure_future(answers(serve(chain, request(info))))
        await settle()
        await chain.grow()
        assert await following == [2, "SUCCESS"]

    run(story())


def test_a_failed_consenter_unless_best_effort() -> None:
    async def story() -> None:
        chain = Chain(2)
        waiting = asyncio.ensure_future(answers(serve(chain, request(seek(1, 2)))))
        await settle()
        chain.errored.set()
        assert await waiting == [1, "SERVICE_UNAVAILABLE"]
        assert await answers(serve(chain, request(seek(0, 0)))) == ["SERVICE_UNAVAILABLE"]
        lenient = seek(0, 1, error_response=SeekInfo.BEST_EFFORT)
        assert await answers(serve(chain, request(lenient))) == [0, 1, "SUCCESS"]

    run(story())


def test_an_unknown_channel_is_not_found() -> None:
    async def story() -> list[int | str]:
        return await answers(serve(Chain(1), request(seek(0, 0), channel="other")))

    assert run(story()) == ["NOT_FOUND"]


@pytest.mark.parametrize("age_s", [-1000, 1000])
def test_a_clock_that_is_off(age_s: float) -> None:
    async def story() -> list[int | str]:
        return await answers(serve(Chain(1), request(seek(0, 0), age_s=age_s)))

    assert run(story()) == ["BAD_REQUEST"]


def test_requests_that_are_no_requests() -> None:
    headless = Envelope(payload=Payload(data=b"x").SerializeToString()).SerializeToString()
    timeless = Payload()
    timeless.header.channel_header = ChannelHeader(channel_id="channel").SerializeToString()
    undated = Envelope(payload=timeless.SerializeToString()).SerializeToString()

    async def story() -> None:
        for encoded in (b"\xff", b"", headless, undated, request(b"\xff\xff")):
            assert await answers(serve(Chain(1), encoded)) == ["BAD_REQUEST"]

    run(story())


def test_policy_is_asked_again_when_the_configuration_changes() -> None:
    async def story() -> None:
        chain, asked = Chain(2), []

        def check(_: object) -> None:
            asked.append(chain.sequence)
            if chain.sequence > 1:
                raise FastledgerError("not any more")

        responses = serve(chain, request(seek(0, 9)), check=check)
        await anext(responses)
        await anext(responses)
        chain.sequence = 1
        await chain.grow()
        await anext(responses)
        chain.sequence = 2
        await chain.grow()
        assert await answers(responses) == ["FORBIDDEN"]
        assert asked == [0, 1, 2]

    run(story())


def test_whom_the_policy_does_not_let_in() -> None:
    def refuse(_: object) -> None:
        raise FastledgerError("no")

    async def story() -> list[int | str]:
        return await answers(serve(Chain(1), request(seek(0, 0)), check=refuse))

    assert run(story()) == ["FORBIDDEN"]


def test_mutual_tls_binds_the_request_to_the_connection() -> None:
    from certificates import authority

    pair = authority()
    digest = hashlib.sha256(pair.der).digest()

    async def story() -> None:
        for tls, pem, expected in (
            (digest, pair.cert, [0, "SUCCESS"]),
            (b"", pair.cert, ["BAD_REQUEST"]),
            (b"\0" * 32, pair.cert, ["BAD_REQUEST"]),
            (digest, None, ["BAD_REQUEST"]),
        ):
            encoded = request(seek(0, 0), tls=tls)
            responses = serve(Chain(1), encoded, context=Context(pem), mutual_tls=True)
            assert await answers(responses) == expected
            lenient = serve(Chain(1), encoded, context=Context(pem))
            assert await answers(lenient) == [0, "SUCCESS"]

    run(story())


def test_headers_with_signatures_carry_no_transactions() -> None:
    async def story() -> None:
        info = seek(0, 0, content_type=SeekInfo.HEADER_WITH_SIG)
        response = DeliverResponse.FromString(bytes(await anext(serve(Chain(1), request(info)))))
        assert not response.block.HasField("data")
        assert response.block.header == Block.FromString(Chain(1).encoded[0]).header

    run(story())


def test_filtered_form_is_of_the_same_fields() -> None:
    assert FILTERED_BLOCKS.data_type == "filtered_block"
