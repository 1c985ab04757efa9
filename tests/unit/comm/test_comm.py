# SPDX-License-Identifier: Apache-2.0
"""Servers and channels: plain, TLS, mutual TLS, limits, and what a failed dial says."""

import asyncio
import hashlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import grpc
import grpc.aio
import pytest

import certificates
from fastledger.comm import (
    ClientTls,
    GrpcServer,
    ServerLimits,
    TlsConfig,
    client_certificate,
    client_certificate_hash,
    dial,
)
from fastledger.common.errors import ConfigInvalid, ConnectionFailed
from fastledger.protos.peer import proposal_pb2, proposal_response_pb2
from fastledger.protos.peer.peer_pb2_grpc import (
    EndorserServicer,
    EndorserStub,
    add_EndorserServicer_to_server,
)

CA = certificates.authority()
OTHER_CA = certificates.authority("other")
SERVER = certificates.leaf(CA)
CLIENT = certificates.leaf(CA, "client")


class Echo(EndorserServicer):
    """Answers with the client certificate's hash and DER."""

    async def ProcessProposal(self, request, context):
        response = proposal_response_pb2.ProposalResponse(payload=request.proposal_bytes)
        if certificate_hash := client_certificate_hash(context):
            response.endorsement.signature = certificate_hash
            response.endorsement.endorser = client_certificate(context) or b""
        return response


@asynccontextmanager
async def serving(
    tls: TlsConfig | None = None, limits: ServerLimits | None = None
) -> AsyncIterator[str]:
    server = GrpcServer("127.0.0.1:0", tls, limits=limits)
    server.add(lambda grpc_server: add_EndorserServicer_to_server(Echo(), grpc_server))
    await server.start()
    try:
        yield server.address
    finally:
        await server.stop()


async def ask(channel: grpc.aio.Channel, payload: bytes = b"x"):
    request = proposal_pb2.SignedProposal(proposal_bytes=payload)
    return await EndorserStub(channel).ProcessProposal(request)


def test_plain_text() -> None:
    async def run() -> None:
        async with serving() as address, await dial(address) as channel:
            answer = await ask(channel, b"hello")
            assert answer.payload == b"hello"
            assert not answer.HasField("endorsement")

    asyncio.run(run())


def test_mutual_tls_tells_the_client_certificate() -> None:
    tls = TlsConfig(SERVER.cert, SERVER.key, CA.cert, require_client_cert=True)

    async def run() -> None:
        async with serving(tls) as address:
            mine = ClientTls(CA.cert, CLIENT.cert, CLIENT.key)
            async with await dial(address, mine) as channel:
                answer = await ask(channel)
            assert answer.endorsement.endorser == CLIENT.der
            assert answer.endorsement.signature == hashlib.sha256(CLIENT.der).digest()

    asyncio.run(run())


def test_a_certificate_that_nobody_requires_is_told_all_the_same() -> None:
    """Of whatever authority: it binds requests to the connection, and lets nobody in."""
    stranger = certificates.leaf(OTHER_CA, "stranger")

    async def run() -> None:
        async with serving(TlsConfig(SERVER.cert, SERVER.key)) as address:
            mine = ClientTls(CA.cert, stranger.cert, stranger.key)
            async with await dial(address, mine) as channel:
                answer = await ask(channel)
            assert answer.endorsement.endorser == stranger.der
            async with await dial(address, ClientTls(CA.cert)) as channel:
                assert not (await ask(channel)).HasField("endorsement")

    asyncio.run(run())


def test_a_channel_tells_the_servers_certificate() -> None:
    async def run() -> None:
        async with (
            serving(TlsConfig(SERVER.cert, SERVER.key)) as address,
            await dial(address, ClientTls(CA.cert)) as channel,
        ):
            assert channel.server_certificate == SERVER.der
        async with serving() as address, await dial(address) as channel:
            assert channel.server_certificate is None

    asyncio.run(run())


def test_mutual_tls_refuses_a_client_without_certificate() -> None:
    tls = TlsConfig(SERVER.cert, SERVER.key, CA.cert, require_client_cert=True)

    async def run() -> None:
        async with serving(tls) as address:
            with pytest.raises((ConnectionFailed, grpc.RpcError)):
                async with await dial(address, ClientTls(CA.cert)) as channel:
                    await ask(channel)

    asyncio.run(run())


def test_a_server_of_an_unknown_authority_is_refused() -> None:
    async def run() -> None:
        async with serving(TlsConfig(SERVER.cert, SERVER.key)) as address:
            with pytest.raises(ConnectionFailed, match="handshake failed"):
                await dial(address, ClientTls(OTHER_CA.cert), timeout_s=10)

    asyncio.run(run())


def test_the_override_names_the_host() -> None:
    async def run() -> None:
        async with serving(TlsConfig(SERVER.cert, SERVER.key)) as address:
            right = ClientTls(CA.cert, override="localhost")
            async with await dial(address, right) as channel:
                assert (await ask(channel)).payload == b"x"
            with pytest.raises(ConnectionFailed):
                await dial(address, ClientTls(CA.cert, override="elsewhere"), timeout_s=10)

    asyncio.run(run())


def test_a_refused_connection_fails_at_once() -> None:
    address = f"127.0.0.1:{free_port()}"
    with pytest.raises(ConnectionFailed, match=f"dial tcp {address}: connect: connection refused"):
        asyncio.run(dial(address, timeout_s=30))


def test_an_address_needs_a_port() -> None:
    with pytest.raises(ConnectionFailed, match="must be host:port"):
        asyncio.run(dial("localhost", timeout_s=0.2))


def test_a_taken_port_is_named() -> None:
    async def run() -> None:
        async with serving() as address:
            with pytest.raises(ConnectionFailed, match=address):
                await GrpcServer(address).start()

    asyncio.run(run())


def test_messages_over_the_limit_are_refused() -> None:
    async def run() -> None:
        limits = ServerLimits(max_message_bytes=1000)
        async with serving(limits=limits) as address, await dial(address) as channel:
            with pytest.raises(grpc.RpcError) as refused:
                await ask(channel, b"x" * 2000)
            assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert (await ask(channel)).payload == b"x"

    asyncio.run(run())


def test_keys_must_be_pem() -> None:
    with pytest.raises(ConfigInvalid, match="TLS private key"):
        TlsConfig(SERVER.cert, b"no key")
    with pytest.raises(ConfigInvalid, match="client root"):
        TlsConfig(SERVER.cert, SERVER.key, require_client_cert=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
