# SPDX-License-Identifier: Apache-2.0
"""What an orderer may send."""

import asyncio

import pytest

from fastledger.committer.notifier import Notifier
from fastledger.committer.puller import StreamEnded, block_of
from fastledger.common.codes import TxValidationCode
from fastledger.protos.common.common_pb2 import Block, Status
from fastledger.protos.orderer.ab_pb2 import DeliverResponse


@pytest.mark.parametrize("size", [0, 1, 127, 128, 70_000])
def test_a_block_is_cut_out_as_it_was_sent(size: int) -> None:
    block = Block()
    block.data.data.append(bytes(size))
    encoded = DeliverResponse(block=block).SerializeToString()
    assert block_of(encoded) == block.SerializeToString()


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
