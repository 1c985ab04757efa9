# SPDX-License-Identifier: Apache-2.0
"""Mutual TLS: who connects, and whose request a Deliver stream takes."""

import asyncio
import hashlib
import ssl
from pathlib import Path

import grpc
import grpc.aio
import pytest

import ordering
from corpora import Corpus, OpenCorpus
from fastledger.msp import SigningIdentity
from fastledger.protos.common.common_pb2 import HeaderType, Status
from fastledger.protos.orderer.ab_pb2 import DeliverResponse, SeekInfo
from fastledger.protoutil.envelope import signed_envelope

SYSTEM, CHANNEL = "e2e-orderer-syschan", "mychannel"


@pytest.fixture(scope="module")
def network(open_corpus: OpenCorpus) -> Corpus:
    return open_corpus("tls")


async def deliver(channel: grpc.aio.Channel, signer: SigningIdentity, tls_hash: bytes) -> str:
    """Ask for block 0: ``block``, or the status' name."""
    info = SeekInfo(start={"oldest": {}}, stop={"oldest": {}}).SerializeToString()
    envelope = signed_envelope(
        HeaderType.DELIVER_SEEK_INFO, CHANNEL, info, signer, tls_cert_hash=tls_hash
    )
    call = channel.stream_stream("/orderer.AtomicBroadcast/Deliver")()
    await call.write(envelope.SerializeToString())
    response = DeliverResponse.FromString(await call.read())
    return (
        str(response.WhichOneof("Type")) if response.status == 0 else Status.Name(response.status)
    )


def test_peers_of_a_channel_come_in_and_are_bound(network: Corpus, tmp_path: Path) -> None:
    material = network.folder / "crypto-config"
    server = material / "ordererOrganizations/example.com/orderers/orderer.example.com/tls"
    peer = material / "peerOrganizations/org1.example.com/peers/peer0.org1.example.com"
    users = material / "peerOrganizations/org1.example.com/users"
    admin = SigningIdentity.load(users / "Admin@org1.example.com/msp", "Org1MSP")
    signer = SigningIdentity.load(peer / "msp", "Org1MSP")
    environ = ordering.environment(
        material,
        tmp_path,
        ORDERER_GENERAL_BOOTSTRAPMETHOD="file",
        ORDERER_GENERAL_BOOTSTRAPFILE=str(network.folder / "artifacts/genesis.block"),
        ORDERER_GENERAL_TLS_ENABLED="true",
        ORDERER_GENERAL_TLS_CERTIFICATE=str(server / "server.crt"),
        ORDERER_GENERAL_TLS_PRIVATEKEY=str(server / "server.key"),
        ORDERER_GENERAL_TLS_CLIENTAUTHREQUIRED="true",
        # The peers' own CA is not named: it comes with the channel.
        ORDERER_GENERAL_TLS_CLIENTROOTCAS=f"[{server / 'ca.crt'}]",
    )
    roots = (server / "ca.crt").read_bytes()
    cert, key = ((peer / "tls" / name).read_bytes() for name in ("server.crt", "server.key"))
    bound = hashlib.sha256(ssl.PEM_cert_to_DER_cert(cert.decode())).digest()
    options = [("grpc.ssl_target_name_override", "orderer.example.com")]

    async def story() -> None:
        async with ordering.running(environ) as node:
            address = f"127.0.0.1:{node.port}"

            def connect(*pair: bytes) -> grpc.aio.Channel:
                credentials = grpc.ssl_channel_credentials(roots, *reversed(pair))
                return grpc.aio.secure_channel(address, credentials, options)

            nameless = connect()
            with pytest.raises(grpc.aio.AioRpcError):
                await deliver(nameless, signer, b"")
            ours = (server / "server.crt").read_bytes(), (server / "server.key").read_bytes()
            creator = connect(*ours)
            broadcast = creator.stream_stream("/orderer.AtomicBroadcast/Broadcast")()
            channel_tx = (network.folder / "artifacts/channel.tx").read_bytes()
            await broadcast.write(ordering.signed_update(channel_tx, admin))
            assert await broadcast.read() == b"\x08\xc8\x01"
            channel = connect(cert, key)
            assert await deliver(channel, signer, bound) == "block"
            assert await deliver(channel, signer, b"") == "BAD_REQUEST"
            assert await deliver(channel, signer, bytes(32)) == "BAD_REQUEST"
            for one in (nameless, creator, channel):
                await one.close()

    asyncio.run(asyncio.wait_for(story(), ordering.DEADLINE_S))
