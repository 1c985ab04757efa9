# SPDX-License-Identifier: Apache-2.0
"""``operations`` and ``metrics`` of core.yaml and orderer.yaml."""

from dataclasses import dataclass

from fastledger.common.settings import section, text
from fastledger.node.tls import OrdererServerTls, ServerTls

_ADDRESS = "Where health, version, log levels and metrics are served; nowhere without it."
_PROVIDER = "prometheus serves /metrics there."


@dataclass(frozen=True, slots=True)
class PeerOperations:
    """The endpoint of a peer."""

    address: str = text("operations.listenAddress", "", _ADDRESS)
    tls: ServerTls = section("operations.tls", ServerTls)
    provider: str = text("metrics.provider", "disabled", _PROVIDER)


@dataclass(frozen=True, slots=True)
class OrdererOperations(PeerOperations):
    """The endpoint of an orderer."""

    address: str = text("Operations.ListenAddress", "", _ADDRESS)
    tls: ServerTls = section("Operations.TLS", OrdererServerTls)
    provider: str = text("Metrics.Provider", "disabled", _PROVIDER)
