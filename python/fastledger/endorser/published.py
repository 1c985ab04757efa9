# SPDX-License-Identifier: Apache-2.0
"""Which chaincodes a peer tells others that it has (``lifecycle/metadata_manager.go``).

Those of the lifecycle that are committed, approved by the peer's organization and installed, by
their sequence; and those of lscc's table that are installed just so, by their version.
"""

from fastledger.common.errors import FastledgerError
from fastledger.endorser.channel import Channel
from fastledger.endorser.definitions import Definitions
from fastledger.endorser.packages import LegacyPackage, PackageStore
from fastledger.ledger.views import (
    LIFECYCLE,
    LIFECYCLE_SEQUENCE,
    LSCC,
    ChaincodeDefinition,
    StateView,
)


def published(
    channel: Channel,
    definitions: Definitions,
    packages: PackageStore,
    legacy: dict[str, str],
) -> list[tuple[str, str]]:
    """Return names and versions, in order.

    Args:
        channel: The channel.
        definitions: Which chaincodes it defines.
        packages: What is installed.
        legacy: What was found of lscc's chaincodes before, by name; what is found now is added. As
            in Fabric, a version that the channel has left behind stands there until the new one is
            installed; nobody asks a peer with another version than the channel's to endorse.
    """
    approved = definitions.approved(channel) if channel.has_lifecycle else ()
    found = {name: str(known.sequence) for name, known in approved}
    view = channel.ledger.view()
    try:
        for package in packages.all_legacy():
            defined = _defined(view, package.name)
            if defined is not None and _is(defined, package):
                legacy[package.name] = package.version
        found |= {
            name: version for name, version in legacy.items() if _defined(view, name) is not None
        }
    finally:
        view.close()
    if channel.has_lifecycle:
        found[LIFECYCLE] = LIFECYCLE_SEQUENCE
    return sorted(found.items())


def _defined(view: StateView, name: str) -> ChaincodeDefinition | None:
    """What lscc says of a chaincode; nothing where ``_lifecycle`` has something of that name."""
    try:
        found = view.definition(name)
    except FastledgerError:
        return None
    return found if found is not None and found.lifecycle == LSCC else None


def _is(defined: ChaincodeDefinition, package: LegacyPackage) -> bool:
    return (defined.version, defined.package_id) == (package.version, package.id)
