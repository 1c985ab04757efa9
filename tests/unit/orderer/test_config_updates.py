# SPDX-License-Identifier: Apache-2.0
"""Which updates of a configuration an orderer takes, and what it says of the others.

The texts are those of a real 3.1.5 orderer; ``tests/interop/test_config_updates.py`` holds ours
against its answers.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

import config_changes as changes
import fastledger
from config_changes import Certificates
from config_updates import update_of
from fastledger.channelconfig import Bundle
from fastledger.common.errors import BlockRefused, FastledgerError, InputError, Unsupported
from fastledger.ledger.blockstores import Ledgers
from fastledger.msp import SigningIdentity
from fastledger.network.plan import Plan
from fastledger.orderer.consensus.consenters import Consenters
from fastledger.orderer.consensus.kinds import rules_of
from fastledger.orderer.errors import Rejected
from fastledger.orderer.msgprocessor.message import OrdererMessage
from fastledger.orderer.multichannel.registrar import Registrar
from fastledger.protos.common.common_pb2 import Block
from fastledger.protos.common.configtx_pb2 import Config
from fastledger.tools.configtxgen.artifacts import genesis_block
from fastledger.tools.configtxgen.load import load_profile

METADATA = "consensus metadata update for channel config update is invalid: "
NEW = METADATA + "invalid new config metadata: "
CAPABILITIES = "config update is not compatible: config requires unsupported orderer capabilities: "
MAINTENANCE = "did not pass maintenance checks: config transaction inspection failed: "

REFUSED = {
    "tick_interval 'abc'": (
        NEW + 'failed to parse TickInterval (abc) to time duration: time: invalid duration "abc"'
    ),
    "tick_interval '500'": 'to time duration: time: missing unit in duration "500"',
    "tick_interval '5x'": 'to time duration: time: unknown unit "x" in duration "5x"',
    "tick_interval '0s'": NEW + "TickInterval cannot be zero",
    "heartbeat_tick 0": (
        NEW + "none of HeartbeatTick (0), ElectionTick (10) and MaxInflightBlocks (5) can be zero"
    ),
    "election_tick 0": "none of HeartbeatTick (1), ElectionTick (0) and MaxInflightBlocks (5)",
    "max_inflight_blocks 0": "ElectionTick (10) and MaxInflightBlocks (0) can be zero",
    "heartbeat_tick as election_tick": "ElectionTick (10) must be greater than HeartbeatTick (10)",
    "election_tick 1": "ElectionTick (1) must be greater than HeartbeatTick (1)",
    "heartbeat_tick huge": "ElectionTick (10) must be greater than HeartbeatTick (4294967295)",
    "no options": NEW + "nil Raft config metadata options",
    "empty options": "none of HeartbeatTick (0), ElectionTick (0) and MaxInflightBlocks (0)",
    "garbled metadata": METADATA + "failed to unmarshal new etcdraft metadata configuration: ",
    "empty metadata": NEW + "nil Raft config metadata options",
    "no consenters": NEW + "empty consenter set",
    "no policy for blocks": "no policies in config block: /Channel/Orderer/BlockValidation",
    "client certificate junk": (
        "has invalid certificate: parsing tls client cert of {consenter}: "
        "no PEM data found in cert[6a 75 6e 6b]"
    ),
    "server certificate empty": (
        "parsing tls server cert of {consenter}: no PEM data found in cert[]"
    ),
    "client certificate of the enrollment CA": "x509: certificate signed by unknown authority",
    "server certificate of a peers' CA": "x509: certificate signed by unknown authority",
    "client certificate for signing code": (
        "x509: certificate specifies an incompatible key usage"
    ),
    "expired client certificate": (
        "consenter {consenter} has invalid certificates: verifying tls client cert with serial "
    ),
    "not yet valid client certificate": "x509: certificate has expired or is not yet valid",
    "the same consenter twice": NEW + "duplicate consenter: server cert: -----BEGIN",
    "the same certificate in another role": NEW + "duplicate consenter: server cert: -----BEGIN",
    "two more consenters": (
        METADATA + "update of more than one consenter at a time is not supported, requested "
        "changes: add 2 node(s), remove 0 node(s)"
    ),
    "one more consenter": "which takes TLS between orderers",
    "another key": "none of its consenters is this orderer",
    "BFT at once": (
        MAINTENANCE + "attempted to change consensus type from etcdraft to BFT, "
        "but current config ConsensusType.State is not in maintenance mode"
    ),
    "into maintenance with a batch size": MAINTENANCE + "config update contain more then just",
    "into maintenance with other options": (
        MAINTENANCE + "attempted to change ConsensusType.Metadata, but ConsensusType.State"
    ),
    "type 'solo'": (
        MAINTENANCE + "attempted to change consensus type from etcdraft to solo, "
        "but current config ConsensusType.State is not in maintenance mode"
    ),
    "max_message_count 0": "batch size max message count to an invalid value: 0",
    "preferred above absolute": "greater than the absolute max bytes",
    "timeout 'abc'": 'to a invalid value: time: invalid duration "abc"',
    "timeout '2d'": 'to a invalid value: time: unknown unit "d" in duration "2d"',
    "timeout '0'": "to a non-positive value: 0s",
    "timeout '-90s'": "to a non-positive value: -1m30s",
    "timeout '-250ms'": "to a non-positive value: -250ms",
    "orderer capability V9": (
        CAPABILITIES + "Orderer capability V9 is required but not supported: "
        "Orderer capability V9 is required but not supported"
    ),
    "orderer capability V3_0": CAPABILITIES + "Orderer capability V3_0 is required",
    "no orderer organization": NEW + "consenter {consenter} has invalid certificate: verifying",
    "no TLS CAs": "x509: certificate signed by unknown authority",
    "other TLS CAs": "x509: certificate signed by unknown authority",
    "BFT without endpoints": (
        METADATA + "illegal orderer config detected during consensus metadata validation: "
        "endpoints of org OrdererOrg are missing"
    ),
    "channel capability V9": "Channel capability V9 is required but not supported",
    "hash 'MD5'": "Unknown hashing algorithm type: MD5",
}
"""What is said, or a part of it; {consenter} stands for the one consenter's address."""

TAKEN = (
    "tick_interval '250ms'",
    "tick_interval '1h'",
    "election_tick huge",
    "max_inflight_blocks huge",
    "snapshot_interval_size 0",
    "text around the certificate",
    "the same key certified anew",
    "another client certificate",
    "a client certificate for clients",
    "a client certificate for any use",
    "expired server certificate",
    "no host",
    "no port",
    "into maintenance",
    "max_message_count 1",
    "timeout '3s'",
    "Kafka brokers",
    "channel restrictions",
    "orderer capability V1_4_2",
    "more TLS CAs",
    "hash 'SHA3_256'",
    "application capability V9",
)


class Orderer:
    """A registrar with one channel, as the orderer of a network has it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.admins = [
            SigningIdentity.load(Path(folder), mspid)
            for mspid, folder in changes.administrators(plan)
        ]
        self.block = genesis_block(
            load_profile("ChannelUsingRaft", str(plan.state), {}), plan.channel
        )
        self.genesis = Bundle.from_block(self.block.SerializeToString())
        self.made = Certificates(plan)
        self.changes = dict(changes.compared(self.made))
        self.changes |= dict(changes.others(self.made)) | dict(changes.unanswered())

    def registrar(self) -> Registrar:
        node = self.plan.orderer
        certificate = (node.identity / "tls" / "server.crt").read_bytes()
        signer = SigningIdentity.load(node.identity / "msp", node.mspid)
        ledgers = Ledgers(self.plan.folder / "ledgers")
        return Registrar(ledgers, signer, Consenters(certificate))

    def update(self, name: str) -> OrdererMessage:
        current = Config.FromString(self.genesis.config)
        following = Config.FromString(self.genesis.config)
        self.changes[name](following)
        envelope = update_of(self.plan.channel, current, following, self.admins)
        return OrdererMessage.parse(envelope.SerializeToString())


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Orderer:
    return Orderer(changes.plan_of(tmp_path_factory.mktemp("network"), 7000))


@pytest.fixture(scope="module")
def registrar(material: Orderer) -> Iterator[Registrar]:
    with asyncio.Runner() as runner:
        registrar = material.registrar()

        async def begin() -> None:
            registrar.open()
            registrar.join(material.genesis, material.block.SerializeToString())

        runner.run(begin())
        yield registrar
        runner.run(registrar.close())


def judged(registrar: Registrar, material: Orderer, name: str) -> None:
    support = registrar.channel(material.plan.channel)
    assert support is not None
    support.processor.process_update(material.update(name))


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused(registrar: Registrar, material: Orderer, name: str) -> None:
    with pytest.raises(Rejected) as refusal:
        judged(registrar, material, name)
    expected = REFUSED[name].replace("{consenter}", material.plan.orderer.address)
    assert expected in str(refusal.value)


@pytest.mark.parametrize("name", TAKEN)
def test_what_is_taken(registrar: Registrar, material: Orderer, name: str) -> None:
    judged(registrar, material, name)


@pytest.mark.parametrize("name", TAKEN)
def test_what_is_taken_leaves_the_channel_alive(
    material: Orderer, name: str, tmp_path: Path
) -> None:
    """It is there after a restart, with the configuration in force."""

    async def through() -> None:
        ledgers = Ledgers(tmp_path / "ledgers")
        node = material.plan.orderer
        certificate = (node.identity / "tls" / "server.crt").read_bytes()
        signer = SigningIdentity.load(node.identity / "msp", node.mspid)
        for round_ in range(2):
            registrar = Registrar(ledgers, signer, Consenters(certificate))
            registrar.open()
            if round_ == 0:
                registrar.join(material.genesis, material.block.SerializeToString())
                await registrar.update(material.plan.channel, material.update(name))
            support = registrar.channel(material.plan.channel)
            assert support is not None
            assert (support.standing.status, support.sequence) == ("active", 1)
            await registrar.close()

    asyncio.run(through())


def test_peers_refuse_an_application_capability_that_orderers_take(
    material: Orderer, tmp_path: Path
) -> None:
    async def ordered() -> list[bytes]:
        node = material.plan.orderer
        signer = SigningIdentity.load(node.identity / "msp", node.mspid)
        registrar = Registrar(Ledgers(tmp_path / "ledgers"), signer, Consenters())
        registrar.open()
        registrar.join(material.genesis, material.block.SerializeToString())
        await registrar.update(material.plan.channel, material.update("application capability V9"))
        blocks = [registrar.fetch(material.plan.channel, str(number)) for number in range(2)]
        await registrar.close()
        return blocks

    genesis, update = asyncio.run(ordered())
    with fastledger.open(tmp_path / "ledger") as ledger:
        ledger.commit(genesis)
        with pytest.raises(BlockRefused, match="Application capability V9 is required"):
            ledger.commit(update)


IN_MAINTENANCE = {
    "BFT with a bad batch interval": "invalid BFT metadata configuration",
    "BFT with a batch count of 0": "invalid BFT metadata configuration",
    "BFT with garbled options": "failed to unmarshal BFT metadata configuration: ",
    "BFT without consenters": (
        MAINTENANCE + "invalid BFT consenter mapping configuration: "
        "Invalid new config: bft consenters are missing"
    ),
    "BFT with two consenters": (
        "the number of bft consenters: 2 is not equal to the number of raft consenters: 1"
    ),
    "BFT with another consenter": "No suitable BFT consenter for Raft consenter: ",
    "BFT out of maintenance": (
        "attempted to change ConsensusType.Type from etcdraft to BFT, "
        "but ConsensusType.State is changing from STATE_MAINTENANCE to STATE_NORMAL"
    ),
    "other options out of maintenance": "attempted to change ConsensusType.Metadata, but",
    "bad options": NEW + "TickInterval cannot be zero",
    "BFT as it should be": "error retrieving consenter of type: BFT; this orderer runs",
}


@pytest.mark.parametrize("name", IN_MAINTENANCE)
def test_what_is_refused_in_maintenance(material: Orderer, name: str, tmp_path: Path) -> None:
    """The last of them a real orderer would take."""

    async def through() -> None:
        node = material.plan.orderer
        signer = SigningIdentity.load(node.identity / "msp", node.mspid)
        registrar = Registrar(Ledgers(tmp_path / "ledgers"), signer, Consenters())
        registrar.open()
        registrar.join(material.genesis, material.block.SerializeToString())
        await registrar.update(material.plan.channel, material.update("into maintenance"))
        support = registrar.channel(material.plan.channel)
        assert support is not None
        current = Config.FromString(support.bundle.config)
        following = Config.FromString(support.bundle.config)
        known = dict(changes.in_maintenance()) | dict(changes.migrations())
        known[name](following)
        update = update_of(material.plan.channel, current, following, material.admins)
        with pytest.raises(Rejected) as refusal:
            await registrar.update(
                material.plan.channel, OrdererMessage.parse(update.SerializeToString())
            )
        assert IN_MAINTENANCE[name] in str(refusal.value)
        await registrar.close()

    asyncio.run(through())


def bundle(material: Orderer, *names: str) -> Bundle:
    """The channel's first configuration with changes."""
    config = Config.FromString(material.genesis.config)
    for name in names:
        material.changes[name](config)
    return Bundle.from_config(material.plan.channel, config.SerializeToString())


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("another client certificate", "new channel has consenter that is not part of system"),
        ("tick_interval 'abc'", "invalid new config metadata: failed to parse TickInterval (abc)"),
        ("two more consenters", "new channel has consenter that is not part of system"),
    ],
)
def test_what_a_system_channel_does_not_make(material: Orderer, name: str, reason: str) -> None:
    system = material.genesis
    with pytest.raises(InputError) as refusal:
        rules_of(system).check_new_channel(system, bundle(material, name))
    assert reason in str(refusal.value)


def test_a_system_channel_makes_channels_like_itself(material: Orderer) -> None:
    system = material.genesis
    rules_of(system).check_new_channel(system, bundle(material, "tick_interval '1h'"))


def test_a_solo_channel_keeps_its_last_organization(material: Orderer) -> None:
    solo = bundle(material, "type 'solo'")
    without = bundle(material, "type 'solo'", "no orderer organization")
    with pytest.raises(InputError, match="without any organization"):
        rules_of(solo).check_update(solo, without)
    rules_of(solo).check_update(solo, bundle(material, "type 'solo'", "max_message_count 1"))


def test_a_solo_channel_goes_over_to_etcdraft_that_works(material: Orderer) -> None:
    solo = bundle(material, "type 'solo'")
    with pytest.raises(InputError, match="none of HeartbeatTick"):
        rules_of(material.genesis).check_migration(solo, bundle(material, "heartbeat_tick 0"))
    rules_of(material.genesis).check_migration(solo, material.genesis)


JOINED = {
    "tick_interval 'abc'": "failed to parse TickInterval (abc) to time duration",
    "no options": "nil Raft config metadata options",
    "no consenters": "empty consenter set",
    "client certificate junk": "no PEM data found in cert[6a 75 6e 6b]",
    "server certificate of a peers' CA": "x509: certificate signed by unknown authority",
    "the same consenter twice": "duplicate consenter",
    "no orderer organization": "x509: certificate signed by unknown authority",
    "orderer capability V9": "config requires unsupported orderer capabilities",
    "empty metadata": "nil Raft config metadata options",
    "no policy for blocks": "failed creating ledger resources: no policies in config block",
}


@pytest.mark.parametrize("name", JOINED)
def test_what_is_not_joined(material: Orderer, name: str, tmp_path: Path) -> None:
    config = Config.FromString(material.genesis.config)
    material.changes[name](config)
    bundle = Bundle.from_config(material.plan.channel, config.SerializeToString())
    block = Block()
    block.CopyFrom(material.block)
    node = material.plan.orderer
    signer = SigningIdentity.load(node.identity / "msp", node.mspid)
    registrar = Registrar(Ledgers(tmp_path / "ledgers"), signer, Consenters())
    with pytest.raises(FastledgerError) as refusal:
        registrar.join(bundle, block.SerializeToString())
    assert JOINED[name] in str(refusal.value)
    assert registrar.channel(material.plan.channel) is None


def test_who_follows_nobody_joins_with_no_later_block(material: Orderer, tmp_path: Path) -> None:
    block = Block()
    block.CopyFrom(material.block)
    block.header.number = 5
    node = material.plan.orderer
    signer = SigningIdentity.load(node.identity / "msp", node.mspid)
    registrar = Registrar(Ledgers(tmp_path / "ledgers"), signer, Consenters())
    with pytest.raises(Unsupported, match="cannot follow them"):
        registrar.join(material.genesis, block.SerializeToString())
    assert registrar.channel(material.plan.channel) is None
    assert registrar.channel_ids() == []
