# SPDX-License-Identifier: Apache-2.0
"""A channel's orderer group, and what its capabilities switch on.

Fabric: ``capabilities.OrdererProvider``.
"""

from fastledger.channelconfig import Bundle, Orderer
from fastledger.common.errors import InputError

_LEVELS = ("V1_1", "V1_4_2", "V2_0")
"""From oldest to newest; a level brings all before it."""


def orderer_of(bundle: Bundle) -> Orderer:
    """Return the orderer group, without which nothing is ordered; raises InputError."""
    if bundle.orderer is None:
        raise InputError("config does not contain orderer config")
    return bundle.orderer


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
