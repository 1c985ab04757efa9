# SPDX-License-Identifier: Apache-2.0
"""Genesis blocks and channel transactions, against those that Fabric's configtxgen made."""

import base64
import logging
import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from corpora import OpenCorpus
from fastledger.cli.main import main
from fastledger.common.errors import InputError
from fastledger.protos.common.common_pb2 import Block, Envelope
from fastledger.protos.common.configtx_pb2 import ConfigGroup
from fastledger.protos.common.policies_pb2 import SignaturePolicyEnvelope
from fastledger.protos.orderer import configuration_pb2
from fastledger.tools.configtxgen import encoder, policy
from fastledger.tools.configtxgen.load import load_profile, load_top_level
from fastledger.tools.configtxlator import protolator

FABRIC_1_4 = ["v11", "v14", "tls"]


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def configtxgen(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["configtxgen", *arguments])


def made(kind: Any, folder: Path, *arguments: str) -> dict[str, Any]:
    """Run the command; return what it wrote as protolator's tree."""
    flag = "outputBlock" if kind is Block else "outputCreateChannelTx"
    if "-asOrg" in arguments:
        flag = "outputAnchorPeersUpdate"
    output = folder / "made" / "it"
    result = configtxgen("-configPath", str(folder), f"-{flag}", str(output), *arguments)
    assert result.exit_code == 0, result.output
    return protolator.to_tree(kind.FromString(output.read_bytes()))


def settled(tree: dict[str, Any]) -> dict[str, Any]:
    """Take out what differs between two runs: the time, the nonce and what depends on it."""
    envelope = tree["data"]["data"][0] if "data" in tree else tree
    header = envelope["payload"]["header"]
    for key in ("timestamp", "tx_id"):
        header["channel_header"][key] = None
    header["signature_header"] = None
    tree.pop("metadata", None)
    tree.pop("header", None)
    return tree


def network(name: str, open_corpus: OpenCorpus, folder: Path) -> Path:
    """Put a 1.4 network's configtx.yaml and certificates into a folder; return its artifacts."""
    corpus = open_corpus(name).folder
    shutil.copy(corpus / "config" / "configtx.yaml", folder)
    shutil.copytree(corpus / "crypto-config", folder / "crypto-config")
    return corpus / "artifacts"


@pytest.mark.parametrize("name", FABRIC_1_4)
def test_system_channel(name: str, open_corpus: OpenCorpus, tmp_path: Path) -> None:
    real = network(name, open_corpus, tmp_path) / "genesis.block"
    arguments = ("-profile=TwoOrgsOrdererGenesis", "-channelID", "e2e-orderer-syschan")
    ours = made(Block, tmp_path, *arguments)
    theirs = protolator.to_tree(Block.FromString(real.read_bytes()))
    assert settled(ours) == settled(theirs)


@pytest.mark.parametrize("name", FABRIC_1_4)
def test_channel_creation(name: str, open_corpus: OpenCorpus, tmp_path: Path) -> None:
    real = network(name, open_corpus, tmp_path) / "channel.tx"
    ours = made(Envelope, tmp_path, "-profile", "TwoOrgsChannel", "-channelID=mychannel")
    theirs = protolator.to_tree(Envelope.FromString(real.read_bytes()))
    assert settled(ours) == settled(theirs)


@pytest.mark.parametrize("name", FABRIC_1_4)
@pytest.mark.parametrize("organization", ["Org1MSP", "Org2MSP"])
def test_anchor_peers(
    name: str, organization: str, open_corpus: OpenCorpus, tmp_path: Path
) -> None:
    real = network(name, open_corpus, tmp_path) / f"{organization}anchors.tx"
    arguments = ("-profile=TwoOrgsChannel", "-channelID=mychannel", "-asOrg", organization)
    ours = made(Envelope, tmp_path, *arguments)
    theirs = protolator.to_tree(Envelope.FromString(real.read_bytes()))
    assert settled(ours) == settled(theirs)


def unpack_certificates(genesis: dict[str, Any], folder: Path) -> None:
    """Write the MSP folders and TLS certificates that a genesis block came from."""
    channel = genesis["data"]["data"][0]["payload"]["data"]["config"]["channel_group"]
    for group, place in (("Application", "peerOrganizations"), ("Orderer", "ordererOrganizations")):
        for organization in channel["groups"][group]["groups"].values():
            config = organization["values"]["MSP"]["value"]["config"]
            name = config["name"].removesuffix("MSP").lower()
            msp = folder / "crypto" / place / f"{name}.example.com" / "msp"
            for kind, key in (("cacerts", "root_certs"), ("tlscacerts", "tls_root_certs")):
                (msp / kind).mkdir(parents=True)
                (msp / kind / "ca.pem").write_bytes(base64.b64decode(config[key][0]))
            units = "".join(
                f"  {unit}OUIdentifier: {{Certificate: cacerts/ca.pem, "
                f"OrganizationalUnitIdentifier: {unit.lower()}}}\n"
                for unit in ("Client", "Peer", "Admin", "Orderer")
            )
            (msp / "config.yaml").write_text(f"NodeOUs:\n  Enable: true\n{units}")
    consensus = channel["groups"]["Orderer"]["values"]["ConsensusType"]["value"]
    (consenter,) = consensus["metadata"]["consenters"]
    tls = (
        folder / "crypto/ordererOrganizations/orderer.example.com"
        "/orderers/orderer0.orderer.example.com/tls"
    )
    tls.mkdir(parents=True)
    (tls / "server.crt").write_bytes(base64.b64decode(consenter["server_tls_cert"]))


def test_application_channel(open_corpus: OpenCorpus, tmp_path: Path) -> None:
    corpus = open_corpus("small").folder
    theirs = protolator.to_tree(Block.FromString((corpus / "genesis.block").read_bytes()))
    unpack_certificates(theirs, tmp_path)
    text = (corpus / "material" / "configtx.yaml").read_text().replace("NET/", "")
    (tmp_path / "configtx.yaml").write_text(text)
    ours = made(Block, tmp_path, "-profile", "Small", "-channelID", "small")
    block = Block.FromString((tmp_path / "made" / "it").read_bytes())
    assert [slot.hex() for slot in block.metadata.metadata] == ["0a020a00", "", "", "", ""]
    assert block.header.data_hash == sha256(block.data.data[0]).digest()
    header = ours["data"]["data"][0]["payload"]["header"]
    nonce = base64.b64decode(header["signature_header"]["nonce"])
    assert header["channel_header"]["tx_id"] == sha256(nonce).hexdigest()
    assert settled(ours) == settled(theirs)


POLICIES = """
    Readers: {Type: ImplicitMeta, Rule: "ANY Readers"}
    Writers: {Type: ImplicitMeta, Rule: "ANY Writers"}
    Admins: {Type: ImplicitMeta, Rule: "MAJORITY Admins"}
    BlockValidation: {Type: ImplicitMeta, Rule: "ANY Writers"}
"""

MANY = f"""
Organizations:
  - &Org1
    Name: Org1
    ID: Org1MSP
    MSPDir: msp
    OrdererEndpoints: ["o:7050"]
    AnchorPeers: [{{Host: p, Port: 7051}}]
    Policies: &org
      Readers: {{Type: Signature, Rule: "OR('Org1MSP.member')"}}
      Writers: {{Type: Signature, Rule: "OR('Org1MSP.member')"}}
      Admins: {{Type: Signature, Rule: "OR('Org1MSP.admin')"}}
  - &Org2 {{Name: Org2, ID: Org2MSP, MSPDir: msp, Policies: *org}}
Application:
  Policies: &policies {POLICIES}
Orderer: &Orderer
  OrdererType: kafka
  Policies: *policies
  MaxChannels: 3
Profiles:
  Kafka:
    Policies: *policies
    Orderer: {{<<: *Orderer, Addresses: ["a:1", "b:2"], Kafka: {{Brokers: ["k:9092"]}}}}
    Consortiums: {{C: {{Organizations: [*Org1, *Org2]}}}}
  Bft:
    Policies: *policies
    Capabilities: {{V3_0: true, V9: false}}
    Orderer:
      <<: *Orderer
      OrdererType: BFT
      Organizations: [*Org1]
      ConsenterMapping: &mapping
        - &c {{ID: 1, Host: h, Port: 1, MSPID: M, Identity: i, ClientTLSCert: c, ServerTLSCert: s}}
        - {{<<: *c, ID: 2}}
        - {{<<: *c, ID: 3}}
        - {{<<: *c, ID: 4}}
    Application:
      Policies: *policies
      Organizations: [*Org1]
      ACLs: {{peer/Propose: /Channel/Application/Writers}}
  Raft:
    Policies: *policies
    Orderer:
      <<: *Orderer
      OrdererType: etcdraft
      BatchTimeout: 1m30s
      EtcdRaft: {{Consenters: [{{Host: h, Port: 1, ClientTLSCert: c, ServerTLSCert: s}}]}}
    Application: {{Policies: *policies, Organizations: [*Org1]}}
  New:
    Policies: *policies
    Consortium: C
    Application: {{Policies: *policies, Organizations: [*Org1]}}
  NewOther:
    Policies: *policies
    Consortium: C
    Orderer: {{<<: *Orderer, MaxChannels: 9}}
    Application: {{Policies: *policies, Organizations: [*Org1]}}
"""


@pytest.fixture
def many(open_corpus: OpenCorpus, tmp_path: Path) -> Path:
    """A folder with many profiles, whose organizations share one MSP."""
    real = open_corpus("v14").folder / "crypto-config/peerOrganizations/org1.example.com/msp"
    shutil.copytree(real, tmp_path / "msp")
    for name in "cis":
        (tmp_path / name).write_text(f"certificate {name}")
    (tmp_path / "configtx.yaml").write_text(MANY)
    return tmp_path


def group(folder: Path, profile: str) -> ConfigGroup:
    return encoder.channel_group(load_profile(profile, str(folder), {}))


def shown(folder: Path, profile: str) -> dict[str, Any]:
    tree = made(Block, folder, "-profile", profile, "-channelID", "ch")
    channel: dict[str, Any] = tree["data"]["data"][0]["payload"]["data"]["config"]["channel_group"]
    return channel


def test_kafka(many: Path) -> None:
    channel = shown(many, "Kafka")
    orderer = channel["groups"]["Orderer"]["values"]
    assert orderer["KafkaBrokers"]["value"] == {"brokers": ["k:9092"]}
    assert orderer["ConsensusType"]["value"]["type"] == "kafka"
    assert orderer["ChannelRestrictions"]["value"] == {"max_count": "3"}
    assert channel["values"]["OrdererAddresses"] == {
        "mod_policy": "/Channel/Orderer/Admins",
        "value": {"addresses": ["a:1", "b:2"]},
        "version": "0",
    }
    consortium = channel["groups"]["Consortiums"]["groups"]["C"]
    assert consortium["groups"].keys() == {"Org1", "Org2"}
    assert consortium["values"]["ChannelCreationPolicy"]["value"] == {
        "type": 3,
        "value": {"rule": "ANY", "sub_policy": "Admins"},
    }


def test_bft(many: Path) -> None:
    channel = shown(many, "Bft")
    assert channel["values"]["Capabilities"]["value"] == {"capabilities": {"V3_0": {}}}
    orderer = channel["groups"]["Orderer"]
    consenters = orderer["values"]["Orderers"]["value"]["consenter_mapping"]
    assert [consenter["id"] for consenter in consenters] == [1, 2, 3, 4]
    assert consenters[0]["identity"] == base64.b64encode(b"certificate i").decode()
    rule = orderer["policies"]["BlockValidation"]["policy"]["value"]["rule"]["n_out_of"]
    assert rule["n"] == 3
    options = orderer["values"]["ConsensusType"]["value"]["metadata"]
    assert options["request_batch_max_interval"] == "50ms"
    assert options["request_auto_remove_timeout"] == "3m0s"
    acls = channel["groups"]["Application"]["values"]["ACLs"]["value"]["acls"]
    assert acls == {"peer/Propose": {"policy_ref": "/Channel/Application/Writers"}}


@pytest.mark.parametrize(("count", "quorum"), [(1, 1), (3, 2), (4, 3), (5, 4), (6, 4), (7, 5)])
def test_bft_quorums(count: int, quorum: int) -> None:
    # ceil((n + f + 1) / 2) with f = (n - 1) // 3, worked out by hand.
    consenters = [encoder.common_config.Consenter(id=number) for number in range(count)]
    made = SignaturePolicyEnvelope.FromString(policy.bft_block_validation(consenters).value)
    assert made.rule.n_out_of.n == quorum
    assert len(made.identities) == count


def test_defaults_stand_in(many: Path) -> None:
    values = shown(many, "Raft")["groups"]["Orderer"]["values"]
    assert values["BatchTimeout"]["value"] == {"timeout": "1m30s"}
    assert values["BatchSize"]["value"] == {
        "max_message_count": 500,
        "absolute_max_bytes": 10485760,
        "preferred_max_bytes": 2097152,
    }
    assert values["ConsensusType"]["value"]["metadata"]["options"] == {
        "tick_interval": "500ms",
        "election_tick": 10,
        "heartbeat_tick": 1,
        "max_inflight_blocks": 5,
        "snapshot_interval_size": 16777216,
    }


def update_of(tree: dict[str, Any]) -> dict[str, Any]:
    update: dict[str, Any] = tree["payload"]["data"]["config_update"]
    return update


def test_channel_creation_with_the_system_channel_at_hand(many: Path) -> None:
    arguments = ("-profile=NewOther", "-channelID=ch", "-channelCreateTxBaseProfile=Kafka")
    update = update_of(made(Envelope, many, *arguments))
    values = update["write_set"]["groups"]["Orderer"]["values"]
    assert values["ChannelRestrictions"]["value"] == {"max_count": "9"}
    assert values["ChannelRestrictions"]["version"] == "1"
    application = update["write_set"]["groups"]["Application"]
    assert application["version"] == "1"
    assert application["groups"].keys() == {"Org1"}
    assert update["write_set"]["values"]["Consortium"]["value"] == {"name": "C"}


def test_channel_creation_asks_for_the_application(many: Path) -> None:
    update = update_of(made(Envelope, many, "-profile=New", "-channelID=ch"))
    assert update["channel_id"] == "ch"
    assert update["write_set"]["groups"].keys() == {"Application"}
    assert update["read_set"]["values"]["Consortium"]["value"] is None


def test_the_environment_overrides(many: Path) -> None:
    environ = {
        "CONFIGTX_PROFILES_RAFT_ORDERER_BATCHTIMEOUT": "5s",
        "CONFIGTX_PROFILES_RAFT_ORDERER_ETCDRAFT_CONSENTERS": "",
        "CONFIGTX_PROFILES_KAFKA_ORDERER_ADDRESSES": "[x:1, y:2]",
    }
    orderer = load_profile("Raft", str(many), environ).orderer
    assert orderer is not None
    assert orderer.batch_timeout == 5
    orderer = load_profile("Kafka", str(many), environ).orderer
    assert orderer is not None
    assert orderer.addresses == ["x:1", "y:2"]


def test_paths_are_relative_to_the_file(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    top = load_top_level(environ={"FABRIC_CFG_PATH": str(many)})
    assert [one.msp_dir for one in top.organizations] == [str(many / "msp")] * 2


def test_print_organization(many: Path) -> None:
    result = configtxgen("-configPath", str(many), "-printOrg", "Org1")
    assert result.exit_code == 0
    assert '"Endpoints": {' in result.stdout
    assert '"AnchorPeers"' not in result.stdout
    assert result.stdout.startswith("{\n\t")
    result = configtxgen("-configPath", str(many), "-printOrg", "Org9")
    assert "Error on printOrg: organization Org9 not found" in result.output
    assert result.exit_code == 1


def test_inspection_is_configtxlators(many: Path) -> None:
    tree = made(Block, many, "-profile", "Kafka", "-channelID", "ch")
    result = configtxgen("-inspectBlock", str(many / "made" / "it"))
    assert result.stdout == protolator.to_json(protolator.from_tree(tree, Block))


@pytest.mark.parametrize(
    ("arguments", "exit_code", "text"),
    [
        (["-foo"], 2, "flag provided but not defined: -foo\nUsage: "),
        (["-profile", "-x", "-foo=1"], 2, "flag provided but not defined: -foo"),
        (["-channelID"], 2, "flag needs an argument: -channelID"),
        (["-outputBlock=x"], 1, "Missing channelID, please specify it with '-channelID'"),
        (["-outputBlock=x", "-channelID=c"], 1, "The '-profile' is required when '-outputBlock'"),
        (["-outputBlock=x", "-channelID=c", "-profile=X"], 1, "Could not find profile: X"),
        (["-outputBlock=x", "-channelID=c", "-profile=New"], 1, "missing orderer section"),
        (["-inspectBlock=nope"], 1, "Error on inspectBlock: could not read nope"),
        (["-version"], 0, "configtxgen:\n Version: "),
        (["--help"], 0, "-outputCreateChannelTx"),
        (["-help"], 0, "-outputCreateChannelTx"),
        ([], 0, "Loading configuration"),
        (["-inspectBlock=configtx.yaml", "ignored", "-foo"], 1, "error unmarshalling"),
    ],
)
def test_exit_codes_and_texts(
    arguments: list[str],
    exit_code: int,
    text: str,
    many: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(many)
    monkeypatch.delenv("FABRIC_CFG_PATH", raising=False)
    result = configtxgen(*arguments)
    assert text in result.output
    assert result.exit_code == exit_code


def test_no_configuration_says_where_it_was_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FABRIC_CFG_PATH", "/nowhere")
    result = configtxgen("-printOrg=x")
    assert "Could not find configtx.yaml. Please make sure that FABRIC_CFG_PATH" in result.output
    assert "/nowhere, ., /etc/hyperledger/fabric" in result.output
    assert result.exit_code == 1


@pytest.mark.parametrize(
    ("old", "new", "profile", "problem"),
    [
        ("MaxChannels: 3", "MaxChanels: 3", "Raft", "Orderer' has invalid keys: MaxChanels"),
        ("MaxChannels: 3", "MaxChannels: three", "Raft", "MaxChannels: expected a whole number"),
        ("BatchTimeout: 1m30s", "BatchTimeout: soon", "Raft", "'soon' is not a duration"),
        ("OrdererType: BFT", "OrdererType: pbft", "Bft", "unknown orderer type: pbft"),
        ("V3_0: true, ", "", "Bft", "orderer type BFT must be used with V3_0 channel capability"),
        ("ClientTLSCert: c, ", "", "Raft", "etcdraft configuration did not specify client TLS"),
        ("ClientTLSCert: c", "ClientTLSCert: d", "Raft", "cannot load client cert for consenter"),
        ("MSPID: M, ", "", "Bft", "BFT configuration did not specify MSP ID"),
        ('OrdererEndpoints: ["o:7050"]', "", "Bft", "orderer endpoints for organization"),
        ("ANY Readers", "SOME Readers", "Raft", "unknown rule type 'SOME', expected ALL, ANY"),
        ("ANY Readers", "ANY", "Raft", "expected two space separated tokens, but got 1"),
        ("Type: Signature", "Type: Sig", "Raft", "unknown policy type: Sig"),
        ("    Admins: {", "    Others: {", "Raft", "no Admins policy defined"),
        ("BlockValidation", "Other", "Raft", "no BlockValidation policy defined"),
        ("OR('Org1MSP.member')", "OR('Org1MSP", "Raft", "invalid signature policy rule"),
        ("MSPDir: msp", "MSPDir: nope", "Raft", "1 - Error loading MSP configuration for org"),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, profile: str, problem: str, many: Path) -> None:
    file = many / "configtx.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(InputError) as caught:
        group(many, profile)
    assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "read"),
    [
        ("BatchTimeout: 1m30s", "BatchTimeout: 1us", {"batch_timeout": "1µs"}),
        ("BatchTimeout: 1m30s", "BatchTimeout: '0.1234567s'", {"batch_timeout": "123.4567ms"}),
        ("BatchTimeout: 1m30s", "BatchTimeout: 1000000", {"batch_timeout": "1ms"}),
        ("BatchTimeout: 1m30s", "BatchTimeout: -1s", {"batch_timeout": "-1s"}),
        ("BatchTimeout: 1m30s", "BatchSize: {MaxMessageCount: 1e2}", {"message_count": 100}),
        ("BatchTimeout: 1m30s", "BatchSize: {MaxMessageCount: 10.5}", {"message_count": 10}),
        ("BatchTimeout: 1m30s", "BatchSize: {MaxMessageCount: -1}", {"message_count": 0xFFFFFFFF}),
        # It is cut to 0, for which the default stands in.
        ("BatchTimeout: 1m30s", "BatchSize: {MaxMessageCount: 4294967296}", {"message_count": 500}),
        ("BatchTimeout: 1m30s", "BatchSize: {MaxMessageCount: ''}", {"message_count": 500}),
        ("BatchTimeout: 1m30s", "BatchSize: {AbsoluteMaxBytes: 1_000}", {"bytes": 1000}),
        ("BatchTimeout: 1m30s", "BatchSize: {AbsoluteMaxBytes: 10 MB}", {"bytes": 10 << 20}),
        ("MaxChannels: 3", "MaxChannels: '0x10'", {"max_channels": 16}),
        ("MaxChannels: 3", "MaxChannels: -1", {"max_channels": (1 << 64) - 1}),
        ("Profiles:\n", "X: ~\nProfiles:\n", {"max_channels": 3}),
    ],
)
def test_numbers_and_durations_are_those_of_go(
    old: str, new: str, read: dict[str, Any], many: Path
) -> None:
    file = many / "configtx.yaml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new) + "---\nfoo: [")
    values = group(many, "Raft").groups["Orderer"].values
    size = configuration_pb2.BatchSize.FromString(values["BatchSize"].value)
    timeout = configuration_pb2.BatchTimeout.FromString(values["BatchTimeout"].value)
    most = configuration_pb2.ChannelRestrictions.FromString(values["ChannelRestrictions"].value)
    found = {
        "batch_timeout": timeout.timeout,
        "message_count": size.max_message_count,
        "bytes": size.absolute_max_bytes,
        "max_channels": most.max_count,
    }
    assert {name: found[name] for name in read} == read


@pytest.mark.parametrize(
    ("old", "problem"),
    [
        ("  Raft:\n    Policies: *policies\n", "channel group: no policies defined"),
        ("Orderer: &Orderer\n  OrdererType: kafka\n  Policies: *policies\n", "orderer group: no"),
        ("Application: {Policies: *policies, ", "application group: no policies defined"),
        (", Policies: *org", "consortiums org group 'Org2': no policies defined"),
    ],
)
def test_policies_are_not_made_up(old: str, problem: str, many: Path) -> None:
    file = many / "configtx.yaml"
    assert old in file.read_text()
    kept = old.replace("    Policies: *policies\n", "").replace("  Policies: *policies\n", "")
    kept = kept.replace("Policies: *policies, ", "").replace(", Policies: *org", "")
    file.write_text(file.read_text().replace(old, kept))
    profile = "Kafka" if "Org2" in problem else "Raft"
    with pytest.raises(InputError, match=f"error adding policies to {problem}"):
        group(many, profile)


@pytest.mark.parametrize(
    ("capabilities", "made"),
    [("{V1_1: true}", True), ("{V1_4_3: true, V2_0: false}", True)]
    + [(other, False) for other in ("{}", "~", "{V2_0: true}", "{V1_1: true, V2_0: true}")],
)
def test_policies_of_channels_of_1_x_are_made_up(capabilities: str, made: bool, many: Path) -> None:
    """Their files are written for a configtxgen that did so."""
    file = many / "configtx.yaml"
    text = file.read_text().replace(
        "  Raft:\n    Policies: *policies\n", f"  Raft:\n    Capabilities: {capabilities}\n"
    )
    file.write_text(text)
    if made:
        assert group(many, "Raft").policies.keys() == {"Admins", "Readers", "Writers"}
    else:
        with pytest.raises(InputError, match="channel group: no policies defined"):
            group(many, "Raft")
