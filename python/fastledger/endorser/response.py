# SPDX-License-Identifier: Apache-2.0
"""What endorsers and system chaincodes answer."""

from collections.abc import Mapping
from functools import lru_cache

from fastledger.ledger.simulator import TxSimulator
from fastledger.protos.common import policies_pb2
from fastledger.protos.peer import proposal_response_pb2

OK = 200
ERROR_THRESHOLD = 400
"""Responses from here on are not endorsed (``shim.ERRORTHRESHOLD``)."""

ERROR = 500

_MAX_REMEMBERED = 1024
"""Interests that are remembered encoded; most transactions touch what others do."""

_MOST_PLACES = 16
"""Namespaces and collections of an interest that is remembered."""

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


def interest(simulator: TxSimulator, is_system: Mapping[str, object]) -> bytes:
    """Say whose endorsements the simulated transaction needs (2.4 and later).

    Fabric lists them in the order of Go's maps, that is in none; here they are sorted.

    Returns:
        An encoded ``protos.ChaincodeInterest``.
    """
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
    asked = tuple(sorted(item for item in needed.items() if item[0][0] not in is_system))
    read = frozenset(simulator.private_reads)
    if policies or len(asked) > _MOST_PLACES:
        return _encoded(asked, read, policies)
    return _remembered(asked, read)


_Needed = tuple[tuple[tuple[str, str], bool], ...]
"""Namespaces and collections, and whether their own policy has to hold."""


@lru_cache(_MAX_REMEMBERED)
def _remembered(asked: _Needed, read: frozenset[tuple[str, str]]) -> bytes:
    return _encoded(asked, read, {})


def _encoded(
    asked: _Needed,
    read: frozenset[tuple[str, str]],
    policies: Mapping[str, list[policies_pb2.SignaturePolicyEnvelope]],
) -> bytes:
    calls = proposal_response_pb2.ChaincodeInterest()
    for (ns, coll), required in asked:
        if coll:
            calls.chaincodes.add(
                name=ns,
                collection_names=[coll],
                no_private_reads=(ns, coll) not in read,
            )
        elif required or ns in policies:
            calls.chaincodes.add(
                name=ns,
                key_policies=policies.get(ns, []),
                disregard_namespace_policy=not required,
            )
    return calls.SerializeToString(deterministic=True)
