# SPDX-License-Identifier: Apache-2.0
"""Readable JSON of blocks, and the parts of transactions, against what the corpora recorded."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

import corpora
from corpora import Corpus, OpenCorpus
from fastledger.common.codes import TxValidationCode
from fastledger.common.errors import InputError
from fastledger.protos.common import common_pb2, configtx_pb2
from fastledger.protos.peer import transaction_pb2
from fastledger.protoutil import block as blocks
from fastledger.protoutil import certificate, transaction
from fastledger.protoutil.inspect import MAX_NESTING, block_to_dict


def test_the_codes_are_those_of_the_wire_contract() -> None:
    theirs = dict(transaction_pb2.TxValidationCode.items())
    assert {code.name: code.value for code in TxValidationCode} == theirs


@pytest.mark.parametrize("name", ["small", "bypass", "malformed", "pvt14"])
def test_blocks_and_transactions_are_read_as_recorded(open_corpus: OpenCorpus, name: str) -> None:
    corpus = open_corpus(name)
    parsed = [blocks.parse(encoded) for encoded in corpus.blocks("peer")]
    assert [
        (block.number, block.header_hash, block.data_hash, block.codes, block.commit_hash)
        for block in parsed
    ] == [(v.number, v.header_hash, v.data_hash, v.codes, v.commit_hash) for v in corpus.verdicts]
    for recorded in corpus.transactions:
        found = transaction.parse(parsed[recorded["block"]].envelopes[recorded["index"]])
        if recorded["code_name"] == "VALID" and recorded["txid"]:
            assert (found.tx_id, found.type) == (recorded["txid"], recorded["type"])
            assert found.creator.msp_id.endswith("MSP") or recorded["block"] == 0
            assert found.chaincode == recorded.get("chaincode", "")


@pytest.mark.parametrize("name", corpora.archives())
def test_every_block_becomes_json(open_corpus: OpenCorpus, name: str) -> None:
    corpus = open_corpus(name)
    for encoded, verdict in zip(corpus.blocks(), corpus.verdicts, strict=True):
        shown = json.loads(json.dumps(block_to_dict(encoded)))
        assert shown["header"]["number"] == verdict.number
        assert shown["header"]["header_hash"] == verdict.header_hash.hex()
        assert len(shown["data"]) == len(verdict.codes)


def paths(value: Any, path: str = "") -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for inner in value:
            yield from paths(inner, path)
    else:
        yield path


def test_the_innermost_messages_are_reached(small: Corpus, open_corpus: OpenCorpus) -> None:
    v14 = open_corpus("v14")
    shown = [block_to_dict(encoded) for encoded in small.blocks() + v14.blocks()]
    reached = set(paths(shown))
    payload = ".data.envelope.payload.data"
    action = f"{payload}.actions.payload.action.proposal_response_payload.extension"
    config = f"{payload}.config.channel_group.groups.Application.groups.Org1MSP"
    consenters = ".data.envelope.payload.data.config.channel_group.groups.Orderer.values"
    arguments = f"{payload}.actions.payload.chaincode_proposal_payload.input.chaincode_spec"
    for path in (
        f"{action}.results.ns_rwset.rwset.reads.version.block_num",
        f"{action}.results.ns_rwset.collection_hashed_rwset.hashed_rwset.hashed_writes.key_hash",
        f"{action}.results.ns_rwset.rwset.writes.value.data.hash",
        f"{action}.results.ns_rwset.rwset.writes.value.Bytes.version",
        f"{action}.events.event_name",
        f"{config}.values.MSP.value.config.name",
        f"{config}.policies.Admins.policy.value.identities.principal.role",
        f"{consenters}.ConsensusType.value.metadata.consenters.host",
        f"{arguments}.input.args.validation_parameter.signature_policy.identities.principal.role",
        f"{arguments}.input.args.chaincode_spec.chaincode_id.version",
        ".metadata.SIGNATURES.value.last_config.index",
        ".metadata.SIGNATURES.value.consenter_metadata.value.raft_index",
        ".metadata.SIGNATURES.signatures.signature_header.creator.certificate.subject",
        ".metadata.COMMIT_HASH.value",
    ):
        assert path in reached


def test_nesting_that_the_sender_chose_has_a_limit() -> None:
    envelope = b""
    for _ in range(MAX_NESTING):
        last_update = common_pb2.Envelope.FromString(envelope)
        header = common_pb2.ChannelHeader(type=common_pb2.CONFIG).SerializeToString()
        payload = common_pb2.Payload(
            header=common_pb2.Header(channel_header=header),
            data=configtx_pb2.ConfigEnvelope(last_update=last_update).SerializeToString(),
        )
        envelope = common_pb2.Envelope(payload=payload.SerializeToString()).SerializeToString()
    block = common_pb2.Block(
        header=common_pb2.BlockHeader(number=7), data=common_pb2.BlockData(data=[envelope])
    )
    shown = block_to_dict(block.SerializeToString())
    assert "nested too deep to be shown" in json.dumps(shown)


def test_what_is_no_block_is_told() -> None:
    for parse in (blocks.parse, block_to_dict):
        with pytest.raises(InputError, match=r"not an encoded common\.Block"):
            parse(b"\xff\xff")


def test_unreadable_parts_stay_empty() -> None:
    assert transaction.parse(b"\xff").creator == certificate.Identity("", "")
    assert certificate.summary(b"-----BEGIN CERTIFICATE-----\nAAAA\n") is None
    assert str(certificate.identity(b"\xff")) == "an unreadable certificate (no MSP)"
