# SPDX-License-Identifier: Apache-2.0
"""The service ``orderer.Cluster``: requests of other consenters (Fabric: ``cluster.Service``).

The sender of every request is the consenter that the TLS certificate of its connection belongs to.
What is refused ends the stream; a stream without end has no answers.
"""

import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Protocol

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from fastledger._core import Certificate, CoreBytes, open_step_requests
from fastledger.comm import ServerCall, client_certificate, in_core
from fastledger.common import log
from fastledger.common.errors import FastledgerError, said_to_others
from fastledger.orderer.cluster.comm import ClusterComm, NotAuthorized
from fastledger.orderer.cluster.expiration import ExpirationCheck
from fastledger.orderer.cluster.metrics import INGRESS_STREAM_COUNT
from fastledger.protos.orderer.cluster_pb2 import StepRequest

SERVICE = "orderer.Cluster"

_logger = log.get("orderer.common.cluster")


OpenedRequest = tuple[str, bool, int, bytes | CoreBytes, bytes]
"""What the core makes of a ``StepRequest``; see `open_step_requests`."""


class Stepped(Protocol):
    """A channel, as far as requests of others go to it."""

    def step_now(self, sender: int, requests: Sequence[OpenedRequest]) -> int:
        """Take requests as long as none has to wait; return how many."""

    async def step(self, sender: int, message: bytes) -> None:
        """Take a request of another consenter."""


class ClusterService:
    """Takes in what other orderers say."""

    def __init__(
        self,
        comm: ClusterComm,
        channel: Callable[[str], Stepped | None],
        expiration: Callable[[str, int], ExpirationCheck],
    ) -> None:
        """Hand requests to the channels of this orderer.

        Args:
            comm: Knows who the consenters are.
            channel: Finds a channel by its name.
            expiration: Makes what warns of a certificate that ends soon, of whom and when.
        """
        self._comm = comm
        self._channel = channel
        self._expiration = expiration

    def register(self, server: grpc.aio.Server) -> None:
        """Add the service to a server."""
        # Most of what comes are blocks, which go to the log and to the disk from where they lie.
        step: Any = grpc.stream_stream_rpc_method_handler(self._step, request_deserializer=in_core)
        server.add_registered_method_handlers(SERVICE, {"Step": step})

    async def _step(self, _: AsyncIterator[bytes], context: ServerCall) -> None:
        peer = context.peer()
        INGRESS_STREAM_COUNT.inc()
        try:
            shown = _certificate(context)
            check = self._expiration(peer, shown.not_after) if shown else None
            key = shown.public_key if shown else None
            while some := await context.read_some():
                await self._take(some, key, check)
        except FastledgerError as error:
            _logger.warning("Handling of a request from %s failed: %s", peer, error)
            await context.abort(grpc.StatusCode.UNKNOWN, said_to_others(error))
        finally:
            INGRESS_STREAM_COUNT.dec()

    async def _take(
        self, some: Sequence[bytes | CoreBytes], key: bytes | None, check: ExpirationCheck | None
    ) -> None:
        """Hand requests on in their order, together where they are for the same channel."""
        opened = open_step_requests(some)
        done = 0
        while done < len(some):
            first = opened[done]
            channel_id = first[0] if first and first[0] else _target(some[done])
            sender = self._comm.sender(channel_id, key)
            if check is not None:
                check.warn(channel_id)
            channel = self._channel(channel_id)
            if channel is None:
                raise NotAuthorized(f"channel {channel_id} doesn't exist")
            alike = _alike(opened[done:], channel_id)
            taken = channel.step_now(sender, alike) if alike else 0
            if not taken:
                await channel.step(sender, bytes(some[done]))
            done += taken or 1


def _certificate(context: ServerCall) -> Certificate | None:
    shown = client_certificate(context)
    return Certificate(ssl.DER_cert_to_PEM_cert(shown).encode("ascii")) if shown else None


def _target(encoded: bytes | CoreBytes) -> str:
    """Return the channel that a request is for."""
    try:
        request = StepRequest.FromString(bytes(encoded))
    except DecodeError as error:
        raise NotAuthorized(f"grpc: failed to unmarshal the received message: {error}") from error
    kind = request.WhichOneof("payload")
    if kind is None:
        raise NotAuthorized("message is neither a Submit nor a Consensus request")
    channel_id: str = getattr(request, kind).channel
    if not channel_id:
        raise NotAuthorized("badly formatted message, cannot extract channel")
    return channel_id


def _alike(opened: Sequence[OpenedRequest | None], channel_id: str) -> list[OpenedRequest]:
    """Return the requests for a channel, up to the first that is for another or was not opened."""
    alike: list[OpenedRequest] = []
    for one in opened:
        if one is None or one[0] != channel_id:
            break
        alike.append(one)
    return alike
