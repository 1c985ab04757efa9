# SPDX-License-Identifier: Apache-2.0
"""A channel's configuration (Fabric: ``common/channelconfig`` and ``common/configtx``)."""

from fastledger.channelconfig.bundle import Bundle
from fastledger.channelconfig.sections import (
    AnchorPeer,
    Application,
    ApplicationOrg,
    BatchSize,
    Consenter,
    Consortium,
    Orderer,
    OrdererOrg,
)

__all__ = [
    "AnchorPeer",
    "Application",
    "ApplicationOrg",
    "BatchSize",
    "Bundle",
    "Consenter",
    "Consortium",
    "Orderer",
    "OrdererOrg",
]
