# SPDX-License-Identifier: Apache-2.0
"""Bytes that mean nothing, to every service of a running network: no node ends or grows."""

import asyncio
import random
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, suppress

import grpc
import grpc.aio
import pytest

from fastledger.client.endorsement import invocation
from fastledger.msp import SigningIdentity
from fastledger.network.plan import Node
from fastledger.protos.common.common_pb2 import Envelope, HeaderType
from fastledger.protos.orderer.ab_pb2 import SeekInfo
from fastledger.protoutil.envelope import signed_envelope
from fastledger.protoutil.proposal import create_proposal, signed_proposal
from live_network import Network

CHANNEL = "mychannel"
DEADLINE_S = 60
OVERSIZED_BYTES = 101 << 20
CONNECTIONS = 60

MEMORY_SLACK_BYTES = 192 << 20
"""What all of it together may leave behind in a node at most."""

PEER = (
    "protos.Endorser/ProcessProposal",
    "protos.Deliver/Deliver",
    "protos.Deliver/DeliverFiltered",
    "protos.Deliver/DeliverWithPrivateData",
    "protos.Admin/GetStatus",
    "protos.Admin/GetModuleLogLevel",
    "protos.Snapshot/Generate",
    "protos.Snapshot/QueryPendings",
    "gateway.Gateway/Endorse",
    "gateway.Gateway/Submit",
    "gateway.Gateway/CommitStatus",
    "gateway.Gateway/Evaluate",
    "gateway.Gateway/ChaincodeEvents",
    "discovery.Discovery/Discover",
    "gossip.Gossip/GossipStream",
    "grpc.health.v1.Health/Check",
)
ORDERER = (
    "orderer.AtomicBroadcast/Broadcast",
    "orderer.AtomicBroadcast/Deliver",
    "orderer.Cluster/Step",
    "orderer.ClusterNodeService/Step",
)
CHAINCODE = ("protos.ChaincodeSupport/Register",)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    made = Network(tmp_path_factory.mktemp("malformed"))
    try:
        made.up()
        made.ok("invoke", "InitLedger")
        yield made
    finally:
        made.run("down", "--clean")


def sound_messages(network: Network) -> Iterator[bytes]:
    """Messages that would be taken; parts of them are not."""
    org = network.plan.organizations[0]
    user = SigningIdentity.load(org.msp("User1"), org.mspid)
    spec = invocation("basic", [b"ReadAsset", b"asset1"])
    made = create_proposal(HeaderType.ENDORSER_TRANSACTION, CHANNEL, spec, user.serialized)
    yield signed_proposal(made.proposal, user).SerializeToString()
    seek = SeekInfo(start={"oldest": {}}, stop={"oldest": {}}).SerializeToString()
    yield signed_envelope(HeaderType.DELIVER_SEEK_INFO, CHANNEL, seek, user).SerializeToString()
    yield signed_envelope(HeaderType.CONFIG_UPDATE, CHANNEL, seek, user).SerializeToString()


def malformed(network: Network, chance: random.Random) -> Iterator[bytes]:
    yield b""
    for size in (1, 10, 1_000, 100_000, 1 << 20):
        yield chance.randbytes(size)
    for sound in sound_messages(network):
        for _ in range(4):
            yield sound[: chance.randrange(1, len(sound))]
            at = chance.randrange(len(sound))
            yield sound[:at] + bytes([sound[at] ^ 1 << chance.randrange(8)]) + sound[at + 1 :]
    yield from (nested(50), nested(10_000))
    yield b"\x0b" * 1_000_000
    yield b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f"
    yield Envelope(payload=nested(5_000), signature=b"s").SerializeToString()


def nested(depth: int) -> bytes:
    """A message in a message in a message, all in field 1."""
    content = b""
    for _ in range(depth):
        length, size = len(content), bytearray()
        while length > 0x7F:
            size.append(length & 0x7F | 0x80)
            length >>= 7
        content = b"\x0a" + bytes([*size, length]) + content
    return content


def channel(node: Node, port: int, *, tls: bool = True) -> grpc.aio.Channel:
    options = [("grpc.max_send_message_length", -1)]
    if not tls:
        return grpc.aio.insecure_channel(f"127.0.0.1:{port}", options)
    credentials = grpc.ssl_channel_credentials(node.tls_root.read_bytes())
    return grpc.aio.secure_channel(f"127.0.0.1:{port}", credentials, options)


async def send(to: grpc.aio.Channel, method: str, message: bytes) -> grpc.StatusCode:
    """Send a message as the only one; return how the call ends, CANCELLED when it goes on."""
    call = to.stream_stream(f"/{method}")()

    async def converse() -> grpc.StatusCode:
        # The server may end the call before it has all.
        with suppress(asyncio.InvalidStateError):
            await call.write(message)
            await call.done_writing()
        while await call.read() is not grpc.aio.EOF:
            pass
        return await call.code()

    try:
        return await asyncio.wait_for(converse(), DEADLINE_S)
    except grpc.aio.AioRpcError as error:
        return error.code()


def services(network: Network) -> Iterator[tuple[Node, int, tuple[str, ...]]]:
    plan = network.plan
    yield plan.orderer, plan.orderer.port, ORDERER
    for peer in plan.all_peers:
        yield peer, peer.port, PEER
        yield peer, peer.side_port, CHAINCODE


def storm(network: Network, seed: int) -> None:
    """Send everything malformed to every method of every node."""
    chance = random.Random(seed)
    messages = list(malformed(network, chance))

    async def run() -> None:
        for node, port, methods in services(network):
            async with channel(node, port, tls=methods is not CHAINCODE) as to:
                for method in methods:
                    codes = [await send(to, method, message) for message in messages]
                    assert grpc.StatusCode.UNAVAILABLE not in codes, method

    asyncio.run(run())


def test_no_service_grows_or_ends_by_what_it_cannot_read(network: Network) -> None:
    storm(network, 0)
    pids, before = network.pids(), network.resident_bytes()
    storm(network, 1)
    storm(network, 2)
    assert network.pids() == pids
    check_growth(network, before)
    network.ok("invoke", "CreateAsset", "after-storm", "red", "5", "Ann", "100")


def test_oversized_messages_are_refused_everywhere(network: Network) -> None:
    pids, before = network.pids(), network.resident_bytes()
    oversized = bytes(OVERSIZED_BYTES)

    async def run() -> None:
        for node, port, methods in services(network):
            async with channel(node, port, tls=methods is not CHAINCODE) as to:
                for method in methods[:2]:
                    code = await send(to, method, oversized)
                    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED, method

    asyncio.run(run())
    assert network.pids() == pids
    check_growth(network, before)
    network.ok("invoke", "CreateAsset", "after-large", "red", "5", "Ann", "100")


def test_connections_that_say_nothing_or_nonsense_keep_nobody_out(network: Network) -> None:
    pids, before = network.pids(), network.resident_bytes()
    chance = random.Random(3)
    open_: list[socket.socket] = []
    for node in network.plan.nodes:
        for port in (node.port, node.side_port, node.operations_port):
            for at in range(CONNECTIONS):
                stream = socket.create_connection(("127.0.0.1", port))
                open_.append(stream)
                with suppress(OSError):
                    stream.sendall((b"", chance.randbytes(300), b"\x16\x03\x01\x02\x00")[at % 3])
        # Behind the handshake, too.
        context = ssl.create_default_context(cafile=str(node.tls_root))
        context.check_hostname = False
        context.set_alpn_protocols(["h2"])
        for _ in range(10):
            plain = socket.create_connection(("127.0.0.1", node.port))
            stream = context.wrap_socket(plain)
            open_.append(stream)
            stream.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + chance.randbytes(1_000))
    network.ok("invoke", "CreateAsset", "amid-nonsense", "red", "5", "Ann", "100")
    assert "stopped" not in network.ok("status")
    for stream in open_:
        with closing(stream):
            pass
    assert network.pids() == pids
    check_growth(network, before)


def test_calls_that_are_given_up_cost_nobody_else(network: Network) -> None:
    pids, before = network.pids(), network.resident_bytes()
    chance = random.Random(4)
    org = network.plan.organizations[0]
    user = SigningIdentity.load(org.msp("User1"), org.mspid)

    def proposal(number: int) -> bytes:
        args = [b"CreateAsset", b"given-up-%d" % number, b"red", b"5", b"Ann", b"100"]
        spec = invocation("basic", args)
        made = create_proposal(HeaderType.ENDORSER_TRANSACTION, CHANNEL, spec, user.serialized)
        return signed_proposal(made.proposal, user).SerializeToString()

    _, seek, update = sound_messages(network)

    async def give_up(to: grpc.aio.Channel, method: str, message: bytes) -> None:
        call = to.stream_stream(f"/{method}")()
        with suppress(asyncio.CancelledError, asyncio.InvalidStateError):
            await call.write(message)
            await asyncio.sleep(chance.random() * 0.03)
        call.cancel()

    async def run() -> None:
        peer, orderer = org.peers[0], network.plan.orderer
        async with channel(peer, peer.port) as to, channel(orderer, orderer.port) as ordering:
            for first in range(0, 600, 60):
                calls = [
                    give_up(to, "protos.Endorser/ProcessProposal", proposal(number))
                    for number in range(first, first + 60)
                ]
                calls += [give_up(to, "protos.Deliver/Deliver", seek) for _ in range(20)]
                calls += [give_up(ordering, f"{ORDERER[0]}", update) for _ in range(20)]
                await asyncio.gather(*calls)

    asyncio.run(run())
    network.ok("invoke", "CreateAsset", "after-cancelled", "red", "5", "Ann", "100")
    assert network.pids() == pids
    check_growth(network, before)


def check_growth(network: Network, before: dict[str, int]) -> None:
    after = network.resident_bytes()
    grown = {name: (after[name] - before[name]) >> 20 for name in before}
    assert max(grown.values()) < MEMORY_SLACK_BYTES >> 20, f"MiB: {grown}"
    print(f"MiB: {grown}")
