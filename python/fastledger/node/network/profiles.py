# SPDX-License-Identifier: Apache-2.0
"""Connection profiles, ``connection-org1.json`` and ``.yaml``, for Fabric's SDKs."""

import json
from typing import Any

import yaml

from fastledger.node.network.plan import Node, Org, Plan


def write(plan: Plan) -> None:
    """Write both files of every organization."""
    for org in plan.organization:
        profile = _profile(plan, org)
        stem = org.folder / f"connection-org{org.number}"
        stem.with_suffix(".json").write_text(json.dumps(profile, indent=4) + "\n", "utf-8")
        text = yaml.safe_dump(profile, sort_keys=False, default_flow_style=False)
        stem.with_suffix(".yaml").write_text(text, "utf-8")


def _profile(plan: Plan, org: Org) -> dict[str, Any]:
    peers = {peer.name: _node(peer) for peer in org.peers}
    everyone = {"endorsingPeer": True, "chaincodeQuery": True, "ledgerQuery": True}
    return {
        "name": f"fastledger-{org.name.lower()}",
        "version": "1.0.0",
        "client": {
            "organization": org.name,
            "connection": {"timeout": {"peer": {"endorser": "300"}}},
        },
        "organizations": {org.name: {"mspid": org.mspid, "peers": list(peers)}},
        "peers": peers,
        "orderers": {plan.orderer.name: _node(plan.orderer)},
        "channels": {
            plan.channel: {
                "orderers": [plan.orderer.name],
                "peers": {name: dict(everyone) for name in peers},
            }
        },
    }


def _node(node: Node) -> dict[str, Any]:
    options = {"ssl-target-name-override": node.name, "hostnameOverride": node.name}
    return {
        "url": f"grpcs://localhost:{node.port}",
        "tlsCACerts": {"pem": node.tls_root.read_text("ascii"), "path": str(node.tls_root)},
        "grpcOptions": options,
    }
