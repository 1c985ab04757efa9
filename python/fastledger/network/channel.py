# SPDX-License-Identifier: Apache-2.0
"""The channel's configuration: a ``configtx.yaml`` that configtxgen reads as well."""

from typing import Any

import yaml

from fastledger.network.plan import HOST, ORDERER_MSP, Node, Org, Plan

PROFILES = {"etcdraft": "ChannelUsingRaft", "kafka": "ChannelUsingKafka"}
"""The profile in ``configtx.yaml``, by the kind of consensus."""

BATCH_TIMEOUT = "5ms"
"""A lone client waits for its block so long; a full network cuts blocks by their size."""

MAX_MESSAGES = 500

TICK = "50ms"
"""Orderers of one machine hear of each other at once: a leader that is gone is missed, and another
one chosen, within a second. Fabric's tick for all networks is 500 ms."""


def write(plan: Plan) -> None:
    """Write ``configtx.yaml``."""
    text = yaml.dump(_configtx(plan), Dumper=_NoAliases, sort_keys=False, default_flow_style=False)
    head = (
        "# SPDX-License-Identifier: Apache-2.0\n# What the channel's genesis block was made of.\n"
    )
    (plan.state / "configtx.yaml").write_text(head + text, "utf-8")


class _NoAliases(yaml.SafeDumper):
    """Writes shared parts out where they are used."""

    def ignore_aliases(self, data: Any) -> bool:
        """Make no anchors."""
        del data
        return True


def _configtx(plan: Plan) -> dict[str, Any]:
    return {
        "Profiles": {
            PROFILES[plan.consensus]: {
                "Policies": _implicit_policies(),
                "Capabilities": {"V2_0": True},
                "Orderer": {
                    "OrdererType": plan.consensus,
                    "Addresses": _addresses(plan),
                    **_consensus(plan),
                    "BatchTimeout": BATCH_TIMEOUT,
                    "BatchSize": {
                        "MaxMessageCount": MAX_MESSAGES,
                        "AbsoluteMaxBytes": "99 MB",
                        "PreferredMaxBytes": "2 MB",
                    },
                    "Organizations": [_orderer_org(plan)],
                    "Policies": _implicit_policies()
                    | {"BlockValidation": _implicit("ANY Writers")},
                    "Capabilities": {"V2_0": True},
                },
                "Application": {
                    "Organizations": [_peer_org(org) for org in plan.organizations],
                    "Policies": _implicit_policies()
                    | {
                        "LifecycleEndorsement": _implicit("MAJORITY Endorsement"),
                        "Endorsement": _implicit("MAJORITY Endorsement"),
                    },
                    "Capabilities": {"V2_5": True},
                },
            }
        }
    }


def _consensus(plan: Plan) -> dict[str, Any]:
    if plan.consensus == "kafka":
        return {"Kafka": {"Brokers": plan.brokers}}
    return {"EtcdRaft": _raft(plan)}


def _raft(plan: Plan) -> dict[str, Any]:
    consenters = [_consenter(node) for node in plan.all_orderers]
    if plan.orderers == 1:
        return {"Consenters": consenters}
    options = {
        "TickInterval": TICK,
        "ElectionTick": 10,
        "HeartbeatTick": 1,
        "MaxInflightBlocks": 5,
        "SnapshotIntervalSize": "16 MB",
    }
    return {"Consenters": consenters, "Options": options}


def _consenter(node: Node) -> dict[str, Any]:
    tls_cert = str(node.identity / "tls" / "server.crt")
    return {
        "Host": HOST,
        "Port": node.port,
        "ClientTLSCert": tls_cert,
        "ServerTLSCert": tls_cert,
    }


def _addresses(plan: Plan) -> list[str]:
    return [node.address for node in plan.all_orderers]


def _orderer_org(plan: Plan) -> dict[str, Any]:
    member = f"OR('{ORDERER_MSP}.member')"
    return {
        "Name": "OrdererOrg",
        "ID": ORDERER_MSP,
        "MSPDir": str(plan.orderer_org / "msp"),
        "Policies": {
            "Readers": _signature(member),
            "Writers": _signature(member),
            "Admins": _signature(f"OR('{ORDERER_MSP}.admin')"),
        },
        "OrdererEndpoints": _addresses(plan),
    }


def _peer_org(org: Org) -> dict[str, Any]:
    name = org.mspid
    return {
        "Name": name,
        "ID": name,
        "MSPDir": str(org.folder / "msp"),
        "Policies": {
            "Readers": _signature(f"OR('{name}.admin', '{name}.peer', '{name}.client')"),
            "Writers": _signature(f"OR('{name}.admin', '{name}.client')"),
            "Admins": _signature(f"OR('{name}.admin')"),
            "Endorsement": _signature(f"OR('{name}.peer')"),
        },
        "AnchorPeers": [{"Host": HOST, "Port": org.peers[0].port}],
    }


def _implicit_policies() -> dict[str, Any]:
    return {
        "Readers": _implicit("ANY Readers"),
        "Writers": _implicit("ANY Writers"),
        "Admins": _implicit("MAJORITY Admins"),
    }


def _implicit(rule: str) -> dict[str, str]:
    return {"Type": "ImplicitMeta", "Rule": rule}


def _signature(rule: str) -> dict[str, str]:
    return {"Type": "Signature", "Rule": rule}
