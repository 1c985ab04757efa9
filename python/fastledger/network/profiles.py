# SPDX-License-Identifier: Apache-2.0
"""Connection profiles, ``connection-org1.json`` and ``.yaml``, for Fabric's SDKs."""

import json
from pathlib import Path
from typing import Any

import yaml

from fastledger.network.inventory import Inventory
from fastledger.network.plan import CA_PORT, CA_PORT_STEP, Node, Org, Plan


def write(plan: Plan) -> list[Path]:
    """Write both files of every organization.

    Returns:
        The files of others that stand in their places, and stay.
    """
    inventory = Inventory(plan)
    made = inventory.workshop()
    for org in plan.organizations:
        profile = _profile(plan, org)
        folder = made / org.folder.relative_to(plan.identities)
        folder.mkdir(parents=True)
        stem = folder / f"connection-org{org.number}"
        stem.with_suffix(".json").write_text(json.dumps(profile, indent=4) + "\n", "utf-8")
        text = yaml.safe_dump(profile, sort_keys=False, default_flow_style=False)
        stem.with_suffix(".yaml").write_text(text, "utf-8")
    return inventory.take(made, plan.identities)


def _profile(plan: Plan, org: Org) -> dict[str, Any]:
    peers = {peer.name: _node(peer) for peer in org.peers}
    ca = f"ca.{org.domain}"
    everyone = {"endorsingPeer": True, "chaincodeQuery": True, "ledgerQuery": True}
    return {
        "name": f"fastledger-{org.name.lower()}",
        "version": "1.0.0",
        "client": {
            "organization": org.name,
            "connection": {"timeout": {"peer": {"endorser": "300"}}},
        },
        "organizations": {
            org.name: {"mspid": org.mspid, "peers": list(peers), "certificateAuthorities": [ca]}
        },
        "peers": peers,
        "certificateAuthorities": {ca: _authority(org, ca)},
        "orderers": {node.name: _node(node) for node in plan.all_orderers},
        "channels": {
            plan.channel: {
                "orderers": [node.name for node in plan.all_orderers],
                "peers": {name: dict(everyone) for name in peers},
            }
        },
    }


def _authority(org: Org, name: str) -> dict[str, Any]:
    """Describe the CA as test-network's profiles do: clients read that before they need one."""
    certificate = org.folder / "ca" / f"{name}-cert.pem"
    # Identities that were there may have come without their authority.
    pem = [certificate.read_text("ascii")] if certificate.is_file() else []
    return {
        "url": f"https://localhost:{CA_PORT + CA_PORT_STEP * (org.number - 1)}",
        "caName": f"ca-org{org.number}",
        "tlsCACerts": {"pem": pem},
        "httpOptions": {"verify": False},
    }


def _node(node: Node) -> dict[str, Any]:
    options = {"ssl-target-name-override": node.name, "hostnameOverride": node.name}
    return {
        "url": f"grpcs://localhost:{node.port}",
        "tlsCACerts": {"pem": node.tls_root.read_text("ascii"), "path": str(node.tls_root)},
        "grpcOptions": options,
    }
