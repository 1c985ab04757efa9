# SPDX-License-Identifier: Apache-2.0
"""An orderer of ours and a real one on the same Kafka topics: they make the same blocks."""

import asyncio
import itertools
import os
import random
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import grpc.aio
import pytest
import yaml

import ordering
from config_updates import update_of
from fabric_tools import CACHE, fabric_tool, sample_config
from fastledger.channelconfig import Bundle
from fastledger.msp import SigningIdentity
from fastledger.network import processes
from fastledger.orderer.blockwriter import consenter_metadata
from fastledger.protos.common.common_pb2 import Block, Status
from fastledger.protos.common.configtx_pb2 import Config
from fastledger.protos.orderer.ab_pb2 import DeliverResponse, SeekInfo
from fastledger.protos.orderer.configuration_pb2 import BatchSize
from fastledger.protoutil.blocks import last_config_index
from fastledger.protoutil.hashes import header_hash
from kafka_broker import Broker
from real_nodes import PATIENCE_S, answers, free_ports
from waiting import until, wait_until

CHANNEL = "systemchannel"
ORG = "ordererOrganizations/example.com"
OURS = "ours"
MESSAGES = 400
CRYPTO = """OrdererOrgs:
- {Name: Orderer, Domain: example.com, EnableNodeOUs: true, Specs: [{Hostname: o0}, {Hostname: o1}]}
"""
CONFIGTX = """
Organizations:
  - &Orderer
    Name: Orderer
    ID: OrdererMSP
    MSPDir: crypto/ordererOrganizations/example.com/msp
    Policies: &own
      Readers: {{Type: Signature, Rule: "OR('OrdererMSP.member')"}}
      Writers: {{Type: Signature, Rule: "OR('OrdererMSP.member')"}}
      Admins: {{Type: Signature, Rule: "OR('OrdererMSP.admin')"}}
Application:
  Policies: &policies
    Readers: {{Type: ImplicitMeta, Rule: "ANY Readers"}}
    Writers: {{Type: ImplicitMeta, Rule: "ANY Writers"}}
    Admins: {{Type: ImplicitMeta, Rule: "ANY Admins"}}
    BlockValidation: {{Type: ImplicitMeta, Rule: "ANY Writers"}}
Profiles:
  Kafka:
    Policies: *policies
    Capabilities: {{V1_4_3: true}}
    Orderer:
      OrdererType: kafka
      Kafka: {{Brokers: ["{broker}"]}}
      BatchTimeout: 300ms
      BatchSize: {{MaxMessageCount: 7, AbsoluteMaxBytes: 10 MB, PreferredMaxBytes: 6 KB}}
      Organizations: [*Orderer]
      Policies: *policies
      Capabilities: {{V1_4_2: true}}
    Consortiums: {{C: {{Organizations: []}}}}
"""


class Pair:
    """Our orderer and a real one, of one system channel."""

    def __init__(self, folder: Path, broker: Broker, version: str) -> None:
        self._folder = folder
        self._version = version
        self._real = _real_orderer(version)
        self._ports = free_ports(6)
        self._crypto = folder / "crypto"
        self._make(broker)
        self.admin = SigningIdentity.load(
            self._crypto / ORG / "users/Admin@example.com/msp", "OrdererMSP"
        )

    def start(self, name: str) -> None:
        """Start an orderer, and wait until it serves."""
        folder, port = self._folder / name, self.port(name)
        environ = {
            "ORDERER_GENERAL_LISTENADDRESS": "127.0.0.1",
            "ORDERER_GENERAL_LISTENPORT": str(port),
            "ORDERER_GENERAL_LOCALMSPID": "OrdererMSP",
            "ORDERER_GENERAL_LOCALMSPDIR": str(
                self._crypto / ORG / "orderers" / f"o{int(name != OURS)}.example.com" / "msp"
            ),
            "ORDERER_GENERAL_TLS_ENABLED": "false",
            "ORDERER_GENERAL_BOOTSTRAPMETHOD": "file",
            "ORDERER_GENERAL_BOOTSTRAPFILE": str(self._folder / "genesis.block"),
            "ORDERER_FILELEDGER_LOCATION": str(folder / "blocks"),
            "ORDERER_OPERATIONS_LISTENADDRESS": f"127.0.0.1:{port + 2}",
            "ORDERER_ADMIN_LISTENADDRESS": f"127.0.0.1:{port + 4}",
            "ORDERER_KAFKA_RETRY_SHORTINTERVAL": "500ms",
            "ORDERER_KAFKA_RETRY_NETWORKTIMEOUTS_READTIMEOUT": "3s",
            "ORDERER_KAFKA_TOPIC_REPLICATIONFACTOR": "1",
        }
        if name == OURS:
            processes.launch(
                folder, [sys.executable, "-m", "fastledger", "orderer", "start"], environ
            )
        else:
            folder.mkdir(exist_ok=True)
            (folder / "orderer.yaml").write_text(_sample(self._version))
            if self._version.startswith("v1"):
                environ["ORDERER_GENERAL_GENESISMETHOD"] = "file"
                environ["ORDERER_GENERAL_GENESISFILE"] = environ["ORDERER_GENERAL_BOOTSTRAPFILE"]
                environ["ORDERER_FILELEDGER_PREFIX"] = "x"
            environ["FABRIC_CFG_PATH"] = str(folder)
            processes.launch(folder, [str(self._real)], environ)
        wait_until(lambda: self._is_up(name), PATIENCE_S)

    def kill(self, name: str) -> None:
        """End one as a power switch would."""
        process = processes.running(self._folder / name)
        assert process is not None, self.log(name)
        os.kill(process.pid, 9)
        wait_until(lambda: processes.running(self._folder / name) is None)

    def stop(self) -> None:
        processes.stop([self._folder / name for name in (OURS, "real")])

    def port(self, name: str) -> int:
        return self._ports + int(name != OURS)

    def log(self, name: str) -> str:
        return (self._folder / name / "log").read_text("utf-8", "replace")[-4000:]

    def client(self, name: str) -> ordering.Client:
        return ordering.Client(self.port(name), self.admin)

    def _is_up(self, name: str) -> bool:
        assert processes.running(self._folder / name) is not None, self.log(name)
        return answers(self.port(name))

    def _make(self, broker: Broker) -> None:
        (self._folder / "crypto.yaml").write_text(CRYPTO)
        (self._folder / "configtx.yaml").write_text(CONFIGTX.format(broker=broker.address))
        names = (f"-channelID={CHANNEL}", "-outputBlock=genesis.block")
        for command in (
            ("cryptogen", "generate", "--config=crypto.yaml", "--output=crypto"),
            ("configtxgen", "-configPath=.", "-profile=Kafka", *names),
        ):
            done = subprocess.run(
                [sys.executable, "-m", "fastledger", *command],
                cwd=self._folder,
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, done.stderr


def _real_orderer(version: str) -> Path:
    if not version.startswith("v1"):
        return fabric_tool("orderer", version)
    built = CACHE / "fabric" / version / "orderer"
    if not built.exists():
        pytest.skip(f"needs an orderer of Fabric {version} at {built}")
    return built


def _sample(version: str) -> str:
    """Fabric's own orderer.yaml; that of 1.4 reads 2.5's, but for one key with another name."""
    settings = yaml.safe_load((sample_config("v2.5.15") / "orderer.yaml").read_text("utf-8"))
    if version.startswith("v1"):
        settings = {key: settings[key] for key in ("General", "FileLedger", "Debug", "Operations")}
        settings["Metrics"] = {"Provider": "disabled"}
        for key in ("BootstrapMethod", "BootstrapFile", "MaxRecvMsgSize", "MaxSendMsgSize"):
            settings["General"].pop(key, None)
    settings["Kafka"] = {"Verbose": False}
    return yaml.safe_dump(settings)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path / "broker")
    made.start()
    yield made
    made.kill()


@pytest.fixture(params=["v2.5.15", "v1.4.12"])
def pair(tmp_path: Path, broker: Broker, request: pytest.FixtureRequest) -> Iterator[Pair]:
    made = Pair(tmp_path, broker, request.param)
    made.start(OURS)
    made.start("real")
    yield made
    made.stop()


def test_equal_blocks(pair: Pair, broker: Broker) -> None:
    """Messages and configurations at both, while either orderer and the broker are killed."""

    async def tell() -> None:
        numbers = itertools.count()
        sent: set[bytes] = set()
        await _order(pair, OURS, numbers, sent, 1)
        await _order(pair, "real", numbers, sent, 1)
        await _together(pair, numbers, sent)
        for name in (OURS, "real"):
            await _configure(pair, name, 5 if name == OURS else 9)
            await _together(pair, numbers, sent)
        for name in (OURS, "real"):
            pair.kill(name)
            other = "real" if name == OURS else OURS
            await _order(pair, other, numbers, sent, MESSAGES // 8)
            pair.start(name)
            await _together(pair, numbers, sent)
        broker.kill()
        refused = await pair.client(OURS).broadcast([_message(pair, b"nowhere to go")])
        assert [one.status for one in refused] == [Status.SERVICE_UNAVAILABLE]
        broker.start()
        await _order(pair, OURS, numbers, sent, 1)
        await _together(pair, numbers, sent)
        await _compare(pair, sent)

    asyncio.run(asyncio.wait_for(tell(), 3 * PATIENCE_S))


async def _together(pair: Pair, numbers: Iterator[int], sent: set[bytes]) -> None:
    count = MESSAGES // 8
    update = _configure(pair, random.choice((OURS, "real")), random.randrange(5, 10))
    await asyncio.gather(
        *(_order(pair, name, numbers, sent, count) for name in (OURS, "real") for _ in range(2)),
        update,
    )


async def _order(
    pair: Pair, name: str, numbers: Iterator[int], sent: set[bytes], count: int
) -> None:
    """Send messages of changing size until each is taken."""
    for _ in range(count):
        data = b"%d %s" % (next(numbers), b"." * random.choice((10, 900, 7000)))
        message = _message(pair, data)
        await _until_taken(pair, name, _constant(message))
        sent.add(message)


def _message(pair: Pair, data: bytes) -> bytes:
    client = ordering.Client(1, pair.admin)
    return client.transaction(CHANNEL, data)


async def _configure(pair: Pair, name: str, count: int) -> None:
    """Change how many messages a block holds."""

    async def update() -> bytes:
        newest = await _newest(pair, name)
        client = pair.client(name)
        [block] = await client.blocks(CHANNEL, *[last_config_index(newest)] * 2)
        await client.close()
        bundle = Bundle.from_block(block.SerializeToString())
        current, following = (Config.FromString(bundle.config) for _ in range(2))
        value = following.channel_group.groups["Orderer"].values["BatchSize"]
        size = BatchSize.FromString(value.value)
        size.max_message_count = count if size.max_message_count != count else count + 1
        value.value = size.SerializeToString()
        return update_of(CHANNEL, current, following, [pair.admin]).SerializeToString()

    await _until_taken(pair, name, update)


async def _until_taken(pair: Pair, name: str, make: Callable[[], Awaitable[bytes]]) -> None:
    """Send what is made anew for each attempt; an update is refused that another has overtaken."""

    async def is_taken() -> bool:
        client = pair.client(name)
        try:
            responses = await client.broadcast([await make()])
        except grpc.aio.AioRpcError:
            return False
        finally:
            await client.close()
        return [one.status for one in responses] == [Status.SUCCESS]

    await until(is_taken, PATIENCE_S)


async def _newest(pair: Pair, name: str) -> Block:
    """Read an orderer's last block, as soon as it gives blocks to clients."""
    info = SeekInfo(start={"newest": {}}, stop={"newest": {}})
    found: list[Block] = []

    async def answers() -> bool:
        client = pair.client(name)
        call = client.channel.stream_stream("/orderer.AtomicBroadcast/Deliver")()
        await call.write(client.request(CHANNEL, info))
        await call.done_writing()
        response = DeliverResponse.FromString(await call.read())
        await client.close()
        if response.WhichOneof("Type") == "block":
            found.append(response.block)
        return bool(found)

    await until(answers, PATIENCE_S)
    return found[0]


async def _chain(pair: Pair, name: str, height: int) -> list[Block]:
    client = pair.client(name)
    blocks = await client.blocks(CHANNEL, 0, height - 1)
    await client.close()
    return blocks


async def _compare(pair: Pair, sent: set[bytes]) -> None:
    """Wait until both have everything, and hold all of it against each other."""
    last = _message(pair, b"the last")
    await _until_taken(pair, OURS, _constant(last))

    async def has_last(name: str) -> bool:
        return last in (await _newest(pair, name)).data.data

    for name in (OURS, "real"):
        await until(lambda name=name: has_last(name), PATIENCE_S)
    heights = [(await _newest(pair, name)).header.number + 1 for name in (OURS, "real")]
    assert heights[0] == heights[1]
    ours, real = [await _chain(pair, name, heights[0]) for name in (OURS, "real")]
    for one, other in zip(ours, real, strict=True):
        number = one.header.number
        assert header_hash(one.header) == header_hash(other.header), number
        assert one.data == other.data, number
        assert consenter_metadata(one) == consenter_metadata(other), number
    ordered = [envelope for block in ours for envelope in block.data.data]
    assert sent <= set(ordered)
    configurations = sum(last_config_index(block) == block.header.number for block in ours)
    print(f"{len(ours)} blocks, {len(ordered)} messages, {configurations} configurations")


def _constant(message: bytes) -> Callable[[], Awaitable[bytes]]:
    async def make() -> bytes:
        return message

    return make
