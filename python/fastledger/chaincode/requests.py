# SPDX-License-Identifier: Apache-2.0
"""What a chaincode asks during a transaction that the core does not answer.

The core answers requests for public state. Here are private data, rich queries and history: one
function per type of ChaincodeMessage takes the execution and the message's payload and returns the
payload of the answer. Anything raised becomes an ERROR with the exception's text, and costs the
chaincode this request only.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.message import DecodeError, Message

from fastledger._core import ChaincodeTransaction
from fastledger.chaincode.config import LARGE_BATCH_BYTES, MAX_MESSAGE_BYTES, PAGE_ROWS
from fastledger.chaincode.context import Execution
from fastledger.chaincode.services import CollectionAccess, Services
from fastledger.ledger.simulator import TxSimulator
from fastledger.protos.peer import chaincode_shim_pb2 as shim

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

    @property
    def namespace(self) -> str:
        """The state that the chaincode reads and writes."""
        return self.execution.context.namespace

    @property
    def transaction(self) -> ChaincodeTransaction:
        """What it may add up to."""
        return self.execution.transaction

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
    request.check_collection(get.collection)
    value = request.simulator.get_private_data(request.namespace, get.collection, get.key)
    # A read records the key alone; its value is not kept.
    request.transaction.charge(len(get.key))
    return value or b""


def get_state_multiple(request: Request) -> bytes:
    """GET_STATE_MULTIPLE: values in the keys' order, empty for missing ones."""
    get = request.decode(shim.GetStateMultiple)
    request.check_collection(get.collection)
    result = shim.GetStateMultipleResult()
    size = 0
    for key in get.keys:
        request.transaction.charge(len(key))
        value = request.simulator.get_private_data(request.namespace, get.collection, key) or b""
        size += len(value)
        if size > MAX_MESSAGE_BYTES:
            raise RequestRefused(
                f"the values have more than {MAX_MESSAGE_BYTES} bytes together; ask for fewer keys"
            )
        result.values.append(value)
    return result.SerializeToString()


def get_private_data_hash(request: Request) -> bytes:
    """GET_PRIVATE_DATA_HASH: for everybody on the channel, so no access is checked."""
    get = request.decode(shim.GetState)
    request.check_not_init()
    request.transaction.charge(len(get.key))
    found = request.simulator.get_private_data_hash(request.namespace, get.collection, get.key)
    return found or b""


def get_state_metadata(request: Request) -> bytes:
    """GET_STATE_METADATA: as committed, whatever this transaction wrote."""
    request.transaction.check_key_level_endorsement()
    get = request.decode(shim.GetStateMetadata)
    request.transaction.charge(len(get.key))
    request.check_collection(get.collection)
    found = request.simulator.get_private_metadata(request.namespace, get.collection, get.key)
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
        if record.type == shim.WriteRecord.PURGE_PRIVATE_DATA:
            _purge(request, record.collection, record.key)
        elif not record.collection:
            request.transaction.write(record.SerializeToString())
        elif record.type == shim.WriteRecord.PUT_STATE:
            _put(request, record.collection, record.key, record.value)
        elif record.type == shim.WriteRecord.DEL_STATE:
            _delete(request, record.collection, record.key)
        elif record.type == shim.WriteRecord.PUT_STATE_METADATA:
            _put_metadata(request, record.collection, record.key, record.metadata)
        else:
            raise RequestRefused("unknown operation type")
    return b""


def get_state_by_range(request: Request) -> bytes:
    """GET_STATE_BY_RANGE: pages only over public state, but a page's size counts."""
    get = request.decode(shim.GetStateByRange)
    page = _page(get.metadata)
    request.check_collection(get.collection)
    rows = request.simulator.get_private_range(
        request.namespace, get.collection, get.startKey, get.endKey
    )
    return request.transaction.open(rows, page=_size(page))


def get_query_result(request: Request) -> bytes:
    """GET_QUERY_RESULT: pages only over public state."""
    get = request.decode(shim.GetQueryResult)
    if len(get.query) > MAX_QUERY_LETTERS:
        raise RequestRefused(
            f"the query has {len(get.query)} letters, at most {MAX_QUERY_LETTERS} are read"
        )
    page = _page(get.metadata)
    simulator, namespace = request.simulator, request.namespace
    if get.collection:
        request.check_collection(get.collection)
        private = simulator.query_private(namespace, get.collection, get.query)
        return request.transaction.open(private, page=_size(page))
    if page is None:
        return request.transaction.open(simulator.query(namespace, get.query))
    rows = simulator.query(namespace, get.query, page.pageSize, page.bookmark)
    return request.transaction.open(rows, page=_size(page), paged=True)


def get_history_for_key(request: Request) -> bytes:
    """GET_HISTORY_FOR_KEY."""
    get = request.decode(shim.GetHistoryForKey)
    return request.transaction.open(request.simulator.history(request.namespace, get.key))


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
}


def may_take_long(transaction: ChaincodeTransaction, kind: int, payload: bytes) -> bool:
    """Whether a request belongs on a worker, as the loop is everybody's.

    What the core can answer comes here only where it may take long. Rich queries and history may
    scan a whole ledger; whoever asks chooses how long a page of a range is, and how much a batch
    holds.
    """
    if kind in (Type.GET_QUERY_RESULT, Type.GET_HISTORY_FOR_KEY):
        return True
    if kind in (Type.GET_STATE_MULTIPLE, Type.WRITE_BATCH_STATE):
        return len(payload) > LARGE_BATCH_BYTES or transaction.is_ours(kind, payload)
    if kind == Type.GET_STATE_BY_RANGE:
        try:
            metadata = shim.GetStateByRange.FromString(payload).metadata
            # One below 0 is a page of all.
            if not 0 <= shim.QueryMetadata.FromString(metadata).pageSize <= PAGE_ROWS:
                return True
        except DecodeError:
            # Whoever answers it refuses it.
            return False
    return transaction.is_ours(kind, payload)


def _put(request: Request, collection: str, key: str, value: bytes) -> None:
    request.transaction.charge(len(key) + len(value))
    request.check_collection(collection, write=True)
    request.simulator.set_private_data(request.namespace, collection, key, value)


def _delete(request: Request, collection: str, key: str) -> None:
    request.transaction.charge(len(key))
    request.check_collection(collection, write=True)
    request.simulator.delete_private_data(request.namespace, collection, key)


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
    request.transaction.charge(len(key))
    request.check_collection(collection, write=True)
    request.simulator.purge_private_data(request.namespace, collection, key)


def _put_metadata(request: Request, collection: str, key: str, entry: shim.StateMetadata) -> None:
    request.transaction.check_key_level_endorsement()
    request.transaction.charge(len(key) + len(entry.metakey) + len(entry.value))
    request.check_collection(collection, write=True)
    metadata = {entry.metakey: entry.value}
    request.simulator.set_private_metadata(request.namespace, collection, key, metadata)


def _page(metadata: bytes) -> shim.QueryMetadata | None:
    """Decode the page that is asked for; None when results are not paged."""
    try:
        page = shim.QueryMetadata.FromString(metadata)
    except DecodeError as error:
        raise RequestRefused(f"unmarshal failed: {error}") from error
    return page if page.pageSize or page.bookmark else None


def _size(page: shim.QueryMetadata | None) -> int | None:
    """How many rows a page has at most."""
    return page.pageSize if page is not None and page.pageSize > 0 else None
