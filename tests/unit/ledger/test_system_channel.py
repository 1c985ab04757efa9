# SPDX-License-Identifier: Apache-2.0
"""A system channel: what creates a channel is told as such, and its content is checked."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

import fastledger
import old_channels
from corpora import OpenCorpus
from fastledger.channelconfig import Bundle
from fastledger.cli.main import main
from fastledger.protos.common import common_pb2 as common
from fastledger.protos.common.configtx_pb2 import (
    ConfigEnvelope,
    ConfigUpdate,
    ConfigUpdateEnvelope,
)
from fastledger.protoutil.blocks import data_hash
from fastledger.protoutil.envelope import signature_header, signed_envelope
from fastledger.protoutil.hashes import header_bytes, header_hash
from old_channels import Network

CORPORA = ["v11", "v14", "tls"]
CREATED = 'creates channel "mychannel" of consortium "SampleConsortium" with Org1MSP, Org2MSP'


class SystemChannel:
    """A recorded system channel, whose creation of a channel can be made anew."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "syschannel"
        self.network = Network(folder / "crypto-config")
        self.genesis, self.creation = (
            (self.folder / f"orderer_{number:03}.block").read_bytes() for number in (0, 1)
        )
        block = common.Block.FromString(self.creation)
        payload = self._payload(block.data.data[0])
        self.channel_id = self._channel_header(payload).channel_id
        self.inner = common.Envelope.FromString(payload.data)

    @staticmethod
    def _payload(envelope: bytes) -> common.Payload:
        return common.Payload.FromString(common.Envelope.FromString(envelope).payload)

    @staticmethod
    def _channel_header(payload: common.Payload) -> common.ChannelHeader:
        return common.ChannelHeader.FromString(payload.header.channel_header)

    @property
    def config(self) -> ConfigEnvelope:
        """The new channel's first configuration."""
        return ConfigEnvelope.FromString(common.Payload.FromString(self.inner.payload).data)

    def signed(self, config: ConfigEnvelope, channel_id: str = "mychannel") -> common.Envelope:
        """Sign a first configuration as an orderer does."""
        content = config.SerializeToString()
        return signed_envelope(common.CONFIG, channel_id, content, self.network.orderer)

    def block(self, inner: common.Envelope, creator: object = None) -> bytes:
        """Cut block 1 anew, with this in it."""
        content = inner.SerializeToString()
        signer = creator or self.network.orderer
        outer = signed_envelope(common.ORDERER_TRANSACTION, self.channel_id, content, signer)
        block = common.Block.FromString(self.creation)
        block.data.data[0] = outer.SerializeToString()
        block.header.data_hash = data_hash(block.data.data)
        self.sign(block)
        return block.SerializeToString()

    def sign(self, block: common.Block) -> None:
        """Sign a block as the orderer does."""
        value = common.Metadata.FromString(block.metadata.metadata[common.SIGNATURES]).value
        header = signature_header(self.network.orderer.serialized).SerializeToString()
        signed = value + header + header_bytes(block.header)
        metadata = common.Metadata(value=value)
        metadata.signatures.add(
            signature_header=header, signature=self.network.orderer.sign(signed)
        )
        block.metadata.metadata[common.SIGNATURES] = metadata.SerializeToString()

    def judge(self, path: Path, block: bytes) -> fastledger.Commit:
        with fastledger.open(path) as ledger:
            ledger.commit(self.genesis)
            return ledger.commit(block)


@pytest.fixture(params=CORPORA)
def system(request: pytest.FixtureRequest, open_corpus: OpenCorpus) -> SystemChannel:
    return SystemChannel(open_corpus(request.param).folder)


def test_the_creation_is_told_as_what_it_is(system: SystemChannel, tmp_path: Path) -> None:
    commit = system.judge(tmp_path / "ledger", system.creation)
    assert commit.codes == (fastledger.TxValidationCode.VALID,)
    assert commit.notes == (f"transaction 0 {CREATED}",)
    result = CliRunner().invoke(main, ["validate", str(system.folder)])
    assert result.exit_code == 0, result.stderr
    assert f"NOTE block 1: transaction 0 {CREATED}" in result.stdout
    assert "BAD_COMMON_HEADER" not in result.stdout


def test_what_an_orderer_would_make_anew_is_taken(system: SystemChannel, tmp_path: Path) -> None:
    commit = system.judge(tmp_path / "ledger", system.block(system.signed(system.config)))
    assert commit.notes == (f"transaction 0 {CREATED}",)


def without_an_organization(system: SystemChannel) -> bytes:
    config = system.config
    groups = config.config.channel_group.groups["Application"].groups
    del groups[sorted(groups)[0]]
    return system.block(system.signed(config))


def at_another_sequence(system: SystemChannel) -> bytes:
    config = system.config
    config.config.sequence = 2
    return system.block(system.signed(config))


def under_another_name(system: SystemChannel) -> bytes:
    return system.block(system.signed(system.config, "otherchannel"))


def without_a_request(system: SystemChannel) -> bytes:
    config = system.config
    config.ClearField("last_update")
    return system.block(system.signed(config))


def not_asked_for_by_anybody(system: SystemChannel) -> bytes:
    """Strip the request of its signatures: the consortium's creation policy is not satisfied."""
    config = system.config
    payload = common.Payload.FromString(config.last_update.payload)
    update = ConfigUpdateEnvelope.FromString(payload.data)
    update.ClearField("signatures")
    payload.data = update.SerializeToString()
    config.last_update.payload = payload.SerializeToString()
    return system.block(system.signed(config))


def signed_by_nobody(system: SystemChannel) -> bytes:
    inner = common.Envelope(payload=system.inner.payload, signature=system.inner.signature[:-1])
    return system.block(inner)


def of_another_type(system: SystemChannel) -> bytes:
    content = system.config.SerializeToString()
    orderer = system.network.orderer
    return system.block(signed_envelope(common.MESSAGE, "mychannel", content, orderer))


def request_of_1_0(system: SystemChannel) -> common.Envelope:
    """Ask for the channel without a word of capabilities, signed by both organizations."""
    payload = common.Payload.FromString(system.config.last_update.payload)
    asked = ConfigUpdateEnvelope.FromString(payload.data)
    update = ConfigUpdate.FromString(asked.config_update)
    old_channels.without_capabilities(update.read_set)
    old_channels.without_capabilities(update.write_set)
    made = ConfigUpdateEnvelope(config_update=update.SerializeToString())
    for admin in system.network.admins:
        header = signature_header(admin.serialized).SerializeToString()
        signature = admin.sign(header + made.config_update)
        made.signatures.add(signature_header=header, signature=signature)
    content = made.SerializeToString()
    return signed_envelope(common.CONFIG_UPDATE, "mychannel", content, system.network.admins[0])


def without_capabilities(system: SystemChannel, consortium_policy: str) -> tuple[bytes, bytes]:
    """Make the channel as 1.0 did, and 1.1 where no capability is required."""
    genesis = common.Block.FromString(system.genesis)
    envelope = common.Envelope.FromString(genesis.data.data[0])
    payload = common.Payload.FromString(envelope.payload)
    first = ConfigEnvelope.FromString(payload.data)
    old_channels.without_capabilities(first.config.channel_group)
    payload.data = first.SerializeToString()
    envelope.payload = payload.SerializeToString()
    genesis.data.data[0] = envelope.SerializeToString()
    genesis.header.data_hash = data_hash(genesis.data.data)
    bundle = Bundle.from_config(system.channel_id, first.config.SerializeToString())
    request = request_of_1_0(system).SerializeToString()
    made = ConfigEnvelope.FromString(bundle.channel_template(request).propose_update(request))
    made.config.channel_group.values["Consortium"].mod_policy = consortium_policy
    block = common.Block.FromString(system.block(system.signed(made)))
    block.header.previous_hash = header_hash(genesis.header)
    system.sign(block)
    return genesis.SerializeToString(), block.SerializeToString()


@pytest.mark.parametrize("consortium_policy", ["", "Admins"], ids=["1.0", "1.1"])
def test_channels_were_made_otherwise_before_there_were_capabilities(
    open_corpus: OpenCorpus, tmp_path: Path, consortium_policy: str
) -> None:
    system = SystemChannel(open_corpus("v11").folder)
    system.genesis, block = without_capabilities(system, consortium_policy)
    assert system.judge(tmp_path / "ledger", block).notes == (f"transaction 0 {CREATED}",)


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (without_an_organization, "LastUpdate did not produce the supplied config result"),
        (
            at_another_sequence,
            "config currently at sequence 0, cannot validate config at sequence 2",
        ),
        (under_another_name, "channel 'mychannel' was asked for, but .* 'otherchannel'"),
        (without_a_request, "Must include a config update"),
        (not_asked_for_by_anybody, "policy for .* not satisfied"),
        (signed_by_nobody, "signature of OrdererMSP.* is not valid"),
        (of_another_type, "does not begin with a transaction of type CONFIG"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_creation_against_the_rules_refuses_the_block(
    open_corpus: OpenCorpus,
    tmp_path: Path,
    make: Callable[[SystemChannel], bytes],
    why: str,
) -> None:
    system = SystemChannel(open_corpus("v11").folder)
    with pytest.raises(
        fastledger.BlockRefused, match=f"creates a channel against the rules: .*{why}"
    ):
        system.judge(tmp_path / "ledger", make(system))


def test_only_who_may_write_creates_channels(open_corpus: OpenCorpus, tmp_path: Path) -> None:
    system = SystemChannel(open_corpus("v11").folder)
    block = system.block(system.inner, system.network.admins[0])
    commit = system.judge(tmp_path / "ledger", block)
    assert commit.codes == (fastledger.TxValidationCode.BAD_CREATOR_SIGNATURE,)
    assert commit.notes == ()
