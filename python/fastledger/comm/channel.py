# SPDX-License-Identifier: Apache-2.0
"""Channels of the core, with as much of ``grpc.aio`` as generated stubs and their users need.

Of grpcio only public names are leaned on: the abstract class that stubs are typed for, and its
errors. What else a stub says of a method, in whatever version, is taken and left alone.
"""

from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, NoReturn, Self

import grpc
import grpc.aio

from fastledger.comm.client_call import Asking, Call, Connecting, Conversing, Gathering
from fastledger.comm.hub import Hub, Route
from fastledger.comm.limits import ClientLimits
from fastledger.comm.tls import ClientTls

_Codec = Callable[[Any], Any] | None


class GrpcChannel(grpc.aio.Channel):
    """A server and the connection to it, which is made again when it was lost.

    A call lasts until it has ended, or was cancelled, or the channel was closed.
    """

    def __init__(self, address: str, tls: ClientTls | None, limits: ClientLimits) -> None:
        """Connect to nothing yet.

        Raises:
            ConnectionFailed: No connection could ever be made so.
        """
        hub = Hub.running()
        core = hub.core.channel(
            address,
            max_message_bytes=limits.max_message_bytes,
            keepalive_s=limits.keepalive_s,
            keepalive_timeout_s=limits.keepalive_timeout_s,
            max_backoff_s=limits.max_reconnect_backoff_s,
            roots=tls.roots if tls else None,
            cert=tls.cert or None if tls else None,
            key=tls.key or None if tls else None,
            server_name=tls.override if tls else None,
            server_key=tls.server_key if tls else None,
            time_shift_s=tls.time_shift_s if tls else 0.0,
        )
        self.route = Route(hub, core)

    async def __aenter__(self) -> Self:
        """Use the channel."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the channel."""
        await self.close()

    async def close(self, grace: float | None = None) -> None:
        """Cancel all calls and hang up."""
        del grace
        for call in list(self.route.hub.calls.values()):
            if isinstance(call, Call) and call.route is self.route:
                call.cancel()
        self.route.core.close()

    @property
    def server_certificate(self) -> bytes | None:
        """DER, as the server has shown it on the newest connection; None in plain text."""
        return self.route.core.server_certificate

    async def channel_ready(self) -> None:
        """Wait until the connection stands."""
        await self.connect(None)

    async def connect(self, timeout_s: float | None) -> None:
        """Wait until the connection stands.

        Raises:
            grpc.aio.AioRpcError: There is none.
        """
        await Connecting(self.route, timeout_s)

    def get_state(self, try_to_connect: bool = False) -> NoReturn:
        """Refuse: the connection's state is the core's."""
        raise NotImplementedError("a channel does not tell its state")

    async def wait_for_state_change(self, last_observed_state: grpc.ChannelConnectivity) -> None:
        """Refuse: the connection's state is the core's."""
        raise NotImplementedError("a channel does not tell its state")

    def unary_unary(
        self,
        method: str,
        request_serializer: _Codec = None,
        response_deserializer: _Codec = None,
        *_: Any,
        **__: Any,
    ) -> Any:
        """Return what calls a method with one message in each direction."""
        return partial(Asking, self.route, method, request_serializer, response_deserializer)

    def unary_stream(
        self,
        method: str,
        request_serializer: _Codec = None,
        response_deserializer: _Codec = None,
        *_: Any,
        **__: Any,
    ) -> Any:
        """Return what calls a method with one message, and many as the answer."""

        def call(request: Any, *, timeout: float | None = None) -> Conversing:
            codecs = request_serializer, response_deserializer
            conversing = Conversing(self.route, method, *codecs, timeout=timeout)
            conversing.write_only(request)
            return conversing

        return call

    def stream_unary(
        self,
        method: str,
        request_serializer: _Codec = None,
        response_deserializer: _Codec = None,
        *_: Any,
        **__: Any,
    ) -> Any:
        """Return what calls a method with many messages, and one as the answer."""
        return partial(Gathering, self.route, method, request_serializer, response_deserializer)

    def stream_stream(
        self,
        method: str,
        request_serializer: _Codec = None,
        response_deserializer: _Codec = None,
        *_: Any,
        **__: Any,
    ) -> Any:
        """Return what calls a method with many messages in each direction."""
        return partial(Conversing, self.route, method, request_serializer, response_deserializer)
