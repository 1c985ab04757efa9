# SPDX-License-Identifier: Apache-2.0
"""The tree of a channel's configuration: which groups and values may stand where.

A group does not say what it is; its place does. What a value's bytes hold depends on its name, and
a name means something in some places only: an organization's ``Endpoints`` stand under ``Orderer``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from fastledger.common.errors import InputError


@dataclass(frozen=True, slots=True)
class Place:
    """What may stand in a group."""

    title: str
    values: frozenset[str] = frozenset()
    groups: Mapping[str, "Place"] = field(default_factory=dict)
    """Its groups by name; ``""`` stands for every other name."""

    def group(self, name: str) -> "Place":
        """Return the place of one of its groups.

        Raises:
            InputError: No group of that name may stand here.
        """
        place = self.groups.get(name) or self.groups.get("")
        if place is None:
            raise InputError(f"unknown {self.title} sub-group '{name}'")
        return place

    def check_value(self, name: str) -> None:
        """Check that a value of that name may stand here.

        Raises:
            InputError: It may not.
        """
        if name not in self.values:
            raise InputError(f"unknown {self.title} ConfigValue name: {name}")


APPLICATION_ORG = Place("Application Org", frozenset({"MSP", "AnchorPeers"}))
ORDERER_ORG = Place("Orderer Org", frozenset({"MSP", "Endpoints"}))
_CONSORTIUM_ORG = Place("Consortium Org", frozenset({"MSP"}))
_CONSORTIUM = Place("Consortium", frozenset({"ChannelCreationPolicy"}), {"": _CONSORTIUM_ORG})

CHANNEL = Place(
    "Channel",
    frozenset(
        {
            "BlockDataHashingStructure",
            "Capabilities",
            "Consortium",
            "HashingAlgorithm",
            "OrdererAddresses",
        }
    ),
    {
        "Application": Place(
            "Application", frozenset({"ACLs", "Capabilities"}), {"": APPLICATION_ORG}
        ),
        "Consortiums": Place("Consortiums", groups={"": _CONSORTIUM}),
        "Orderer": Place(
            "Orderer",
            frozenset(
                {
                    "BatchSize",
                    "BatchTimeout",
                    "Capabilities",
                    "ChannelRestrictions",
                    "ConsensusType",
                    "KafkaBrokers",
                    "Orderers",
                }
            ),
            {"": ORDERER_ORG},
        ),
    },
)
"""The root of a configuration."""

KEY_VALUE = Place("key-value read-write set")
"""Inside a transaction's read-write set of the model that Fabric knows."""
