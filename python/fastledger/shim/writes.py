# SPDX-License-Identifier: Apache-2.0
"""A transaction's writes: sent one by one, or collected and sent together."""

from collections.abc import Iterator

from google.protobuf.message import Message

from fastledger.protos.peer import chaincode_shim_pb2 as wire
from fastledger.protos.peer.chaincode_pb2 import ChaincodeAdditionalParams
from fastledger.shim.iterators import Ask
from fastledger.shim.memory import room_for

MAX_BATCH_BYTES = 16 * 1024 * 1024
"""Values in one message; a single one may be larger."""

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
        with room_for(len(key) + len(value), "the value"):
            record = Record(key=key, value=value, collection=collection, type=Record.PUT_STATE)
            if self._collect(record):
                return
            put = wire.PutState(key=key, value=value, collection=collection).SerializeToString()
        self._ask(Type.PUT_STATE, put)

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
        for batch in self._batches(records):
            self._send(Type.WRITE_BATCH_STATE, wire.WriteBatchState(rec=batch))

    def _batches(self, records: list[wire.WriteRecord]) -> Iterator[list[wire.WriteRecord]]:
        """Divide records into as many as the peer takes at once, and a message holds."""
        batch: list[wire.WriteRecord] = []
        size = 0
        for record in records:
            more = len(record.value) + len(record.metadata.value)
            if batch and (
                len(batch) >= self.params.max_size_write_batch or size + more > MAX_BATCH_BYTES
            ):
                yield batch
                batch, size = [], 0
            batch.append(record)
            size += more
        if batch:
            yield batch

    def _collect(self, record: wire.WriteRecord) -> bool:
        if self._batch is None:
            return False
        # The last write of a key counts; its metadata is a thing of its own.
        is_metadata = record.type == Record.PUT_STATE_METADATA
        self._batch[(record.collection, record.key, is_metadata)] = record
        return True

    def _send(self, kind: "wire.ChaincodeMessage.Type.ValueType", request: Message) -> None:
        self._ask(kind, request.SerializeToString())
