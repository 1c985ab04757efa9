# SPDX-License-Identifier: Apache-2.0
"""What endorsers and system chaincodes answer."""

from collections.abc import Mapping

from fastledger.ledger.simulator import TxSimulator
from fastledger.protos.common import policies_pb2
from fastledger.protos.peer import proposal_response_pb2

OK = 200
ERROR_THRESHOLD = 400
"""Responses from here on are not endorsed (``shim.ERRORTHRESHOLD``)."""

ERROR = 500

_VALIDATION_PARAMETER = "VALIDATION_PARAMETER"


def success(payload: bytes = b"") -> proposal_response_pb2.Response:
    """Answer of a system chaincode that did what it was asked."""
    return proposal_response_pb2.Response(status=OK, payload=payload)


def failure(text: str, status: int = ERROR) -> proposal_response_pb2.Response:
    """Answer of a system chaincode that did not."""
    return proposal_response_pb2.Response(status=status, message=text)


def refusal(text: str) -> proposal_response_pb2.ProposalResponse:
    """Answer to a proposal that could not be simulated."""
    return proposal_response_pb2.ProposalResponse(response=failure(text))


def interest(
    simulator: TxSimulator, is_system: Mapping[str, object]
) -> proposal_response_pb2.ChaincodeInterest:
    """Say whose endorsements the simulated transaction needs (2.4 and later).

    Fabric lists them in the order of Go's maps, that is in none; here they are sorted.
    """
    calls = proposal_response_pb2.ChaincodeInterest()
    needed: dict[tuple[str, str], bool] = {}
    policies: dict[str, list[policies_pb2.SignaturePolicyEnvelope]] = {}
    for ns, coll, metadata in simulator.written_metadata():
        needed.setdefault((ns, ""), False)
        policy = metadata.get(_VALIDATION_PARAMETER)
        if policy is None:
            needed[ns, coll] = True
        else:
            decoded = policies_pb2.SignaturePolicyEnvelope.FromString(policy)
            policies.setdefault(ns, []).append(decoded)
    written = {ns for ns, _ in needed}
    needed.update({(ns, ""): True for ns in simulator.namespaces() if ns not in written})
    needed.update(dict.fromkeys(simulator.private_reads, True))
    for (ns, coll), required in sorted(needed.items()):
        if ns in is_system:
            continue
        if coll:
            calls.chaincodes.add(
                name=ns,
                collection_names=[coll],
                no_private_reads=(ns, coll) not in simulator.private_reads,
            )
        elif required or ns in policies:
            calls.chaincodes.add(
                name=ns,
                key_policies=policies.get(ns, []),
                disregard_namespace_policy=not required,
            )
    return calls
