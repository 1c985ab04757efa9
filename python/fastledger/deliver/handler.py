# SPDX-License-Identifier: Apache-2.0
"""Serves Deliver streams (Fabric: ``common/deliver/deliver.go``)."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator

import grpc.aio
from google.protobuf.message import DecodeError
from prometheus_client import Counter

from fastledger.comm import ServerCall, ServiceLimit, client_certificate_hash
from fastledger.common import log, metrics
from fastledger.common.errors import FastledgerError, LedgerCorrupted
from fastledger.deliver.access import PolicyCheck, SessionAccess
from fastledger.deliver.following import Followings, Wanted, Way
from fastledger.deliver.forms import Response, ResponseForm, SharedForm, status_response
from fastledger.deliver.request import BadRequest, DeliverRequest, first_block, last_block
from fastledger.deliver.source import BlockSource, Sources, grown
from fastledger.msp import expires_at
from fastledger.protos.common.common_pb2 import Envelope, Status
from fastledger.protos.orderer.ab_pb2 import SeekInfo
from fastledger.protoutil.envelope import creator_of_envelope

TIME_WINDOW_S = 15 * 60
"""``authentication.timewindow``: how far a client's clock may be off."""

_logger = log.get("common.deliver")
_LABELS = ("channel", "filtered", "data_type")


class DeliverHandler:
    """Serves the streams of one node; construct it once."""

    def __init__(
        self,
        sources: Sources,
        *,
        time_window_s: float = TIME_WINDOW_S,
        mutual_tls: bool = False,
        check_expiration: bool = True,
        limit: ServiceLimit | None = None,
    ) -> None:
        """Serve the channels that ``sources`` knows.

        With ``mutual_tls`` a request must carry the hash of its connection's certificate. A limit
        counts the streams, each for whoever has signed its newest request.
        """
        self._limit = limit or ServiceLimit("/protos.Deliver", 0)
        self._sources = sources
        self._window_s = time_window_s
        self._mutual_tls = mutual_tls
        self._check_expiration = check_expiration
        self.followings = Followings()
        """The streams that wait for the next block."""
        self._opened = metrics.counter(
            "deliver_streams_opened", "The number of GRPC streams that have been opened."
        )
        self._closed = metrics.counter(
            "deliver_streams_closed", "The number of GRPC streams that have been closed."
        )

    async def serve(
        self,
        requests: AsyncIterable[bytes],
        context: "grpc.aio.ServicerContext[bytes, bytes]",
        check: PolicyCheck,
        form: ResponseForm,
    ) -> AsyncIterator[Response]:
        """Yield the encoded responses of one stream of encoded envelopes.

        The end of the requests is looked for between ranges only: a half-closed stream is served.
        """
        self._opened.inc()
        try:
            async for encoded in requests:
                delivery = _Delivery(self, encoded, context, check, form)
                async with self._limit.call(_creator(encoded), context):
                    async for response in delivery.blocks():
                        yield response
                yield status_response(delivery.status)
                if delivery.status != Status.SUCCESS:
                    return
        finally:
            self._closed.inc()

    def parse(
        self, encoded: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]"
    ) -> DeliverRequest:
        """Take a request apart; raises BadRequest."""
        request = DeliverRequest.parse(encoded, self._window_s)
        if self._mutual_tls:
            _check_binding(request.tls_cert_hash, client_certificate_hash(context) or b"")
        return request

    def source(self, channel_id: str) -> BlockSource | None:
        """Find a channel."""
        return self._sources(channel_id)

    def expiry(self, creator: bytes) -> float | None:
        """Return when a client's certificate ends, None when that does not matter."""
        return expires_at(creator) if self._check_expiration else None


class _Delivery:
    """One request's way through the handler; `status` is its outcome once `blocks` ended."""

    def __init__(
        self,
        handler: DeliverHandler,
        encoded: bytes,
        context: "grpc.aio.ServicerContext[bytes, bytes]",
        check: PolicyCheck,
        form: ResponseForm,
    ) -> None:
        self._handler = handler
        self._encoded = encoded
        self._context = context
        self._check = check
        self._form = form
        self.status: int = Status.SUCCESS

    async def blocks(self) -> AsyncIterator[Response]:
        try:
            request = self._handler.parse(self._encoded, self._context)
            source = self._handler.source(request.channel_id)
            if source is None:
                # SDKs poll for channels to come up: no warning.
                _logger.debug("channel %s not found", request.channel_id)
                self.status = Status.NOT_FOUND
                return
            labels = self._labels(request.channel_id)
            _counter(
                "deliver_requests_received", "The number of deliver requests received.", labels
            ).inc()
            sent = _counter(
                "deliver_blocks_sent", "The number of blocks sent by the deliver service.", labels
            )
            async for response in self._range(request, source, sent):
                yield response
                sent.inc()
            labels["success"] = str(self.status == Status.SUCCESS).lower()
            _counter(
                "deliver_requests_completed", "The number of deliver requests completed.", labels
            ).inc()
        except BadRequest as error:
            _logger.warning("deliver request of %s refused: %s", self._context.peer(), error)
            self.status = Status.BAD_REQUEST
        except LedgerCorrupted as error:
            _logger.error("deliver to %s ends: %s", self._context.peer(), error)
            self.status = Status.INTERNAL_SERVER_ERROR

    async def _range(
        self, request: DeliverRequest, source: BlockSource, sent: Counter
    ) -> AsyncIterator[Response]:
        seek = request.seek()
        errored = None if seek.error_response == SeekInfo.BEST_EFFORT else source.errored
        if errored is not None and errored.is_set():
            self._end(Status.SERVICE_UNAVAILABLE, request, "the consenter has failed")
            return
        expiry = self._handler.expiry(request.creator)
        access = SessionAccess(source, request, self._check, expiry)
        if not self._may_read(access, request):
            return
        if not seek.HasField("start") or not seek.HasField("stop"):
            raise BadRequest("seekInfo has no start or no stop")
        number = first_block(seek.start, source.height, source.first)
        last = last_block(seek, number or 0, source.height)
        header_only = seek.content_type == SeekInfo.HEADER_WITH_SIG
        way = self._way(source, errored, seek)
        while number is not None:
            if way is not None and number == source.height:
                given = await self._follow(way, Wanted(number, last, access), sent)
                if given and number + given - 1 == last:
                    return
                number += given
            if not await self._ready(seek, source, number, errored, request):
                return
            response = await self._form.response(source, number, request, header_only=header_only)
            if not self._may_read(access, request):
                return
            yield response
            if number == last:
                return
            number += 1
        self._end(Status.NOT_FOUND, request, "there is no block where it starts")

    def _way(
        self, source: BlockSource, errored: asyncio.Event | None, seek: SeekInfo
    ) -> Way | None:
        """Return the way on which this client can be given blocks with others, if it can."""
        if not isinstance(self._form, SharedForm) or seek.behavior == SeekInfo.FAIL_IF_NOT_READY:
            return None
        header_only = seek.content_type == SeekInfo.HEADER_WITH_SIG
        return Way(source, self._form, errored, header_only=header_only)

    async def _follow(self, way: Way, wanted: Wanted, sent: Counter) -> int:
        """Have the client given blocks together with others; return how many it was given."""
        call: object = self._context
        if isinstance(call, ServerCall) and call.has_room and wanted.access.stands:
            return await self._handler.followings.follow(way, call, wanted, sent)
        return 0

    async def _ready(
        self,
        seek: SeekInfo,
        source: BlockSource,
        number: int,
        errored: asyncio.Event | None,
        request: DeliverRequest,
    ) -> bool:
        if number < source.height:
            # Nothing else here need wait: others are served in between.
            await asyncio.sleep(0)
            return True
        if seek.behavior == SeekInfo.FAIL_IF_NOT_READY:
            self._end(Status.NOT_FOUND, request, f"block {number} is not there yet")
            return False
        if not await grown(source, number + 1, errored):
            self._end(Status.SERVICE_UNAVAILABLE, request, "the consenter has failed")
            return False
        return True

    def _may_read(self, access: SessionAccess, request: DeliverRequest) -> bool:
        try:
            access.evaluate()
        except FastledgerError as error:
            self._end(Status.FORBIDDEN, request, f"client is not authorized: {error}")
            return False
        return True

    def _end(self, status: int, request: DeliverRequest, reason: str) -> None:
        self.status = status
        peer = self._context.peer()
        _logger.warning("[channel: %s] deliver to %s ends: %s", request.channel_id, peer, reason)

    def _labels(self, channel_id: str) -> dict[str, str]:
        data_type = self._form.data_type
        filtered = str(data_type == "filtered_block").lower()
        return dict(zip(_LABELS, (channel_id, filtered, data_type), strict=True))


def _check_binding(claimed: bytes, actual: bytes) -> None:
    """Hold a request against its connection (Fabric: ``deliver.mutualTLSBinding``)."""
    if not claimed:
        raise BadRequest("client didn't include its TLS cert hash")
    if not actual:
        raise BadRequest("client didn't send a TLS certificate")
    if claimed != actual:
        raise BadRequest(
            f"claimed TLS cert hash is {claimed.hex()} but actual TLS cert hash is {actual.hex()}"
        )


def _counter(name: str, text: str, labels: dict[str, str]) -> Counter:
    return metrics.counter(name, text, tuple(labels)).labels(**labels)


def _creator(encoded: bytes) -> bytes:
    try:
        return creator_of_envelope(Envelope.FromString(encoded))
    except DecodeError:
        return b""
