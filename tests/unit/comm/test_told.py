# SPDX-License-Identifier: Apache-2.0
"""What an operator is told of clients that a server refuses."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable

import certificates
from corelogs import counted, heard
from fastledger.comm import GrpcServer, TlsConfig

CA = certificates.authority()
OTHER_CA = certificates.authority("other")
SERVER = certificates.leaf(CA)
MUTUAL = TlsConfig(SERVER.cert, SERVER.key, CA.cert, require_client_cert=True)

FAILED = "grpc_comm_handshakes_failed"
BURST = 10
"""Lines of one kind that the core says in a second."""


def refused(address: str, *, roots: bytes = CA.cert) -> None:
    """Be a client without a certificate, whatever comes of it."""
    context = ssl.create_default_context(cadata=roots.decode())
    context.check_hostname = False
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port))) as plain:
        try:
            with context.wrap_socket(plain, server_hostname="localhost") as secured:
                # In TLS 1.3 a client learns of its refusal when it reads.
                secured.recv(1)
        except OSError:
            pass


def hung_up_on(address: str, *, says: bytes) -> None:
    """Be a client that does not speak TLS."""
    host, _, port = address.rpartition(":")
    with socket.create_connection((host, int(port))) as plain:
        plain.sendall(says)
        while plain.recv(1024):
            pass


async def served(
    work: Callable[[str], object], client_roots: Callable[[], bytes] | None = None
) -> None:
    server = GrpcServer("127.0.0.1:0", MUTUAL, client_roots=client_roots)
    await server.start()
    try:
        await asyncio.to_thread(work, server.address)
    finally:
        await server.stop()


def test_a_refused_handshake_is_told_with_its_reason_and_counted() -> None:
    before = [counted(FAILED, reason) for reason in ("certificate", "protocol", "alert")]
    with heard("core.comm") as log:

        def work(address: str) -> None:
            refused(address)
            record = log.until("Server TLS handshake failed in")[-1]
            assert record.levelno == logging.ERROR
            assert "peer sent no certificates" in record.getMessage()
            assert "remoteaddress=127.0.0.1:" in record.getMessage()
            hung_up_on(address, says=b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert "corrupt message" in log.until("Server TLS")[-1].getMessage()
            refused(address, roots=OTHER_CA.cert)
            assert "UnknownCA" in log.until("Server TLS")[-1].getMessage()

        asyncio.run(served(work))
    after = [counted(FAILED, reason) for reason in ("certificate", "protocol", "alert")]
    assert after == [count + 1 for count in before]


def test_a_flood_of_bad_handshakes_is_counted_and_told_by_number() -> None:
    flood = 60
    before = counted(FAILED, "protocol")
    with heard("core.comm") as log:

        def work(address: str) -> None:
            for _ in range(flood):
                hung_up_on(address, says=b"x" * 100)
            records = log.until(" more in the last second")
            told = sum("Server TLS" in record.getMessage() for record in records)
            # A second may end in the midst of it.
            assert told < flood
            assert counted(FAILED, "protocol") == before + flood

        asyncio.run(served(work))


def test_what_the_callback_for_client_roots_raises_is_told() -> None:
    def roots() -> bytes:
        raise KeyError("no channel")

    with heard("core.comm") as log:

        def work(address: str) -> None:
            refused(address)
            record = log.until("authorities of clients are not known")[-1]
            assert "KeyError: 'no channel'" in record.getMessage()

        asyncio.run(served(work, roots))
