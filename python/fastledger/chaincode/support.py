# SPDX-License-Identifier: Apache-2.0
"""Executes chaincode, and starts it when it does not run (Fabric: ``ChaincodeSupport``)."""

import asyncio
import contextlib
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from google.protobuf.message import DecodeError

from fastledger.chaincode.config import ChaincodeConfig
from fastledger.chaincode.context import TransactionContext
from fastledger.chaincode.handler import Handler
from fastledger.chaincode.launcher.instance import Instance, Start
from fastledger.chaincode.package import ChaincodePackage
from fastledger.chaincode.registry import Registry
from fastledger.chaincode.services import EndorsementInfo, Services
from fastledger.chaincode.stream import Stream
from fastledger.common.errors import ChaincodeError
from fastledger.common.sharing import shared
from fastledger.common.workers import FairWorkers
from fastledger.protos.peer.chaincode_event_pb2 import ChaincodeEvent
from fastledger.protos.peer.chaincode_pb2 import ChaincodeInput
from fastledger.protos.peer.chaincode_shim_pb2 import ChaincodeMessage
from fastledger.protos.peer.proposal_response_pb2 import Response

log = logging.getLogger(__name__)

QUERY_WORKERS = 4
"""Rich queries and histories that are read side by side; more wait."""

INITIALIZED_KEY = "\x00\U0010ffffinitialized"
"""Under which a chaincode's state keeps the version that was initialized (2.0 and later)."""


class Launcher(Protocol):
    """Brings a chaincode to life."""

    async def build(self, ccid: str, package: ChaincodePackage | None = None) -> Start:
        """Build the chaincode if need be, and return what starts or dials it.

        Args:
            ccid: The chaincode.
            package: Its package; the installed one when None.

        Raises:
            ChaincodeError: It cannot be; the text says why and what to do.
        """


class ChaincodeSupport:
    """Every chaincode of one peer."""

    def __init__(
        self,
        services: Services,
        launcher: Launcher,
        config: ChaincodeConfig | None = None,
        *,
        dev_mode: bool = False,
    ) -> None:
        """Start with nothing running.

        Args:
            services: The rest of the peer.
            launcher: How chaincodes are started.
            config: Timeouts and offers; core.yaml's defaults when None.
            dev_mode: ``chaincode.mode: dev``: chaincodes may register that nobody launched.
        """
        self._services = services
        self._launcher = launcher
        self._config = config or ChaincodeConfig()
        self._workers = FairWorkers(QUERY_WORKERS, ThreadPoolExecutor(QUERY_WORKERS, "query"))
        self._registry: Registry[Handler] = Registry(allow_unsolicited=dev_mode)
        self._builds: dict[str, asyncio.Task[Start]] = {}
        self._launches: dict[str, asyncio.Task[Handler]] = {}
        self._instances: dict[Handler, Instance] = {}
        self._tasks: set[asyncio.Task[Any]] = set()

    async def serve(self, stream: Stream, expected_ccid: str | None = None) -> None:
        """Converse with a chaincode until its stream ends.

        Args:
            stream: From ``ChaincodeSupport.Register`` or ``Chaincode.Connect``.
            expected_ccid: See :class:`Handler`.
        """
        handler = Handler(
            stream,
            config=self._config,
            services=self._services,
            registry=self._registry,
            callee=self._call,
            workers=self._workers,
            overdue=self._overdue,
            expected_ccid=expected_ccid,
        )
        await handler.serve()

    async def execute(
        self,
        context: TransactionContext,
        ccid: str,
        chaincode_input: ChaincodeInput,
        is_init: bool = False,
    ) -> tuple[Response, ChaincodeEvent | None]:
        """Run a chaincode whose id is known already, launching it if need be.

        Returns:
            What it answered, whatever the status, and the event it set.

        Raises:
            ChaincodeError: It gave no answer: it failed in Init, timed out, died, or cannot be
                started.
        """
        try:
            message = await self._execute(context, ccid, chaincode_input, is_init=is_init)
        except ChaincodeError as error:
            raise ChaincodeError(
                f"failed to execute transaction {context.tx_id}: {error}"
            ) from error
        return _outcome(context, message)

    async def invoke(
        self,
        context: TransactionContext,
        chaincode_input: ChaincodeInput,
        info: EndorsementInfo | None = None,
    ) -> tuple[Response, ChaincodeEvent | None]:
        """Run the chaincode that the channel defines as ``context.namespace``.

        Args:
            context: The transaction.
            chaincode_input: What the chaincode is called with.
            info: How the channel defines it, where whoever asks has looked it up already.

        Raises:
            ChaincodeError: As :meth:`execute`; also when it has to be initialized first.
        """
        try:
            message = await self._call(context, chaincode_input, info)
        except ChaincodeError as error:
            raise ChaincodeError(
                f"failed to execute transaction {context.tx_id}: {error}"
            ) from error
        return _outcome(context, message)

    async def build(self, ccid: str, package: ChaincodePackage | None = None) -> Start:
        """Build a chaincode unless it is built; many callers share one build.

        A build goes on when whoever asked for it has gone: it is of use to the next.

        Args:
            ccid: The chaincode.
            package: Its package; the installed one when None.

        Returns:
            What starts it.

        Raises:
            ChaincodeError: It cannot be built.
        """
        return await shared(self._builds, ccid, lambda: self._launcher.build(ccid, package))

    async def launch(self, ccid: str) -> Handler:
        """Start a chaincode unless it runs; many callers share one start.

        Raises:
            ChaincodeError: It did not become ready.
        """
        handler = self._registry.get(ccid)
        if handler is not None and handler.ready:
            return handler
        try:
            return await shared(self._launches, ccid, lambda: self._start(ccid))
        except ChaincodeError as error:
            raise ChaincodeError(f"could not launch chaincode {ccid}: {error}") from error

    async def stop(self, ccid: str | None = None) -> None:
        """Stop one chaincode, or all: end what was started, hang up on what was dialled."""
        handlers = [h for h in self._instances if ccid is None or h.ccid == ccid]
        for handler in handlers:
            handler.close()
        await asyncio.gather(*(self._instances.pop(h).stop() for h in handlers))
        if ccid is None:
            self._workers.close()
            for task in [*self._tasks, *self._launches.values(), *self._builds.values()]:
                task.cancel()

    async def _call(
        self,
        context: TransactionContext,
        chaincode_input: ChaincodeInput,
        info: EndorsementInfo | None = None,
    ) -> ChaincodeMessage:
        if self._services.is_system_chaincode(context.namespace):
            response, event = await self._services.invoke_system(context, chaincode_input)
            return ChaincodeMessage(
                type=ChaincodeMessage.COMPLETED,
                payload=response.SerializeToString(),
                txid=context.tx_id,
                channel_id=context.channel_id,
                chaincode_event=event,
            )
        if info is None:
            name = context.namespace
            info = self._services.endorsement_info(context.channel_id, name, context.simulator)
        self._check_invocation(context, chaincode_input, info)
        return await self._execute(
            context, info.ccid, chaincode_input, is_init=chaincode_input.is_init
        )

    def _check_invocation(
        self, context: TransactionContext, chaincode_input: ChaincodeInput, info: EndorsementInfo
    ) -> None:
        """See that Init runs exactly once where it is required."""
        name, simulator = context.namespace, context.simulator
        needs_init = False
        if info.enforce_init and simulator is not None:
            done = simulator.get_state(name, INITIALIZED_KEY)
            needs_init = done != info.version.encode()
        if not chaincode_input.is_init:
            if needs_init:
                raise ChaincodeError(
                    f"invalid invocation: chaincode '{name}' has not been initialized for this "
                    "version, must call as init first"
                )
            return
        if not info.enforce_init:
            raise ChaincodeError(
                f"invalid invocation: chaincode '{name}' does not require initialization but "
                "called as init"
            )
        if not needs_init:
            raise ChaincodeError(
                f"invalid invocation: chaincode '{name}' is already initialized but called as init"
            )
        if simulator is not None:
            simulator.set_state(name, INITIALIZED_KEY, info.version.encode())

    async def _execute(
        self,
        context: TransactionContext,
        ccid: str,
        chaincode_input: ChaincodeInput,
        *,
        is_init: bool,
    ) -> ChaincodeMessage:
        handler = await self.launch(ccid)
        try:
            return await handler.execute(
                context,
                chaincode_input,
                is_init=is_init,
                timeout_s=self._config.execute_timeout_s,
            )
        except asyncio.CancelledError:
            # The client has gone, and what it asked for is read and written for nobody.
            if context.simulator is not None:
                context.simulator.done()
            context.simulator = context.proposal = None
            raise
        except ChaincodeError as error:
            raise ChaincodeError(f"error sending: {error}") from error

    async def _start(self, ccid: str) -> Handler:
        try:
            start = await self.build(ccid)
        except ChaincodeError as error:
            raise ChaincodeError(f"error building chaincode: {error}") from error
        registered = self._registry.expect(ccid)
        instance: Instance | None = None
        try:
            async with asyncio.timeout(self._config.startup_timeout_s):
                instance = await start(self.serve)
                handler = await _registration(registered, instance)
        except TimeoutError as error:
            await _stop(instance)
            raise ChaincodeError(
                f"timeout expired while starting chaincode {ccid} for transaction"
            ) from error
        except BaseException:
            await _stop(instance)
            raise
        finally:
            self._registry.give_up(ccid)
        self._instances[handler] = instance
        self._keep(asyncio.create_task(self._watch(handler, instance)))
        return handler

    async def _watch(self, handler: Handler, instance: Instance) -> None:
        """See a chaincode to its end; the next transaction starts it again."""
        reason = await instance.wait()
        log.info("chaincode %s has ended: %s", handler.ccid, reason)
        handler.close()
        if self._instances.pop(handler, None) is not None:
            await instance.stop()

    def _overdue(self, handler: Handler, context: TransactionContext) -> None:
        if handler in self._instances:
            self._keep(asyncio.create_task(self._replace(handler, context)))

    async def _replace(self, handler: Handler, context: TransactionContext) -> None:
        """End a chaincode that goes on with a transaction nobody waits for.

        It takes no new ones; those in flight may finish, within the time they have anyway.
        """
        await asyncio.sleep(self._config.overdue_grace_s)
        if not handler.is_overdue(context.channel_id, context.tx_id):
            return
        log.warning(
            "chaincode %s still executes %s after its timeout: it is replaced",
            handler.ccid,
            context.tx_id,
        )
        if handler.ccid is not None:
            self._registry.deregister(handler.ccid, handler)
        for _ in range(round(self._config.execute_timeout_s / _DRAIN_POLL_S)):
            if not handler.in_flight:
                break
            await asyncio.sleep(_DRAIN_POLL_S)
        handler.close()
        instance = self._instances.pop(handler, None)
        if instance is not None:
            await instance.stop()

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            # Whoever has given up waiting for it does not ask.
            task.exception()


_DRAIN_POLL_S = 0.1


async def _registration(registered: asyncio.Future[Handler], instance: Instance) -> Handler:
    """Wait until the chaincode registers, or ends without."""
    ended = asyncio.create_task(instance.wait())
    ended.add_done_callback(lambda _: None if registered.done() else registered.cancel())
    try:
        return await registered
    except asyncio.CancelledError:
        if not ended.done():
            raise
        raise ChaincodeError(f"chaincode registration failed: {ended.result()}") from None
    finally:
        ended.cancel()


async def _stop(instance: Instance | None) -> None:
    if instance is not None:
        with contextlib.suppress(ChaincodeError):
            await instance.stop()


def _outcome(
    context: TransactionContext, message: ChaincodeMessage
) -> tuple[Response, ChaincodeEvent | None]:
    """Read the chaincode's last word."""
    event = None
    if message.HasField("chaincode_event"):
        event = message.chaincode_event
        # Whatever the chaincode says there, an event is of this chaincode and transaction.
        event.chaincode_id = context.namespace
        event.tx_id = context.tx_id
    if message.type == ChaincodeMessage.ERROR:
        text = message.payload.decode("utf-8", "replace")
        raise ChaincodeError(f"transaction returned with failure: {text}")
    try:
        return Response.FromString(message.payload), event
    except DecodeError as error:
        raise ChaincodeError(
            f"failed to unmarshal response for transaction {context.tx_id}: {error}"
        ) from error
