# SPDX-License-Identifier: Apache-2.0
"""Keys and certificates of a network, as fabric-samples' test-network has them."""

from fastledger.common.errors import InputError
from fastledger.network.inventory import Inventory
from fastledger.network.plan import ORDERER_DOMAIN, Plan, orderer_host, org_domain
from fastledger.tools.cryptogen import generate, spec

_SANS = ("localhost", "127.0.0.1")


def write(plan: Plan) -> list[str]:
    """Make what is not there yet.

    Returns:
        The domains of the organizations that were there.

    Raises:
        InputError: One that was there lacks a node or its administrator, or files of others are in
            the way.
    """
    inventory = Inventory(plan)
    # What an interrupted command made is made anew.
    inventory.remove()
    domains = {org.folder: org.domain for org in plan.organizations}
    domains[plan.orderer_org] = ORDERER_DOMAIN
    there = {domain for folder, domain in domains.items() if (folder / "msp").exists()}
    missing = {*domains.values()} - there
    made = inventory.workshop()
    peers = (_peer_org(plan, org.number) for org in plan.organizations if org.domain in missing)
    orderers = (_orderer_org(plan),) if ORDERER_DOMAIN in missing else ()
    generate.generate(spec.Config(tuple(peers), orderers), made, lambda _: None)
    in_the_way = inventory.strangers(made, plan.identities)
    if in_the_way:
        raise InputError(
            f"{in_the_way[0]} is in the way of the network's own file: move it elsewhere, or bring "
            "the network up in another folder"
        )
    inventory.take(made, plan.identities)
    _check(plan)
    return sorted(there)


def _check(plan: Plan) -> None:
    """Refuse identities of others that the network cannot run with."""
    wanted = [node.identity / place for node in plan.nodes for place in ("msp", "tls/server.key")]
    for path in [*wanted, *(org.msp("Admin") for org in plan.organizations)]:
        if not path.exists():
            raise InputError(
                f"{plan.identities} has identities that this network did not make, but no "
                f"{path.relative_to(plan.identities)}: add it, or bring the network up in "
                "another folder"
            )


def _peer_org(plan: Plan, number: int) -> spec.OrgSpec:
    domain = org_domain(number)
    return spec.OrgSpec(
        domain=domain,
        enable_node_ous=True,
        ca=_host("ca", domain),
        nodes=tuple(_host(f"peer{index}", domain) for index in range(plan.peers)),
        users=(spec.NodeSpec(common_name=f"User1@{domain}"),),
    )


def _orderer_org(plan: Plan) -> spec.OrgSpec:
    return spec.OrgSpec(
        domain=ORDERER_DOMAIN,
        enable_node_ous=True,
        ca=_host("ca", ORDERER_DOMAIN),
        nodes=tuple(_host(orderer_host(index), ORDERER_DOMAIN) for index in range(plan.orderers)),
    )


def _host(hostname: str, domain: str) -> spec.NodeSpec:
    name = f"{hostname}.{domain}"
    return spec.NodeSpec(
        hostname=hostname,
        common_name=name,
        country="US",
        province="California",
        locality="San Francisco",
        sans=(name, hostname, *_SANS),
    )
