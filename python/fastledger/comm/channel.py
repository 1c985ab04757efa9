# SPDX-License-Identifier: Apache-2.0
"""Channels of the core, with as much of ``grpc.aio`` as generated stubs and their users need."""

import asyncio
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, NoReturn, Self
from weakref import WeakKeyDictionary

import grpc
import grpc.aio

from fastledger._core import GrpcHub as CoreHub
from fastledger.comm.client_call import Asking, Call, Connecting, Conversing, Gathering
from fastledger.comm.limits import ClientLimits
from fastledger.comm.tls import ClientTls

_MESSAGE, _FINISHED = 1, 5

_Codec = Callable[[Any], Any] | None


class Hub:
    """The channels of an event loop: what happens to their calls comes together."""

    def __init__(self) -> None:
        """Listen, in the running event loop."""
        self.core = CoreHub()
        self.calls: dict[int, Call] = {}
        asyncio.get_running_loop().add_reader(self.core.fileno(), self._drain)

    @staticmethod
    def running() -> "Hub":
        """Return the running loop's hub."""
        loop = asyncio.get_running_loop()
        hub = _hubs.get(loop)
        if hub is None:
            hub = _hubs[loop] = Hub()
        return hub

    def _drain(self) -> None:
        """Take what has happened since the last time."""
        calls = self.calls
        for number, happened, what in self.core.drain():
            call = calls.get(number)
            if call is None:
                # Of a call that is over nothing matters any more.
                continue
            if happened == _MESSAGE:
                call.received(what)
            elif happened == _FINISHED:
                call.finished(*what)
            else:
                call.writable()


_hubs: "WeakKeyDictionary[asyncio.AbstractEventLoop, Hub]" = WeakKeyDictionary()


class GrpcChannel(grpc.aio.Channel):
    """A server and the connection to it, which is made again when it was lost.

    A call lasts until it has ended, or was cancelled, or the channel was closed.
    """

    def __init__(self, address: str, tls: ClientTls | None, limits: ClientLimits) -> None:
        """Connect to nothing yet.

        Raises:
            ConnectionFailed: No connection could ever be made so.
        """
        self.hub = Hub.running()
        self.core = self.hub.core.channel(
            address,
            max_message_bytes=limits.max_message_bytes,
            keepalive_s=limits.keepalive_s,
            keepalive_timeout_s=limits.keepalive_timeout_s,
            max_backoff_s=limits.max_reconnect_backoff_s,
            roots=tls.roots if tls else None,
            cert=tls.cert or None if tls else None,
            key=tls.key or None if tls else None,
            server_name=tls.override if tls else None,
        )

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
        for call in list(self.hub.calls.values()):
            if call.channel is self:
                call.cancel()
        self.core.close()

    @property
    def server_certificate(self) -> bytes | None:
        """DER, as the server has shown it on the newest connection; None in plain text."""
        return self.core.server_certificate

    async def channel_ready(self) -> None:
        """Wait until the connection stands."""
        await self.connect(None)

    async def connect(self, timeout_s: float | None) -> None:
        """Wait until the connection stands.

        Raises:
            grpc.aio.AioRpcError: There is none.
        """
        await Connecting(self, timeout_s)

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
        _registered_method: bool = False,
    ) -> Any:
        """Return what calls a method with one message in each direction."""
        return partial(Asking, self, method, request_serializer, response_deserializer)

    def unary_stream(
        self,
        method: str,
        request_serializer: _Codec = None,
        response_deserializer: _Codec = None,
        _registered_method: bool = False,
    ) -> Any:
        """Return what calls a method with one message, and many as the answer."""

        def call(request: Any, *, timeout: float | None = None) -> Conversing:
            codecs = request_serializer, response_deserializer
            conversing = Conversing(self, method, *codecs, timeout=timeout)
            conversing.write_only(request)
            return conversing

        return call

    def stream_unary(
        self,
        method: str,
        request_serializer: _Codec = None,
        response_deserializer: _Codec = None,
        _registered_method: bool = False,
    ) -> Any:
        """Return what calls a method with many messages, and one as the answer."""
        return partial(Gathering, self, method, request_serializer, response_deserializer)

    def stream_stream(
        self,
        method: str,
        request_serializer: _Codec = None,
        response_deserializer: _Codec = None,
        _registered_method: bool = False,
    ) -> Any:
        """Return what calls a method with many messages in each direction."""
        return partial(Conversing, self, method, request_serializer, response_deserializer)
