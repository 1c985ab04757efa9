# SPDX-License-Identifier: Apache-2.0
"""Each node's configuration: the sample file, and the variables that override it.

They are what fabric-samples' compose files set, so that they can be read by who knows those.
"""

import os
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from fastledger.common.config import FOLDER
from fastledger.network.plan import HOST, Node, Plan

_KEEPALIVE = {
    "PEER_KEEPALIVE_DELIVERYCLIENT_INTERVAL": "1s",
    "PEER_KEEPALIVE_DELIVERYCLIENT_TIMEOUT": "2s",
}
"""Where there are several orderers, a peer leaves one that is suspended within seconds; by Fabric's
values, which spare a wide network, it waits for up to 80 s."""


KAFKA = "ORDERER_KAFKA_"
"""Of the variables that say how to speak to the brokers: TLS, SASL, replicas, version."""


def kafka_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of an environment that are about Kafka."""
    return {name: value for name, value in environ.items() if name.startswith(KAFKA)}


def orderer_env(node: Node) -> dict[str, str]:
    """Return an orderer's variables."""
    tls = node.identity / "tls"
    return _with_prefix(
        "ORDERER",
        {
            "GENERAL_LISTENADDRESS": HOST,
            "GENERAL_LISTENPORT": str(node.port),
            "GENERAL_LOCALMSPID": node.mspid,
            "GENERAL_LOCALMSPDIR": str(node.identity / "msp"),
            "GENERAL_TLS_ENABLED": "true",
            "GENERAL_TLS_PRIVATEKEY": str(tls / "server.key"),
            "GENERAL_TLS_CERTIFICATE": str(tls / "server.crt"),
            "GENERAL_BOOTSTRAPMETHOD": "none",
            "CHANNELPARTICIPATION_ENABLED": "true",
            "ADMIN_LISTENADDRESS": f"{HOST}:{node.side_port}",
            "ADMIN_TLS_ENABLED": "true",
            "ADMIN_TLS_CERTIFICATE": str(tls / "server.crt"),
            "ADMIN_TLS_PRIVATEKEY": str(tls / "server.key"),
            "ADMIN_TLS_CLIENTAUTHREQUIRED": "true",
            "ADMIN_TLS_CLIENTROOTCAS": f"[{tls / 'ca.crt'}]",
            "OPERATIONS_LISTENADDRESS": f"{HOST}:{node.operations_port}",
            "METRICS_PROVIDER": "prometheus",
            "FILELEDGER_LOCATION": str(node.folder / "data"),
        },
    )


def peer_env(node: Node) -> dict[str, str]:
    """Return a peer's variables."""
    tls = node.identity / "tls"
    return _with_prefix(
        "CORE",
        {
            "PEER_ID": node.name,
            "PEER_ADDRESS": node.address,
            "PEER_LISTENADDRESS": node.address,
            "PEER_CHAINCODEADDRESS": f"{HOST}:{node.side_port}",
            "PEER_CHAINCODELISTENADDRESS": f"{HOST}:{node.side_port}",
            "PEER_GOSSIP_BOOTSTRAP": node.address,
            "PEER_GOSSIP_EXTERNALENDPOINT": node.address,
            "PEER_LOCALMSPID": node.mspid,
            "PEER_MSPCONFIGPATH": str(node.identity / "msp"),
            "PEER_FILESYSTEMPATH": str(node.folder / "data"),
            "PEER_TLS_ENABLED": "true",
            "PEER_TLS_CERT_FILE": str(tls / "server.crt"),
            "PEER_TLS_KEY_FILE": str(tls / "server.key"),
            "PEER_TLS_ROOTCERT_FILE": str(tls / "ca.crt"),
            "LEDGER_SNAPSHOTS_ROOTDIR": str(node.folder / "data" / "snapshots"),
            "OPERATIONS_LISTENADDRESS": f"{HOST}:{node.operations_port}",
            "METRICS_PROVIDER": "prometheus",
        },
    )


def write(plan: Plan) -> None:
    """Write every node's sample configuration and its variables."""
    keepalive = _with_prefix("CORE", _KEEPALIVE) if plan.orderers > 1 else {}
    on_kafka = kafka_variables(os.environ) if plan.brokers else {}
    for orderer in plan.all_orderers:
        _write(orderer, "orderer", orderer_env(orderer) | on_kafka)
    for peer in plan.all_peers:
        _write(peer, "core", peer_env(peer) | keepalive)


def follow(plan: Plan) -> bool:
    """Let the variables follow the network's folder to where it was moved; say whether it was."""
    known = Path(read_env(plan.orderer).get(FOLDER, plan.orderer.folder))
    if known == plan.orderer.folder:
        return False
    before = str(known.parents[len(plan.orderer.folder.relative_to(plan.folder).parts) - 1])
    for node in plan.nodes:
        file = node.folder / "env"
        file.write_text(file.read_text("utf-8").replace(f"{before}/", f"{plan.folder}/"), "utf-8")
    return True


def read_env(node: Node) -> dict[str, str]:
    """Read a node's variables, which people may have changed."""
    lines = (node.folder / "env").read_text("utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def _write(node: Node, name: str, env: dict[str, str]) -> None:
    node.folder.mkdir(parents=True, exist_ok=True)
    sample = resources.files("fastledger.common") / "sampleconfig" / f"{name}.yaml"
    (node.folder / f"{name}.yaml").write_text(sample.read_text("utf-8"), "utf-8")
    env = {FOLDER: str(node.folder), **env}
    text = "".join(f"{key}={value}\n" for key, value in env.items())
    (node.folder / "env").write_text(text, "utf-8")


def _with_prefix(prefix: str, values: dict[str, str]) -> dict[str, str]:
    return {f"{prefix}_{key}": value for key, value in values.items()}
