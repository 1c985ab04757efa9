# SPDX-License-Identifier: Apache-2.0
"""The chains of one orderer: solo, and etcdraft with a single consenter."""

from typing import cast

import pytest

from consenting import TIMEOUT_S, ManualClock, Support, message, run
from fastledger.orderer.consensus.chain import (
    ChainHalted,
    ConsenterSupport,
    NobodyElse,
    Relation,
    Standing,
    Status,
)
from fastledger.orderer.consensus.etcdraft.consenter import single_consenter_chain
from fastledger.orderer.consensus.solo.chain import SoloChain
from fastledger.protos.common.common_pb2 import (
    ChannelHeader,
    Envelope,
    Header,
    HeaderType,
    Metadata,
    Payload,
)
from fastledger.protos.orderer.etcdraft.configuration_pb2 import ConfigMetadata, Consenter
from fastledger.protos.orderer.etcdraft.metadata_pb2 import BlockMetadata


class Alone(Support):
    """A channel with one etcdraft consenter; its configurations change nothing of that."""

    def __init__(self) -> None:
        super().__init__()
        metadata = ConfigMetadata(consenters=[Consenter(host="orderer")])
        self.orderer.consensus_metadata = metadata.SerializeToString()
        self.bundle = self

    def apply(self, config: bytes) -> "Alone":
        return self


def kept(consenter_metadata: bytes) -> BlockMetadata:
    return BlockMetadata.FromString(Metadata.FromString(consenter_metadata).value)


def configuration() -> bytes:
    channel_header = ChannelHeader(type=HeaderType.CONFIG, channel_id="mychannel")
    header = Header(channel_header=channel_header.SerializeToString())
    return Envelope(payload=Payload(header=header).SerializeToString()).SerializeToString()


def test_messages_and_configurations_in_their_order() -> None:
    async def story() -> None:
        support = Support()
        chain = SoloChain(cast("ConsenterSupport", support))
        chain.start()
        await chain.order(message(b"a"), 0)
        await chain.configure(b"config", 0)
        await chain.order(message(b"b"), 1)
        await chain.halt()
        assert support.written == [([b"a"], b""), ([b"config"], b""), ([b"b"], b"")]
        assert support.configurations == [2]

    run(story())


def test_its_batches_are_timed_by_the_clock_that_it_got() -> None:
    async def story() -> None:
        support, clock = Support(), ManualClock()
        chain = SoloChain(cast("ConsenterSupport", support), clock=clock)
        chain.start()
        await chain.order(message(b"a"), 0)
        clock.advance(TIMEOUT_S)
        assert support.contents == [[b"a"]]

    run(story())


def test_a_halted_chain_writes_what_it_took_and_takes_nothing() -> None:
    async def story() -> None:
        support = Support()
        chain = SoloChain(cast("ConsenterSupport", support))
        with pytest.raises(ChainHalted):
            await chain.wait_ready()
        assert chain.standing == Standing(Relation.OTHER, Status.INACTIVE)
        chain.start()
        assert chain.standing == Standing(Relation.OTHER, Status.ACTIVE)
        assert chain.errored is False
        await chain.order(message(b"a"), 0)
        await chain.halt()
        await chain.halt()
        assert support.contents == [[b"a"]]
        assert (chain.errored, chain.standing.status) == (True, Status.INACTIVE)
        with pytest.raises(ChainHalted):
            await chain.order(message(b"b"), 0)
        with pytest.raises(ChainHalted):
            await chain.configure(b"config", 0)

    run(story())


def test_nobody_speaks_to_a_chain_of_one() -> None:
    async def story() -> None:
        support = cast("ConsenterSupport", Alone())
        for chain in (SoloChain(support), single_consenter_chain(support, b"")):
            chain.start()
            with pytest.raises(
                NobodyElse, match="channel channel is ordered by this orderer alone"
            ):
                await chain.step(2, b"vote for me")

    run(story())


def test_a_single_consenter_counts_the_log_as_a_real_one() -> None:
    """The first block of a real channel stands at place 3; a restart opens a new term."""

    async def story() -> None:
        support = Alone()
        support.orderer.batch_size.max_message_count = 1
        chain = single_consenter_chain(cast("ConsenterSupport", support), b"")
        chain.start()
        assert chain.standing == Standing(Relation.CONSENTER, Status.ACTIVE)
        await chain.order(message(b"a"), 0)
        await chain.configure(configuration(), 0)
        assert [kept(metadata) for _, metadata in support.written] == [
            BlockMetadata(consenter_ids=[1], next_consenter_id=2, raft_index=index)
            for index in (3, 4)
        ]
        last = support.written[-1][1]
        again = single_consenter_chain(cast("ConsenterSupport", support), last)
        again.start()
        await again.order(message(b"b"), 1)
        assert kept(support.written[-1][1]).raft_index == 6

    run(story())
