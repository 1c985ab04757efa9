# SPDX-License-Identifier: Apache-2.0
"""A stub for unit tests of chaincode: a ledger in memory, no peer.

Example::

    stub = MockStub(AssetTransfer())
    assert stub.invoke("CreateAsset", "asset1", "blue", "5", "Tomoko", "300").status == 200
    assert stub.invoke("AssetExists", "asset1").payload == b"true"

A transaction that fails (status 400 and up) writes nothing, as if nobody had endorsed it; one that
succeeds is committed at once.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime

from fastledger.protos.common.common_pb2 import ChannelHeader, Header, HeaderType, SignatureHeader
from fastledger.protos.ledger.queryresult.kv_query_result_pb2 import KV, KeyModification
from fastledger.protos.msp.identities_pb2 import SerializedIdentity
from fastledger.protos.peer import chaincode_shim_pb2 as wire
from fastledger.protos.peer.chaincode_event_pb2 import ChaincodeEvent
from fastledger.protos.peer.chaincode_pb2 import (
    ChaincodeAdditionalParams,
    ChaincodeInput,
    ChaincodeSpec,
)
from fastledger.protos.peer.proposal_pb2 import (
    ChaincodeProposalPayload,
    Proposal,
    SignedProposal,
)
from fastledger.protos.peer.proposal_response_pb2 import Response
from fastledger.shim.conversation import run_safely
from fastledger.shim.errors import PeerError
from fastledger.shim.interface import ERROR_THRESHOLD, Chaincode
from fastledger.shim.stub import ChaincodeStub

Type = wire.ChaincodeMessage
Key = tuple[str, str]
"""Collection, empty for public state, and key."""


class MockStub:
    """Runs transactions of one chaincode against a state in memory."""

    def __init__(
        self,
        chaincode: Chaincode,
        *,
        channel_id: str = "mychannel",
        mspid: str = "Org1MSP",
        certificate: bytes = b"",
    ) -> None:
        """Begin with an empty state.

        Args:
            chaincode: What to test.
            channel_id: Name of the channel.
            mspid: The client's organization.
            certificate: The client's certificate in PEM, for tests of identities.
        """
        self.state: dict[Key, bytes] = {}
        self.metadata: dict[Key, dict[str, bytes]] = {}
        self.history: dict[str, list[KeyModification]] = {}
        self.events: list[ChaincodeEvent] = []
        self.others: dict[str, MockStub] = {}
        """Chaincodes that this one may call, by name, or ``name/channel``."""

        self.params = ChaincodeAdditionalParams()
        self.now = datetime(2024, 1, 1, tzinfo=UTC)
        """The clock of the next transaction."""

        self.creator = SerializedIdentity(mspid=mspid, id_bytes=certificate)
        self._chaincode = chaincode
        self._channel_id = channel_id
        self._count = 0
        self._writes: dict[Key, bytes | None] = {}
        self._metadata_writes: dict[Key, dict[str, bytes]] = {}

    def init(self, *args: str | bytes, transient: Mapping[str, bytes] | None = None) -> Response:
        """Run Init."""
        return self._transact(args, transient or {}, is_init=True)

    def invoke(self, *args: str | bytes, transient: Mapping[str, bytes] | None = None) -> Response:
        """Run a transaction and commit it when it succeeds."""
        return self._transact(args, transient or {}, is_init=False)

    def request(self, kind: "wire.ChaincodeMessage.Type.ValueType", payload: bytes) -> bytes:
        """Answer as a peer does."""
        reads = self._read(kind, payload)
        if reads is not None:
            return reads
        if kind == Type.INVOKE_CHAINCODE:
            return self._call(payload)
        self._write(kind, payload)
        return b""

    def _transact(
        self, args: tuple[str | bytes, ...], transient: Mapping[str, bytes], *, is_init: bool
    ) -> Response:
        self._count += 1
        tx_id = hashlib.sha256(str(self._count).encode()).hexdigest()
        encoded = [a.encode() if isinstance(a, str) else a for a in args]
        stub = ChaincodeStub(
            self,
            self._channel_id,
            tx_id,
            ChaincodeInput(args=encoded, is_init=is_init),
            self._proposal(tx_id, transient),
        )
        self._writes, self._metadata_writes = {}, {}
        function = self._chaincode.init if is_init else self._chaincode.invoke
        response = run_safely(function, stub)
        if response.status < ERROR_THRESHOLD:
            stub.finish_write_batch()
            self._commit(tx_id)
            if stub.event is not None:
                self.events.append(stub.event)
        return response

    def _proposal(self, tx_id: str, transient: Mapping[str, bytes]) -> bytes:
        channel_header = ChannelHeader(
            type=HeaderType.ENDORSER_TRANSACTION, channel_id=self._channel_id, tx_id=tx_id
        )
        channel_header.timestamp.FromDatetime(self.now)
        signature_header = SignatureHeader(
            creator=self.creator.SerializeToString(), nonce=tx_id.encode()[:24]
        )
        header = Header(
            channel_header=channel_header.SerializeToString(),
            signature_header=signature_header.SerializeToString(),
        )
        payload = ChaincodeProposalPayload(TransientMap=transient)
        proposal = Proposal(header=header.SerializeToString(), payload=payload.SerializeToString())
        signed = SignedProposal(proposal_bytes=proposal.SerializeToString())
        return signed.SerializeToString()

    def _commit(self, tx_id: str) -> None:
        for (collection, key), value in self._writes.items():
            if value is None:
                self.state.pop((collection, key), None)
                self.metadata.pop((collection, key), None)
            else:
                self.state[(collection, key)] = value
            if not collection:
                change = KeyModification(tx_id=tx_id, value=value or b"", is_delete=value is None)
                change.timestamp.FromDatetime(self.now)
                self.history.setdefault(key, []).insert(0, change)
        for place, metadata in self._metadata_writes.items():
            self.metadata[place] = metadata

    def _read(self, kind: "wire.ChaincodeMessage.Type.ValueType", payload: bytes) -> bytes | None:
        match kind:
            case Type.GET_STATE:
                get = wire.GetState.FromString(payload)
                return self.state.get((get.collection, get.key), b"")
            case Type.GET_PRIVATE_DATA_HASH:
                get = wire.GetState.FromString(payload)
                value = self.state.get((get.collection, get.key))
                return b"" if value is None else hashlib.sha256(value).digest()
            case Type.GET_STATE_METADATA:
                asked = wire.GetStateMetadata.FromString(payload)
                found = self.metadata.get((asked.collection, asked.key), {})
                entries = [wire.StateMetadata(metakey=k, value=v) for k, v in found.items()]
                return wire.StateMetadataResult(entries=entries).SerializeToString()
            case Type.GET_STATE_BY_RANGE:
                return self._range(wire.GetStateByRange.FromString(payload))
            case Type.GET_QUERY_RESULT:
                return self._query(wire.GetQueryResult.FromString(payload))
            case Type.GET_HISTORY_FOR_KEY:
                key = wire.GetHistoryForKey.FromString(payload).key
                rows = [row.SerializeToString() for row in self.history.get(key, [])]
                return _response(rows, b"")
        return None

    def _range(self, get: wire.GetStateByRange) -> bytes:
        page = wire.QueryMetadata.FromString(get.metadata)
        start = page.bookmark or get.startKey
        rows = sorted(
            (key, value)
            for (collection, key), value in self.state.items()
            if collection == get.collection
            and key >= start
            and (not get.endKey or key < get.endKey)
        )
        size = page.pageSize if page.pageSize > 0 else len(rows)
        bookmark = rows[size][0] if size < len(rows) else ""
        return self._rows(rows[:size], bookmark, get.metadata)

    def _query(self, get: wire.GetQueryResult) -> bytes:
        """Run the equalities of a selector; anything else is for a test with a peer."""
        selector = json.loads(get.query).get("selector", {})
        if any(
            isinstance(wanted, dict) or name.startswith("$") for name, wanted in selector.items()
        ):
            raise PeerError("MockStub runs selectors of equalities only")
        rows = []
        for (collection, key), value in sorted(self.state.items()):
            if collection == get.collection and _matches(value, selector):
                rows.append((key, value))
        return self._rows(rows, "", get.metadata)

    def _rows(self, rows: list[tuple[str, bytes]], bookmark: str, page: bytes) -> bytes:
        encoded = [KV(key=key, value=value).SerializeToString() for key, value in rows]
        metadata = wire.QueryResponseMetadata(fetched_records_count=len(rows), bookmark=bookmark)
        return _response(encoded, metadata.SerializeToString() if page else b"")

    def _write(self, kind: "wire.ChaincodeMessage.Type.ValueType", payload: bytes) -> None:
        match kind:
            case Type.PUT_STATE:
                put = wire.PutState.FromString(payload)
                self._writes[(put.collection, put.key)] = put.value
            case Type.DEL_STATE | Type.PURGE_PRIVATE_DATA:
                delete = wire.DelState.FromString(payload)
                self._writes[(delete.collection, delete.key)] = None
            case Type.PUT_STATE_METADATA:
                put_metadata = wire.PutStateMetadata.FromString(payload)
                entry = put_metadata.metadata
                place = (put_metadata.collection, put_metadata.key)
                self._metadata_writes[place] = {entry.metakey: entry.value}
            case Type.QUERY_STATE_CLOSE:
                return
            case _:
                raise PeerError(f"MockStub does not answer {Type.Type.Name(kind)}")

    def _call(self, payload: bytes) -> bytes:
        spec = ChaincodeSpec.FromString(payload)
        other = self.others.get(spec.chaincode_id.name)
        if other is None:
            raise PeerError(f"chaincode {spec.chaincode_id.name} not found")
        response = other.invoke(*spec.input.args)
        answer = wire.ChaincodeMessage(type=Type.COMPLETED, payload=response.SerializeToString())
        return answer.SerializeToString()


def _matches(value: bytes, selector: Mapping[str, object]) -> bool:
    try:
        document = json.loads(value)
    except ValueError:
        return False
    return isinstance(document, dict) and all(
        name in document and document[name] == wanted for name, wanted in selector.items()
    )


def _response(rows: list[bytes], metadata: bytes) -> bytes:
    results = [wire.QueryResultBytes(resultBytes=row) for row in rows]
    return wire.QueryResponse(results=results, metadata=metadata).SerializeToString()
