# SPDX-License-Identifier: Apache-2.0
"""What an orderer must refuse, with Fabric's statuses, and survive."""

import asyncio
import os
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc.aio
import pytest

import ordering
from corpora import Corpus, OpenCorpus
from fastledger.msp import SigningIdentity
from fastledger.protos.common.common_pb2 import (
    ChannelHeader,
    Envelope,
    HeaderType,
    Payload,
    SignatureHeader,
    Status,
)
from fastledger.protos.orderer.ab_pb2 import SeekInfo
from fastledger.protoutil.envelope import signed_envelope

SYSTEM, CHANNEL = "e2e-orderer-syschan", "mychannel"
MEMORY_SLACK_BYTES = 256 << 20
"""What a hundred refused messages of 4 MiB, one after the other, may leave behind at most."""


@pytest.fixture(scope="module")
def v14(open_corpus: OpenCorpus) -> Corpus:
    return open_corpus("v14")


def identity(corpus: Corpus, folder: str, mspid: str) -> SigningIdentity:
    return SigningIdentity.load(corpus.folder / "crypto-config" / folder / "msp", mspid)


def orderer_admin(corpus: Corpus) -> SigningIdentity:
    folder = "ordererOrganizations/example.com/users/Admin@example.com"
    return identity(corpus, folder, "OrdererMSP")


def user(corpus: Corpus) -> SigningIdentity:
    folder = "peerOrganizations/org1.example.com/users/User1@org1.example.com"
    return identity(corpus, folder, "Org1MSP")


def on_a_channel(
    corpus: Corpus, location: Path, story: Callable[[ordering.Client], Awaitable[None]]
) -> None:
    """Run a story against an orderer that has the real network's channel."""

    async def run() -> None:
        environ = ordering.environment(
            corpus.folder / "crypto-config",
            location,
            ORDERER_GENERAL_BOOTSTRAPMETHOD="file",
            ORDERER_GENERAL_BOOTSTRAPFILE=str(corpus.folder / "artifacts/genesis.block"),
        )
        create = ordering.creation(corpus.folder)
        async with ordering.running(environ) as node:
            client = ordering.Client(node.port, user(corpus))
            [created] = await client.broadcast([create])
            assert created.status == Status.SUCCESS, created.info
            await story(client)
            await client.close()

    asyncio.run(run())


def signed_by(header: ChannelHeader, creator: bytes, signature: bytes = b"") -> bytes:
    payload = Payload(data=b"data")
    payload.header.channel_header = header.SerializeToString()
    payload.header.signature_header = SignatureHeader(creator=creator).SerializeToString()
    return Envelope(payload=payload.SerializeToString(), signature=signature).SerializeToString()


def test_each_refusal_has_its_status(v14: Corpus, tmp_path: Path) -> None:
    header = ChannelHeader(type=HeaderType.ENDORSER_TRANSACTION, channel_id=CHANNEL)

    async def story(client: ordering.Client) -> None:
        good = client.transaction(CHANNEL, b"data")
        config = signed_envelope(HeaderType.CONFIG, CHANNEL, b"", user(v14)).SerializeToString()
        update = signed_envelope(
            HeaderType.CONFIG_UPDATE, CHANNEL, b"", user(v14)
        ).SerializeToString()
        unknown = signed_envelope(
            HeaderType.CONFIG_UPDATE, "nochannel", b"", user(v14)
        ).SerializeToString()
        tampered = Envelope.FromString(good)
        tampered.signature = tampered.signature[:-1] + bytes([tampered.signature[-1] ^ 1])
        for envelope, status, info in (
            (good, Status.SUCCESS, ""),
            (b"", Status.BAD_REQUEST, "could not determine channel ID: header not set"),
            (b"\xff\xff\xff", Status.BAD_REQUEST, "could not determine channel ID: "),
            (os.urandom(5000), Status.BAD_REQUEST, "could not determine channel ID: "),
            (client.transaction("nochannel", b""), Status.NOT_FOUND, "channel does not exist"),
            (config, Status.BAD_REQUEST, "message is of type that cannot be processed directly"),
            (update, Status.BAD_REQUEST, "error applying config update to existing channel"),
            (unknown, Status.BAD_REQUEST, "Failing initial channel config creation"),
            (signed_by(header, b"nobody"), Status.FORBIDDEN, "permission denied"),
            (signed_by(header, user(v14).serialized), Status.FORBIDDEN, "permission denied"),
            (tampered.SerializeToString(), Status.FORBIDDEN, "permission denied"),
        ):
            [answer] = await client.broadcast([envelope])
            assert answer.status == status, (answer, info)
            assert info in answer.info

    on_a_channel(v14, tmp_path, story)


def test_a_refusal_ends_its_stream_only(v14: Corpus, tmp_path: Path) -> None:
    async def story(client: ordering.Client) -> None:
        good = client.transaction(CHANNEL, b"data")
        answers = await client.broadcast([good, b"\xff", good])
        assert [a.status for a in answers] == [Status.SUCCESS, Status.BAD_REQUEST]
        assert [a.status for a in await client.broadcast([good, good])] == [Status.SUCCESS] * 2

    on_a_channel(v14, tmp_path, story)


def test_who_may_not_read_gets_no_block(v14: Corpus, tmp_path: Path) -> None:
    async def story(client: ordering.Client) -> None:
        assert await client.deliver(SYSTEM, 0, 0) == [Status.FORBIDDEN]
        assert await client.deliver("nochannel", 0, 0) == [Status.NOT_FOUND]
        [_, status] = await client.deliver(CHANNEL, 0, 0)
        assert status == Status.SUCCESS
        stranger = secrets.token_bytes(40)
        info = SeekInfo(start={"oldest": {}}, stop={"oldest": {}}).SerializeToString()
        header = ChannelHeader(type=HeaderType.DELIVER_SEEK_INFO, channel_id=CHANNEL)
        header.timestamp.GetCurrentTime()
        payload = Payload.FromString(Envelope.FromString(signed_by(header, stranger)).payload)
        payload.data = info
        call = client.channel.stream_stream("/orderer.AtomicBroadcast/Deliver")()
        await call.write(Envelope(payload=payload.SerializeToString()).SerializeToString())
        assert await call.read() == bytes([0x08, *_varint(Status.FORBIDDEN)])

    on_a_channel(v14, tmp_path, story)


def test_large_messages_leave_no_memory_behind(v14: Corpus, tmp_path: Path) -> None:
    async def story(client: ordering.Client) -> None:
        junk = os.urandom(4 << 20)
        for _ in range(5):
            await client.broadcast([junk])
        before = _resident_bytes()
        for _ in range(100):
            [answer] = await client.broadcast([junk])
            assert answer.status == Status.BAD_REQUEST
        assert _resident_bytes() - before < MEMORY_SLACK_BYTES
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await client.broadcast([bytes(101 << 20)])
        assert failure.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        good = client.transaction(CHANNEL, b"data")
        assert [a.status for a in await client.broadcast([good])] == [Status.SUCCESS]

    on_a_channel(v14, tmp_path, story)


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _varint(number: int) -> list[int]:
    return [number & 0x7F | 0x80, number >> 7]
