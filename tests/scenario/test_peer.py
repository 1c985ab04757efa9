# SPDX-License-Identifier: Apache-2.0
"""A peer beside an orderer: joins, pulls, endorses, commits, answers, survives."""

import asyncio
from pathlib import Path

import grpc
import pytest

import ordering
import peering
from corpora import Corpus, OpenCorpus
from fastledger.channelconfig import Bundle
from fastledger.protos.common.common_pb2 import Envelope
from fastledger.protos.common.ledger_pb2 import BlockchainInfo
from fastledger.protos.gateway import gateway_pb2
from fastledger.protos.gateway.gateway_pb2_grpc import GatewayStub
from fastledger.protos.peer.proposal_response_pb2 import ProposalResponse
from fastledger.protos.peer.query_pb2 import ChannelQueryResponse
from fastledger.protos.peer.transaction_pb2 import ProcessedTransaction
from waiting import until

CHANNEL = "mychannel"


@pytest.fixture(scope="module")
def v14(open_corpus: OpenCorpus) -> Corpus:
    return open_corpus("v14")


def genesis(corpus: Corpus) -> bytes:
    return (corpus.folder / "artifacts/mychannel.block").read_bytes()


async def height(client: peering.Client) -> int:
    response = await client.call("", "qscc", "GetChainInfo", CHANNEL)
    assert response.response.status == 200, response.response.message
    return BlockchainInfo.FromString(response.response.payload).height


async def reached(client: peering.Client, wanted: int) -> None:
    async def holds() -> bool:
        return await height(client) >= wanted

    await until(holds, peering.DEADLINE_S)


async def committed(client: peering.Client, tx_id: str) -> ProposalResponse:
    """Wait for a transaction, and return what qscc tells of it."""
    told: list[ProposalResponse] = []

    async def holds() -> bool:
        told.append(await client.call(CHANNEL, "qscc", "GetTransactionByID", CHANNEL, tx_id))
        return told[-1].response.status == 200

    await until(holds, peering.DEADLINE_S)
    return told[-1]


async def start_orderer(corpus: Corpus, folder: Path):
    material = corpus.folder / "crypto-config"
    environ = ordering.environment(material, folder / "orderer")
    return ordering.running(environ)


async def walk(corpus: Corpus, folder: Path) -> None:
    material = corpus.folder / "crypto-config"
    async with await start_orderer(corpus, folder) as orderer:
        block = genesis(corpus)
        bundle = Bundle.from_block(block)
        orderer.registrar.join(bundle, block)
        overrides = peering.overriding(dict.fromkeys(bundle.orderer_addresses, orderer.port))
        environ = peering.environment(
            material,
            "org1",
            "peer0",
            folder / "peer",
            CORE_PEER_DELIVERYCLIENT_ADDRESSOVERRIDES=overrides,
        )
        async with peering.running(environ) as peer:
            client = peering.Client(peer.port, peering.identity(material, "org1"))
            joined = await client.join(block)
            assert joined.response.status == 200, joined.response.message
            again = await client.join(block)
            assert "already exists with state [ACTIVE]" in again.response.message
            listed = await client.call("", "cscc", "GetChannels")
            channels = ChannelQueryResponse.FromString(listed.response.payload).channels
            assert [one.channel_id for one in channels] == [CHANNEL]
            await reached(client, 1)
            # A transaction of a system chaincode: endorsed without reads, and committed as valid.
            endorsed = await client.call(CHANNEL, "qscc", "GetChainInfo", CHANNEL)
            assert endorsed.HasField("endorsement")
            sender = ordering.Client(orderer.port, client.signer)
            tx_id = client.tx_id
            answers = await sender.broadcast([client.transaction([endorsed])])
            assert [answer.status for answer in answers] == [200]
            await reached(client, 2)
            found = await client.call(CHANNEL, "qscc", "GetTransactionByID", CHANNEL, tx_id)
            processed = ProcessedTransaction.FromString(found.response.payload)
            assert processed.validationCode == 0
            with pytest.raises(grpc.aio.AioRpcError, match="access denied: channel"):
                await client.call("nochannel", "mycc", "query", "a")
            missing = await client.call(CHANNEL, "nocc", "query", "a")
            assert missing.response.message == (
                "make sure the chaincode nocc has been successfully instantiated and try again: "
                "chaincode nocc not found"
            )
            await sender.close()
            await client.close()


def test_a_peer_walks(v14: Corpus, tmp_path: Path) -> None:
    asyncio.run(walk(v14, tmp_path))


async def endorse_and_send(
    client: peering.Client, sender: ordering.Client, count: int
) -> list[str]:
    tx_ids = []
    for _ in range(count):
        endorsed = await client.call(CHANNEL, "qscc", "GetChainInfo", CHANNEL)
        answers = await sender.broadcast([client.transaction([endorsed])])
        assert [answer.status for answer in answers] == [200]
        tx_ids.append(client.tx_id)
    return tx_ids


async def kills(corpus: Corpus, folder: Path) -> None:
    material = corpus.folder / "crypto-config"
    async with await start_orderer(corpus, folder) as orderer:
        block = genesis(corpus)
        bundle = Bundle.from_block(block)
        orderer.registrar.join(bundle, block)
        overrides = peering.overriding(dict.fromkeys(bundle.orderer_addresses, orderer.port))
        environ = peering.environment(
            material,
            "org1",
            "peer0",
            folder / "peer",
            CORE_PEER_DELIVERYCLIENT_ADDRESSOVERRIDES=overrides,
        )
        admin = peering.identity(material, "org1")
        sender = ordering.Client(orderer.port, admin)
        sent: list[str] = []
        for round_ in range(3):
            process = await asyncio.to_thread(peering.PeerProcess, environ)
            client = peering.Client(process.port, admin)
            if not round_:
                joined = await client.join(block)
                assert joined.response.status == 200, joined.response.message
            sent += await endorse_and_send(client, sender, 3)
            process.kill()
            await client.close()
        process = await asyncio.to_thread(peering.PeerProcess, environ)
        client = peering.Client(process.port, admin)
        for tx_id in sent:
            found = await committed(client, tx_id)
            assert ProcessedTransaction.FromString(found.response.payload).validationCode == 0
        await client.close()
        await sender.close()
        assert process.terminate() == 0


def test_a_killed_peer_loses_nothing_and_catches_up(v14: Corpus, tmp_path: Path) -> None:
    asyncio.run(kills(v14, tmp_path))


async def through_the_gateway(corpus: Corpus, folder: Path) -> None:
    material = corpus.folder / "crypto-config"
    async with await start_orderer(corpus, folder) as orderer:
        block = genesis(corpus)
        bundle = Bundle.from_block(block)
        orderer.registrar.join(bundle, block)
        overrides = peering.overriding(dict.fromkeys(bundle.orderer_addresses, orderer.port))
        environ = peering.environment(
            material,
            "org1",
            "peer0",
            folder / "peer",
            CORE_PEER_DELIVERYCLIENT_ADDRESSOVERRIDES=overrides,
        )
        async with peering.running(environ) as peer:
            client = peering.Client(peer.port, peering.identity(material, "org1"))
            await client.join(block)
            stub = GatewayStub(client.channel)
            proposal = client.propose(CHANNEL, "qscc", "GetChainInfo", CHANNEL)
            evaluated = await stub.Evaluate(
                gateway_pb2.EvaluateRequest(channel_id=CHANNEL, proposed_transaction=proposal)
            )
            assert BlockchainInfo.FromString(evaluated.result.payload).height == 1
            # To no system chaincode a policy belongs that could be met.
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.Endorse(
                    gateway_pb2.EndorseRequest(channel_id=CHANNEL, proposed_transaction=proposal)
                )
            assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
            endorsed = await client.call(CHANNEL, "qscc", "GetChainInfo", CHANNEL)
            envelope = Envelope.FromString(client.transaction([endorsed]))
            asked = gateway_pb2.CommitStatusRequest(
                transaction_id=client.tx_id,
                channel_id=CHANNEL,
                identity=client.signer.serialized,
            ).SerializeToString()
            signed = gateway_pb2.SignedCommitStatusRequest(
                request=asked, signature=client.signer.sign(asked)
            )
            waiting = asyncio.ensure_future(stub.CommitStatus(signed))
            await stub.Submit(
                gateway_pb2.SubmitRequest(channel_id=CHANNEL, prepared_transaction=envelope)
            )
            status = await asyncio.wait_for(waiting, peering.DEADLINE_S)
            assert (status.result, status.block_number) == (0, 1)
            assert await stub.CommitStatus(signed) == status
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.Evaluate(
                    gateway_pb2.EvaluateRequest(
                        channel_id=CHANNEL,
                        proposed_transaction=client.propose(CHANNEL, "nocc", "query"),
                    )
                )
            assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
            assert "no peers available to evaluate chaincode nocc" in str(refused.value.details())
            await client.close()


def test_the_gateway_takes_a_transaction_all_the_way(v14: Corpus, tmp_path: Path) -> None:
    asyncio.run(through_the_gateway(v14, tmp_path))
