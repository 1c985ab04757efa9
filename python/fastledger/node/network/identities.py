# SPDX-License-Identifier: Apache-2.0
"""Keys and certificates of a network, as fabric-samples' test-network has them."""

from fastledger.node.network.plan import ORDERER_DOMAIN, Plan, org_domain
from fastledger.tools.cryptogen import generate, spec

_SANS = ("localhost", "127.0.0.1")


def write(plan: Plan) -> None:
    """Make what is not there yet."""
    peers = tuple(
        _peer_org(plan, org.number) for org in plan.organization if not org.folder.exists()
    )
    orderers = () if plan.orderer.identity.exists() else (_orderer_org(),)
    generate.generate(spec.Config(peers, orderers), plan.organizations, lambda _: None)


def _peer_org(plan: Plan, number: int) -> spec.OrgSpec:
    domain = org_domain(number)
    return spec.OrgSpec(
        domain=domain,
        enable_node_ous=True,
        ca=_host("ca", domain),
        nodes=tuple(_host(f"peer{index}", domain) for index in range(plan.peers)),
        users=(spec.NodeSpec(common_name=f"User1@{domain}"),),
    )


def _orderer_org() -> spec.OrgSpec:
    return spec.OrgSpec(
        domain=ORDERER_DOMAIN,
        enable_node_ous=True,
        ca=_host("ca", ORDERER_DOMAIN),
        nodes=(_host("orderer", ORDERER_DOMAIN),),
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
