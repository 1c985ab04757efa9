# SPDX-License-Identifier: Apache-2.0
"""Takes messages in (Fabric: ``orderer/common/broadcast``).

Each message gets one answer, in order; after one that is not SUCCESS the stream ends. SUCCESS says
that the message is in its chain's hands, not that it is in a block.
"""

import time
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from functools import cache

from fastledger.common import log, metrics
from fastledger.common.errors import FastledgerError
from fastledger.orderer.blockcutter import Message
from fastledger.orderer.consensus.chain import ChainHalted
from fastledger.orderer.errors import Rejected
from fastledger.orderer.msgprocessor.message import OrdererMessage, header_type_name
from fastledger.orderer.multichannel.registrar import Registrar
from fastledger.protos.common.common_pb2 import Status
from fastledger.protos.orderer.ab_pb2 import BroadcastResponse
from fastledger.protoutil.envelope import routes

_SUCCESS = BroadcastResponse(status=Status.SUCCESS).SerializeToString()
# Looking an enumeration's value up by its name takes longer than reading a message.
_TAKEN: int = Status.SUCCESS
_REFUSALS = (Status.BAD_REQUEST, Status.NOT_FOUND)
_LABELS = ("status", "channel", "type")

_logger = log.get("orderer.common.broadcast")


class BroadcastHandler:
    """Serves the Broadcast streams of one node."""

    def __init__(self, registrar: Registrar) -> None:
        """Hand messages to the channels of a registrar."""
        self._registrar = registrar

    async def serve(
        self,
        requests: AsyncIterable[bytes],
        peer: str,
        answer: Callable[[bytes], Awaitable[None]],
    ) -> None:
        """Answer each encoded envelope of ``peer`` with an encoded response."""
        async for encoded in requests:
            response = await self.process(encoded, peer)
            await answer(response)
            if response is not _SUCCESS:
                return

    def take(self, encoded: Sequence[bytes]) -> list[bytes | None]:
        """Take messages of several clients at once, those that can be; the others get no answer.

        They are judged together, and handed on together. What is refused, or has to wait, goes the
        way of `process`, which says why.
        """
        began = time.monotonic()
        answers: list[bytes | None] = [None] * len(encoded)
        by_kind: dict[tuple[str, int], list[tuple[int, Message]]] = {}
        for place, (one, route) in enumerate(zip(encoded, routes(encoded), strict=True)):
            if route is not None:
                channel_id, kind, size = route
                by_kind.setdefault((channel_id, kind), []).append((place, Message(one, size)))
        for (channel_id, kind), placed in by_kind.items():
            try:
                support, is_update = self._registrar.broadcast_support(channel_id, kind)
                if is_update or support.channel_id != channel_id:
                    # A system channel is asked about those of channels that there are not.
                    continue
                taken = support.order_now([message for _, message in placed])
            except FastledgerError:
                # There is no such channel, or it is at its end: nothing more comes into a block.
                continue
            for (place, _), is_taken in zip(placed, taken, strict=True):
                if is_taken:
                    answers[place] = _SUCCESS
            _record(_TAKEN, channel_id, header_type_name(kind), began, sum(taken))
        return answers

    async def process(self, encoded: bytes, peer: str) -> bytes:
        """Take one encoded envelope, and return the encoded response."""
        began = time.monotonic()
        channel, kind = "unknown", "unknown"
        status = _TAKEN
        info = ""
        try:
            message = OrdererMessage.parse(encoded)
            channel, kind = message.channel_id, message.type_name
            support, is_update = self._registrar.broadcast_support(message.channel_id, message.type)
            if is_update:
                await support.configure(message)
            else:
                await support.order(message)
        except Rejected as error:
            status, info = error.status, str(error)
        except ChainHalted as error:
            status, info = Status.SERVICE_UNAVAILABLE, str(error)
        except FastledgerError as error:
            status, info = Status.SERVICE_UNAVAILABLE, str(error)
            _logger.error("[channel: %s] not ordered: %s", channel, error)
        refused = status in _REFUSALS
        # What strangers make up must not become series, which are kept for good.
        _record(status, *(("unknown", "unknown") if refused else (channel, kind)), began)
        if status == _TAKEN:
            return _SUCCESS
        _logger.warning("[channel: %s] Rejecting broadcast from %s: %s", channel, peer, info)
        return BroadcastResponse(status=status, info=info).SerializeToString()  # type: ignore[arg-type]


def _record(status: int, channel: str, kind: str, began: float, count: int = 1) -> None:
    processed, duration = _series(status, channel, kind)
    processed.inc(count)
    duration.observe_alike(time.monotonic() - began, count)


@cache
def _series(status: int, channel: str, kind: str):  # type: ignore[no-untyped-def]
    labels = (Status.Name(status), channel, kind)  # type: ignore[arg-type]
    processed = metrics.counter(
        "broadcast_processed_count", "The number of transactions processed.", _LABELS
    )
    duration = metrics.histogram(
        "broadcast_validate_duration",
        "The time to validate and to enqueue a transaction in seconds.",
        _LABELS,
    )
    return processed.labels(*labels), duration.labels(*labels)
