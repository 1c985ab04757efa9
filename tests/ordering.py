# SPDX-License-Identifier: Apache-2.0
"""An orderer for tests, in this process or one of its own, and a client of it."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import grpc.aio

from daemons import Daemon
from fastledger.common.config import Config, load
from fastledger.msp import SigningIdentity
from fastledger.node.orderer.node import OrdererNode
from fastledger.protos.common.common_pb2 import (
    Block,
    ChannelHeader,
    Envelope,
    HeaderType,
    Payload,
    Status,
)
from fastledger.protos.common.configtx_pb2 import ConfigUpdateEnvelope
from fastledger.protos.orderer.ab_pb2 import BroadcastResponse, DeliverResponse, SeekInfo
from fastledger.protoutil.envelope import signature_header, signed_envelope

DEADLINE_S = 120
MSP_ID = "OrdererMSP"
_LISTENS = re.compile(r"Beginning to serve requests at \S+:(\d+)")


def environment(material: Path, location: Path, **more: str) -> dict[str, str]:
    """Set an orderer up to listen at free ports, with the keys of `material`."""
    orderer = material / "ordererOrganizations/example.com/orderers/orderer.example.com"
    return {
        "ORDERER_GENERAL_LISTENADDRESS": "127.0.0.1",
        "ORDERER_GENERAL_LISTENPORT": "0",
        "ORDERER_GENERAL_LOCALMSPDIR": str(orderer / "msp"),
        "ORDERER_GENERAL_LOCALMSPID": MSP_ID,
        "ORDERER_FILELEDGER_LOCATION": str(location),
        "ORDERER_ADMIN_LISTENADDRESS": "127.0.0.1:0",
        "ORDERER_ADMIN_TLS_CLIENTAUTHREQUIRED": "false",
        "ORDERER_OPERATIONS_LISTENADDRESS": "127.0.0.1:0",
        **more,
    }


def creation(folder: Path) -> bytes:
    """The first message that a real orderer took: it made the channel of the recorded walk."""
    for sent in sorted(folder.glob("wire/*AtomicBroadcast.Broadcast_c2s_*.bin")):
        answer = sent.with_name(sent.name.replace("c2s", "s2c")).read_bytes()
        if BroadcastResponse.FromString(answer).status == Status.SUCCESS:
            return sent.read_bytes()
    raise AssertionError("no recorded message succeeded")


def signed_update(channel_tx: bytes, admin: SigningIdentity) -> bytes:
    """What ``peer channel create`` makes of configtxgen's file: signed by an administrator."""
    payload = Payload.FromString(Envelope.FromString(channel_tx).payload)
    update = ConfigUpdateEnvelope.FromString(payload.data)
    header = signature_header(admin.serialized).SerializeToString()
    update.signatures.add(
        signature_header=header, signature=admin.sign(header + update.config_update)
    )
    channel_id = ChannelHeader.FromString(payload.header.channel_header).channel_id
    return signed_envelope(
        HeaderType.CONFIG_UPDATE, channel_id, update.SerializeToString(), admin
    ).SerializeToString()


def configuration(environ: dict[str, str]) -> Config:
    """Read fastledger's own orderer.yaml with an environment."""
    return load("orderer", environ=environ)


@asynccontextmanager
async def running(environ: dict[str, str]) -> AsyncIterator[OrdererNode]:
    """Run an orderer in this process."""
    node = OrdererNode(configuration(environ))
    await node.start()
    try:
        yield node
    finally:
        await node.stop()


class OrdererProcess(Daemon):
    """An orderer in a process of its own, to be killed."""

    def __init__(self, environ: dict[str, str]) -> None:
        super().__init__("orderer", "start", environ=environ, listens=_LISTENS)


class Client:
    """Sends envelopes and reads blocks."""

    def __init__(self, port: int, identity: SigningIdentity | None = None) -> None:
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        self._identity = identity

    async def close(self) -> None:
        await self.channel.close()

    async def broadcast(self, envelopes: Iterable[bytes]) -> list[BroadcastResponse]:
        """Send envelopes on one stream; there may be fewer responses, when one refuses."""
        call = self.channel.stream_stream("/orderer.AtomicBroadcast/Broadcast")()
        responses = []
        for envelope in envelopes:
            try:
                await call.write(envelope)
            except asyncio.InvalidStateError:  # the orderer has ended the stream
                break
            except grpc.aio.AioRpcError as error:
                if "Internal error from Core" not in str(error.details()):
                    raise
                break  # it ended while this was written
            encoded = await asyncio.wait_for(call.read(), DEADLINE_S)
            if encoded is grpc.aio.EOF:
                break
            responses.append(BroadcastResponse.FromString(encoded))
        if not call.done():
            await call.done_writing()
        return responses

    async def deliver(self, channel_id: str, start: int, stop: int) -> list[Block | int]:
        """Read blocks; a status ends the list."""
        info = SeekInfo(
            start={"specified": {"number": start}}, stop={"specified": {"number": stop}}
        )
        call = self.channel.stream_stream("/orderer.AtomicBroadcast/Deliver")()
        await call.write(self.request(channel_id, info))
        await call.done_writing()
        found: list[Block | int] = []
        while (encoded := await asyncio.wait_for(call.read(), DEADLINE_S)) is not grpc.aio.EOF:
            response = DeliverResponse.FromString(encoded)
            is_block = response.WhichOneof("Type") == "block"
            found.append(response.block if is_block else response.status)
        return found

    async def blocks(self, channel_id: str, start: int, stop: int) -> list[Block]:
        """Read blocks, all of which must come."""
        found = await self.deliver(channel_id, start, stop)
        blocks = [block for block in found if isinstance(block, Block)]
        assert len(blocks) == stop - start + 1, found
        return blocks

    def request(self, channel_id: str, info: SeekInfo) -> bytes:
        assert self._identity is not None
        return signed_envelope(
            HeaderType.DELIVER_SEEK_INFO, channel_id, info.SerializeToString(), self._identity
        ).SerializeToString()

    def transaction(self, channel_id: str, data: bytes) -> bytes:
        """Make an envelope that the orderer takes for a transaction."""
        assert self._identity is not None
        return signed_envelope(
            HeaderType.ENDORSER_TRANSACTION, channel_id, data, self._identity
        ).SerializeToString()
