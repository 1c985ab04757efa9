# SPDX-License-Identifier: Apache-2.0
"""Connections between peers: at most one for each pair (Fabric: ``gossip/comm/comm_impl.go``).

::

    send(pki_id, endpoint) ──► connection? ──► its queue ──► stream
                                 │ none                        ▲
                                 └──► dial, Ping, handshake ───┘
    GossipStream ──► handshake ──► takes the place of the connection that there was

Both sides of the handshake sign who they are, and the TLS certificate that they use on this very
connection: nobody in between can pass one peer's signature on as his own.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

import grpc
import grpc.aio

from fastledger.comm import GrpcChannel, client_certificate_hash
from fastledger.common import log, metrics
from fastledger.common.errors import FastledgerError
from fastledger.gossip.connection import BROKEN, Connection, DialledPipe, Handler, Pipe, ServedPipe
from fastledger.gossip.identities import Identities
from fastledger.gossip.messages import MessageRefused, Sealed, seal, unseal
from fastledger.gossip.settings import GossipSettings
from fastledger.protos.gossip import message_pb2_grpc
from fastledger.protos.gossip.message_pb2 import ConnEstablish, Empty, Envelope, GossipMessage

MAX_HANDSHAKES = 100
"""Streams at a time of peers that have not shown yet who they are."""

MAX_CONNECTIONS = 1000
"""Peers that are connected at a time."""

MAX_WAITING = 20
"""Messages that wait for a connection that is being made."""

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
_logger = log.get("gossip.comm")


class Dialler(Protocol):
    """Makes connections to other peers."""

    server_hash: bytes
    """SHA-256 of the TLS certificate that this peer serves with; empty without TLS."""

    client_hash: bytes
    """SHA-256 of the TLS certificate that it shows to others."""

    async def dial(self, endpoint: str, timeout_s: float) -> tuple[GrpcChannel, bytes]:
        """Connect; return the hash of the other side's TLS certificate, too, empty without TLS.

        Raises:
            ConnectionFailed: Nobody there, or nobody to trust.
        """


@dataclass
class _Way:
    """How to get at a peer that is not connected."""

    waiting: list[Envelope] = field(default_factory=list)
    task: "asyncio.Task[None] | None" = None


class GossipComm(message_pb2_grpc.GossipServicer):
    """The service ``gossip.Gossip`` of one peer, and its connections to others."""

    def __init__(
        self,
        identities: Identities,
        dialler: Dialler,
        settings: GossipSettings,
        handle: Handler,
        unreachable: Callable[[bytes], None],
    ) -> None:
        """Be connected to nobody.

        Args:
            identities: Who counts.
            dialler: Dials.
            settings: Waiting times and bounds.
            handle: Takes the messages of others.
            unreachable: Told of peers to which a message could not be sent.
        """
        self._identities = identities
        self._dialler = dialler
        self._settings = settings
        self._handle = handle
        self._connections: dict[bytes, Connection] = {}
        self._ways: dict[bytes, _Way] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._handshakes = 0
        self._own: dict[bytes, Envelope] = {}
        self._stopped = False
        self._unreachable = unreachable
        self._received = metrics.counter(
            "gossip_comm_messages_received", "Number of messages received"
        )
        self._sent = metrics.counter("gossip_comm_messages_sent", "Number of messages sent")
        self._overflow = metrics.counter(
            "gossip_comm_overflow_count", "Number of outgoing queue buffer overflows"
        )

    # The service.

    async def Ping(self, request: Empty, context: _Context) -> Empty:  # noqa: ARG002
        """Say that one is there."""
        return Empty()

    async def GossipStream(  # type: ignore[override]  # it writes by itself
        self, requests: AsyncIterator[Envelope], context: _Context
    ) -> None:
        """Talk with a peer that has called."""
        if self._stopped or self._handshakes >= MAX_HANDSHAKES:
            await context.abort(grpc.StatusCode.UNAVAILABLE, "too many handshakes, or stopping")
        pipe = ServedPipe(requests, context.write)
        self._handshakes += 1
        try:
            seen = client_certificate_hash(context) or b""
            connection, probe = await self.handshake(pipe, self._dialler.server_hash, seen)
        except (FastledgerError, TimeoutError, *BROKEN) as error:
            _logger.warning("handshake with %s failed: %s", context.peer(), error)
            await context.abort(grpc.StatusCode.UNKNOWN, f"handshake failed: {error}")
            raise
        finally:
            self._handshakes -= 1
        if not probe and self._admit(connection):
            await self._serve(connection)

    # For the rooms above.

    def send(self, envelope: Envelope, pki_id: bytes, endpoint: str) -> None:
        """Send to a peer, over the connection that there is or a new one; never waits."""
        connection = self._connections.get(pki_id)
        if connection is not None and not connection.closed:
            self.reply(connection, envelope)
        elif not self._stopped and endpoint:
            self._send_later(envelope, pki_id, endpoint)

    def reply(self, connection: Connection, envelope: Envelope) -> None:
        """Send over a connection; what does not fit its queue is dropped."""
        if connection.send(envelope):
            self._sent.inc()
        else:
            self._overflow.inc()

    async def connect(self, endpoint: str) -> Connection:
        """Return a connection to whoever is at an address.

        Raises:
            FastledgerError: Nobody is, or nobody known.
        """
        async with asyncio.timeout(
            self._settings.dial_timeout_s + 2 * self._settings.conn_timeout_s
        ):
            connection = await self._dial(endpoint)
        known = self._connections.get(connection.pki_id)
        if known is not None and not known.closed:
            await connection.close()
            return known
        if not self._admit(connection):
            await connection.close()
            raise MessageRefused(f"{MAX_CONNECTIONS} peers are connected")
        self._spawn(self._serve(connection))
        return connection

    async def handshake(self, pipe: Pipe, shown: bytes, seen: bytes) -> tuple[Connection, bool]:
        """Do the handshake; the flag says that the other side only looks who is there.

        Args:
            pipe: The stream.
            shown: Hash of the TLS certificate that this side has shown.
            seen: Of the one that the other side has.
        """
        if shown and not seen:
            raise MessageRefused("no TLS certificate")
        await pipe.send(self._introduction(shown))
        async with asyncio.timeout(self._settings.conn_timeout_s):
            envelope = await pipe.receive()
        if envelope is None:
            raise MessageRefused("the other side ended the stream")
        sealed = unseal(envelope)
        if sealed.kind != "conn":
            raise MessageRefused("expected a handshake")
        return self._accepted(sealed, pipe, seen if shown else None)

    def hang_up(self, pki_id: bytes) -> None:
        """End the connection to a peer."""
        connection = self._connections.pop(pki_id, None)
        if connection is not None:
            connection.hang_up()

    async def ping(self, endpoint: str) -> bool:
        """Whether a peer answers at an address."""
        try:
            channel, _ = await self._dialler.dial(endpoint, self._settings.dial_timeout_s)
        except FastledgerError:
            return False
        try:
            async with asyncio.timeout(self._settings.conn_timeout_s):
                await message_pb2_grpc.GossipStub(channel).Ping(Empty())
        except (TimeoutError, *BROKEN):
            return False
        finally:
            await channel.close()
        return True

    async def stop(self) -> None:
        """Hang up on everybody."""
        self._stopped = True
        tasks = list(self._tasks)
        for connection in self._connections.values():
            connection.hang_up()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # Connections.

    def _send_later(self, envelope: Envelope, pki_id: bytes, endpoint: str) -> None:
        way = self._ways.setdefault(pki_id, _Way())
        if len(way.waiting) >= MAX_WAITING:
            self._overflow.inc()
            return
        way.waiting.append(envelope)
        if way.task is None:
            way.task = self._spawn(self._reach(pki_id, endpoint))

    async def _reach(self, pki_id: bytes, endpoint: str) -> None:
        try:
            connection = await self.connect(endpoint)
        except (FastledgerError, TimeoutError, *BROKEN) as error:
            _logger.debug("cannot reach %s: %s", endpoint, error)
            self._unreachable(pki_id)
            return
        finally:
            way = self._ways.pop(pki_id)
        if connection.pki_id != pki_id:
            _logger.info("another peer than expected is at %s now", endpoint)
            self._unreachable(pki_id)
            return
        for envelope in way.waiting:
            self.reply(connection, envelope)

    async def _dial(self, endpoint: str) -> Connection:
        channel, seen = await self._dialler.dial(endpoint, self._settings.dial_timeout_s)
        try:
            stub = message_pb2_grpc.GossipStub(channel)
            call: Any = stub.GossipStream()
            pipe = DialledPipe(channel, call)
            connection, _ = await self.handshake(pipe, self._dialler.client_hash, seen)
        except BaseException as error:
            await channel.close()
            if isinstance(error, BROKEN):
                raise MessageRefused(f"{endpoint} hung up: {error}") from error
            raise
        return connection

    def _accepted(self, sealed: Sealed, pipe: Pipe, seen: bytes | None) -> tuple[Connection, bool]:
        said = sealed.message.conn
        if seen is not None and said.tls_cert_hash != seen:
            raise MessageRefused("the handshake is of another TLS connection")
        if said.pki_id == self._identities.own_id:
            raise MessageRefused("that is this peer itself")
        known = self._identities.put(said.pki_id, said.identity)
        if not self._identities.check([(said.pki_id, sealed)])[0]:
            raise MessageRefused("the signature of the handshake is wrong")
        buffered = self._settings.send_buffer
        return Connection(said.pki_id, known.serialized, pipe, buffered), said.probe

    def _introduction(self, shown: bytes) -> Envelope:
        """What this side signs; for one certificate always the same."""
        if shown not in self._own:
            identities = self._identities
            said = ConnEstablish(
                pki_id=identities.own_id,
                identity=identities.signer.serialized,
                tls_cert_hash=shown,
            )
            message = GossipMessage(tag=GossipMessage.EMPTY, conn=said)
            self._own[shown] = seal(message, identities.signer).envelope
        return self._own[shown]

    def _admit(self, connection: Connection) -> bool:
        """Let a connection take the place of the one that there was, unless there are too many."""
        self.hang_up(connection.pki_id)
        if len(self._connections) >= MAX_CONNECTIONS:
            _logger.warning("%d peers are connected: hanging up", MAX_CONNECTIONS)
            return False
        self._connections[connection.pki_id] = connection
        return True

    async def _serve(self, connection: Connection) -> None:
        """Talk until the connection ends."""
        try:
            await connection.serve(self._count)
        finally:
            if self._connections.get(connection.pki_id) is connection:
                del self._connections[connection.pki_id]

    def _count(self, connection: Connection, sealed: Sealed) -> None:
        self._received.inc()
        self._handle(connection, sealed)

    def _spawn(self, work: Awaitable[None]) -> "asyncio.Task[None]":
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
