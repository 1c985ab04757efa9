# SPDX-License-Identifier: Apache-2.0
"""``peer.gateway`` of core.yaml (Fabric: ``internal/pkg/gateway/config``)."""

from dataclasses import dataclass

from fastledger.common.settings import flag, seconds


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """How long others are waited for."""

    enabled: bool = flag("enabled", True, "Serve the gateway, for clients of fabric-gateway.")
    endorsement_timeout_s: float = seconds(
        "endorsementTimeout", 30.0, "How long another peer may take to endorse.", above=0
    )
    broadcast_timeout_s: float = seconds(
        "broadcastTimeout", 30.0, "How long an orderer may take to accept a transaction.", above=0
    )
