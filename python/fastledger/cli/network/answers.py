# SPDX-License-Identifier: Apache-2.0
"""What peers answered to a proposal, and how their answers differ."""

from collections.abc import Sequence
from typing import NamedTuple

from fastledger.common.errors import FastledgerError
from fastledger.network.plan import Node
from fastledger.protos.ledger.rwset.kvrwset.kv_rwset_pb2 import KVRWSet, Version
from fastledger.protos.ledger.rwset.rwset_pb2 import TxReadWriteSet
from fastledger.protos.peer.chaincode_event_pb2 import ChaincodeEvent
from fastledger.protos.peer.proposal_pb2 import ChaincodeAction
from fastledger.protos.peer.proposal_response_pb2 import ProposalResponse, ProposalResponsePayload

Answer = ProposalResponse | FastledgerError

MAX_SHOWN = 20
MAX_VALUE = 120
_READS = ("read ", "range ")
_RACED = "the peers read different versions, while another transaction was committed; try again:"
_DIFFERENT = "the peers endorsed different results; a chaincode must be deterministic:"
_NONE = "nothing"
_ERROR = 400
_FAILED = 500


class Disagreement(NamedTuple):
    """Why answers make no transaction."""

    text: str
    raced: bool = False
    """The peers read at different heights, and may agree a moment later."""


def disagreement(nodes: Sequence[Node], answers: Sequence[Answer]) -> Disagreement | None:
    """Say why the answers make no transaction; None when they make one."""
    refused = [
        f"{_who(node)}: {reason}"
        for node, answer in zip(nodes, answers, strict=True)
        if (reason := _refusal(answer))
    ]
    if refused:
        agreed = [
            f"{_who(node)}: endorsed it"
            for node, answer in zip(nodes, answers, strict=True)
            if not _refusal(answer)
        ]
        return Disagreement("\n  ".join(["the endorsement failed:", *refused, *agreed]))
    responses = [answer for answer in answers if isinstance(answer, ProposalResponse)]
    if len({response.payload for response in responses}) <= 1:
        return None
    return _differences(nodes, responses)


def _who(node: Node) -> str:
    return f"{node.mspid} ({node.name})"


def _refusal(answer: Answer) -> str:
    if isinstance(answer, FastledgerError):
        return str(answer)
    if answer.response.status >= _ERROR or not answer.HasField("endorsement"):
        return f"status {answer.response.status}: {answer.response.message}"
    return ""


def unable(nodes: Sequence[Node], answers: Sequence[Answer]) -> list[Node]:
    """Return the peers that could not run the chaincode, rather than the chaincode refused.

    A chaincode that was run leaves a payload, whatever it said; Fabric's gateway goes by that, too.
    """
    return [
        node
        for node, answer in zip(nodes, answers, strict=True)
        if isinstance(answer, ProposalResponse)
        and answer.response.status == _FAILED
        and not answer.payload
    ]


def _differences(nodes: Sequence[Node], responses: Sequence[ProposalResponse]) -> Disagreement:
    facts = [_facts(response) for response in responses]
    names = sorted({name for known in facts for name in known})
    lines = []
    raced = False
    for name in names:
        values = [known.get(name, _NONE) for known in facts]
        if len(set(values)) > 1:
            raced = raced or name.startswith(_READS)
            lines.append(f"  {name}")
            for node, value in zip(nodes, values, strict=True):
                lines.append(f"    {_who(node)}: {value}")
    if len(lines) > MAX_SHOWN:
        lines = [*lines[:MAX_SHOWN], "  …"]
    return Disagreement("\n".join([_RACED if raced else _DIFFERENT, *lines]), raced)


def _facts(response: ProposalResponse) -> dict[str, str]:
    """Return what a peer endorsed, as texts by name."""
    payload = ProposalResponsePayload.FromString(response.payload)
    action = ChaincodeAction.FromString(payload.extension)
    event = ChaincodeEvent.FromString(action.events)
    facts = {
        "proposal": payload.proposal_hash.hex(),
        "chaincode version": action.chaincode_id.version,
        "response": f"{action.response.status} {_text(action.response.payload)}",
    }
    if event.event_name:
        facts["event"] = f"{event.event_name} {_text(event.payload)}"
    for namespace in TxReadWriteSet.FromString(action.results).ns_rwset:
        facts |= _set_facts(namespace.namespace, KVRWSet.FromString(namespace.rwset))
        for collection in namespace.collection_hashed_rwset:
            name = f"private data {namespace.namespace}/{collection.collection_name}"
            facts[name] = collection.hashed_rwset.hex()[:MAX_VALUE]
    return facts


def _set_facts(namespace: str, content: KVRWSet) -> dict[str, str]:
    facts = {}
    for read in content.reads:
        version = read.version if read.HasField("version") else None
        facts[f"read {namespace} {read.key}"] = _version(version)
    for write in content.writes:
        value = "deleted" if write.is_delete else _text(write.value)
        facts[f"write {namespace} {write.key}"] = value
    for query in content.range_queries_info:
        name = f"range {namespace} {query.start_key} to {query.end_key}"
        facts[name] = query.SerializeToString().hex()[:MAX_VALUE]
    for metadata in content.metadata_writes:
        facts[f"metadata {namespace} {metadata.key}"] = str(metadata.entries)[:MAX_VALUE]
    return facts


def _version(version: Version | None) -> str:
    return "absent" if version is None else f"version {version.block_num}:{version.tx_num}"


def _text(value: bytes) -> str:
    shown = value[: MAX_VALUE + 1].decode("utf-8", "backslashreplace")
    return shown if len(shown) <= MAX_VALUE else f"{shown[:MAX_VALUE]}…"
