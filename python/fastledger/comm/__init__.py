# SPDX-License-Identifier: Apache-2.0
"""gRPC servers and channels with Fabric's limits, TLS and its binding; HTTP servers beside them."""

from fastledger._core import GRPC_THREAD, BlockResponse
from fastledger.comm.binding import client_certificate, client_certificate_hash
from fastledger.comm.broadcaster import Broadcaster, StreamLost
from fastledger.comm.call import ServerCall, send_all
from fastledger.comm.channel import GrpcChannel
from fastledger.comm.client import dial
from fastledger.comm.client_call import in_core
from fastledger.comm.limits import ClientLimits
from fastledger.comm.server import GrpcServer, ServerLimits, Services
from fastledger.comm.servicelimit import ServiceLimit
from fastledger.comm.tls import ClientTls, TlsConfig, certificate_hash

__all__ = [
    "GRPC_THREAD",
    "BlockResponse",
    "Broadcaster",
    "ClientLimits",
    "ClientTls",
    "GrpcChannel",
    "GrpcServer",
    "ServerCall",
    "ServerLimits",
    "ServiceLimit",
    "Services",
    "StreamLost",
    "TlsConfig",
    "certificate_hash",
    "client_certificate",
    "client_certificate_hash",
    "dial",
    "in_core",
    "send_all",
]
