# SPDX-License-Identifier: Apache-2.0
"""The order of messages, the timer of a batch, configurations between them."""

import asyncio
from dataclasses import dataclass, field

import pytest

from fastledger.orderer.blockcutter import Message
from fastledger.orderer.blockwriter import Draft
from fastledger.orderer.consensus.chain import ChainHalted
from fastledger.orderer.consensus.etcdraft.chain import SingleConsenterChain
from fastledger.orderer.consensus.solo import SoloChain
from fastledger.orderer.errors import Rejected
from fastledger.protos.orderer.etcdraft.metadata_pb2 import BlockMetadata

DEADLINE_S = 20
TIMEOUT_S = 0.05


@dataclass
class Size:
    max_message_count: int = 3
    absolute_max_bytes: int = 1 << 20
    preferred_max_bytes: int = 1 << 20


@dataclass
class Values:
    batch_size: Size = field(default_factory=Size)
    batch_timeout: float = TIMEOUT_S
    consensus_type: str = "solo"
    consensus_metadata: bytes = b""


class Support:
    """A channel that keeps what would be blocks."""

    def __init__(self) -> None:
        self.channel_id = "channel"
        self.sequence = 0
        self.orderer = Values()
        self.unwritten = 0
        self.drafts: list[Draft] = []
        self.refused: set[bytes] = set()
        self.writing = asyncio.Event()
        self.writing.set()
        self.written = asyncio.Event()

    def process_normal(self, envelope: bytes) -> None:
        if envelope in self.refused:
            raise Rejected("not any more")

    def process_config(self, envelope: bytes) -> bytes:
        return envelope + b"'"

    def write(self, draft: Draft) -> None:
        self.drafts.append(draft)
        self.written.set()

    async def write_config(self, draft: Draft) -> None:
        await self.writing.wait()
        self.drafts.append(draft)
        self.sequence += 1

    async def drained(self, blocks: int) -> None:
        while self.unwritten > blocks:
            await asyncio.sleep(0)

    @property
    def contents(self) -> list[list[bytes]]:
        return [list(draft.envelopes) for draft in self.drafts]


def run(story):
    return asyncio.run(asyncio.wait_for(story, DEADLINE_S))


def started(support: Support) -> SoloChain:
    chain = SoloChain(support)
    chain.start()
    return chain


def message(name: bytes) -> Message:
    return Message(name, len(name))


def test_full_batches_at_once_and_the_rest_in_time() -> None:
    async def story() -> None:
        support = Support()
        chain = started(support)
        for name in (b"a", b"b", b"c", b"d"):
            await chain.order(message(name), 0)
        assert support.contents == [[b"a", b"b", b"c"]]
        support.written.clear()
        await support.written.wait()
        assert support.contents == [[b"a", b"b", b"c"], [b"d"]]

    run(story())


def test_the_timer_runs_from_the_first_message() -> None:
    async def story() -> None:
        support = Support()
        support.orderer.batch_timeout = 0.2
        chain = started(support)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await chain.order(message(b"a"), 0)
        await asyncio.sleep(0.15)
        await chain.order(message(b"b"), 0)
        await support.written.wait()
        assert support.contents == [[b"a", b"b"]]
        assert loop.time() - began < 0.34

    run(story())


def test_a_configuration_stands_alone_after_what_was_pending() -> None:
    async def story() -> None:
        support = Support()
        chain = started(support)
        await chain.order(message(b"a"), 0)
        await chain.configure(b"config", 0)
        await chain.order(message(b"b"), 1)
        await chain.halt()
        assert support.contents == [[b"a"], [b"config"], [b"b"]]
        assert [draft.is_config for draft in support.drafts] == [False, True, False]

    run(story())


def test_messages_that_wait_for_a_configuration_are_judged_anew() -> None:
    async def story() -> None:
        support = Support()
        support.refused = {b"late"}
        chain = started(support)
        support.writing.clear()
        configuring = asyncio.ensure_future(chain.configure(b"config", 0))
        await asyncio.sleep(0)
        late = asyncio.ensure_future(chain.order(message(b"late"), 0))
        fine = asyncio.ensure_future(chain.order(message(b"fine"), 0))
        second = asyncio.ensure_future(chain.configure(b"second", 0))
        await asyncio.sleep(0.01)
        assert support.contents == []
        support.writing.set()
        with pytest.raises(Rejected):
            await late
        await asyncio.gather(configuring, fine, second)
        assert support.contents == [[b"config"], [b"fine"], [b"second'"]]

    run(story())


def test_a_halted_chain_writes_what_it_took_and_takes_nothing() -> None:
    async def story() -> None:
        support = Support()
        chain = SoloChain(support)
        with pytest.raises(ChainHalted):
            await chain.wait_ready()
        chain.start()
        assert not chain.errored.is_set()
        await chain.order(message(b"a"), 0)
        await chain.halt()
        await chain.halt()
        assert support.contents == [[b"a"]]
        assert chain.errored.is_set()
        with pytest.raises(ChainHalted):
            await chain.order(message(b"b"), 0)
        with pytest.raises(ChainHalted):
            await chain.configure(b"config", 0)

    run(story())


def test_messages_wait_while_the_disk_is_behind() -> None:
    async def story() -> None:
        support = Support()
        chain = started(support)
        support.unwritten = 100
        waiting = asyncio.ensure_future(chain.order(message(b"a"), 0))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        support.unwritten = 0
        await waiting

    run(story())


def test_a_single_consenter_counts_the_log_as_a_real_one() -> None:
    """The first block of a real channel stands at place 3; a restart opens a new term."""

    async def story() -> None:
        support = Support()
        support.orderer.batch_size.max_message_count = 1
        chain = SingleConsenterChain(support, b"")
        chain.start()
        await chain.order(message(b"a"), 0)
        await chain.configure(b"config", 0)
        kept = [BlockMetadata.FromString(draft.consenter_metadata) for draft in support.drafts]
        assert kept == [
            BlockMetadata(consenter_ids=[1], next_consenter_id=2, raft_index=index)
            for index in (3, 4)
        ]
        again = SingleConsenterChain(support, support.drafts[-1].consenter_metadata)
        again.start()
        await again.order(message(b"b"), 1)
        last = BlockMetadata.FromString(support.drafts[-1].consenter_metadata)
        assert last.raft_index == 6

    run(story())
