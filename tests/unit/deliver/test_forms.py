# SPDX-License-Identifier: Apache-2.0
"""Answers held against those that a real peer and a real orderer sent."""

import pytest

from corpora import Corpus, OpenCorpus
from fastledger._core import BlockResponse
from fastledger.deliver.forms import filtered_response, status_response
from fastledger.protos.common.common_pb2 import Block
from fastledger.protos.orderer import ab_pb2
from fastledger.protos.peer import events_pb2


@pytest.fixture(scope="module")
def v14(open_corpus: OpenCorpus) -> Corpus:
    return open_corpus("v14")


def recorded(corpus: Corpus, service: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted(corpus.folder.glob(f"wire/*{service}_s2c_*.bin"))]


def test_filtered_blocks_are_those_of_a_real_peer(v14: Corpus) -> None:
    committed = {Block.FromString(block).header.number: block for block in v14.blocks("peer")}
    compared = 0
    for encoded in recorded(v14, "protos.Deliver.DeliverFiltered"):
        response = events_pb2.DeliverResponse.FromString(encoded)
        if response.WhichOneof("Type") != "filtered_block":
            continue
        ours = filtered_response(committed[response.filtered_block.number])
        assert events_pb2.DeliverResponse.FromString(ours) == response
        compared += 1
    assert compared > 3


@pytest.mark.parametrize("length", [0, 1, 127, 128, 16_383, 16_384, 1 << 21])
def test_a_response_has_its_frame_before_the_block(length: int) -> None:
    block = Block(data={"data": [bytes(length)]})
    response = BlockResponse(block.SerializeToString())
    assert bytes(response) == ab_pb2.DeliverResponse(block=block).SerializeToString()
    assert len(response) == len(bytes(response))


def test_responses_are_framed_as_those_of_a_real_orderer(v14: Corpus) -> None:
    compared = set()
    for encoded in recorded(v14, "orderer.AtomicBroadcast.Deliver"):
        response = ab_pb2.DeliverResponse.FromString(encoded)
        kind = response.WhichOneof("Type")
        compared.add(kind)
        if kind == "status":
            assert status_response(response.status) == encoded
        else:
            assert bytes(BlockResponse(response.block.SerializeToString())) == encoded
    assert compared == {"status", "block"}
