# SPDX-License-Identifier: Apache-2.0
"""Where a channel's orderers are (Fabric: ``cluster.EndpointconfigFromConfigBlock``)."""

from collections.abc import Iterable
from dataclasses import dataclass

from fastledger.channelconfig import Bundle


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One orderer's.

    Attributes:
        address: ``host:port``.
        roots: PEM of the CAs that its TLS certificate may come from.
    """

    address: str
    roots: bytes


def endpoints_of(bundle: Bundle) -> tuple[Endpoint, ...]:
    """Return the endpoints of the orderers' organizations, or else the channel's own list.

    An organization's endpoints are trusted by its own CAs, the channel's by those of all of them.
    """
    orgs = bundle.orderer.orgs if bundle.orderer is not None else {}
    own = tuple(
        Endpoint(address, _roots(bundle, [mspid]))
        for mspid, org in orgs.items()
        for address in org.endpoints
    )
    if own:
        return own
    roots = orderer_roots(bundle)
    return tuple(Endpoint(address, roots) for address in bundle.orderer_addresses)


def orderer_roots(bundle: Bundle) -> bytes:
    """Return the PEM of the TLS CAs of all orderers' organizations."""
    return _roots(bundle, bundle.orderer.orgs if bundle.orderer is not None else ())


def _roots(bundle: Bundle, mspids: Iterable[str]) -> bytes:
    found = (pem.rstrip() + b"\n" for mspid in mspids for pem in bundle.tls_cas(mspid))
    return b"".join(found)
