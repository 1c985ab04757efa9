# SPDX-License-Identifier: Apache-2.0
"""A channel's orderer group, what its capabilities switch on, and what no orderer could run.

Fabric: ``capabilities.OrdererProvider``, ``multichannel.newLedgerResources``.
"""

from fastledger.channelconfig import Bundle, Orderer
from fastledger.common.errors import InputError

_LEVELS = ("V1_1", "V1_4_2", "V2_0")
"""From oldest to newest; a level brings all before it."""


BLOCK_VALIDATION = "/Channel/Orderer/BlockValidation"
"""The policy that a block's signatures must satisfy."""


def orderer_of(bundle: Bundle) -> Orderer:
    """Return the orderer group, without which nothing is ordered; raises InputError."""
    if bundle.orderer is None:
        raise InputError("config does not contain orderer config")
    return bundle.orderer


def check_capabilities(bundle: Bundle) -> None:
    """Refuse capabilities that orderers of this version do not have.

    Those of the application are for its peers to judge (Fabric: ``multichannel.checkResources``).

    Raises:
        InputError: One is not known.
    """
    for name in sorted(orderer_of(bundle).capabilities):
        if name not in _LEVELS:
            why = f"Orderer capability {name} is required but not supported"
            raise InputError(f"config requires unsupported orderer capabilities: {why}: {why}")


def check_block_policy(bundle: Bundle) -> None:
    """Refuse a channel whose blocks nobody could verify.

    Fabric's orderers look for the policy when they open a channel; that is too late.

    Raises:
        InputError: There is no policy for blocks.
    """
    if not bundle.has_policy(BLOCK_VALIDATION):
        raise InputError(f"no policies in config block: {BLOCK_VALIDATION} is missing")


class OrdererCapabilities:
    """The orderer capabilities of one configuration."""

    def __init__(self, bundle: Bundle) -> None:
        """Read them."""
        names = orderer_of(bundle).capabilities
        self._level = max((_LEVELS.index(name) for name in names if name in _LEVELS), default=-1)

    @property
    def expiration_check(self) -> bool:
        """Clients whose certificates ended are refused."""
        return self._level >= 0

    @property
    def consensus_type_migration(self) -> bool:
        """The kind of consensus may change, in maintenance."""
        return self._level >= 1
