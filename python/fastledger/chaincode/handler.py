# SPDX-License-Identifier: Apache-2.0
"""The peer's end of one chaincode's stream (Fabric: ``core/chaincode/handler.go``).

::

    created ── REGISTER ──► established ── READY is sent ──► ready ── stream ends ──► closed
       handle_register          handle_register                close

Requests for state are answered where they are read, one after another: a read takes microseconds,
and a chaincode that does not read its answers holds up nobody but itself. What may take long (rich
queries, history, calls of other chaincodes) runs beside. A message that cannot be ends the stream,
and with it the chaincode's transactions; the peer goes on.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from google.protobuf.message import DecodeError

from fastledger.chaincode import requests
from fastledger.chaincode.calls import Callee, call_chaincode
from fastledger.chaincode.config import FRAME_BYTES, MAX_MESSAGE_BYTES, ChaincodeConfig
from fastledger.chaincode.context import Execution, TransactionContext
from fastledger.chaincode.registry import Registry
from fastledger.chaincode.services import Services
from fastledger.chaincode.stream import Stream
from fastledger.common.errors import ChaincodeError, Defect, said_to_others
from fastledger.common.share import FairLimit
from fastledger.common.workers import FairWorkers
from fastledger.protos.peer.chaincode_pb2 import (
    ChaincodeAdditionalParams,
    ChaincodeID,
    ChaincodeInput,
)
from fastledger.protos.peer.chaincode_shim_pb2 import ChaincodeMessage

log = logging.getLogger(__name__)

Key = tuple[str, str]
"""Channel and transaction id: what matches a message to its transaction."""


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
        self._expected = expected_ccid
        self._ready = False
        self._closed = asyncio.Event()
        self._executions: dict[Key, Execution] = {}
        self._overdue: dict[Key, Execution] = {}
        self._limit = FairLimit(config.max_transactions)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def ready(self) -> bool:
        """Whether the chaincode takes transactions."""
        return self._ready and not self._closed.is_set()

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
        for execution in self._executions.values():
            execution.close()
            if not execution.result.done():
                execution.result.set_exception(ChaincodeError("chaincode stream terminated"))
        for task in self._tasks:
            task.cancel()

    async def execute(
        self,
        context: TransactionContext,
        chaincode_input: ChaincodeInput,
        *,
        is_init: bool,
        timeout_s: float,
    ) -> ChaincodeMessage:
        """Run one transaction and wait for COMPLETED or ERROR.

        Whoever calls sees it through: a chaincode cannot be told that nobody waits any longer.

        Raises:
            ChaincodeError: It took too long, the chaincode died, or has too much to do.
            Defect: The core failed while it answered a request of the chaincode.
        """
        key = (context.channel_id, context.tx_id)
        if key in self._executions or key in self._overdue:
            raise ChaincodeError(f"txid: {context.tx_id}({context.channel_id}) exists")
        if not self._limit.enter(context.creator):
            raise ChaincodeError(
                f"chaincode {self.ccid} executes {self._config.max_transactions} transactions "
                "already; try again later"
            )
        execution = self._executions[key] = Execution(context, is_init=is_init)
        try:
            async with asyncio.timeout(timeout_s):
                await self._begin(execution, chaincode_input)
                return await execution.result
        except TimeoutError as error:
            self._overdue[key] = execution
            raise ChaincodeError("timeout expired while executing transaction") from error
        except ConnectionError as error:
            raise ChaincodeError("chaincode stream terminated") from error
        finally:
            del self._executions[key]
            execution.close()
            if key not in self._overdue:
                self._limit.leave(context.creator)

    async def _begin(self, execution: Execution, chaincode_input: ChaincodeInput) -> None:
        context = execution.context
        decorated = ChaincodeInput()
        decorated.CopyFrom(chaincode_input)
        decorated.decorations.clear()
        for name, value in context.decorations.items():
            decorated.decorations[name] = value
        message = ChaincodeMessage(
            type=ChaincodeMessage.INIT if execution.is_init else ChaincodeMessage.TRANSACTION,
            payload=decorated.SerializeToString(),
            txid=context.tx_id,
            channel_id=context.channel_id,
        )
        size = len(message.payload)
        if context.proposal is not None:
            signed = context.proposal.signed
            message.proposal.CopyFrom(signed)
            size += len(signed.proposal_bytes)
        if size > _most():
            # The stream would end with it, and all other transactions with the stream.
            raise ChaincodeError(
                f"the transaction's input has {size} bytes with its proposal; at most {_most()} "
                "fit into a message"
            )
        await self._stream.write(message)

    async def _receive(self, message: ChaincodeMessage) -> None:
        kind = message.type
        if kind == ChaincodeMessage.KEEPALIVE:
            return
        if not self._ready:
            if kind != ChaincodeMessage.REGISTER:
                raise ProtocolViolation(f"message {_name(kind)} in created state")
            await self._register(message)
        elif kind in (ChaincodeMessage.COMPLETED, ChaincodeMessage.ERROR):
            self._complete(message)
        elif kind in requests.HANDLERS or kind == ChaincodeMessage.INVOKE_CHAINCODE:
            await self._request(message)
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
        params = ChaincodeAdditionalParams(
            use_write_batch=self._config.use_write_batch,
            max_size_write_batch=self._config.max_size_write_batch,
            use_get_multiple_keys=self._config.use_get_multiple_keys,
            max_size_get_multiple_keys=self._config.max_size_get_multiple_keys,
        )
        await self._stream.write(ChaincodeMessage(type=ChaincodeMessage.REGISTERED))
        await self._stream.write(
            ChaincodeMessage(type=ChaincodeMessage.READY, payload=params.SerializeToString())
        )
        self._ready = True
        self._registry.ready(name, self)

    def _complete(self, message: ChaincodeMessage) -> None:
        key = (message.channel_id, message.txid)
        late = self._overdue.pop(key, None)
        if late is not None:
            self._limit.leave(late.context.creator)
        execution = self._executions.get(key)
        if execution is not None:
            execution.complete(message)

    async def _request(self, message: ChaincodeMessage) -> None:
        execution = self._executions.get((message.channel_id, message.txid))
        if execution is None:
            await self._refuse(message, "no ledger context")
        elif execution.busy:
            # Fabric drops it too: no shim sends a second request before the first is answered.
            log.error(
                "chaincode %s: another request pending for txid %s, channel %s",
                self.ccid,
                message.txid,
                message.channel_id,
            )
        elif message.type == ChaincodeMessage.INVOKE_CHAINCODE:
            execution.busy = True
            self._spawn(self._answer_call(execution, message))
        elif execution.context.simulator is None:
            await self._refuse(message, "no ledger context")
        elif requests.may_take_long(message.type, execution, message.payload):
            execution.busy = True
            self._spawn(self._answer_slowly(execution, message))
        else:
            await self._stream.write(self._answer(execution, message))

    def _answer(self, execution: Execution, message: ChaincodeMessage) -> ChaincodeMessage:
        simulator = execution.context.simulator
        if simulator is None or execution.closed:
            return _error(message, "no ledger context")
        request = requests.Request(
            execution, simulator, message.payload, self._services, self._config
        )
        try:
            payload = requests.HANDLERS[message.type](request)
        except Exception as error:
            log.debug("%s failed", _name(message.type), exc_info=True)
            return _failed(execution, message, error)
        return _response(message, payload)

    async def _answer_slowly(self, execution: Execution, message: ChaincodeMessage) -> None:
        creator = execution.context.creator
        answer = await self._workers.run(creator, lambda: self._answer(execution, message))
        execution.busy = False
        await self._stream.write(answer)

    async def _answer_call(self, execution: Execution, message: ChaincodeMessage) -> None:
        try:
            payload = await call_chaincode(
                execution.context, message.payload, self._services, self._callee
            )
            answer = _response(message, payload)
        except Exception as error:  # noqa: BLE001 (the caller gets to see it)
            answer = _failed(execution, message, error)
        execution.busy = False
        await self._stream.write(answer)

    async def _refuse(self, message: ChaincodeMessage, reason: str) -> None:
        await self._stream.write(_error(message, reason))

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


def _most() -> int:
    """How much a message to the chaincode can hold, beside ids and names."""
    return MAX_MESSAGE_BYTES - FRAME_BYTES


def _response(message: ChaincodeMessage, payload: bytes) -> ChaincodeMessage:
    if len(payload) > _most():
        text = f"the answer has {len(payload)} bytes; at most {_most()} fit into a message"
        return _error(message, text)
    return ChaincodeMessage(
        type=ChaincodeMessage.RESPONSE,
        payload=payload,
        txid=message.txid,
        channel_id=message.channel_id,
    )


def _failed(execution: Execution, message: ChaincodeMessage, error: Exception) -> ChaincodeMessage:
    """Tell the chaincode why it gets no answer; a defect is not the chaincode's to answer for."""
    if isinstance(error, Defect):
        execution.defect = error
        return _error(message, said_to_others(error))
    return _error(message, str(error) or type(error).__name__)


def _error(message: ChaincodeMessage, reason: str) -> ChaincodeMessage:
    text = f"{_name(message.type)} failed: transaction ID: {message.txid}: {reason}"
    return ChaincodeMessage(
        type=ChaincodeMessage.ERROR,
        payload=text.encode(),
        txid=message.txid,
        channel_id=message.channel_id,
    )
