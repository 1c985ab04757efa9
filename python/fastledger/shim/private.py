# SPDX-License-Identifier: Apache-2.0
"""Private data of collections, and what its requests share with those for public state."""

from collections.abc import Sequence

from fastledger.protos.ledger.queryresult.kv_query_result_pb2 import KV
from fastledger.protos.peer import chaincode_shim_pb2 as wire
from fastledger.shim import keys
from fastledger.shim.iterators import Ask, Results
from fastledger.shim.writes import Writes

Type = wire.ChaincodeMessage


class PrivateData:
    """The half of a stub that works on collections."""

    def __init__(self, ask: Ask, writes: Writes) -> None:
        """Ask and write through these."""
        self._ask = ask
        self._writes = writes

    def get_private_data(self, collection: str, key: str) -> bytes | None:
        """Read a key of a collection; None when it does not exist."""
        payload = wire.GetState(key=key, collection=_named(collection)).SerializeToString()
        return self._ask(Type.GET_STATE, payload) or None

    def get_multiple_private_data(self, collection: str, *names: str) -> list[bytes | None]:
        """Read several keys of a collection."""
        return self._get_multiple(_named(collection), names)

    def get_private_data_hash(self, collection: str, key: str) -> bytes | None:
        """SHA-256 of a private value, which members and others can read."""
        payload = wire.GetState(key=key, collection=_named(collection)).SerializeToString()
        return self._ask(Type.GET_PRIVATE_DATA_HASH, payload) or None

    def put_private_data(self, collection: str, key: str, value: bytes) -> None:
        """Write a key of a collection."""
        self._writes.put(_named(collection), key, value)

    def del_private_data(self, collection: str, key: str) -> None:
        """Delete a key of a collection."""
        self._writes.delete(_named(collection), key)

    def purge_private_data(self, collection: str, key: str) -> None:
        """Delete a key of a collection and every trace of its values (2.5 and later)."""
        self._writes.purge(_named(collection), key)

    def set_private_data_validation_parameter(
        self, collection: str, key: str, policy: bytes
    ) -> None:
        """Give a private key an endorsement policy of its own."""
        self._writes.put_metadata(_named(collection), key, "VALIDATION_PARAMETER", policy)

    def get_private_data_validation_parameter(self, collection: str, key: str) -> bytes | None:
        """The private key's own endorsement policy, as committed."""
        return self._get_metadata(_named(collection), key).get("VALIDATION_PARAMETER")

    def get_private_data_by_range(self, collection: str, start: str, end: str) -> Results[KV]:
        """Read a range of a collection."""
        keys.check_simple(start, end)
        return self._get_range(_named(collection), start or keys.EMPTY_START, end)

    def get_private_data_by_partial_composite_key(
        self, collection: str, object_type: str, attributes: Sequence[str]
    ) -> Results[KV]:
        """Read the composite keys of a collection that begin with these parts."""
        return self._get_range(_named(collection), *keys.range_of(object_type, attributes))

    def get_private_data_query_result(self, collection: str, query: str) -> Results[KV]:
        """Run a rich query over a collection."""
        return self._query(_named(collection), query)

    def _get_multiple(self, collection: str, names: Sequence[str]) -> list[bytes | None]:
        step = self._writes.params.max_size_get_multiple_keys
        if not self._writes.params.use_get_multiple_keys or not step:
            get = (wire.GetState(key=name, collection=collection) for name in names)
            return [self._ask(Type.GET_STATE, one.SerializeToString()) or None for one in get]
        found: list[bytes | None] = []
        for start in range(0, len(names), step):
            part = wire.GetStateMultiple(keys=names[start : start + step], collection=collection)
            answer = self._ask(Type.GET_STATE_MULTIPLE, part.SerializeToString())
            values = wire.GetStateMultipleResult.FromString(answer).values
            found.extend(value or None for value in values)
        return found

    def _get_metadata(self, collection: str, key: str) -> dict[str, bytes]:
        payload = wire.GetStateMetadata(key=key, collection=collection).SerializeToString()
        answer = self._ask(Type.GET_STATE_METADATA, payload)
        entries = wire.StateMetadataResult.FromString(answer).entries
        return {entry.metakey: entry.value for entry in entries}

    def _get_range(self, collection: str, start: str, end: str, page: bytes = b"") -> Results[KV]:
        get = wire.GetStateByRange(startKey=start, endKey=end, collection=collection, metadata=page)
        answer = self._ask(Type.GET_STATE_BY_RANGE, get.SerializeToString())
        return Results(KV, answer, self._ask)

    def _query(self, collection: str, query: str, page: bytes = b"") -> Results[KV]:
        get = wire.GetQueryResult(query=query, collection=collection, metadata=page)
        answer = self._ask(Type.GET_QUERY_RESULT, get.SerializeToString())
        return Results(KV, answer, self._ask)


def _named(collection: str) -> str:
    if not collection:
        raise ValueError("collection must not be an empty string")
    return collection
