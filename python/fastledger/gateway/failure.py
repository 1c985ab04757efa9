# SPDX-License-Identifier: Apache-2.0
"""Errors with details for the gateway's clients (``internal/pkg/gateway/apiutils.go``)."""

from collections.abc import Sequence

import grpc
import grpc.aio
from google.protobuf import any_pb2

from fastledger.common.errors import FastledgerError
from fastledger.common.shorten import MAX_NAME, shortened
from fastledger.protos.gateway import gateway_pb2
from fastledger.protoutil import varint

_DETAILS = "grpc-status-details-bin"
MAX_STATUS_BYTES = 3 * 1024
"""What the core sends of an encoded status; some clients take 8 KiB of headers in all."""

_DETAIL_BYTES = 240
"""What a detail has at most beside its message."""

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
    """Encode a ``google.rpc.Status``, code, message, details, as far as it fits into a header."""
    text = shortened(str(error), MAX_STATUS_BYTES // 3)
    encoded = b"\x08" + varint.encode(error.code.value[0]) + _field(0x12, text.encode())
    for number, detail in enumerate(error.details):
        share = (MAX_STATUS_BYTES - len(encoded)) // (len(error.details) - number)
        short = gateway_pb2.ErrorDetail(
            address=shortened(detail.address),
            msp_id=shortened(detail.msp_id),
            message=shortened(detail.message, max(MAX_NAME, share - _DETAIL_BYTES)),
        )
        wrapped = any_pb2.Any(type_url=_TYPE, value=short.SerializeToString())
        field = _field(0x1A, wrapped.SerializeToString())
        if len(encoded) + len(field) > MAX_STATUS_BYTES:
            break
        encoded += field
    return encoded


def _field(tag: int, content: bytes) -> bytes:
    return bytes([tag]) + varint.encode(len(content)) + content
