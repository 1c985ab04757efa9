# SPDX-License-Identifier: Apache-2.0
"""What `fastledger invoke` says about the answers of several peers."""

from pathlib import Path

from fastledger.cli.network.answers import Answer, disagreement, unable
from fastledger.common.errors import RpcFailed
from fastledger.network.plan import Plan
from fastledger.protos.ledger.rwset.kvrwset.kv_rwset_pb2 import KVRead, KVRWSet, KVWrite, Version
from fastledger.protos.ledger.rwset.rwset_pb2 import TxReadWriteSet
from fastledger.protos.peer.proposal_pb2 import ChaincodeAction
from fastledger.protos.peer.proposal_response_pb2 import (
    Endorsement,
    ProposalResponse,
    ProposalResponsePayload,
    Response,
)

NODES = Plan(Path("/nowhere")).all_peers


def endorsed(value: bytes, read_at: int = 1) -> ProposalResponse:
    writes = KVRWSet(
        reads=[KVRead(key="k", version=Version(block_num=read_at))],
        writes=[KVWrite(key="k", value=value), KVWrite(key="same", value=b"1")],
    )
    sets = TxReadWriteSet()
    sets.ns_rwset.add(namespace="basic", rwset=writes.SerializeToString())
    action = ChaincodeAction(
        results=sets.SerializeToString(), response=Response(status=200, payload=value)
    )
    payload = ProposalResponsePayload(extension=action.SerializeToString())
    return ProposalResponse(
        response=Response(status=200),
        payload=payload.SerializeToString(),
        endorsement=Endorsement(endorser=b"e"),
    )


def said(*answers: Answer) -> list[str]:
    problem = disagreement(NODES, answers)
    return [] if problem is None else [line.strip() for line in problem.text.splitlines()]


def test_equal_answers_make_a_transaction() -> None:
    assert said(endorsed(b"1"), endorsed(b"1")) == []


def test_what_differs_is_told_and_nothing_else() -> None:
    lines = said(endorsed(b"1"), endorsed(b"2"))
    assert lines[0] == "the peers endorsed different results; a chaincode must be deterministic:"
    assert lines[1:] == [
        "response",
        "Org1MSP (peer0.org1.example.com): 200 1",
        "Org2MSP (peer0.org2.example.com): 200 2",
        "write basic k",
        "Org1MSP (peer0.org1.example.com): 1",
        "Org2MSP (peer0.org2.example.com): 2",
    ]


def test_peers_at_different_heights_are_no_fault_of_the_chaincode() -> None:
    problem = disagreement(NODES, [endorsed(b"1"), endorsed(b"2", read_at=2)])
    assert problem is not None
    assert problem.raced
    assert problem.text.startswith("the peers read different versions")
    problem = disagreement(NODES, [endorsed(b"1"), endorsed(b"2")])
    assert problem is not None
    assert not problem.raced


def test_who_refused_and_who_did_not() -> None:
    refused = ProposalResponse(response=Response(status=500, message="no such asset"))
    assert said(refused, endorsed(b"1")) == [
        "the endorsement failed:",
        "Org1MSP (peer0.org1.example.com): status 500: no such asset",
        "Org2MSP (peer0.org2.example.com): endorsed it",
    ]
    gone = RpcFailed("Unavailable", "connection lost")
    assert said(endorsed(b"1"), gone)[1] == (
        "Org2MSP (peer0.org2.example.com): rpc error: code = Unavailable desc = connection lost"
    )


def test_whose_failure_it_was() -> None:
    peers = ProposalResponse(response=Response(status=500, message="could not launch"))
    contracts = ProposalResponse(response=Response(status=500, message="no"), payload=b"run")
    assert unable(NODES, [peers, contracts]) == [NODES[0]]
    missing = ProposalResponse(response=Response(status=404, message="no such asset"))
    assert unable(NODES, [missing, RpcFailed("Unavailable", "gone")]) == []


def test_a_value_is_shown_up_to_a_length() -> None:
    lines = said(endorsed(b"x" * 5000), endorsed(b"y"))
    assert all(len(line) < 200 for line in lines)
