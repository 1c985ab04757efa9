# SPDX-License-Identifier: Apache-2.0
"""A chaincode that peers dial, as the peers see it, and its threads."""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import grpc.aio
import pytest

import certificates
from fastledger._core import ShimPeers, ShimTransaction
from fastledger.comm import ClientTls, GrpcChannel, dial
from fastledger.comm.client_call import Conversing
from fastledger.common.errors import ConnectionFailed
from fastledger.protos.peer.chaincode_pb2 import ChaincodeID, ChaincodeInput
from fastledger.protos.peer.chaincode_shim_pb2 import ChaincodeMessage
from stand_in import Peer, tx
from waiting import until

Type = ChaincodeMessage
CONNECT = "/protos.Chaincode/Connect"
DEADLINE_S = 60
MAX_PEERS = 64


@asynccontextmanager
async def serving(workers: int = 4) -> AsyncIterator[ShimPeers]:
    peers = ShimPeers.serve("basic:1", "127.0.0.1:0", workers)
    try:
        async with asyncio.timeout(DEADLINE_S):
            yield peers
    finally:
        peers.close()


@asynccontextmanager
async def connected(peers: ShimPeers) -> AsyncIterator[Conversing]:
    """A peer's stream on which the chaincode has registered."""
    async with await dial(f"127.0.0.1:{peers.port}") as channel:
        call: Conversing = channel.stream_stream(CONNECT)()
        register = ChaincodeMessage.FromString(await call.read())
        assert register.type == Type.REGISTER
        assert ChaincodeID.FromString(register.payload).name == "basic:1"
        for kind in (Type.REGISTERED, Type.READY):
            await tell(call, type=kind)
        yield call


async def tell(call: Conversing, **fields) -> None:
    await call.write(ChaincodeMessage(**fields).SerializeToString())


async def heard(call: Conversing) -> ChaincodeMessage:
    return ChaincodeMessage.FromString(await call.read())


def asking(tx_id: str = "tx", channel_id: str = "mychannel") -> ChaincodeMessage:
    return ChaincodeMessage(
        type=Type.TRANSACTION,
        txid=tx_id,
        channel_id=channel_id,
        payload=ChaincodeInput(args=[b"f", b""], decorations={"d": b"v"}).SerializeToString(),
        proposal=tx(Peer()).proposal.signed,
    )


async def begun(peers: ShimPeers) -> ShimTransaction:
    transaction = await asyncio.to_thread(peers.next)
    assert transaction is not None
    return transaction


def test_a_transaction_has_what_the_peer_says_of_it() -> None:
    async def main() -> None:
        async with serving() as peers, connected(peers) as call:
            asked = asking()
            await call.write(asked.SerializeToString())
            transaction = await begun(peers)
            assert (transaction.tx_id, transaction.channel_id) == ("tx", "mychannel")
            assert (transaction.args, transaction.decorations) == ([b"f", b""], {"d": b"v"})
            assert transaction.signed_proposal == asked.proposal.SerializeToString()
            assert not transaction.is_init
            transaction.complete(b"\x08\xc8\x01", b"\x1a\x01e")
            answer = await heard(call)
            assert (answer.type, answer.txid, answer.channel_id) == (
                Type.COMPLETED,
                "tx",
                "mychannel",
            )
            assert answer.payload == b"\x08\xc8\x01"
            assert answer.chaincode_event.event_name == "e"
            await tell(call, type=Type.INIT, txid="tx", payload=b"\xff")
            transaction = await begun(peers)
            assert (transaction.is_init, transaction.signed_proposal) == (True, None)
            with pytest.raises(ValueError, match="the transaction's input cannot be decoded"):
                _ = transaction.args
            transaction.fail("why")
            answer = await heard(call)
            assert (answer.type, answer.payload) == (Type.ERROR, b"why")

    asyncio.run(main())


def test_a_transaction_belongs_to_who_signed_its_proposal() -> None:
    async def main() -> None:
        async with serving() as peers, connected(peers) as call:
            for nested in (False, True):
                await call.write(asking().SerializeToString())
                outer = await begun(peers)
                assert outer.caller == tx(Peer()).creator
                if nested:
                    # One that a running transaction waits for is not behind its caller's others.
                    await call.write(asking(channel_id="other").SerializeToString())
                    inner = await begun(peers)
                    assert (inner.caller, inner.channel_id) == (b"nested", "other")
                    inner.done()
                outer.done()
            await call.write(asking().SerializeToString())
            assert (await begun(peers)).caller == tx(Peer()).creator

    asyncio.run(main())


def test_an_answer_wakes_the_thread_that_asked() -> None:
    async def main() -> None:
        async with serving() as peers, connected(peers) as call:
            asked = []
            for tx_id in ("one", "two"):
                await call.write(asking(tx_id).SerializeToString())
                transaction = await begun(peers)
                asked.append(
                    asyncio.create_task(asyncio.to_thread(transaction.ask, Type.GET_STATE, b"q"))
                )
                request = await heard(call)
                assert (request.type, request.txid, request.payload) == (
                    Type.GET_STATE,
                    tx_id,
                    b"q",
                )
            # One that nobody waits for is left alone.
            for tx_id, kind in (
                ("none", Type.RESPONSE),
                ("two", Type.ERROR),
                ("one", Type.RESPONSE),
            ):
                payload = tx_id.encode()
                await tell(call, type=kind, txid=tx_id, channel_id="mychannel", payload=payload)
            assert await asyncio.gather(*asked) == [(False, b"one"), (True, b"two")]

    asyncio.run(main())


def test_a_peer_that_hangs_up_leaves_nobody_waiting() -> None:
    async def main() -> None:
        async with serving() as peers:
            async with connected(peers) as call:
                await call.write(asking().SerializeToString())
                transaction = await begun(peers)
                answer = asyncio.create_task(
                    asyncio.to_thread(transaction.ask, Type.GET_STATE, b"")
                )
                await heard(call)
            assert await answer is None
            assert transaction.ask(Type.GET_STATE, b"") is None
            # The others go on.
            async with connected(peers) as call:
                await call.write(asking("next").SerializeToString())
                assert (await begun(peers)).tx_id == "next"
            assert peers.over() is None

    asyncio.run(main())


def test_the_workers_are_for_all_peers() -> None:
    async def main() -> None:
        async with serving(workers=1) as peers, connected(peers) as one, connected(peers) as two:
            await one.write(asking("one").SerializeToString())
            first = await begun(peers)
            await two.write(asking("two").SerializeToString())
            second = asyncio.create_task(begun(peers))
            await until(peers.has_idle)
            # What is kept alive is answered: so the transaction before it was read, and waits.
            await tell(two, type=Type.KEEPALIVE)
            assert (await heard(two)).type == Type.KEEPALIVE
            assert peers.has_idle()
            first.done()
            # Whoever gives a worker back takes the next one.
            assert (await begun(peers)).tx_id == "two"
            peers.close()
            with pytest.raises(AssertionError):
                await second

    asyncio.run(main())


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (ChaincodeMessage(type=Type.GET_STATE).SerializeToString(), "which only chaincodes send"),
        (b"\xff\xff", "2 bytes that are no message"),
    ],
)
def test_a_peer_that_talks_nonsense_is_told_so(said: bytes, told: str) -> None:
    async def main() -> None:
        async with serving() as peers, connected(peers) as call:
            await call.write(said)
            with pytest.raises(grpc.aio.AioRpcError, match=told) as refused:
                await call.read()
            assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            # What a later peer may send is left alone.
            async with connected(peers) as call:
                await tell(call, type=99)
                await call.write(asking("next").SerializeToString())
                assert (await begun(peers)).tx_id == "next"

    asyncio.run(main())


def test_there_is_one_method() -> None:
    async def main() -> None:
        async with serving() as peers, await dial(f"127.0.0.1:{peers.port}") as channel:
            call = channel.stream_stream("/protos.Chaincode/Other")()
            assert await call.code() is grpc.StatusCode.UNIMPLEMENTED

    asyncio.run(main())


def test_too_many_peers_are_refused() -> None:
    async def main() -> None:
        async with serving() as peers, await dial(f"127.0.0.1:{peers.port}") as channel:
            calls = [channel.stream_stream(CONNECT)() for _ in range(MAX_PEERS)]
            for call in calls:
                await call.read()
                # A stream on which the peer has said nothing would give way.
                await tell(call, type=Type.KEEPALIVE)
                await call.read()
            more = channel.stream_stream(CONNECT)()
            assert await more.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            calls[0].cancel()
            await until(lambda: takes(channel))

    async def takes(channel: GrpcChannel) -> bool:
        call = channel.stream_stream(CONNECT)()
        try:
            return bool(await call.read())
        except grpc.aio.AioRpcError:
            return False

    asyncio.run(main())


def test_an_address_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ConnectionError, match=f"cannot listen at {address}: "):
            ShimPeers.serve("basic:1", address, 1)
        taken.close()
        with pytest.raises(ConnectionError, match=f"cannot connect to {address}: "):
            ShimPeers.dial("basic:1", address, 1)


CA = certificates.authority("localhost")
SERVER = certificates.leaf(CA)
CLIENT = certificates.leaf(CA, "client")


@pytest.mark.parametrize("mutual", [False, True])
def test_a_service_with_tls(tmp_path: Path, mutual: bool) -> None:
    (tmp_path / "greeter.py").write_text(
        "from fastledger import shim\nclass Greeter(shim.Chaincode):\n"
        "    def invoke(self, stub): return shim.success(b'hello')\n",
        "utf-8",
    )
    (tmp_path / "key").write_bytes(SERVER.key)
    (tmp_path / "cert").write_bytes(SERVER.cert)
    (tmp_path / "ca").write_bytes(CA.cert)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    env = os.environ | {
        "CHAINCODE_ID": "basic:1",
        "CHAINCODE_SERVER_ADDRESS": f"localhost:{port}",
        "CHAINCODE_TLS_DISABLED": "false",
        "CHAINCODE_TLS_KEY": str(tmp_path / "key"),
        "CHAINCODE_TLS_CERT": str(tmp_path / "cert"),
    }
    if mutual:
        env["CHAINCODE_CLIENT_CA_CERT"] = str(tmp_path / "ca")

    async def answer(tls: ClientTls) -> bytes:
        async with await dial(f"localhost:{port}", tls) as channel:
            call = channel.stream_stream(CONNECT)()
            assert (await heard(call)).type == Type.REGISTER
            await call.write(asking().SerializeToString())
            return (await heard(call)).payload

    async def main() -> None:
        with_certificate = ClientTls(CA.cert, CLIENT.cert, CLIENT.key)

        async def serves() -> bool:
            try:
                return b"hello" in await answer(with_certificate)
            except ConnectionFailed:
                assert service.poll() is None
                return False

        await until(serves)
        if mutual:
            with pytest.raises((ConnectionFailed, grpc.aio.AioRpcError)):
                await answer(ClientTls(CA.cert))
        else:
            assert b"hello" in await answer(ClientTls(CA.cert))

    command = [sys.executable, "-m", "fastledger.shim", "start", "greeter"]
    with subprocess.Popen(command, cwd=tmp_path, env=env) as service:
        try:
            asyncio.run(main())
        finally:
            service.kill()
