# SPDX-License-Identifier: Apache-2.0
"""Fabric's own commands on our orderer and peers: the classic and the modern walk.

Those of 2.5.15 are the last that know the classic one; 3.1.5 has the modern one only.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from corpora import ROOT
from fastledger.chaincode import package as packages
from fastledger.network.plan import Node, Org, Plan
from fastledger.protos.common.common_pb2 import (
    ChannelHeader,
    Envelope,
    Header,
    HeaderType,
    Payload,
)
from fastledger.protos.common.configtx_pb2 import ConfigUpdateEnvelope
from real_nodes import Commands, client_certificate, free_ports, plan_of, with_mutual_tls
from real_nodes import running as running_nodes
from registries import fetch
from waiting import wait_until

sys.path.insert(0, str(ROOT / "examples"))

from classic_network import PEER_PORTS, ClassicNetwork, Ports
from classic_network import running as running_classic

CLASSIC = "v2.5.15"
CHAINCODE = ROOT / "examples" / "chaincode" / "account"
GOLANG = ROOT / "tests" / "interop" / "golang"
CHANNEL = "mychannel"
QUERY = '{"Args":["query","a"]}'
MOVE = '{"Args":["invoke","a","b","10"]}'
OPEN = '{"Args":["init","a","100","b","200"]}'
NOTHING = '{"Args":[]}'


def eventually(ask, expected: str) -> None:
    """A peer commits a moment after the others."""
    wait_until(lambda: ask() == expected)


# The classic walk.


@pytest.fixture
def classic(tmp_path: Path) -> Iterator[tuple[ClassicNetwork, Commands]]:
    """Identities, genesis block and transactions by Fabric's tools; the nodes are ours."""
    first = free_ports(1 + 2 * len(PEER_PORTS))
    peers = {name: first + 1 + index for index, name in enumerate(PEER_PORTS)}
    chaincode = {name: port + len(peers) for name, port in peers.items()}
    network = ClassicNetwork(tmp_path, Ports(first, peers, chaincode))
    network.write_config()
    tools = Commands(tmp_path, CLASSIC)
    tools("cryptogen", "generate", "--config=crypto-config.yaml")
    make = tools.at({"FABRIC_CFG_PATH": str(tmp_path)})
    genesis = ("-profile", "TwoOrgsOrdererGenesis", "-channelID", "syschannel")
    make("configtxgen", *genesis, "-outputBlock", "genesis.block")
    channel = ("-profile", "TwoOrgsChannel", "-channelID", CHANNEL)
    make("configtxgen", *channel, "-outputCreateChannelTx", "channel.tx")
    for org in ("Org1MSP", "Org2MSP"):
        make("configtxgen", *channel, "-outputAnchorPeersUpdate", f"{org}.tx", "-asOrg", org)
    with running_classic(network):
        network.start(tmp_path / "genesis.block")
        yield network, tools


def test_classic_walk(classic: tuple[ClassicNetwork, Commands]) -> None:
    network, tools = classic
    fetch(GOLANG, "go", "mod", "download")
    one, two = (tools.at(network.at(f"peer0.{org}")) for org in ("org1", "org2"))
    orderer = ("-o", network.orderer)
    chaincode = ("-C", CHANNEL, "-n", "mycc")

    one("peer", "channel", "create", *orderer, "-c", CHANNEL, "-f", "channel.tx")
    again = ("channel", "create", *orderer, "-c", CHANNEL, "-f", "channel.tx")
    assert "BAD_REQUEST" in one("peer", *again, expected=1)
    for name in network.ports.peers:
        join = ("peer", "channel", "join", "-b", f"{CHANNEL}.block")
        assert "Successfully submitted proposal to join channel" in tools.at(network.at(name))(
            *join
        )
    for peer, org in ((one, "Org1MSP"), (two, "Org2MSP")):
        update = ("peer", "channel", "update", *orderer, "-c", CHANNEL, "-f", f"{org}.tx")
        assert "Successfully submitted channel update" in peer(*update)
    assert CHANNEL in one("peer", "channel", "list")
    newest = ("peer", "channel", "fetch", "config", "config.block", "-c", CHANNEL, *orderer)
    assert "Received block: 2" in one(*newest)

    package = ("peer", "chaincode", "package", "mycc.pak", "-l", "python", "-p", str(CHAINCODE))
    done = network.run(*package, "-n", "mycc", "-v", "1.0", env=network.at("peer0.org1"))
    assert done.returncode == 0, done.stderr
    for name in ("peer0.org1", "peer0.org2"):
        installing = tools.at(network.at(name))
        assert "Installed remotely" in installing("peer", "chaincode", "install", "mycc.pak")
    assert "Name: mycc, Version: 1.0" in one("peer", "chaincode", "list", "--installed")
    policy = ("-P", "AND('Org1MSP.peer','Org2MSP.peer')")
    start = ("peer", "chaincode", "instantiate", *orderer, *chaincode, "-v", "1.0", "-c", OPEN)
    one(*start, *policy)
    eventually(
        lambda: one.run("peer", "chaincode", "query", *chaincode, "-c", QUERY).stdout, "100\n"
    )
    listed = one("peer", "chaincode", "list", "--instantiated", "-C", CHANNEL)
    assert "Name: mycc, Version: 1.0" in listed

    both = [word for org in ("org1", "org2") for word in _address(network, f"peer0.{org}")]
    invoke = ("peer", "chaincode", "invoke", *orderer, *chaincode, "-c", MOVE, "--waitForEvent")
    assert "committed with status (VALID)" in one(*invoke, *both)
    for peer in (one, two):
        eventually(lambda p=peer: p.answer("chaincode", "query", *chaincode, "-c", QUERY), "90")
    alone = one(*invoke, *_address(network, "peer0.org1"), expected=1)
    assert "ENDORSEMENT_POLICY_FAILURE" in alone
    assert "Entity not found" in one(
        "peer", "chaincode", "invoke", *orderer, *chaincode, *both,
        "-c", '{"Args":["invoke","nobody","b","10"]}', expected=1,
    )  # fmt: skip
    assert json.loads(_info(one))["height"] == 6

    # In Go, from its sources to a process that the peer builds and starts.
    install = ("peer", "chaincode", "install", "-n", "gocc", "-v", "1", "-p", str(GOLANG))
    assert "Installed remotely" in one(*install)
    policy = ("-P", "OR('Org1MSP.peer')")
    gocc = ("-C", CHANNEL, "-n", "gocc")
    one("peer", "chaincode", "instantiate", *orderer, *gocc, "-v", "1", "-c", NOTHING, *policy)
    eventually(lambda: str(json.loads(_info(one))["height"]), "7")
    put_and_get(one, (*orderer, *gocc), _address(network, "peer0.org1"))


def _address(network: ClassicNetwork, peer: str) -> tuple[str, str]:
    return "--peerAddresses", network.peer(peer)


def put_and_get(peer: Commands, chaincode: tuple[str, ...], at: tuple[str, ...]) -> None:
    """Write a key with a chaincode of the interop tests, and read it."""
    put = ("-c", '{"Args":["put","k","v"]}')
    done = peer("peer", "chaincode", "invoke", *chaincode, *put, *at, "--waitForEvent")
    assert "committed with status (VALID)" in done
    get = ("-c", '{"Args":["get","k"]}')
    assert peer.answer("chaincode", "query", *chaincode, *get) == "v"


def _info(peer: Commands) -> str:
    """What ``channel getinfo`` tells of the ledger."""
    return peer.answer("channel", "getinfo", "-c", CHANNEL).partition("Blockchain info: ")[2]


# The modern walk.


def as_admin(org: Org, node: Node) -> dict[str, str]:
    """The environment of an organization's admin at one of its peers."""
    return {
        "CORE_PEER_ADDRESS": node.address,
        "CORE_PEER_LOCALMSPID": org.mspid,
        "CORE_PEER_MSPCONFIGPATH": str(org.msp("Admin")),
        "CORE_PEER_TLS_ENABLED": "true",
        "CORE_PEER_TLS_ROOTCERT_FILE": str(node.tls_root),
    }


def with_certificate(org: Org) -> dict[str, str]:
    """The environment of a client that shows a TLS certificate."""
    cert, key = client_certificate(org, "Admin")
    return {
        "CORE_PEER_TLS_CLIENTAUTHREQUIRED": "true",
        "CORE_PEER_TLS_CLIENTCERT_FILE": str(cert),
        "CORE_PEER_TLS_CLIENTKEY_FILE": str(key),
    }


@pytest.mark.parametrize(
    ("version", "mutual"), [("v2.5.15", False), ("v3.1.5", True)], ids=["tls", "mutual tls"]
)
def test_modern_walk(tmp_path: Path, version: str, mutual: bool) -> None:
    plan = plan_of(tmp_path)
    if mutual:
        fetch(GOLANG, "go", "mod", "download")
        with_mutual_tls(plan)
    tools = Commands(tmp_path, version)
    profile = ("-profile", "ChannelUsingRaft", "-channelID", CHANNEL)
    make = tools.at({"FABRIC_CFG_PATH": str(plan.state)})
    make("configtxgen", *profile, "-outputBlock", plan.genesis_block)
    with running_nodes(plan):
        walk = ModernWalk(plan, tools, mutual=mutual)
        walk.join()
        walk.deploy()
        walk.use()
        walk.configure()
        walk.snapshot()
        if mutual:
            walk.deploy_golang()


class ModernWalk:
    """Channel participation, lifecycle, transactions, configuration."""

    def __init__(self, plan: Plan, tools: Commands, *, mutual: bool) -> None:
        self.plan = plan
        self.tools = tools
        self.one, self.two = (
            tools.at(as_admin(org, org.peers[0]) | (with_certificate(org) if mutual else {}))
            for org in plan.organizations
        )
        self.orderer: tuple[str, ...] = (
            *("-o", plan.orderer.address),
            *("--tls", "--cafile", str(plan.orderer.tls_root)),
        )
        if mutual:
            cert, key = map(str, client_certificate(plan.organizations[0], "Admin"))
            self.orderer += ("--clientauth", "--certfile", cert, "--keyfile", key)
        self.both = [
            word
            for node in plan.all_peers
            for word in ("--peerAddresses", node.address, "--tlsRootCertFiles", str(node.tls_root))
        ]

    def osnadmin(self, *arguments: object) -> str:
        tls = self.plan.orderer.identity / "tls"
        return self.tools(
            "osnadmin", "channel", *arguments,
            "-o", f"127.0.0.1:{self.plan.orderer.side_port}", "--ca-file", tls / "ca.crt",
            "--client-cert", tls / "server.crt", "--client-key", tls / "server.key",
        )  # fmt: skip

    def join(self) -> None:
        joined = self.osnadmin(
            "join", "--channelID", CHANNEL, "--config-block", self.plan.genesis_block
        )
        assert "Status: 201" in joined
        assert '"status": "active"' in self.osnadmin("list", "--channelID", CHANNEL)
        for peer in (self.one, self.two):
            peer("peer", "channel", "join", "-b", self.plan.genesis_block)
            assert CHANNEL in peer("peer", "channel", "list")

    def deploy(self) -> None:
        content = packages.build_from(CHAINCODE, "account_1", "python")
        (self.plan.folder / "account.tar.gz").write_bytes(content)
        lifecycle = ("peer", "lifecycle", "chaincode")
        package_id = self.one(*lifecycle, "calculatepackageid", "account.tar.gz").strip()
        for peer in (self.one, self.two):
            assert package_id in peer(*lifecycle, "install", "account.tar.gz")
            assert package_id in peer(*lifecycle, "queryinstalled")
        self.one(*lifecycle, "getinstalledpackage", "--package-id", package_id)
        fetched = self.plan.folder / f"{package_id}.tar.gz"
        assert fetched.read_bytes() == (self.plan.folder / "account.tar.gz").read_bytes()

        channel = ("--channelID", CHANNEL, "--name", "account")
        definition = (*channel, "--version", "1", "--sequence", "1", "--init-required")
        approve = ("approveformyorg", *self.orderer, *definition, "--package-id", package_id)
        self.one(*lifecycle, *approve)
        ready = ("checkcommitreadiness", *definition, "--output", "json")
        approvals = json.loads(self.one.answer(*lifecycle[1:], *ready))["approvals"]
        assert approvals == {"Org1MSP": True, "Org2MSP": False}
        commit = ("commit", *self.orderer, *definition, *self.both)
        assert "not agreed to by this org" in self.one(*lifecycle, *commit, expected=1)
        self.two(*lifecycle, *approve)
        assert package_id in self.two(*lifecycle, "queryapproved", *channel)
        assert self.one(*lifecycle, *commit).count("committed with status (VALID)") == 2
        committed = self.two(*lifecycle, "querycommitted", *channel)
        assert "Approvals: [Org1MSP: true, Org2MSP: true]" in committed

    def use(self) -> None:
        chaincode = ("-C", CHANNEL, "-n", "account")
        invoke = ("chaincode", "invoke", *self.orderer, *chaincode, "--waitForEvent")
        opened = self.one("peer", *invoke, "--isInit", "-c", OPEN, *self.both)
        assert opened.count("committed with status (VALID)") == 2
        query = ("chaincode", "query", *chaincode, "-c", QUERY)
        assert self.one.answer(*query) == "100"
        assert "status:200" in self.one("peer", *invoke, "-c", MOVE, *self.both)
        assert [peer.answer(*query) for peer in (self.one, self.two)] == ["90", "90"]
        lacking = self.one("peer", *invoke, "-c", MOVE, *self.both[:4], expected=1)
        assert "ENDORSEMENT_POLICY_FAILURE" in lacking
        assert self.two.answer(*query) == "90"
        assert json.loads(_info(self.one)) == json.loads(_info(self.two))

    def configure(self) -> None:
        """Change the batch size, with the signatures that it needs."""
        channel = ("-c", CHANNEL, *self.orderer)
        self.one("peer", "channel", "fetch", "config", "config.block", *channel)
        decode = ("configtxlator", "proto_decode", "--type", "common.Block")
        self.tools(*decode, "--input", "config.block", "--output", "config.json")
        folder = self.plan.folder
        config = json.loads((folder / "config.json").read_text())["data"]["data"][0]["payload"]
        (folder / "old.json").write_text(json.dumps(config["data"]["config"]))
        size = config["data"]["config"]["channel_group"]["groups"]["Orderer"]["values"]["BatchSize"]
        size["value"]["max_message_count"] = 7
        (folder / "new.json").write_text(json.dumps(config["data"]["config"]))
        for name in ("old", "new"):
            encode = ("configtxlator", "proto_encode", "--type", "common.Config")
            self.tools(*encode, "--input", f"{name}.json", "--output", f"{name}.pb")
        compute = ("configtxlator", "compute_update", "--channel_id", CHANNEL)
        self.tools(*compute, "--original", "old.pb", "--updated", "new.pb", "--output", "update.pb")
        update = _wrapped(CHANNEL, (folder / "update.pb").read_bytes())
        (folder / "update.tx").write_bytes(update)
        send = ("peer", "channel", "update", "-f", "update.tx", *channel)
        assert "/Channel/Orderer/BatchSize not satisfied" in self.one(*send, expected=1)
        orderer = self.plan.orderer
        admin = orderer.identity.parents[1] / "users" / "Admin@example.com" / "msp"
        by_orderer = {
            "CORE_PEER_LOCALMSPID": orderer.mspid,
            "CORE_PEER_MSPCONFIGPATH": str(admin),
        }
        self.one.at(by_orderer)("peer", "channel", "signconfigtx", "-f", "update.tx")
        height = json.loads(_info(self.one))["height"]
        self.one(*send)
        for peer in (self.one, self.two):
            eventually(lambda p=peer: str(json.loads(_info(p))["height"]), str(height + 1))
        self.one("peer", "channel", "fetch", "config", "config.block", *channel)
        decoded = self.tools(*decode, "--input", "config.block")
        assert '"max_message_count": 7' in decoded

    def snapshot(self) -> None:
        """Ask for a snapshot; later ones wait for their block."""
        tls = ("--tlsRootCertFile", str(self.plan.all_peers[0].tls_root))
        peer = ("--peerAddress", self.plan.all_peers[0].address, *tls, "-c", CHANNEL)
        self.one("peer", "snapshot", "submitrequest", "-b", "1000", *peer)
        pending = self.one("peer", "snapshot", "listpending", *peer)
        assert "Successfully got pending snapshot requests: [1000]" in pending
        self.one("peer", "snapshot", "cancelrequest", "-b", "1000", *peer)

    def deploy_golang(self) -> None:
        """In Go, from its sources to a process that the peers build and start."""
        lifecycle = ("peer", "lifecycle", "chaincode")
        package = ("package", "go.tar.gz", "--label", "go_1", "--lang", "golang")
        self.one(*lifecycle, *package, "--path", GOLANG)
        package_id = self.one(*lifecycle, "calculatepackageid", "go.tar.gz").strip()
        definition = ("--channelID", CHANNEL, "--name", "gocc", "--version", "1")
        definition += ("--sequence", "1", "--signature-policy", "OR('Org1MSP.peer')")
        self.one(*lifecycle, "install", "go.tar.gz")
        for peer in (self.one, self.two):
            approve = ("approveformyorg", *self.orderer, *definition)
            peer(*lifecycle, *approve, "--package-id", package_id)
        self.one(*lifecycle, "commit", *self.orderer, *definition, *self.both)
        put_and_get(self.one, (*self.orderer, "-C", CHANNEL, "-n", "gocc"), tuple(self.both[:4]))


def _wrapped(channel_id: str, update: bytes) -> bytes:
    """The unsigned envelope that ``channel update`` takes."""
    header = ChannelHeader(type=HeaderType.CONFIG_UPDATE, channel_id=channel_id)
    payload = Payload(
        header=Header(channel_header=header.SerializeToString()),
        data=ConfigUpdateEnvelope(config_update=update).SerializeToString(),
    )
    return Envelope(payload=payload.SerializeToString()).SerializeToString()
