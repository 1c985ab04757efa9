# SPDX-License-Identifier: Apache-2.0
"""Where a node is and how to reach it."""

from dataclasses import dataclass

import grpc.aio

from fastledger.comm import ClientTls, GrpcChannel, dial
from fastledger.comm.client import DEFAULT_TIMEOUT_S
from fastledger.common.errors import ConnectionFailed, RpcFailed


@dataclass(frozen=True, slots=True)
class Target:
    """An address with the TLS that belongs to it.

    Attributes:
        address: ``host:port``.
        tls: What to trust and show there; None connects in plain text.
        timeout_s: Give up connecting after so long.
    """

    address: str
    tls: ClientTls | None = None
    timeout_s: float = DEFAULT_TIMEOUT_S

    @property
    def certificate_hash(self) -> bytes:
        """SHA-256 of the client certificate shown there, for ``tls_cert_hash``; empty without."""
        return self.tls.certificate_hash if self.tls else b""

    async def connect(self, kind: str) -> GrpcChannel:
        """Dial.

        Args:
            kind: Whose client it is, for the error: ``endorser``, ``deliver``, ``orderer``.

        Raises:
            ConnectionFailed: Nobody there, or the handshake failed.
        """
        try:
            return await dial(self.address, self.tls, timeout_s=self.timeout_s)
        except ConnectionFailed as error:
            raise ConnectionFailed(
                f"{kind} client failed to connect to {self.address}: {error}"
            ) from error


def rpc_failed(error: grpc.aio.AioRpcError) -> RpcFailed:
    """Return a gRPC error with Go's name for its code."""
    name = error.code().name
    code = "Canceled" if name == "CANCELLED" else name.title().replace("_", "")
    return RpcFailed(code, error.details() or "")
