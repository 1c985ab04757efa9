# SPDX-License-Identifier: Apache-2.0
"""Errors with details for the gateway's clients (``internal/pkg/gateway/apiutils.go``)."""

from collections.abc import Sequence

import grpc
import grpc.aio
from google.protobuf import any_pb2

from fastledger.common.errors import FastledgerError
from fastledger.protos.gateway import gateway_pb2

_DETAILS = "grpc-status-details-bin"
_TYPE = "type.googleapis.com/gateway.ErrorDetail"


class GatewayFailed(FastledgerError):
    """A gRPC status for the client.

    Attributes:
        code: The status.
        details: What single nodes answered.
    """

    def __init__(
        self,
        code: grpc.StatusCode,
        message: str,
        details: Sequence[gateway_pb2.ErrorDetail] = (),
    ) -> None:
        """Say it."""
        super().__init__(message)
        self.code = code
        self.details = details


async def abort(context: "grpc.aio.ServicerContext[object, object]", error: GatewayFailed) -> None:
    """End a call with a status and its details."""
    metadata = ((_DETAILS, _status(error)),) if error.details else ()
    await context.abort(error.code, str(error), trailing_metadata=metadata)


def _status(error: GatewayFailed) -> bytes:
    """Encode a ``google.rpc.Status``: code, message, details."""
    parts = [b"\x08", _varint(error.code.value[0]), _field(0x12, str(error).encode())]
    for detail in error.details:
        wrapped = any_pb2.Any(type_url=_TYPE, value=detail.SerializeToString())
        parts.append(_field(0x1A, wrapped.SerializeToString()))
    return b"".join(parts)


def _field(tag: int, content: bytes) -> bytes:
    return bytes([tag]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number > 0x7F:
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)
