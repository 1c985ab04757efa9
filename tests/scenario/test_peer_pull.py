# SPDX-License-Identifier: Apache-2.0
"""A peer pulls a recorded chain from orderers of which one lies and one hangs up."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import grpc.aio

import old_channels
import peering
from corpora import OpenCorpus
from fastledger import TxValidationCode as Code
from fastledger.comm import dial
from fastledger.committer.deliverclient import DeliverClient
from fastledger.committer.puller import BlockPuller
from fastledger.endorser.definitions import Definitions
from fastledger.endorser.indexfiles import IndexFiles
from fastledger.endorser.packages import PackageStore
from fastledger.msp import SigningIdentity
from fastledger.node.peer.channel import PeerChannel
from fastledger.node.peer.channels import PeerChannels
from fastledger.protos.common.common_pb2 import Block, Envelope, Payload
from fastledger.protos.orderer.ab_pb2 import DeliverResponse, SeekInfo


class Plain:
    """Dials in plain text."""

    certificate_hash = b""

    async def connect(self, address: str) -> grpc.aio.Channel:
        return await dial(address)


class FakeOrderer:
    """Serves blocks as told, and counts its streams."""

    def __init__(self, blocks: Sequence[bytes], hang_up_after: int = 10**9) -> None:
        self._blocks = blocks
        self._hang_up_after = hang_up_after
        self.streams = 0

    async def deliver(self, requests, context) -> AsyncIterator[bytes]:
        self.streams += 1
        async for request in requests:
            payload = Payload.FromString(Envelope.FromString(request).payload)
            start = SeekInfo.FromString(payload.data).start.specified.number
            for block in self._blocks[start : start + self._hang_up_after]:
                yield DeliverResponse(block=Block.FromString(block)).SerializeToString()
            if self._hang_up_after < 10**9:
                return
            await asyncio.Event().wait()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        server = grpc.aio.server()
        handler = grpc.stream_stream_rpc_method_handler(self.deliver)
        handlers = grpc.method_handlers_generic_handler(
            "orderer.AtomicBroadcast", {"Deliver": handler}
        )
        server.add_generic_rpc_handlers((handlers,))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            await server.stop(0)


def damaged(block: bytes) -> bytes:
    """A block whose transactions are not those that its header names."""
    broken = Block.FromString(block)
    data = bytearray(broken.data.data[0])
    data[-1] ^= 1
    broken.data.data[0] = bytes(data)
    return broken.SerializeToString()


async def pull(
    channel_id: str, blocks: list[bytes], signer: SigningIdentity, folder: Path
) -> tuple[list[bytes], bytes | None, int]:
    liar = FakeOrderer([damaged(block) for block in blocks])
    restless = FakeOrderer(blocks, hang_up_after=3)
    async with liar.serving() as one, restless.serving() as two:
        packages = PackageStore(folder)
        indexes = IndexFiles(packages, Definitions(packages, signer.mspid))

        def orderers(channel: PeerChannel) -> DeliverClient:
            puller = BlockPuller(channel.id, lambda: [one, two], signer, Plain())
            return DeliverClient(channel.id, puller, channel.intake)

        channels = PeerChannels(folder, signer, orderers, indexes)
        await channels.open()
        await channels.join(blocks[0])
        channel = channels.channel(channel_id)
        assert channel is not None
        async with asyncio.timeout(peering.DEADLINE_S):
            await channel.wait(len(blocks))
        codes = [channel.ledger.block(number).codes for number in range(channel.height)]
        found = codes, channel.ledger.last_commit_hash, liar.streams
        await channels.close()
    return found


def test_a_lying_orderer_is_left_for_another(open_corpus: OpenCorpus, tmp_path: Path) -> None:
    corpus = open_corpus("v14")
    signer = peering.identity(corpus.folder / "crypto-config", "org1", "peer0", "peers")
    codes, commit_hash, lies = asyncio.run(
        pull("mychannel", corpus.blocks("orderer"), signer, tmp_path)
    )
    assert codes == [verdict.codes for verdict in corpus.verdicts]
    assert commit_hash == corpus.verdicts[-1].commit_hash
    assert lies >= 1


def test_a_channel_that_began_on_1_0_is_pulled(open_corpus: OpenCorpus, tmp_path: Path) -> None:
    channel = old_channels.begin(open_corpus("v11").folder)
    channel.block((channel.deploy("cc"), Code.VALID))
    write = channel.invoke("cc", old_channels.writes("cc", {"k": b"1"}))
    channel.block((write, Code.VALID), (write, Code.VALID))
    channel.update(old_channels.require(orderer="V1_1"))
    channel.update(old_channels.require(channel="V1_1", application="V1_1"))
    channel.slots = old_channels.SINCE_1_4_1
    channel.block((write, Code.DUPLICATE_TXID))
    material = open_corpus("v11").folder / "crypto-config"
    signer = peering.identity(material, "org1", "peer0", "peers")
    codes, commit_hash, _ = asyncio.run(
        pull(old_channels.CHANNEL, channel.delivered, signer, tmp_path)
    )
    assert codes == [b"\0", b"\0", b"\0\0", b"\0", b"\0", bytes([Code.DUPLICATE_TXID])]
    assert commit_hash is not None
