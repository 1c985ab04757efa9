# SPDX-License-Identifier: Apache-2.0
"""Inside a sandbox: TCP on loopback, relayed to the peer's Unix domain socket.

Shims that can dial TCP only (Node's, Java's) find the peer there; a network they do not have. It
runs as a script in the sandbox, on the standard library alone::

    python relay.py PORT SOCKET PROGRAM [ARGUMENT ...]
"""

import asyncio
import contextlib
import fcntl
import signal
import socket
import struct
import sys

_CHUNK_BYTES = 64 * 1024
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1


def raise_loopback() -> None:
    """Switch the loopback interface on, where a new network namespace has it off."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH14x", b"lo", 0)
        (flags,) = struct.unpack_from("H", fcntl.ioctl(control, _SIOCGIFFLAGS, request), 16)
        if not flags & _IFF_UP:
            fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(_CHUNK_BYTES):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(ConnectionError):
        writer.close()


async def run(port: int, path: str, argv: list[str]) -> int:
    """Relay until the program ends; return its exit status."""

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_peer = await asyncio.open_unix_connection(path)
        await asyncio.gather(_copy(reader, to_peer[1]), _copy(to_peer[0], writer))

    server = await asyncio.start_server(relay, "127.0.0.1", port)
    async with server:
        process = await asyncio.create_subprocess_exec(*argv)
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, process.terminate)
        return await process.wait()


if __name__ == "__main__":
    raise_loopback()
    sys.exit(asyncio.run(run(int(sys.argv[1]), sys.argv[2], sys.argv[3:])))
