# SPDX-License-Identifier: Apache-2.0
"""A transaction's writes: sent one by one, or collected and sent together."""

from google.protobuf.message import Message

from fastledger.protos.peer import chaincode_shim_pb2 as wire
from fastledger.protos.peer.chaincode_pb2 import ChaincodeAdditionalParams
from fastledger.shim.iterators import Ask

Type = wire.ChaincodeMessage
Record = wire.WriteRecord


class Writes:
    """Writes of one transaction."""

    def __init__(self, ask: Ask, params: ChaincodeAdditionalParams) -> None:
        """Send through ``ask`` what the peer's ``params`` allow."""
        self.params = params
        self._ask = ask
        self._batch: dict[tuple[str, str, bool], wire.WriteRecord] | None = None

    def put(self, collection: str, key: str, value: bytes) -> None:
        """Write a key."""
        if not key:
            raise ValueError("key must not be an empty string")
        record = Record(key=key, value=value, collection=collection, type=Record.PUT_STATE)
        if not self._collect(record):
            put = wire.PutState(key=key, value=value, collection=collection)
            self._send(Type.PUT_STATE, put)

    def delete(self, collection: str, key: str) -> None:
        """Delete a key."""
        record = Record(key=key, collection=collection, type=Record.DEL_STATE)
        if not self._collect(record):
            self._send(Type.DEL_STATE, wire.DelState(key=key, collection=collection))

    def purge(self, collection: str, key: str) -> None:
        """Purge a private key."""
        record = Record(key=key, collection=collection, type=Record.PURGE_PRIVATE_DATA)
        if not self._collect(record):
            purge = wire.PurgePrivateState(key=key, collection=collection)
            self._send(Type.PURGE_PRIVATE_DATA, purge)

    def put_metadata(self, collection: str, key: str, name: str, value: bytes) -> None:
        """Set an entry of a key's metadata."""
        metadata = wire.StateMetadata(metakey=name, value=value)
        record = Record(
            key=key, collection=collection, metadata=metadata, type=Record.PUT_STATE_METADATA
        )
        if not self._collect(record):
            put = wire.PutStateMetadata(key=key, collection=collection, metadata=metadata)
            self._send(Type.PUT_STATE_METADATA, put)

    def start_batch(self) -> None:
        """Collect from here on, where the peer takes batches."""
        offered = self.params.use_write_batch and self.params.max_size_write_batch
        if offered and self._batch is None:
            self._batch = {}

    def finish_batch(self) -> None:
        """Send what was collected, and collect no more."""
        records = list((self._batch or {}).values())
        self._batch = None
        step = self.params.max_size_write_batch
        for start in range(0, len(records), step or 1):
            batch = wire.WriteBatchState(rec=records[start : start + step])
            self._send(Type.WRITE_BATCH_STATE, batch)

    def _collect(self, record: wire.WriteRecord) -> bool:
        if self._batch is None:
            return False
        # The last write of a key counts; its metadata is a thing of its own.
        is_metadata = record.type == Record.PUT_STATE_METADATA
        self._batch[(record.collection, record.key, is_metadata)] = record
        return True

    def _send(self, kind: "wire.ChaincodeMessage.Type.ValueType", request: Message) -> None:
        self._ask(kind, request.SerializeToString())
