# SPDX-License-Identifier: Apache-2.0
"""Errors with details fit into a client's headers."""

import asyncio
from typing import Any

import grpc
import pytest

from fastledger.gateway.failure import MAX_STATUS_BYTES, GatewayFailed, abort
from fastledger.protos.gateway.gateway_pb2 import ErrorDetail


class Context:
    """Keeps how a call was ended."""

    async def abort(self, code: grpc.StatusCode, text: str, trailing_metadata: Any) -> None:
        [(self.key, self.status)] = trailing_metadata


def status_of(error: GatewayFailed) -> bytes:
    context = Context()
    asyncio.run(abort(context, error))  # type: ignore[arg-type]
    return context.status


def details(count: int, message: str) -> list[ErrorDetail]:
    return [
        ErrorDetail(address=f"peer{at}:7051", msp_id="Org1MSP", message=message)
        for at in range(count)
    ]


def test_short_details_are_sent_as_they_are() -> None:
    sent = details(3, "chaincode response 500, no such asset")
    status = status_of(GatewayFailed(grpc.StatusCode.ABORTED, "failed to endorse", sent))
    assert all(each.SerializeToString() in status for each in sent)


@pytest.mark.parametrize(
    ("count", "length"), [(1, 5 << 20), (3, 5 << 20), (100, 5_000), (1_000, 9)]
)
def test_long_details_are_cut_and_too_many_left_out(count: int, length: int) -> None:
    error = GatewayFailed(grpc.StatusCode.ABORTED, "é" * length, details(count, "x" * length))
    status = status_of(error)
    assert MAX_STATUS_BYTES // 2 < len(status) <= MAX_STATUS_BYTES
    assert b"peer0:7051" in status
    assert status.count(b"gateway.ErrorDetail") == min(count, status.count(b"Org1MSP"))
