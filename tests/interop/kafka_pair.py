# SPDX-License-Identifier: Apache-2.0
"""An orderer of ours and a real one on the same Kafka topics, and what clients do to both."""

import asyncio
import itertools
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import grpc.aio
import pytest
import yaml

import ordering
from config_updates import update_of
from fabric_tools import fabric_tool, sample_config
from fastledger.channelconfig import Bundle
from fastledger.ledger import sources
from fastledger.msp import SigningIdentity
from fastledger.network import processes
from fastledger.orderer.blockwriter import consenter_metadata
from fastledger.protos.common.common_pb2 import Block, Metadata, Status
from fastledger.protos.common.configtx_pb2 import Config
from fastledger.protos.orderer.ab_pb2 import DeliverResponse, SeekInfo
from fastledger.protos.orderer.configuration_pb2 import BatchSize
from fastledger.protos.orderer.kafka_pb2 import KafkaMetadata
from fastledger.protoutil.blocks import last_config_index
from fastledger.protoutil.hashes import header_hash
from real_nodes import PATIENCE_S, answers, free_ports
from waiting import until, wait_until

CHANNEL = "systemchannel"
ORG = "ordererOrganizations/example.com"
OURS, REAL = "ours", "real"
BOTH = (OURS, REAL)
AWAY = (grpc.aio.AioRpcError, AssertionError)
"""What comes of an orderer that does not answer, or does not give all blocks it is asked for."""
_CRYPTO = """OrdererOrgs:
- {Name: Orderer, Domain: example.com, EnableNodeOUs: true, Specs: [
  {Hostname: o0}, {Hostname: o1}, {Hostname: broker, SANS: [127.0.0.1]}]}
"""
_CONFIGTX = """
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
      Kafka: {{Brokers: [{brokers}]}}
      BatchTimeout: 300ms
      BatchSize: {{MaxMessageCount: 7, AbsoluteMaxBytes: 10 MB, PreferredMaxBytes: 6 KB}}
      Organizations: [*Orderer]
      Policies: *policies
      Capabilities: {{V1_4_2: true}}
    Consortiums: {{C: {{Organizations: []}}}}
"""


def make_crypto(folder: Path) -> Path:
    """Make keys for two orderers and a broker; return the folder of the organization."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "crypto.yaml").write_text(_CRYPTO)
    _tool(folder, "cryptogen", "generate", "--config=crypto.yaml", "--output=crypto")
    return folder / "crypto" / ORG


class Pair:
    """Our orderer and a real one, of one system channel."""

    def __init__(
        self,
        folder: Path,
        brokers: Sequence[str],
        version: str = "v2.5.15",
        *,
        kafka: Mapping[str, object] = MappingProxyType({}),
        real_kafka: Mapping[str, object] = MappingProxyType({}),
    ) -> None:
        """Make their keys, where they are not there, and the channel.

        Args:
            folder: What they keep.
            brokers: Where they find Kafka, which keeps each message as often.
            version: Of the real one.
            kafka: What stands in the section ``Kafka`` of both.
            real_kafka: What stands there besides in that of the real one.
        """
        self._folder = folder
        self._version = version
        self._kafka = {OURS: dict(kafka), REAL: {**kafka, **real_kafka}}
        self._replicas = len(brokers)
        self._real = fabric_tool("orderer", version)
        self._ports = free_ports(6)
        self._org = folder / "crypto" / ORG
        if not self._org.exists():
            make_crypto(folder)
        (folder / "configtx.yaml").write_text(
            _CONFIGTX.format(brokers=", ".join(f'"{one}"' for one in brokers))
        )
        names = (f"-channelID={CHANNEL}", "-outputBlock=genesis.block")
        _tool(folder, "configtxgen", "-configPath=.", "-profile=Kafka", *names)
        self.admin = SigningIdentity.load(self._org / "users/Admin@example.com/msp", "OrdererMSP")
        self.started_at: set[int] = set()
        """The block that followed when an orderer was started."""

    def start(self, name: str) -> None:
        """Start an orderer, and wait until it serves."""
        folder, port = self._folder / name, self.port(name)
        environ = {
            "ORDERER_GENERAL_LISTENADDRESS": "127.0.0.1",
            "ORDERER_GENERAL_LISTENPORT": str(port),
            "ORDERER_GENERAL_LOCALMSPID": "OrdererMSP",
            "ORDERER_GENERAL_LOCALMSPDIR": str(
                self._org / "orderers" / f"o{int(name != OURS)}.example.com" / "msp"
            ),
            "ORDERER_GENERAL_TLS_ENABLED": "false",
            "ORDERER_GENERAL_BOOTSTRAPMETHOD": "file",
            "ORDERER_GENERAL_BOOTSTRAPFILE": str(self._folder / "genesis.block"),
            "ORDERER_FILELEDGER_LOCATION": str(folder / "blocks"),
            "ORDERER_OPERATIONS_LISTENADDRESS": f"127.0.0.1:{port + 2}",
            "ORDERER_ADMIN_LISTENADDRESS": f"127.0.0.1:{port + 4}",
            "ORDERER_KAFKA_RETRY_SHORTINTERVAL": "500ms",
            "ORDERER_KAFKA_RETRY_NETWORKTIMEOUTS_READTIMEOUT": "3s",
            "ORDERER_KAFKA_TOPIC_REPLICATIONFACTOR": str(self._replicas),
            "FABRIC_CFG_PATH": str(folder),
        }
        folder.mkdir(exist_ok=True)
        chain = folder / "blocks" / "chains" / CHANNEL
        if chain.is_dir():
            with sources.open(chain) as blocks:
                self.started_at.add(sum(1 for _ in blocks))
        version = self._version if name == REAL else "v2.5.15"
        (folder / "orderer.yaml").write_text(_sample(version, self._kafka[name]))
        if name == OURS:
            processes.launch(
                folder, [sys.executable, "-m", "fastledger", "orderer", "start"], environ
            )
        else:
            if self._version.startswith("v1"):
                environ["ORDERER_GENERAL_GENESISMETHOD"] = "file"
                environ["ORDERER_GENERAL_GENESISFILE"] = environ["ORDERER_GENERAL_BOOTSTRAPFILE"]
                environ["ORDERER_FILELEDGER_PREFIX"] = "x"
            processes.launch(folder, [str(self._real)], environ)
        wait_until(lambda: self._is_up(name), PATIENCE_S)

    def kill(self, name: str) -> None:
        """End one as a power switch would."""
        process = processes.running(self._folder / name)
        assert process is not None, self.log(name)
        os.kill(process.pid, 9)
        wait_until(lambda: processes.running(self._folder / name) is None, PATIENCE_S)

    def stop(self) -> None:
        """End both."""
        processes.stop([self._folder / name for name in BOTH])

    def port(self, name: str) -> int:
        return self._ports + int(name != OURS)

    def log(self, name: str) -> str:
        """The end of what one said."""
        return (self._folder / name / "log").read_text("utf-8", "replace")[-4000:]

    def client(self, name: str) -> ordering.Client:
        return ordering.Client(self.port(name), self.admin)

    def _is_up(self, name: str) -> bool:
        assert processes.running(self._folder / name) is not None, self.log(name)
        return answers(self.port(name))


class Load:
    """Messages and configurations for a pair, each sent until it is taken."""

    def __init__(self, pair: Pair) -> None:
        """Send nothing yet."""
        self._pair = pair
        self._numbers = itertools.count()
        self._maker = ordering.Client(1, pair.admin)
        self.taken: list[bytes] = []
        """What an orderer has acknowledged."""

    def message(self, data: bytes) -> bytes:
        return self._maker.transaction(CHANNEL, data)

    async def order(self, name: str, count: int) -> None:
        """Send messages of changing size."""
        for _ in range(count):
            data = b"%d %s" % (next(self._numbers), b"." * random.choice((10, 900, 7000)))
            message = self.message(data)
            await until(lambda message=message: self._is_taken(name, message), PATIENCE_S)
            self.taken.append(message)

    async def together(self, count: int) -> None:
        """Send by two clients at each orderer, and a configuration at one, at the same time."""
        await asyncio.gather(
            *(self.order(name, count) for name in BOTH for _ in range(2)),
            self.configure(random.choice(BOTH), random.randrange(5, 10)),
        )

    async def until_taken(self, count: int) -> None:
        """Wait until so many more messages are taken."""
        goal = len(self.taken) + count
        await until(lambda: len(self.taken) >= goal, PATIENCE_S)

    async def configure(self, name: str, count: int) -> None:
        """Change how many messages a block holds, and wait until it is in force or taken."""
        wanted = 0

        async def is_taken() -> bool:
            nonlocal wanted
            try:
                current = await self._config(name)
            except AWAY:
                return False
            following = Config.FromString(current.SerializeToString())
            value = following.channel_group.groups["Orderer"].values["BatchSize"]
            size = BatchSize.FromString(value.value)
            wanted = wanted or count + (size.max_message_count == count)
            if size.max_message_count == wanted:
                return True
            size.max_message_count = wanted
            value.value = size.SerializeToString()
            update = update_of(CHANNEL, current, following, [self._pair.admin])
            return await self._is_taken(name, update.SerializeToString())

        await until(is_taken, PATIENCE_S)

    async def compare(self) -> None:
        """Wait until both have everything, and hold all of it against each other.

        Some messages come twice: an orderer that has no answer of the brokers asks again, and all
        orderers put there again what a configuration has overtaken. The original offset may differ
        behind a block at which one was started: a message that was put there again, cut that block
        and stayed pending moves it only where it is read anew. That is so between two of Fabric's.
        """
        began = time.monotonic()
        ours, real = [await self._complete(name) for name in BOTH]
        height = min(len(ours), len(real))
        ours, real = ours[:height], real[:height]
        differed = False
        for one, other in zip(ours, real, strict=True):
            number = one.header.number
            assert header_hash(one.header) == header_hash(other.header), number
            assert one.data == other.data, number
            kept, theirs = _offsets(one), _offsets(other)
            differs = kept.last_original_offset_processed != theirs.last_original_offset_processed
            if differs and (differed or number in self._pair.started_at):
                kept.last_original_offset_processed = theirs.last_original_offset_processed
            assert kept == theirs, f"block {number}: ours {kept}, theirs {theirs}"
            differed = differs
        ordered = Counter(envelope for block in ours for envelope in block.data.data)
        assert set(self.taken) <= set(ordered)
        configurations = sum(last_config_index(block) == block.header.number for block in ours)
        print(
            f"{len(ours)} blocks, {sum(ordered.values())} messages of which {len(self.taken)} "
            f"were acknowledged, {sum(ordered.values()) - len(ordered)} of them once more, "
            f"{configurations} configurations; compared in {time.monotonic() - began:.0f} s"
        )

    async def _is_taken(self, name: str, message: bytes) -> bool:
        client = self._pair.client(name)
        try:
            responses = await client.broadcast([message])
        except AWAY:
            return False
        finally:
            await client.close()
        return [one.status for one in responses] == [Status.SUCCESS]

    async def _config(self, name: str) -> Config:
        """Read the configuration in force at an orderer."""
        newest = await self._newest(name)
        client = self._pair.client(name)
        try:
            [block] = await client.blocks(CHANNEL, *[last_config_index(newest)] * 2)
        finally:
            await client.close()
        return Config.FromString(Bundle.from_block(block.SerializeToString()).config)

    async def _newest(self, name: str) -> Block:
        """Read an orderer's last block, as soon as it gives blocks to clients."""
        info = SeekInfo(start={"newest": {}}, stop={"newest": {}})
        found: list[Block] = []

        async def answers() -> bool:
            client = self._pair.client(name)
            try:
                call = client.channel.stream_stream("/orderer.AtomicBroadcast/Deliver")()
                await call.write(client.request(CHANNEL, info))
                await call.done_writing()
                response = DeliverResponse.FromString(await call.read())
            except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
                return False
            finally:
                await client.close()
            if response.WhichOneof("Type") == "block":
                found.append(response.block)
            return bool(found)

        await until(answers, PATIENCE_S)
        return found[0]

    async def _complete(self, name: str) -> list[Block]:
        """Read an orderer's blocks, as soon as they have whatever was taken."""
        blocks: list[Block] = []
        missing = set(self.taken)

        async def has_all() -> bool:
            height = (await self._newest(name)).header.number + 1
            if height > len(blocks):
                client = self._pair.client(name)
                blocks.extend(await client.blocks(CHANNEL, len(blocks), height - 1))
                await client.close()
                missing.difference_update(one for block in blocks for one in block.data.data)
            return not missing

        try:
            await until(has_all, PATIENCE_S)
        except TimeoutError:
            pytest.fail(f"{name} lacks {len(missing)} messages:\n{self._pair.log(name)}")
        return blocks


def _offsets(block: Block) -> KafkaMetadata:
    return KafkaMetadata.FromString(Metadata.FromString(consenter_metadata(block)).value)


def _tool(folder: Path, *command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fastledger", *command], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def _sample(version: str, kafka: Mapping[str, object]) -> str:
    """Fabric's own orderer.yaml; that of 1.4 reads 2.5's, but for one key with another name."""
    settings = yaml.safe_load((sample_config("v2.5.15") / "orderer.yaml").read_text("utf-8"))
    if version.startswith("v1"):
        settings = {key: settings[key] for key in ("General", "FileLedger", "Debug", "Operations")}
        settings["Metrics"] = {"Provider": "disabled"}
        for key in ("BootstrapMethod", "BootstrapFile", "MaxRecvMsgSize", "MaxSendMsgSize"):
            settings["General"].pop(key, None)
    settings["Kafka"] = {"Verbose": False, **kafka}
    return yaml.safe_dump(settings)
