# SPDX-License-Identifier: Apache-2.0
"""gRPC servers and channels with Fabric's limits, TLS and its binding; HTTP servers beside them."""

from fastledger.comm.binding import client_certificate, client_certificate_hash
from fastledger.comm.client import ClientLimits, dial, dial_blocking
from fastledger.comm.server import GrpcServer, ServerLimits
from fastledger.comm.tls import ClientTls, TlsConfig, certificate_hash

__all__ = [
    "ClientLimits",
    "ClientTls",
    "GrpcServer",
    "ServerLimits",
    "TlsConfig",
    "certificate_hash",
    "client_certificate",
    "client_certificate_hash",
    "dial",
    "dial_blocking",
]
