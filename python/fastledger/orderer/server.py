# SPDX-License-Identifier: Apache-2.0
"""The service ``orderer.AtomicBroadcast`` (Fabric: ``orderer/common/server``).

Messages pass as bytes: what Broadcast takes and Deliver sends is decoded where it is judged, and
nowhere else.
"""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import grpc.aio

from fastledger.comm import ServerCall, client_certificate
from fastledger.common.errors import NotFound
from fastledger.common.shorten import shortened
from fastledger.deliver import BLOCKS, DeliverHandler, Response
from fastledger.deliver.request import DeliverRequest
from fastledger.orderer.broadcast import BroadcastHandler
from fastledger.orderer.msgprocessor.filters import READERS, check_signature
from fastledger.orderer.multichannel.registrar import Registrar
from fastledger.orderer.throttle import Throttle
from fastledger.protoutil.signed_data import SignedData

SERVICE = "orderer.AtomicBroadcast"

_Context = grpc.aio.ServicerContext


class AtomicBroadcast:
    """Both streams of an orderer."""

    def __init__(
        self,
        registrar: Registrar,
        *,
        time_window_s: float,
        mutual_tls: bool = False,
        check_expirations: bool = True,
        throttle: Throttle | None = None,
    ) -> None:
        """Serve the channels of a registrar."""
        self._throttle = throttle
        self._registrar = registrar
        self._broadcast = BroadcastHandler(registrar)
        self._take = self._broadcast.take
        self._deliver = DeliverHandler(
            registrar.channel,
            time_window_s=time_window_s,
            mutual_tls=mutual_tls,
            check_expiration=check_expirations,
        )

    def register(self, server: grpc.aio.Server) -> None:
        """Add the service to a server."""
        handlers: dict[str, Any] = {
            "Broadcast": grpc.stream_stream_rpc_method_handler(self._serve_broadcast),
            "Deliver": grpc.stream_stream_rpc_method_handler(self._serve_deliver),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))

    async def _serve_broadcast(self, requests: AsyncIterator[bytes], context: ServerCall) -> None:
        certificate = client_certificate(context) if self._throttle else None
        if self._throttle is not None and certificate is not None:
            requests = self._throttle.slowed(requests, certificate)
        else:
            context.answer_together(self._take)
        await self._broadcast.serve(requests, context.peer(), context.write)

    async def _serve_deliver(
        self, requests: AsyncIterator[bytes], context: "_Context[bytes, bytes]"
    ) -> AsyncIterator[Response]:
        async for response in self._deliver.serve(requests, context, self._may_read, BLOCKS):
            yield response

    def _may_read(self, request: DeliverRequest) -> None:
        support = self._registrar.channel(request.channel_id)
        if support is None:
            raise NotFound(f"channel {shortened(request.channel_id)} not found")
        envelope = request.envelope
        signed = SignedData(envelope.payload, request.creator, envelope.signature)
        check_signature(support.bundle, signed, READERS)
