# SPDX-License-Identifier: Apache-2.0
"""A transaction's parts, as far as its bytes can be read.

For telling people about a transaction, not for judging it: an invalid transaction may be
undecodable anywhere, so what cannot be read is left empty.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

from google.protobuf.message import DecodeError, Message

from fastledger.protos.common import common_pb2
from fastledger.protos.ledger.rwset import rwset_pb2
from fastledger.protos.ledger.rwset.kvrwset import kv_rwset_pb2
from fastledger.protos.peer import (
    chaincode_event_pb2,
    proposal_pb2,
    proposal_response_pb2,
    transaction_pb2,
)
from fastledger.protoutil.certificate import Identity, identity
from fastledger.protoutil.hashes import transaction_id

M = TypeVar("M", bound=Message)

_TYPE_NAMES: dict[int, str] = {number: name for name, number in common_pb2.HeaderType.items()}


@dataclass(frozen=True, slots=True)
class Write:
    """One write of a transaction to public state."""

    namespace: str
    key: str
    is_delete: bool
    value: bytes


@dataclass(frozen=True, slots=True)
class Event:
    """An event that a chaincode set (``protos.ChaincodeEvent``)."""

    chaincode: str
    name: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Transaction:
    """One entry of a block, taken apart."""

    tx_id: str = ""
    """The id that the ledger indexes: the header's, else the computed one."""

    type: str = ""
    """Name of the ``common.HeaderType``."""

    channel_id: str = ""
    timestamp: datetime | None = None
    creator: Identity = field(default_factory=lambda: Identity("", ""))
    chaincode: str = ""
    """Name of the invoked chaincode."""

    endorsers: tuple[Identity, ...] = ()
    namespaces: tuple[str, ...] = ()
    """Chaincodes whose public or private state the transaction writes."""

    writes: tuple[Write, ...] = ()
    """Writes to public state, in the order of the read-write set."""

    event: Event | None = None
    """What the chaincode wants to be heard of."""


def parse(envelope: bytes) -> Transaction:
    """Take an encoded ``common.Envelope`` apart."""
    payload = _read(common_pb2.Payload, _read(common_pb2.Envelope, envelope).payload)
    header = _read(common_pb2.ChannelHeader, payload.header.channel_header)
    signature = _read(common_pb2.SignatureHeader, payload.header.signature_header)
    parts: dict[str, Any] = {
        "tx_id": header.tx_id or transaction_id(signature.nonce, signature.creator),
        "type": _TYPE_NAMES.get(header.type, str(header.type)),
        "channel_id": header.channel_id,
        "timestamp": _datetime(header.timestamp) if header.HasField("timestamp") else None,
        "creator": identity(signature.creator),
    }
    if header.type == common_pb2.ENDORSER_TRANSACTION:
        extension = _read(proposal_pb2.ChaincodeHeaderExtension, header.extension)
        parts["chaincode"] = extension.chaincode_id.name
        parts |= _endorsed(payload.data)
    return Transaction(**parts)


def _endorsed(data: bytes) -> dict[str, Any]:
    actions = _read(transaction_pb2.Transaction, data).actions
    if not actions:
        return {}
    action = _read(transaction_pb2.ChaincodeActionPayload, actions[0].payload).action
    response = _read(
        proposal_response_pb2.ProposalResponsePayload, action.proposal_response_payload
    )
    done = _read(proposal_pb2.ChaincodeAction, response.extension)
    sets = _read(rwset_pb2.TxReadWriteSet, done.results).ns_rwset
    return {
        "endorsers": tuple(identity(endorsement.endorser) for endorsement in action.endorsements),
        "namespaces": tuple(ns.namespace for ns in sets if _is_written(ns)),
        "writes": tuple(write for ns in sets for write in _public_writes(ns)),
        "event": _event(done.events),
    }


def _event(encoded: bytes) -> Event | None:
    event = _read(chaincode_event_pb2.ChaincodeEvent, encoded)
    if not event.event_name:
        return None
    return Event(event.chaincode_id, event.event_name, event.payload)


def _public_writes(ns: rwset_pb2.NsReadWriteSet) -> Iterator[Write]:
    for write in _read(kv_rwset_pb2.KVRWSet, ns.rwset).writes:
        yield Write(ns.namespace, write.key, write.is_delete, write.value)


def _is_written(ns: rwset_pb2.NsReadWriteSet) -> bool:
    public = _read(kv_rwset_pb2.KVRWSet, ns.rwset)
    if public.writes or public.metadata_writes:
        return True
    collections = (
        _read(kv_rwset_pb2.HashedRWSet, collection.hashed_rwset)
        for collection in ns.collection_hashed_rwset
    )
    return any(hashed.hashed_writes or hashed.metadata_writes for hashed in collections)


def _read(kind: type[M], data: bytes) -> M:
    try:
        return kind.FromString(data)
    except DecodeError:
        return kind()


def _datetime(timestamp: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(timestamp.seconds, UTC).replace(
            microsecond=timestamp.nanos // 1000
        )
    except (ValueError, OverflowError, OSError):
        return None
