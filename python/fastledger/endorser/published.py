# SPDX-License-Identifier: Apache-2.0
"""Which chaincodes a peer tells others that it has (``lifecycle/metadata_manager.go``).

Those of the lifecycle that are committed, approved by the peer's organisation and installed, by
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
    channel: Channel, definitions: Definitions, packages: PackageStore
) -> list[tuple[str, str]]:
    """Return names and versions, in order."""
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
            if lifecycle.has_namespace(package.name, state):
                continue
            entry = view.get("lscc", package.name)
            data = ChaincodeData.FromString(entry.value if entry else b"")
            if (data.version, data.id) == (package.version, package.id):
                found[package.name] = package.version
    finally:
        view.close()
    if channel.has_lifecycle:
        found[lifecycle.NAMESPACE] = LIFECYCLE_SEQUENCE
    return sorted(found.items())
