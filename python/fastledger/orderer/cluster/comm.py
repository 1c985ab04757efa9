# SPDX-License-Identifier: Apache-2.0
"""Who is who among the orderers of each channel, and the streams to them.

Fabric: ``cluster.Comm`` and ``cluster.RPC``.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field

from fastledger._core import StepMessage
from fastledger.comm import ClientLimits
from fastledger.common import log
from fastledger.common.errors import FastledgerError
from fastledger.orderer.cluster.connections import Backoff, ClusterIdentity, Connections
from fastledger.orderer.cluster.expiration import has_cure
from fastledger.orderer.cluster.node import RemoteNode
from fastledger.orderer.cluster.stream import NotDelivered, Route, Stream, StreamEnded

CONSENSUS, TRANSACTION = "consensus", "transaction"

__all__ = ["ClusterComm", "ClusterSettings", "NotAuthorized", "NotDelivered", "OnFailure"]

PARTING_S = 1.0
"""So long may others take to hear the last of an orderer that stops."""

PROMPT_MESSAGES = 512
"""Clients' messages that are handed on together, at most: as many as the usual blocks bring answers
for at a time. Those for which the connection has no room then are judged a second time."""

_logger = log.get("orderer.common.cluster")


class NotAuthorized(FastledgerError):
    """Who sends a request is no consenter of its channel; the texts are Fabric's."""


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """``General.Cluster``, as far as streams go by it.

    Attributes:
        send_buffer: Requests that wait on a stream: more of consensus are lost, of clients wait.
        rpc_timeout_s: How long sending one may take.
        dial_timeout_s: How long another orderer may take to answer a call.
    """

    send_buffer: int = 100
    rpc_timeout_s: float = 7.0
    dial_timeout_s: float = 5.0


OnFailure = Callable[[int, bool], None]
"""Learns the number of a consenter that a message did not get to, and whether it has refused it."""


@dataclass(slots=True)
class _Channel:
    nodes: dict[int, RemoteNode]
    roots: bytes
    on_failure: OnFailure
    by_client_key: dict[bytes, int] = field(default_factory=dict)
    streams: dict[tuple[int, str], Stream] = field(default_factory=dict)
    failures: dict[int, str] = field(default_factory=dict)
    """What was told of the consenters that are not reached, by number."""
    refusals: dict[int, str] = field(default_factory=dict)
    """What was told of those that are, and refuse what they are sent."""


class ClusterComm:
    """The streams of one orderer to the others."""

    def __init__(
        self,
        identity: ClusterIdentity,
        settings: ClusterSettings | None = None,
        *,
        backoff: Backoff | None = None,
        limits: ClientLimits | None = None,
    ) -> None:
        """Know no channel yet."""
        self._settings = settings or ClusterSettings()
        self._connections = Connections(
            identity,
            self._roots,
            timeout_s=self._settings.dial_timeout_s,
            backoff=backoff,
            limits=limits,
        )
        self._channels: dict[str, _Channel] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._parting: set[asyncio.Task[None]] = set()

    def configure(
        self,
        channel_id: str,
        nodes: Iterable[RemoteNode],
        roots: bytes,
        on_failure: OnFailure,
    ) -> None:
        """Know the other consenters of a channel; streams to those that have changed end.

        One that is gone still hears what it was sent before: that it is gone is the last of it.

        Args:
            channel_id: The channel.
            nodes: All consenters but this one.
            roots: PEM of the TLS CAs of the channel's orderers.
            on_failure: Learns to whom a message of consensus did not get.
        """
        following = {node.number: node for node in nodes}
        known = self._channels.setdefault(channel_id, _Channel({}, roots, on_failure))
        for number in [
            number for number, node in known.nodes.items() if following.get(number) != node
        ]:
            _logger.info("[channel: %s] node %d has changed, or gone", channel_id, number)
            self._finish(known, (number, CONSENSUS))
            self._end_streams(known, number)
        known.nodes = following
        known.roots = roots
        known.on_failure = on_failure
        known.by_client_key = {node.client_key: number for number, node in following.items()}
        known.failures.clear()
        known.refusals.clear()
        self._close_unused()

    def forget(self, channel_id: str) -> None:
        """Know a channel no more; what was written to the others is heard, if they answer soon."""
        known = self._channels.pop(channel_id, None)
        if known is not None:
            for key in list(known.streams):
                self._finish(known, key)
            self._close_unused()

    def sender(self, channel_id: str, client_key: bytes | None) -> int:
        """Return the number of the consenter that a key belongs to.

        Raises:
            NotAuthorized: The channel is not here, or the key is not of one of its consenters.
        """
        known = self._channels.get(channel_id)
        if known is None:
            raise NotAuthorized(f"channel {channel_id} doesn't exist")
        if client_key is None:
            raise NotAuthorized("no TLS certificate sent")
        number = known.by_client_key.get(client_key)
        if number is None:
            raise NotAuthorized("certificate extracted from TLS connection isn't authorized")
        return number

    def send_consensus(self, channel_id: str, to: int, step: StepMessage) -> bool:
        """Send an encoded ``StepRequest`` that may be lost; False when it is lost already."""
        try:
            self._stream(channel_id, to, CONSENSUS).offer(step)
        except NotDelivered as error:
            self._told_of_failure(channel_id, to, error)
            return False
        return True

    async def send_submit(self, channel_id: str, to: int, step: StepMessage) -> None:
        """Hand a client's message to another consenter; return when it is written to its stream.

        Args:
            channel_id: The channel.
            to: The other consenter.
            step: Encoded ``StepRequest``.

        Raises:
            NotDelivered: It was not, as far as can be said.
        """
        await self._stream(channel_id, to, TRANSACTION).send(step)

    def submit_room(self, channel_id: str, to: int) -> int:
        """Return how many clients' messages may be written to a consenter now, about."""
        stream = self._there(channel_id, to)
        return PROMPT_MESSAGES if stream is not None and stream.is_prompt else 0

    def submit_now(self, channel_id: str, to: int, steps: Sequence[StepMessage]) -> int:
        """Write clients' messages to a consenter as long as there is room; return how many."""
        stream = self._there(channel_id, to)
        return stream.write_now(steps) if stream is not None else 0

    def _there(self, channel_id: str, to: int) -> Stream | None:
        known = self._channels.get(channel_id)
        return known.streams.get((to, TRANSACTION)) if known is not None else None

    async def close(self) -> None:
        """End all streams and connections."""
        for channel_id in list(self._channels):
            self.forget(channel_id)
        if self._parting:
            _, late = await asyncio.wait(self._parting, timeout=PARTING_S)
            for parting in late:
                parting.cancel()
        if self._closing:
            await asyncio.wait(self._closing)

    def _stream(self, channel_id: str, to: int, kind: str) -> Stream:
        known = self._channels.get(channel_id)
        if known is None:
            raise NotDelivered(f"channel {channel_id} doesn't exist", is_certain=True)
        node = known.nodes.get(to)
        if node is None:
            reason = f"node {to} doesn't exist in channel {channel_id}'s membership"
            raise NotDelivered(reason, is_certain=True)
        stream = known.streams.get((to, kind))
        if stream is None or stream.is_over:
            stream = known.streams[to, kind] = Stream(
                Route(channel_id, node.address, kind, lambda: self._connect(channel_id, node)),
                capacity=self._settings.send_buffer,
                timeout_s=self._settings.rpc_timeout_s,
                on_end=lambda stream, reason: self._ended(channel_id, to, stream, reason),
            )
        return stream

    async def _connect(self, channel_id: str, node: RemoteNode):  # type: ignore[no-untyped-def]
        channel = await self._connections.to(node)
        known = self._channels.get(channel_id)
        if known is not None and known.failures.pop(node.number, None) is not None:
            _logger.info(
                "[channel: %s] Successfully connected to %d (%s) after failed attempt(s)",
                channel_id,
                node.number,
                node.address,
            )
        return channel

    def _ended(self, channel_id: str, to: int, stream: Stream, reason: Exception) -> None:
        if isinstance(reason, StreamEnded) and reason.is_lost and stream.connection is not None:
            self._later(self._connections.lost(stream.connection))
        known = self._channels.get(channel_id)
        if known is not None and known.streams.get((to, stream.route.kind)) is stream:
            del known.streams[to, stream.route.kind]
            if stream.route.kind == CONSENSUS:
                self._told_of_failure(channel_id, to, reason)

    def _told_of_failure(self, channel_id: str, to: int, reason: Exception) -> None:
        known = self._channels.get(channel_id)
        if known is None:
            return
        text, is_refusal = str(reason), isinstance(reason, StreamEnded) and not reason.is_lost
        told = known.refusals if is_refusal else known.failures
        # Why one is not reached changes all the time; what one refuses does not, nor that a
        # certificate has ended, which is found out when the node is up.
        lasts = is_refusal or has_cure(text)
        is_news = told.get(to) != text if lasts else to not in told
        told[to] = text
        _logger.log(
            logging.ERROR if is_news else logging.DEBUG,
            "[channel: %s] Failed to send StepRequest to %d, because: %s",
            channel_id,
            to,
            text,
        )
        known.on_failure(to, is_refusal)

    def _roots(self) -> bytes:
        """Return the CAs of all channels, as Fabric trusts them for any."""
        return b"".join(dict.fromkeys(known.roots for known in self._channels.values()))

    def _finish(self, known: _Channel, key: tuple[int, str]) -> None:
        stream = known.streams.pop(key, None)
        if stream is not None:
            parting = stream.finish(NotDelivered("aborted", is_certain=True))
            _keep(asyncio.get_running_loop().create_task(parting), self._parting)

    def _end_streams(self, known: _Channel, number: int) -> None:
        for key in [key for key in known.streams if key[0] == number]:
            known.streams.pop(key).end(NotDelivered("aborted", is_certain=True))

    def _close_unused(self) -> None:
        self._later(self._keep_used())

    async def _keep_used(self) -> None:
        if self._parting:
            await asyncio.wait(self._parting)
        used = {node for known in self._channels.values() for node in known.nodes.values()}
        await self._connections.keep(used)

    def _later(self, work: Coroutine[None, None, None]) -> None:
        _keep(asyncio.get_running_loop().create_task(work), self._closing)


def _keep(task: asyncio.Task[None], among: set[asyncio.Task[None]]) -> None:
    """Hold on to a task until it is done."""
    among.add(task)
    task.add_done_callback(among.discard)
