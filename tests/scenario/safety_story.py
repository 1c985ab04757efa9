# SPDX-License-Identifier: Apache-2.0
"""What tests of a network's safety do: transactions past the honest client, and their refusals."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from fastledger.client.endorsement import Endorsement, call, endorse, invocation, transaction
from fastledger.common.codes import TxValidationCode
from fastledger.common.errors import BroadcastRefused, DeliverEnded, RpcFailed
from fastledger.msp import SigningIdentity
from fastledger.network.plan import Node, Org
from fastledger.network.session import Session
from fastledger.protos.common.common_pb2 import (
    Block,
    BlockMetadataIndex,
    Envelope,
    HeaderType,
    Metadata,
    OrdererBlockMetadata,
    Payload,
    SignatureHeader,
)
from fastledger.protos.common.configtx_pb2 import Config, ConfigEnvelope, ConfigUpdateEnvelope
from fastledger.protos.common.ledger_pb2 import BlockchainInfo
from fastledger.protos.msp.msp_config_pb2 import FabricMSPConfig, MSPConfig
from fastledger.protos.peer.proposal_response_pb2 import ProposalResponse
from fastledger.protoutil.envelope import signature_header, signed_envelope
from fastledger.protoutil.seek import specified
from fastledger.protoutil.signer import Signer
from fastledger.tools.configtxlator.update import compute_update
from intruders import Authority
from live_network import Network

CHANNEL = "mychannel"


class Story:
    """What the tests need of the network: its people, and ways around the honest client."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.plan = session.plan
        self.org1, self.org2 = self.plan.organizations
        self.nodes = [org.peers[0] for org in self.plan.organizations]
        self.user = session.identity(self.org1, "User1")
        self.number = 0

    def authority(self, org: Org | None = None) -> Authority:
        return Authority((org or self.org1).folder)

    async def endorsed(self, signer: Signer, nodes: list[Node] | None = None) -> Endorsement:
        self.number += 1
        name = b"safe%d-%d" % (time.monotonic_ns(), self.number)
        args = [b"CreateAsset", name, b"red", b"5", b"Ann", b"100"]
        peers = await self.session.peers(nodes or self.nodes)
        return await endorse(peers, signer, CHANNEL, invocation("basic", args))

    async def committed(self, envelope: Envelope, tx_id: str) -> TxValidationCode:
        _, code = await self.session.send(self.user, envelope, tx_id, self.nodes)
        return TxValidationCode(code)

    async def works(self) -> None:
        """An honest transaction commits at all peers."""
        endorsement = await self.endorsed(self.user)
        envelope = transaction(endorsement, self.user)
        assert await self.committed(envelope, endorsement.tx_id) == TxValidationCode.VALID

    async def refused_at_orderer(self, envelope: Envelope, status: str, info: str) -> None:
        orderer = await self.session.orderer()
        with pytest.raises(BroadcastRefused) as refused:
            await orderer.broadcast(envelope)
        assert refused.value.status == status
        assert info in str(refused.value)

    async def refused_at_endorser(self, signer: Signer, text: str) -> None:
        with pytest.raises(RpcFailed, match=text) as refused:
            await self.endorsed(signer, self.nodes[:1])
        assert refused.value.code == "Unknown"

    async def refused_everywhere(self, signer: Signer, mspid: str) -> None:
        """Neither endorser nor orderer nor the block streams of both take this one."""
        denied = rf"access denied: channel \[{CHANNEL}\] creator org (\[{mspid}\]|unknown)"
        await self.refused_at_endorser(signer, denied)
        envelope = signed_envelope(HeaderType.ENDORSER_TRANSACTION, CHANNEL, b"", signer)
        await self.refused_at_orderer(envelope, "FORBIDDEN", "permission denied")
        await self.gets_no_block(signer)

    async def gets_no_block(self, signer: Signer) -> None:
        orderer, peer = await self.session.orderer(), await self.session.peer(self.nodes[0])
        for stream in (orderer.blocks(CHANNEL, signer), peer.blocks(CHANNEL, signer)):
            with pytest.raises(DeliverEnded, match="FORBIDDEN"):
                await stream.get(specified(0))
            stream.close()

    async def last_config(self) -> Config:
        peer = await self.session.peer(self.nodes[0])
        stream = peer.blocks(CHANNEL, self.user)
        newest = await stream.get(specified((await self.height()) - 1))
        content = newest.metadata.metadata[BlockMetadataIndex.SIGNATURES]
        index = OrdererBlockMetadata.FromString(Metadata.FromString(content).value)
        block = await stream.get(specified(index.last_config.index))
        stream.close()
        payload = Payload.FromString(Envelope.FromString(block.data.data[0]).payload)
        return ConfigEnvelope.FromString(payload.data).config

    async def height(self) -> int:
        peer = await self.session.peer(self.nodes[0])
        args = [b"GetChainInfo", CHANNEL.encode()]
        info = await call(peer, self.user, "qscc", args, channel_id=CHANNEL)
        return BlockchainInfo.FromString(info).height


def tell(network: Network, story: Callable[[Story], Awaitable[None]]) -> None:
    """Run a story; afterwards the same processes serve an honest client."""

    async def run() -> None:
        async with Session(network.plan) as session:
            teller = Story(session)
            await story(teller)
            await teller.works()

    before = network.pids()
    asyncio.run(run())
    assert network.pids() == before, "no node has ended"


def config_update(old: Config, new: Config, signer: SigningIdentity) -> Envelope:
    update = compute_update(CHANNEL, old, new).SerializeToString()
    header = signature_header(signer.serialized).SerializeToString()
    envelope = ConfigUpdateEnvelope(config_update=update)
    envelope.signatures.add(signature_header=header, signature=signer.sign(header + update))
    content = envelope.SerializeToString()
    return signed_envelope(HeaderType.CONFIG_UPDATE, CHANNEL, content, signer)


def with_revocation(config: Config, crl: bytes) -> Config:
    """The configuration in which the first organization has revoked somebody."""
    changed = Config.FromString(config.SerializeToString())
    application = changed.channel_group.groups["Application"]
    value = application.groups["Org1MSP"].values["MSP"]
    msp = MSPConfig.FromString(value.value)
    fabric = FabricMSPConfig.FromString(msp.config)
    fabric.revocation_list.append(crl)
    msp.config = fabric.SerializeToString()
    value.value = msp.SerializeToString()
    return changed


def endorsed_by(response: ProposalResponse, endorser: Signer) -> ProposalResponse:
    changed = ProposalResponse.FromString(response.SerializeToString())
    changed.endorsement.endorser = endorser.serialized
    changed.endorsement.signature = endorser.sign(response.payload + endorser.serialized)
    return changed


def taken_over(envelope: Envelope, thief: Signer) -> Envelope:
    """Somebody else's transaction, signed as one's own."""
    payload = Payload.FromString(envelope.payload)
    header = SignatureHeader.FromString(payload.header.signature_header)
    header.creator = thief.serialized
    payload.header.signature_header = header.SerializeToString()
    content = payload.SerializeToString()
    return Envelope(payload=content, signature=thief.sign(content))


async def codes_since(story: Story, height: int) -> list[int]:
    peer = await story.session.peer(story.nodes[0])
    stream = peer.blocks(CHANNEL, story.user)
    codes: list[int] = []
    for number in range(height, await story.height()):
        block: Block = await stream.get(specified(number))
        codes += block.metadata.metadata[BlockMetadataIndex.TRANSACTIONS_FILTER]
    stream.close()
    return codes
