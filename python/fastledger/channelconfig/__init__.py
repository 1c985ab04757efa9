# SPDX-License-Identifier: Apache-2.0
"""A channel's configuration (Fabric: ``common/channelconfig`` and ``common/configtx``).

The core reads and decides; its sections are what :class:`Bundle` hands out.
"""

from fastledger._core import (
    AnchorPeer,
    Application,
    ApplicationCapabilities,
    BatchSize,
    Consenter,
    Orderer,
    OrdererCapabilities,
    Organization,
    check_channel_id,
)
from fastledger.channelconfig.bundle import Bundle

__all__ = [
    "AnchorPeer",
    "Application",
    "ApplicationCapabilities",
    "BatchSize",
    "Bundle",
    "Consenter",
    "Orderer",
    "OrdererCapabilities",
    "Organization",
    "check_channel_id",
]
