# SPDX-License-Identifier: Apache-2.0
"""A ledger's state after one block, and how it defines chaincodes.

The core decides which definition and which policy are in force. Endorsers, gateway and discovery
ask it, so that they say before a transaction what the committer says after it.
"""

from fastledger._core import ChaincodeDefinition, StateView

__all__ = [
    "IMPLICIT_PREFIX",
    "LIFECYCLE",
    "LIFECYCLE_SEQUENCE",
    "LSCC",
    "ChaincodeDefinition",
    "StateView",
]

IMPLICIT_PREFIX = "_implicit_org_"
"""Every organization has a collection of this prefix and its MSP id in every chaincode."""

LIFECYCLE = "_lifecycle"
"""Namespace of the lifecycle of 2.0, and what `ChaincodeDefinition.lifecycle` says of it."""

LIFECYCLE_SEQUENCE = "1"
"""What stands for the sequence of ``_lifecycle`` itself."""

LSCC = "lscc"
"""Namespace of the lifecycle of 1.x, and what `ChaincodeDefinition.lifecycle` says of it."""
