# SPDX-License-Identifier: Apache-2.0
"""One stream to another orderer: a queue, and the task that writes it out.

The other end never answers; it ends the stream when it refuses something. So a request that was
written has arrived as far as anybody can say (Fabric: ``cluster.Stream``)::

    offer, send ──► queue ──► connect, once ──► write ──► (the other orderer)
                                      ├───────────┴──► over: what waits is lost
                          finish: what waits is written, and heard
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import grpc
import grpc.aio

from fastledger._core import StepMessage
from fastledger.comm import GrpcChannel
from fastledger.comm.client_call import Conversing
from fastledger.common import log
from fastledger.common.errors import ConnectionFailed, FastledgerError
from fastledger.orderer.cluster.metrics import (
    EGRESS_QUEUE_CAPACITY,
    EGRESS_QUEUE_LENGTH,
    EGRESS_QUEUE_WORKERS,
    EGRESS_STREAM_COUNT,
    MSG_DROPPED_COUNT,
    MSG_SEND_TIME,
)

STEP = "/orderer.Cluster/Step"

_logger = log.get("orderer.common.cluster.step")


class NotDelivered(FastledgerError):
    """A request did not get to another orderer.

    Attributes:
        is_certain: Whether it surely did not: then it may be sent again without being there twice.
    """

    def __init__(self, reason: str, *, is_certain: bool) -> None:
        """Say why."""
        super().__init__(reason)
        self.is_certain = is_certain


class StreamEnded(FastledgerError):
    """The call is over.

    Attributes:
        is_lost: Whether its connection is of no use any more.
    """

    def __init__(self, reason: str, *, is_lost: bool = False) -> None:
        """Say why."""
        super().__init__(reason)
        self.is_lost = is_lost


@dataclass(frozen=True, slots=True)
class Route:
    """Where a stream goes.

    Attributes:
        channel_id: The channel of its requests.
        address: The other orderer's.
        kind: What its requests are, as metrics tell it: consensus or transaction.
        connect: Returns the connection; raises ConnectionFailed.
    """

    channel_id: str
    address: str
    kind: str
    connect: Callable[[], Awaitable[GrpcChannel]]


@dataclass(slots=True)
class _Request:
    encoded: StepMessage
    written: "asyncio.Future[None] | None" = field(default=None)


class Stream:
    """Requests of one kind, of one channel, to one orderer, in order."""

    def __init__(
        self,
        route: Route,
        *,
        capacity: int,
        timeout_s: float,
        on_end: Callable[["Stream", Exception], None],
    ) -> None:
        """Begin to connect.

        Args:
            route: Where it goes.
            capacity: Requests that may wait.
            timeout_s: How long writing one may take.
            on_end: Learns that the stream is over, and why.
        """
        self.route = route
        self._capacity = capacity
        self._timeout_s = timeout_s
        self._on_end = on_end
        self._queue: deque[_Request] = deque()
        self._more = asyncio.Event()
        self._room = asyncio.Event()
        self._writing: _Request | None = None
        self._over: Exception | None = None
        self._call: Conversing | None = None
        self._is_finishing = False
        self.connection: GrpcChannel | None = None
        labels = route.address, route.kind, route.channel_id
        EGRESS_QUEUE_LENGTH.labels(*labels).set_function(self._queue.__len__)
        EGRESS_QUEUE_CAPACITY.labels(*labels).set(capacity)
        self._send_time = MSG_SEND_TIME.labels(route.address, route.channel_id)
        self._task = asyncio.get_running_loop().create_task(self._serve())

    @property
    def is_over(self) -> bool:
        """Whether nothing more is sent."""
        return self._over is not None

    def offer(self, request: StepMessage) -> None:
        """Queue a request that may be lost; a queue that is full ends the stream.

        Raises:
            NotDelivered: It is lost already.
        """
        if self._over is None and len(self._queue) >= self._capacity:
            MSG_DROPPED_COUNT.labels(self.route.address, self.route.channel_id).inc()
            self.end(NotDelivered("send queue overflown", is_certain=True))
        if self._over is not None:
            raise NotDelivered(str(self._over), is_certain=True)
        self._put(_Request(request))

    async def send(self, request: StepMessage) -> None:
        """Send a request, once there is room for it; return when it is written.

        Raises:
            NotDelivered: It was not written, as far as can be said.
        """
        while self._over is None and len(self._queue) >= self._capacity:
            self._room.clear()
            await self._room.wait()
        if self._over is not None:
            raise NotDelivered(str(self._over), is_certain=True)
        written = asyncio.get_running_loop().create_future()
        self._put(_Request(request, written))
        await written

    @property
    def is_prompt(self) -> bool:
        """Whether what is sent now is written now: nothing waits before it."""
        return self._call is not None and self._writing is None and not self._queue

    def write_now(self, requests: Sequence[StepMessage]) -> int:
        """Write requests as long as the other end has room; return how many are written."""
        began = time.monotonic()
        call = self._call
        if call is None or not self.is_prompt or self._over is not None:
            return 0
        count = call.write_some(requests)
        self._send_time.observe_alike(time.monotonic() - began, count)
        return count

    def end(self, reason: Exception) -> None:
        """Send nothing more: what waits is lost."""
        if self._over is not None:
            return
        self._over = reason
        if self._writing is not None and self._writing.written is not None:
            _fail(self._writing.written, NotDelivered(str(reason), is_certain=False))
        for request in self._queue:
            if request.written is not None:
                _fail(request.written, NotDelivered(str(reason), is_certain=True))
        self._queue.clear()
        self._room.set()
        self._task.cancel()
        self._on_end(self, reason)

    async def finish(self, reason: Exception) -> None:
        """Send what waits and nothing more; end when that is heard, or takes too long."""
        self._is_finishing = True
        self._more.set()
        try:
            await asyncio.wait([self._task], timeout=self._timeout_s)
        finally:
            self.end(reason)

    def _put(self, request: _Request) -> None:
        self._queue.append(request)
        self._more.set()

    async def _serve(self) -> None:
        workers = EGRESS_QUEUE_WORKERS.labels(self.route.channel_id)
        workers.inc()
        try:
            self.connection = await self.route.connect()
            await self._converse(self.connection)
        except asyncio.CancelledError:
            raise
        except (ConnectionFailed, StreamEnded) as error:
            self.end(error)
        except Exception as error:
            _logger.exception("defect in a stream to %s", self.route.address)
            self.end(error)
        finally:
            workers.dec()

    async def _converse(self, channel: GrpcChannel) -> None:
        streams = EGRESS_STREAM_COUNT.labels(self.route.channel_id)
        call = self._call = channel.stream_stream(STEP)()
        streams.inc()
        told = asyncio.ensure_future(call.read())
        told.add_done_callback(self._heard)
        try:
            while await self._has_more():
                await self._write(call, self._queue.popleft())
            # A call that is cancelled takes along what the other end has not read yet.
            await call.done_writing()
            await asyncio.wait([told])
        finally:
            self._call = None
            streams.dec()
            told.remove_done_callback(self._heard)
            told.cancel()
            call.cancel()
            with contextlib.suppress(asyncio.CancelledError, grpc.aio.AioRpcError):
                await told

    async def _has_more(self) -> bool:
        while not self._queue and not self._is_finishing:
            self._more.clear()
            await self._more.wait()
        return bool(self._queue)

    def _heard(self, told: "asyncio.Future[object]") -> None:
        """Learn that the other end has ended the stream; it has nothing else to say."""
        if told.cancelled():
            self.end(StreamEnded("the connection was closed", is_lost=True))
            return
        error = told.exception()
        self.end(_ended(error) if isinstance(error, grpc.aio.AioRpcError) else StreamEnded("EOF"))

    async def _write(self, call: Conversing, request: _Request) -> None:
        self._writing = request
        self._room.set()
        began = time.monotonic()
        try:
            if not call.write_now(request.encoded):
                async with asyncio.timeout(self._timeout_s):
                    await call.write(request.encoded)
        except TimeoutError as error:
            raise StreamEnded("rpc timeout expired", is_lost=True) from error
        except grpc.aio.AioRpcError as error:
            raise _ended(error) from error
        except asyncio.InvalidStateError as error:
            raise StreamEnded("EOF") from error
        self._send_time.observe(time.monotonic() - began)
        self._writing = None
        if request.written is not None and not request.written.done():
            request.written.set_result(None)


def _ended(error: grpc.aio.AioRpcError) -> StreamEnded:
    # What the other orderer refuses it refuses so.
    is_refused = error.code() is grpc.StatusCode.UNKNOWN
    return StreamEnded(str(error.details()), is_lost=not is_refused)


def _fail(written: "asyncio.Future[None]", error: Exception) -> None:
    if not written.done():
        written.set_exception(error)
