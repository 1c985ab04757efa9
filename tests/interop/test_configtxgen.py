# SPDX-License-Identifier: Apache-2.0
"""Our configtxgen and Fabric's make the same, from the certificates of either cryptogen."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fabric_tools import run
from fastledger.cli.main import main
from fastledger.tools.cryptogen import spec
from fastledger.tools.cryptogen.generate import generate

CRYPTO = """
OrdererOrgs:
  - {Name: O, Domain: example.com, EnableNodeOUs: true, Template: {Count: 4}}
PeerOrgs:
  - {Name: 1, Domain: org1.example.com, EnableNodeOUs: true, Template: {Count: 1}}
  - {Name: 2, Domain: org2.example.com, Template: {Count: 1}}
"""

ORDERERS = "crypto/ordererOrganizations/example.com/orderers/orderer"


def consenter(number: int) -> str:
    folder = f"{ORDERERS}{number}.example.com"
    certificate = f"{folder}/msp/signcerts/orderer{number}.example.com-cert.pem"
    return (
        f"{{ID: {number + 1}, Host: o{number}, Port: 705{number}, MSPID: OrdererMSP, "
        f"Identity: {certificate}, ClientTLSCert: {folder}/tls/server.crt, "
        f"ServerTLSCert: {folder}/tls/server.crt}}"
    )


def raft_consenter(number: int) -> str:
    tls = f"{ORDERERS}{number}.example.com/tls/server.crt"
    return f"{{Host: o{number}, Port: 7050, ClientTLSCert: {tls}, ServerTLSCert: {tls}}}"


MAPPING = f"[{', '.join(consenter(number) for number in range(4))}]"
RAFT = f"[{', '.join(raft_consenter(number) for number in range(3))}]"

COMMON = f"""
Organizations:
  - &Orderer
    Name: Orderer
    ID: OrdererMSP
    MSPDir: crypto/ordererOrganizations/example.com/msp
    OrdererEndpoints: [o0:7050, o1:7050]
    Policies:
      Readers: {{Type: Signature, Rule: "OR('OrdererMSP.member')"}}
      Writers: {{Type: Signature, Rule: "OR('OrdererMSP.member')"}}
      Admins: {{Type: Signature, Rule: "OR('OrdererMSP.admin')"}}
  - &Org1
    Name: Org1
    ID: Org1MSP
    MSPDir: crypto/peerOrganizations/org1.example.com/msp
    AnchorPeers: [{{Host: peer0.org1.example.com, Port: 7051}}]
    Policies:
      Readers: {{Type: Signature, Rule: "OR('Org1MSP.admin', 'Org1MSP.peer', 'Org1MSP.client')"}}
      Writers: {{Type: Signature, Rule: "AND('Org1MSP.admin', OutOf(1, 'Org1MSP.client'))"}}
      Admins: {{Type: Signature, Rule: "OR('Org1MSP.admin')"}}
      Endorsement: {{Type: Signature, Rule: "OR('Org1MSP.peer')"}}
  - &Org2
    Name: Org2
    ID: Org2MSP
    MSPDir: crypto/peerOrganizations/org2.example.com/msp
    Policies:
      Readers: {{Type: Signature, Rule: "OR('Org2MSP.member')"}}
      Writers: {{Type: Signature, Rule: "OR('Org2MSP.member')"}}
      Admins: {{Type: Signature, Rule: "OR('Org2MSP.admin')"}}
Capabilities:
  Channel: &V2 {{V2_0: true}}
Application: &Application
  ACLs: {{_lifecycle/CheckCommitReadiness: /Channel/Application/Writers}}
  Organizations: [*Org1, *Org2]
  Capabilities: {{V2_5: true, V2_0: false}}
  Policies: &policies
    Readers: {{Type: ImplicitMeta, Rule: "ANY Readers"}}
    Writers: {{Type: ImplicitMeta, Rule: "ANY Writers"}}
    Admins: {{Type: ImplicitMeta, Rule: "MAJORITY Admins"}}
    BlockValidation: {{Type: ImplicitMeta, Rule: "ANY Writers"}}
Orderer: &OrdererDefaults
  OrdererType: solo
  BatchTimeout: 1m30s
  BatchSize: {{MaxMessageCount: 7, AbsoluteMaxBytes: 99 MB, PreferredMaxBytes: 512k}}
  Organizations: [*Orderer]
  Policies: *policies
  Capabilities: *V2
Channel: &Channel
  Policies: *policies
  Capabilities: *V2
Profiles:
  Solo: {{<<: *Channel, Orderer: {{<<: *OrdererDefaults}}, Application: *Application}}
  Defaults:
    <<: *Channel
    Orderer: {{Organizations: [*Orderer], Policies: *policies, MaxChannels: 5}}
    Application: *Application
  Raft:
    <<: *Channel
    Orderer:
      <<: *OrdererDefaults
      OrdererType: etcdraft
      EtcdRaft: {{Consenters: {RAFT}, Options: {{TickInterval: 250ms, SnapshotIntervalSize: 1 MB}}}}
    Application: *Application
  System:
    <<: *Channel
    Orderer: {{<<: *OrdererDefaults, Addresses: [o0:7050, "127.0.0.1:7051"]}}
    Consortiums: {{C: {{Organizations: [*Org1, *Org2]}}, D: {{Organizations: [*Org2]}}}}
  New: {{<<: *Channel, Consortium: C, Application: *Application}}
  NewOther:
    <<: *Channel
    Consortium: C
    Orderer: {{<<: *OrdererDefaults, BatchTimeout: 3s, Addresses: [o9:7050]}}
    Application: {{<<: *Application, Organizations: [*Org2]}}
"""

BFT = f"""
  Bft:
    <<: *Channel
    Capabilities: {{V3_0: true}}
    Orderer: {{<<: *OrdererDefaults, OrdererType: BFT, ConsenterMapping: {MAPPING}}}
    Application: *Application
  BftOptions:
    <<: *Channel
    Capabilities: {{V3_0: true}}
    Orderer:
      <<: *OrdererDefaults
      OrdererType: BFT
      ConsenterMapping: {MAPPING}
      SmartBFT: {{RequestBatchMaxCount: 9, RequestBatchMaxInterval: 1s, SyncOnStart: true}}
    Application: *Application
"""

KAFKA = """
  Kafka:
    <<: *Channel
    Orderer: {<<: *OrdererDefaults, OrdererType: kafka, Kafka: {Brokers: [k0:9092, k1:9092]}}
    Application: *Application
  KafkaDefault:
    <<: *Channel
    Orderer: {<<: *OrdererDefaults, OrdererType: kafka}
    Application: *Application
"""

BLOCK = ("-outputBlock", "common.Block")
CREATION = ("-outputCreateChannelTx", "common.Envelope")
ANCHORS = ("-outputAnchorPeersUpdate", "common.Envelope")

CASES = [
    *(
        (version, profile, BLOCK, ())
        for version in ("v3.1.5", "v2.5.15")
        for profile in ("Solo", "Defaults", "Raft", "System")
    ),
    *(("v3.1.5", profile, BLOCK, ()) for profile in ("Bft", "BftOptions")),
    *(("v2.5.15", profile, BLOCK, ()) for profile in ("Kafka", "KafkaDefault")),
    ("v3.1.5", "New", CREATION, ()),
    ("v2.5.15", "New", CREATION, ()),
    ("v2.5.15", "NewOther", CREATION, ("-channelCreateTxBaseProfile", "System")),
    ("v2.5.15", "New", ANCHORS, ("-asOrg", "Org1")),
]


def ours(*arguments: object) -> bytes:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout_bytes


@pytest.fixture(scope="module", params=["ours", "theirs"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(str(request.param))
    config = folder / "crypto-config.yaml"
    config.write_text(CRYPTO)
    if request.param == "ours":
        generate(spec.load(config), folder / "crypto", lambda _line: None)
    else:
        run("cryptogen", "generate", f"--config={config}", f"--output={folder / 'crypto'}")
    return folder


@pytest.mark.parametrize(("version", "profile", "kind", "more"), CASES)
def test_artifacts(
    version: str, profile: str, kind: tuple[str, str], more: tuple[str, ...], folder: Path
) -> None:
    extra = BFT if version == "v3.1.5" else KAFKA
    (folder / "configtx.yaml").write_text(COMMON + extra)
    flags = ("-configPath", folder, "-profile", profile, "-channelID", "ch", *more)
    flag, message = kind
    run("configtxgen", *flags, flag, folder / "real", version=version)
    ours("configtxgen", *flags, flag, folder / "ours")
    trees = []
    # Each one's output, read by the other's configtxlator.
    for name, decode in (("ours", run), ("real", ours)):
        text = decode("configtxlator", "proto_decode", "--type", message, "--input", folder / name)
        trees.append(settled(json.loads(text)))
    assert trees[0] == trees[1]


def settled(tree: dict[str, Any]) -> dict[str, Any]:
    """Take out what differs between two runs: the time, the nonce and what depends on it."""
    envelope = tree["data"]["data"][0] if "data" in tree else tree
    header = envelope["payload"]["header"]
    for key in ("timestamp", "tx_id"):
        header["channel_header"][key] = None
    if header["signature_header"]:
        header["signature_header"]["nonce"] = None
    if "header" in tree:
        tree["header"]["data_hash"] = None
    # Our updates of anchor peers say the group's mod_policy again, as configtxgen 1.4 did.
    update = envelope["payload"]["data"].get("config_update", {})
    for side in ("read_set", "write_set"):
        application = update.get(side, {}).get("groups", {}).get("Application", {})
        if application.get("version") == "1" and "Org1" in application["groups"]:
            application["mod_policy"] = ""
    return tree


@pytest.mark.parametrize("name", ["Orderer", "Org1", "Org2"])
def test_print_organization(name: str, folder: Path) -> None:
    (folder / "configtx.yaml").write_text(COMMON + BFT)
    flags = ("-configPath", folder, "-printOrg", name)
    assert ours("configtxgen", *flags) == run("configtxgen", *flags)


def test_inspection(folder: Path) -> None:
    (folder / "configtx.yaml").write_text(COMMON + BFT)
    flags = ("-configPath", folder, "-channelID", "ch")
    ours("configtxgen", *flags, "-profile=Raft", "-outputBlock", folder / "block")
    ours("configtxgen", *flags, "-profile=New", "-outputCreateChannelTx", folder / "tx")
    for flag, name in (("-inspectBlock", "block"), ("-inspectChannelCreateTx", "tx")):
        arguments = ("configtxgen", flag, folder / name)
        assert ours(*arguments) == run(*arguments)
