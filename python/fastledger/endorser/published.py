# SPDX-License-Identifier: Apache-2.0
"""Which chaincodes a peer tells others that it has (``lifecycle/metadata_manager.go``).

Those of the lifecycle that are committed, approved by the peer's organization and installed, by
their sequence; and those of lscc's table that are installed just so, by their version.
"""

from contextlib import suppress

from fastledger.common.errors import FastledgerError
from fastledger.endorser.channel import Channel
from fastledger.endorser.definitions import Definitions
from fastledger.endorser.lifecycle import definition as lifecycle
from fastledger.endorser.packages import PackageStore
from fastledger.endorser.states import ViewState
from fastledger.protos.core.ccprovider_pb2 import ChaincodeData

LIFECYCLE_SEQUENCE = "1"
"""What stands for the version of ``_lifecycle`` itself."""


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
    found = {}
    view = channel.ledger.view()
    try:
        state = ViewState(view, lifecycle.NAMESPACE)
        for name, _ in definitions.approved(channel) if channel.has_lifecycle else ():
            with suppress(FastledgerError):
                committed = lifecycle.read_committed(name, state)
                if committed is not None:
                    found[name] = str(committed.sequence)
        for package in packages.all_legacy():
            entry = view.get("lscc", package.name)
            data = ChaincodeData.FromString(entry.value if entry else b"")
            if (data.version, data.id) == (package.version, package.id):
                legacy[package.name] = package.version
        found |= {
            name: version
            for name, version in legacy.items()
            if not lifecycle.has_namespace(name, state)
        }
    finally:
        view.close()
    if channel.has_lifecycle:
        found[lifecycle.NAMESPACE] = LIFECYCLE_SEQUENCE
    return sorted(found.items())
