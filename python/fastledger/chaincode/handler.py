# SPDX-License-Identifier: Apache-2.0
"""The peer's end of one chaincode's stream (Fabric: ``core/chaincode/handler.go``).

::

    created ── REGISTER ──► established ── READY is sent ──► ready ── stream ends ──► closed
       handle_register          handle_register                close

From READY on the core answers requests for public state where they come in; here are the others.
Private data is read at once; what may take long (rich queries, history, calls of other chaincodes)
runs beside. A message that cannot be ends the stream, and with it the chaincode's transactions; the
peer goes on.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from google.protobuf.message import DecodeError

from fastledger._core import ChaincodeConversation, ChaincodeTransaction
from fastledger.chaincode import requests
from fastledger.chaincode.calls import Callee, call_chaincode
from fastledger.chaincode.config import (
    FRAME_BYTES,
    LARGE_BATCH_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_OPEN_ITERATORS,
    MAX_TRANSACTION_BYTES,
    PAGE_ROWS,
    REQUEST_BYTES,
    ChaincodeConfig,
)
from fastledger.chaincode.context import Execution, TransactionContext
from fastledger.chaincode.registry import Registry
from fastledger.chaincode.services import Services
from fastledger.chaincode.stream import Stream
from fastledger.common.errors import ChaincodeError, SimulationError
from fastledger.common.share import FairLimit
from fastledger.common.workers import FairWorkers
from fastledger.protos.peer.chaincode_pb2 import (
    ChaincodeAdditionalParams,
    ChaincodeID,
    ChaincodeInput,
)
from fastledger.protos.peer.chaincode_shim_pb2 import ChaincodeMessage

log = logging.getLogger(__name__)

_OTHERS = frozenset(
    {
        ChaincodeMessage.INVOKE_CHAINCODE,
        ChaincodeMessage.QUERY_STATE_NEXT,
        ChaincodeMessage.QUERY_STATE_CLOSE,
    }
)
"""Requests that come here beside those in ``requests``: next rows may take long to read."""

Key = tuple[str, str]
"""Channel and transaction id: what matches a message to its transaction."""


_TERMINATED = "chaincode stream terminated"

Overdue = Callable[["Handler", TransactionContext], None]


class ProtocolViolation(Exception):
    """The chaincode sent what no chaincode sends; its stream ends."""


class Handler:
    """One registered chaincode."""

    def __init__(
        self,
        stream: Stream,
        *,
        config: ChaincodeConfig,
        services: Services,
        registry: Registry["Handler"],
        callee: Callee,
        workers: FairWorkers,
        overdue: Overdue,
        expected_ccid: str | None = None,
    ) -> None:
        """Take a stream over; nothing is sent before :meth:`serve`.

        Args:
            stream: Both directions of the chaincode's stream.
            config: Timeouts and what the peer offers.
            services: The rest of the peer.
            registry: Where ready chaincodes are found.
            callee: Runs a chaincode that this one calls.
            workers: Where rich queries and histories are read.
            overdue: Learns of transactions that the chaincode still executes after their time.
            expected_ccid: The only id that may register here; None where any may that is being
                launched, as behind an address that every chaincode dials.
        """
        self.ccid: str | None = None
        self._stream = stream
        self._config = config
        self._services = services
        self._registry = registry
        self._callee = callee
        self._workers = workers
        self._notify_overdue = overdue
        self._expected = expected_ccid
        self._conversation: ChaincodeConversation | None = None
        self._closed = asyncio.Event()
        self._executions: dict[Key, Execution] = {}
        self._overdue: dict[Key, Execution] = {}
        self._limit = FairLimit(config.max_transactions)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def ready(self) -> bool:
        """Whether the chaincode takes transactions."""
        return self._conversation is not None and not self._closed.is_set()

    @property
    def in_flight(self) -> int:
        """Transactions that the chaincode is executing and that have not timed out."""
        return len(self._executions)

    def is_overdue(self, channel_id: str, tx_id: str) -> bool:
        """Whether a transaction timed out and the chaincode has still not answered it."""
        return (channel_id, tx_id) in self._overdue and not self._closed.is_set()

    async def serve(self) -> None:
        """Converse until the stream ends; never raises for anything that the chaincode does."""
        if self._config.keepalive_s:
            self._spawn(self._keep_alive())
        try:
            while not self._closed.is_set():
                message = await self._stream.read()
                if message is None:
                    break
                await self._receive(message)
        except ProtocolViolation as violation:
            log.error("chaincode %s: %s, ending stream", self.ccid, violation)
        except ConnectionError as error:
            log.info("chaincode %s: %s", self.ccid, error)
        finally:
            self.close()

    def close(self) -> None:
        """End every transaction in flight, and stop answering."""
        if self._closed.is_set():
            return
        self._closed.set()
        if self.ccid is not None:
            self._registry.deregister(self.ccid, self)
        executions, self._executions = self._executions, {}
        for execution in executions.values():
            execution.fail(ChaincodeError(_TERMINATED))
        for task in self._tasks:
            task.cancel()

    def execute(
        self,
        context: TransactionContext,
        chaincode_input: ChaincodeInput,
        *,
        is_init: bool,
        timeout_s: float,
    ) -> "asyncio.Future[ChaincodeMessage]":
        """Begin one transaction; the future gets COMPLETED or ERROR.

        The future raises ChaincodeError when it takes too long or the chaincode dies, and Defect
        when the core failed while it answered a request. Whoever gives up waiting cancels it; the
        chaincode goes on, as it cannot be told.

        Raises:
            ChaincodeError: The chaincode has died, or has too much to do.
        """
        key = (context.channel_id, context.tx_id)
        if key in self._executions or key in self._overdue:
            raise ChaincodeError(f"txid: {context.tx_id}({context.channel_id}) exists")
        if not self._limit.enter(context.creator):
            raise ChaincodeError(
                f"chaincode {self.ccid} executes {self._config.max_transactions} transactions "
                "already; try again later"
            )
        try:
            transaction = self._begin(context, chaincode_input, is_init=is_init)
        except BaseException:
            self._limit.leave(context.creator)
            raise
        timer = asyncio.get_running_loop().call_later(timeout_s, self._expire, key)
        execution = Execution(context, transaction, timer, is_init=is_init)
        self._executions[key] = execution
        return execution.result

    def _begin(
        self, context: TransactionContext, chaincode_input: ChaincodeInput, *, is_init: bool
    ) -> ChaincodeTransaction:
        if self._conversation is None or self._closed.is_set():
            raise ChaincodeError(_TERMINATED)
        if context.decorations or chaincode_input.decorations:
            decorated = ChaincodeInput()
            decorated.CopyFrom(chaincode_input)
            decorated.decorations.clear()
            decorated.decorations.update(context.decorations)
            chaincode_input = decorated
        simulator, proposal = context.simulator, context.proposal
        capabilities = self._services.capabilities(context.channel_id)
        try:
            return self._conversation.begin(
                context.channel_id,
                context.tx_id,
                context.namespace,
                None if simulator is None else simulator.core,
                key_level_endorsement=None
                if capabilities is None
                else capabilities.key_level_endorsement,
                is_init=is_init,
                chaincode_input=chaincode_input.SerializeToString(),
                proposal=b"" if proposal is None else proposal.encoded,
            )
        except SimulationError as error:
            raise ChaincodeError(str(error)) from error

    def _expire(self, key: Key) -> None:
        """Wait no longer for a transaction; it counts until it is answered."""
        execution = self._overdue[key] = self._executions.pop(key)
        execution.fail(ChaincodeError("timeout expired while executing transaction"))
        self._notify_overdue(self, execution.context)

    async def _receive(self, message: ChaincodeMessage) -> None:
        kind = message.type
        if kind == ChaincodeMessage.KEEPALIVE:
            return
        if self._conversation is None:
            if kind != ChaincodeMessage.REGISTER:
                raise ProtocolViolation(f"message {_name(kind)} in created state")
            await self._register(message)
        elif kind in (ChaincodeMessage.COMPLETED, ChaincodeMessage.ERROR):
            self._complete(message)
        elif kind in requests.HANDLERS or kind in _OTHERS:
            self._request(self._conversation, message)
        else:
            raise ProtocolViolation(f"message {_name(kind)} in ready state")

    async def _register(self, message: ChaincodeMessage) -> None:
        try:
            name = ChaincodeID.FromString(message.payload).name
        except DecodeError as error:
            raise ProtocolViolation(f"REGISTER cannot be decoded: {error}") from error
        if not name:
            raise ProtocolViolation("REGISTER names no chaincode")
        if self._expected is not None and name != self._expected:
            raise ProtocolViolation(f"{name!r} registers where {self._expected!r} was started")
        if self._expected is None and self._services.is_system_chaincode(name.partition(":")[0]):
            raise ProtocolViolation(f"{name!r} is the name of a system chaincode")
        try:
            self._registry.register(name, self, solicited=self._expected is not None)
        except ChaincodeError as error:
            raise ProtocolViolation(str(error)) from error
        self.ccid = name
        conversation = ChaincodeConversation(
            name,
            payload_bytes=MAX_MESSAGE_BYTES - FRAME_BYTES,
            values_bytes=MAX_MESSAGE_BYTES,
            page_rows=PAGE_ROWS,
            query_rows=self._config.total_query_limit,
            open_queries=MAX_OPEN_ITERATORS,
            transaction_bytes=MAX_TRANSACTION_BYTES,
            request_bytes=REQUEST_BYTES,
            large_batch_bytes=LARGE_BATCH_BYTES,
        )
        params = ChaincodeAdditionalParams(
            use_write_batch=self._config.use_write_batch,
            max_size_write_batch=self._config.max_size_write_batch,
            use_get_multiple_keys=self._config.use_get_multiple_keys,
            max_size_get_multiple_keys=self._config.max_size_get_multiple_keys,
        )
        await self._stream.write(ChaincodeMessage(type=ChaincodeMessage.REGISTERED))
        self._stream.answer_with(conversation)
        await self._stream.write(
            ChaincodeMessage(type=ChaincodeMessage.READY, payload=params.SerializeToString())
        )
        self._conversation = conversation
        self._registry.ready(name, self)

    def _complete(self, message: ChaincodeMessage) -> None:
        key = (message.channel_id, message.txid)
        ended = self._overdue.pop(key, None) or self._executions.pop(key, None)
        if ended is not None:
            self._limit.leave(ended.context.creator)
            ended.complete(message)

    def _request(self, conversation: ChaincodeConversation, message: ChaincodeMessage) -> None:
        execution = self._executions.get((message.channel_id, message.txid))
        if execution is None:
            conversation.refuse(message.type, message.txid, message.channel_id)
        elif message.type == ChaincodeMessage.INVOKE_CHAINCODE:
            self._spawn(self._answer_call(execution, message))
        elif requests.may_take_long(execution.transaction, message.type, message.payload):
            creator = execution.context.creator
            self._spawn(self._workers.run(creator, lambda: self._answer(execution, message)))
        else:
            self._answer(execution, message)

    def _answer(self, execution: Execution, message: ChaincodeMessage) -> None:
        transaction, kind = execution.transaction, message.type
        if transaction.answer(kind, message.payload):
            return
        try:
            simulator = execution.context.simulator
            if simulator is None or execution.closed:
                raise ChaincodeError("no ledger context")
            request = requests.Request(execution, simulator, message.payload, self._services)
            payload = requests.HANDLERS[kind](request)
        except Exception as error:
            log.debug("%s failed", _name(kind), exc_info=True)
            transaction.fail(kind, error)
        else:
            transaction.reply(kind, payload)

    async def _answer_call(self, execution: Execution, message: ChaincodeMessage) -> None:
        try:
            payload = await call_chaincode(
                execution.context, message.payload, self._services, self._callee
            )
        except Exception as error:  # noqa: BLE001 (the caller gets to see it)
            execution.transaction.fail(message.type, error)
        else:
            execution.transaction.reply(message.type, payload)

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(self._config.keepalive_s)
            await self._stream.write(ChaincodeMessage(type=ChaincodeMessage.KEEPALIVE))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(self._until_disconnected(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _until_disconnected(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except ConnectionError:
            self.close()


def _name(kind: "ChaincodeMessage.Type.ValueType") -> str:
    try:
        return ChaincodeMessage.Type.Name(kind)
    except ValueError:
        return f"of unknown type {kind}"
