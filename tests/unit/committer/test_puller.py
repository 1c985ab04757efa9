# SPDX-License-Identifier: Apache-2.0
"""What an orderer may send."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from typing import cast

import grpc.aio
import pytest

from fastledger.comm import ClientLimits, GrpcChannel, dial
from fastledger.committer import puller
from fastledger.committer.notifier import Notifier
from fastledger.committer.puller import StreamEnded, block_of
from fastledger.common.codes import TxValidationCode
from fastledger.common.errors import InputError
from fastledger.protos.common.common_pb2 import Block, BlockHeader, Status
from fastledger.protos.orderer.ab_pb2 import DeliverResponse
from fastledger.protoutil.blocks import number_of
from proxies import Proxy
from tellers import Teller, telling


@pytest.mark.parametrize("size", [0, 1, 127, 128, 70_000])
def test_a_block_is_cut_out_as_it_was_sent(size: int) -> None:
    block = Block()
    block.data.data.append(bytes(size))
    encoded = DeliverResponse(block=block).SerializeToString()
    assert block_of(encoded) == block.SerializeToString()


def test_a_block_is_numbered_and_searched_where_it_lies() -> None:
    block = Block()
    block.header.number = 300
    block.data.data.append(b"transaction")
    cut = block_of(DeliverResponse(block=block).SerializeToString())
    assert not isinstance(cut, bytes)
    assert number_of(cut) == 300
    assert b"transaction" in cut
    assert b"something else" not in cut
    assert Block.FromString(bytes(cut)) == block


@pytest.mark.parametrize("block", [b"", b"no block", b"\x0a\x7f\x08", b"\x12\x00"])
def test_what_is_no_block_has_no_number(block: bytes) -> None:
    with pytest.raises(InputError):
        number_of(block_of(b"\x12" + bytes([len(block)]) + block))


def test_a_status_is_named() -> None:
    with pytest.raises(StreamEnded, match="status FORBIDDEN"):
        block_of(DeliverResponse(status=Status.FORBIDDEN).SerializeToString())
    with pytest.raises(StreamEnded, match="status 777"):
        block_of(b"\x08\x89\x06")


@pytest.mark.parametrize(
    "response",
    [
        b"",
        b"\x12",
        b"\x12\x80",
        b"\x12\x05abc",
        b"\x12\x01ab",
        b"\x1a\x01a",
        b"\x12" + b"\xff" * 20,
        DeliverResponse(status=Status.FORBIDDEN).SerializeToString(),
    ],
)
def test_everything_else_ends_the_stream(response: bytes) -> None:
    with pytest.raises(StreamEnded):
        block_of(response)


def test_waiters_learn_of_blocks_and_transactions() -> None:
    async def story() -> None:
        notifier = Notifier(3)
        grown = asyncio.ensure_future(notifier.wait(5))
        status = notifier.status("tx")
        notifier.tell(3, [("other", TxValidationCode.VALID)])
        await asyncio.sleep(0)
        assert not grown.done()
        notifier.tell(4, [("tx", TxValidationCode.MVCC_READ_CONFLICT)])
        assert await status == (TxValidationCode.MVCC_READ_CONFLICT, 4)
        await grown
        assert notifier.height == 5
        assert not notifier.awaits

    asyncio.run(story())


class Orderer:
    """Connects to itself, and sends one block on each stream."""

    certificate_hash = b""

    async def connect(self, _address: str) -> "Orderer":
        return self

    def stream_stream(self, _method: str, *_: object):
        return Call

    async def close(self) -> None:
        pass


class Call:
    def __init__(self) -> None:
        self._left = [DeliverResponse(block=Block()).SerializeToString()]

    async def write(self, request: bytes) -> None:
        pass

    async def read(self) -> object:
        return self._left.pop() if self._left else grpc.aio.EOF

    def cancel(self) -> None:
        pass


class Signer:
    serialized = b"peer"

    def sign(self, message: bytes) -> bytes:
        return message


def test_an_orderer_whose_block_does_not_hold_is_asked_less_and_less(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The height is what counts: a block that came and was refused is no progress."""
    pauses: list[float] = []
    height = 5

    async def sleep(pause: float) -> None:
        pauses.append(pause)

    async def wanted() -> int:
        return height

    async def story() -> None:
        nonlocal height
        monkeypatch.setattr(puller.asyncio, "sleep", sleep)
        orderers = puller.BlockPuller("channel", lambda: ["orderer:1"], Signer(), Orderer())
        blocks = orderers.blocks(wanted)
        for _ in range(30):
            await anext(blocks)
            orderers.reject()
        assert pauses == sorted(pauses)
        assert pauses[-1] == puller.MAX_PAUSE_S
        height = 6
        await anext(blocks)
        await anext(blocks)
        assert pauses[-1] == puller.FIRST_PAUSE_S
        await cast(AsyncGenerator[bytes], blocks).aclose()

    with caplog.at_level(logging.INFO, "peer.blocksprovider"):
        asyncio.run(story())
    said = [record.getMessage() for record in caplog.records]
    assert sum("does not hold" in line for line in said) == 1
    assert sum("pulling blocks" in line for line in said) == 2


class Dialler:
    """Dials in plain text, and asks the other end often whether it is there."""

    certificate_hash = b""

    async def connect(self, address: str) -> GrpcChannel:
        limits = ClientLimits(keepalive_s=0.2, keepalive_timeout_s=0.2)
        return await dial(address, timeout_s=0.5, limits=limits)


def chain(height: int) -> list[bytes]:
    return [Block(header=BlockHeader(number=n)).SerializeToString() for n in range(height)]


def test_an_orderer_that_is_suspended_or_behind_is_left_for_another(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story() -> None:
        behind, ahead = Teller(chain(3), then=503), Teller(chain(6))
        async with telling([behind, ahead]):
            proxy = Proxy(ahead.address)
            async with proxy.serving():
                height = 0

                async def wanted() -> int:
                    return height

                addresses = [behind.address]
                orderers = puller.BlockPuller("channel", lambda: addresses, Signer(), Dialler())
                blocks = orderers.blocks(wanted)
                # One has lost its leader, and says so: the other one has more.
                for number in range(6):
                    if number == 3:
                        addresses.append(proxy.address)
                    assert number_of(await anext(blocks)) == number
                    height += 1
                # That one is suspended, and the first has caught up by then.
                proxy.suspend()
                behind.blocks = chain(8)
                behind.then = 0
                for number in (6, 7):
                    assert number_of(await anext(blocks)) == number
                    height += 1
                await cast(AsyncGenerator[bytes], blocks).aclose()

    with caplog.at_level(logging.INFO, "peer.blocksprovider"):
        asyncio.run(asyncio.wait_for(story(), 60))
    assert "SERVICE_UNAVAILABLE" in caplog.text
