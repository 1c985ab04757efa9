# SPDX-License-Identifier: Apache-2.0
"""What a chaincode asks during a transaction, one function per type of ChaincodeMessage.

Each takes the execution and the message's payload and returns the payload of the answer. Anything
raised becomes an ERROR with the exception's text, and costs the chaincode this request only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from fastledger.chaincode.config import MAX_MESSAGE_BYTES, PAGE_ROWS, ChaincodeConfig
from fastledger.chaincode.context import Execution
from fastledger.chaincode.queries import Query
from fastledger.chaincode.services import CollectionAccess, Services
from fastledger.ledger.simulator import TxSimulator
from fastledger.protos.peer import chaincode_shim_pb2 as shim

LARGE_BATCH_BYTES = 256 * 1024
"""From here on keys to be read or written in one message are some ten thousand: 10 ms of work."""

MAX_QUERY_LETTERS = 1_000_000
"""Letters of a rich query: nothing else happens in a peer while JSON is parsed."""

Type = shim.ChaincodeMessage
M = TypeVar("M", bound=Message)


class RequestRefused(Exception):
    """The chaincode may not do this, or asked in a way that cannot be answered."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request of a transaction that is in flight."""

    execution: Execution
    simulator: TxSimulator
    payload: bytes
    services: Services
    config: ChaincodeConfig

    @property
    def namespace(self) -> str:
        """The state that the chaincode reads and writes."""
        return self.execution.context.namespace

    def decode(self, kind: type[M]) -> M:
        """Decode the payload."""
        try:
            return kind.FromString(self.payload)
        except DecodeError as error:
            raise RequestRefused(f"unmarshal failed: {error}") from error

    def check_collection(self, collection: str, *, write: bool = False) -> None:
        """Check that private data may be touched at all, and by this creator."""
        self.check_not_init()
        access = self.execution.access.get(collection)
        if not isinstance(access, CollectionAccess):
            access = self.services.collection_access(self.execution.context, collection)
            self.execution.access[collection] = access
        if not (access.write if write else access.read):
            raise RequestRefused(
                f"tx creator does not have {'write' if write else 'read'} access permission on "
                f"privatedata in chaincodeName:{self.namespace} collectionName: {collection}"
            )

    def check_not_init(self) -> None:
        """Refuse private data during Init, which every peer of the channel may run."""
        if self.execution.is_init:
            raise RequestRefused("private data APIs are not allowed in chaincode Init()")


def get_state(request: Request) -> bytes:
    """GET_STATE: a missing key is an empty answer."""
    get = request.decode(shim.GetState)
    simulator, namespace = request.simulator, request.namespace
    if get.collection:
        request.check_collection(get.collection)
        value = simulator.get_private_data(namespace, get.collection, get.key)
    else:
        value = simulator.get_state(namespace, get.key)
    # A read records the key alone; its value is not kept.
    request.execution.charge(len(get.key))
    return value or b""


def get_state_multiple(request: Request) -> bytes:
    """GET_STATE_MULTIPLE: values in the keys' order, empty for missing ones."""
    get = request.decode(shim.GetStateMultiple)
    simulator, namespace, collection = request.simulator, request.namespace, get.collection
    if collection:
        request.check_collection(collection)
    result = shim.GetStateMultipleResult()
    size = 0
    for key in get.keys:
        request.execution.charge(len(key))
        if collection:
            value = simulator.get_private_data(namespace, collection, key)
        else:
            value = simulator.get_state(namespace, key)
        size += len(value or b"")
        if size > MAX_MESSAGE_BYTES:
            raise RequestRefused(
                f"the values have more than {MAX_MESSAGE_BYTES} bytes together; ask for fewer keys"
            )
        result.values.append(value or b"")
    return result.SerializeToString()


def get_private_data_hash(request: Request) -> bytes:
    """GET_PRIVATE_DATA_HASH: for everybody on the channel, so no access is checked."""
    get = request.decode(shim.GetState)
    request.check_not_init()
    request.execution.charge(len(get.key))
    found = request.simulator.get_private_data_hash(request.namespace, get.collection, get.key)
    return found or b""


def get_state_metadata(request: Request) -> bytes:
    """GET_STATE_METADATA: as committed, whatever this transaction wrote."""
    _check_key_level_endorsement(request)
    get = request.decode(shim.GetStateMetadata)
    request.execution.charge(len(get.key))
    if get.collection:
        request.check_collection(get.collection)
        found = request.simulator.get_private_metadata(request.namespace, get.collection, get.key)
    else:
        found = request.simulator.get_metadata(request.namespace, get.key)
    result = shim.StateMetadataResult(
        entries=[shim.StateMetadata(metakey=name, value=found[name]) for name in sorted(found)]
    )
    return result.SerializeToString()


def put_state(request: Request) -> bytes:
    """PUT_STATE."""
    put = request.decode(shim.PutState)
    _put(request, put.collection, put.key, put.value)
    return b""


def del_state(request: Request) -> bytes:
    """DEL_STATE."""
    delete = request.decode(shim.DelState)
    _delete(request, delete.collection, delete.key)
    return b""


def purge_private_data(request: Request) -> bytes:
    """PURGE_PRIVATE_DATA."""
    purge = request.decode(shim.PurgePrivateState)
    _purge(request, purge.collection, purge.key)
    return b""


def put_state_metadata(request: Request) -> bytes:
    """PUT_STATE_METADATA."""
    put = request.decode(shim.PutStateMetadata)
    _put_metadata(request, put.collection, put.key, put.metadata)
    return b""


def write_batch_state(request: Request) -> bytes:
    """WRITE_BATCH_STATE: the writes in their order; the first that fails ends it."""
    for record in request.decode(shim.WriteBatchState).rec:
        match record.type:
            case shim.WriteRecord.PUT_STATE:
                _put(request, record.collection, record.key, record.value)
            case shim.WriteRecord.DEL_STATE:
                _delete(request, record.collection, record.key)
            case shim.WriteRecord.PURGE_PRIVATE_DATA:
                _purge(request, record.collection, record.key)
            case shim.WriteRecord.PUT_STATE_METADATA:
                _put_metadata(request, record.collection, record.key, record.metadata)
            case _:
                raise RequestRefused("unknown operation type")
    return b""


def get_state_by_range(request: Request) -> bytes:
    """GET_STATE_BY_RANGE: pages only over public state; a bookmark is the page's first key."""
    get = request.decode(shim.GetStateByRange)
    page = _page(get.metadata)
    simulator, namespace = request.simulator, request.namespace
    query = Query(rows=_NONE, namespace=namespace, limit=_limit(request, page))
    if get.collection:
        request.check_collection(get.collection)
        query.rows = simulator.get_private_range(
            namespace, get.collection, get.startKey, get.endKey
        )
    elif page is not None:
        query.paged = True
        start = page.bookmark or get.startKey
        # A negative size is a page of all, as in Fabric.
        size = max(page.pageSize, 0)
        query.rows = simulator.get_range_page(namespace, start, get.endKey, size)
    else:
        query.rows = simulator.get_range(namespace, get.startKey, get.endKey)
    return _rows(request, request.execution.queries.open(query))


def get_query_result(request: Request) -> bytes:
    """GET_QUERY_RESULT: pages only over public state."""
    get = request.decode(shim.GetQueryResult)
    if len(get.query) > MAX_QUERY_LETTERS:
        raise RequestRefused(
            f"the query has {len(get.query)} letters, at most {MAX_QUERY_LETTERS} are read"
        )
    page = _page(get.metadata)
    simulator, namespace = request.simulator, request.namespace
    query = Query(rows=_NONE, namespace=namespace, limit=_limit(request, page), slow=True)
    if get.collection:
        request.check_collection(get.collection)
        query.rows = simulator.query_private(namespace, get.collection, get.query)
    elif page is not None:
        query.paged = True
        query.rows = simulator.query(namespace, get.query, page.pageSize, page.bookmark)
    else:
        query.rows = simulator.query(namespace, get.query)
    return _rows(request, request.execution.queries.open(query))


def get_history_for_key(request: Request) -> bytes:
    """GET_HISTORY_FOR_KEY."""
    get = request.decode(shim.GetHistoryForKey)
    query = Query(
        rows=request.simulator.history(request.namespace, get.key),
        namespace=request.namespace,
        limit=request.config.total_query_limit,
        slow=True,
    )
    return _rows(request, request.execution.queries.open(query))


def query_state_next(request: Request) -> bytes:
    """QUERY_STATE_NEXT."""
    query_id = request.decode(shim.QueryStateNext).id
    return _rows(request, request.execution.queries.next(query_id))


def query_state_close(request: Request) -> bytes:
    """QUERY_STATE_CLOSE: closing what is not open is no error."""
    query_id = request.decode(shim.QueryStateClose).id
    request.execution.queries.forget(query_id)
    return shim.QueryResponse(id=query_id).SerializeToString()


HANDLERS: dict[int, Callable[[Request], bytes]] = {
    Type.GET_STATE: get_state,
    Type.GET_STATE_MULTIPLE: get_state_multiple,
    Type.GET_PRIVATE_DATA_HASH: get_private_data_hash,
    Type.GET_STATE_METADATA: get_state_metadata,
    Type.PUT_STATE: put_state,
    Type.DEL_STATE: del_state,
    Type.PURGE_PRIVATE_DATA: purge_private_data,
    Type.PUT_STATE_METADATA: put_state_metadata,
    Type.WRITE_BATCH_STATE: write_batch_state,
    Type.GET_STATE_BY_RANGE: get_state_by_range,
    Type.GET_QUERY_RESULT: get_query_result,
    Type.GET_HISTORY_FOR_KEY: get_history_for_key,
    Type.QUERY_STATE_NEXT: query_state_next,
    Type.QUERY_STATE_CLOSE: query_state_close,
}


def may_take_long(kind: int, execution: Execution, payload: bytes) -> bool:
    """Whether a request belongs on a worker, as the loop is everybody's.

    Rich queries and history may scan a whole ledger; whoever asks chooses how long a page of a
    range is, and how much a batch holds.
    """
    if kind in (Type.GET_QUERY_RESULT, Type.GET_HISTORY_FOR_KEY):
        return True
    if kind in (Type.GET_STATE_MULTIPLE, Type.WRITE_BATCH_STATE):
        return len(payload) > LARGE_BATCH_BYTES
    try:
        if kind == Type.GET_STATE_BY_RANGE:
            metadata = shim.GetStateByRange.FromString(payload).metadata
            # One below 0 is a page of all.
            return not 0 <= shim.QueryMetadata.FromString(metadata).pageSize <= PAGE_ROWS
        if kind == Type.QUERY_STATE_NEXT:
            query = execution.queries.find(shim.QueryStateNext.FromString(payload).id)
            return query is not None and query.slow
    except DecodeError:
        # Whoever answers it refuses it.
        pass
    return False


class _NoRows:
    """Stands in until the simulator has given the rows."""

    def __iter__(self) -> "_NoRows":
        return self

    def __next__(self) -> tuple[str, bytes]:
        raise StopIteration

    def close(self) -> None:
        """Nothing to close."""


_NONE = _NoRows()


def _put(request: Request, collection: str, key: str, value: bytes) -> None:
    request.execution.charge(len(key) + len(value))
    if collection:
        request.check_collection(collection, write=True)
        request.simulator.set_private_data(request.namespace, collection, key, value)
    else:
        request.simulator.set_state(request.namespace, key, value)


def _delete(request: Request, collection: str, key: str) -> None:
    request.execution.charge(len(key))
    if collection:
        request.check_collection(collection, write=True)
        request.simulator.delete_private_data(request.namespace, collection, key)
    else:
        request.simulator.delete_state(request.namespace, key)


def _purge(request: Request, collection: str, key: str) -> None:
    channel_id = request.execution.context.channel_id
    capabilities = request.services.capabilities(channel_id)
    if capabilities is None:
        raise RequestRefused(f"application config does not exist for {channel_id}")
    if not capabilities.purge_pvt_data:
        raise RequestRefused(
            "purge private data is not enabled, channel application capability of V2_5 or later "
            "is required"
        )
    if not collection:
        raise RequestRefused("only applicable for private data")
    request.execution.charge(len(key))
    request.check_collection(collection, write=True)
    request.simulator.purge_private_data(request.namespace, collection, key)


def _put_metadata(request: Request, collection: str, key: str, entry: shim.StateMetadata) -> None:
    _check_key_level_endorsement(request)
    request.execution.charge(len(key) + len(entry.metakey) + len(entry.value))
    metadata = {entry.metakey: entry.value}
    if collection:
        request.check_collection(collection, write=True)
        request.simulator.set_private_metadata(request.namespace, collection, key, metadata)
    else:
        request.simulator.set_metadata(request.namespace, key, metadata)


def _check_key_level_endorsement(request: Request) -> None:
    channel_id = request.execution.context.channel_id
    capabilities = request.services.capabilities(channel_id)
    if capabilities is None:
        raise RequestRefused(f"application config does not exist for {channel_id}")
    if not capabilities.key_level_endorsement:
        raise RequestRefused(
            "key level endorsement is not enabled, channel application capability of V1_3 or "
            "later is required"
        )


def _page(metadata: bytes) -> shim.QueryMetadata | None:
    """Decode the page that is asked for; None when results are not paged."""
    try:
        page = shim.QueryMetadata.FromString(metadata)
    except DecodeError as error:
        raise RequestRefused(f"unmarshal failed: {error}") from error
    return page if page.pageSize or page.bookmark else None


def _limit(request: Request, page: shim.QueryMetadata | None) -> int:
    limit = request.config.total_query_limit
    return min(limit, page.pageSize) if page is not None and page.pageSize > 0 else limit


def _rows(request: Request, response: shim.QueryResponse) -> bytes:
    """Encode rows, counting what the read-write set keeps of them: a range's keys and versions."""
    for row in response.results:
        request.execution.charge(len(row.resultBytes))
    return response.SerializeToString()
