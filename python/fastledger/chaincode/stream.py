# SPDX-License-Identifier: Apache-2.0
"""The stream of ChaincodeMessages, whoever dialled."""

import asyncio
from collections.abc import Awaitable
from typing import Any, Protocol

import grpc

from fastledger._core import ChaincodeConversation
from fastledger.protos.peer.chaincode_shim_pb2 import ChaincodeMessage


class Stream(Protocol):
    """Both directions of one chaincode's stream."""

    async def read(self) -> ChaincodeMessage | None:
        """The next message; None when the chaincode is gone, for whatever reason."""

    async def write(self, message: ChaincodeMessage) -> None:
        """Send a message, waiting while the chaincode reads too slowly.

        Raises:
            ConnectionError: The chaincode is gone.
        """

    def answer_with(self, conversation: ChaincodeConversation) -> None:
        """Have the core answer what it can from now on; :meth:`read` gives the rest."""


class _Call(Protocol):
    def read(self) -> Awaitable[Any]: ...

    def write(self, message: ChaincodeMessage) -> Awaitable[None]: ...

    def answer_with(self, conversation: ChaincodeConversation) -> None: ...


class GrpcStream:
    """A gRPC call, seen from the server (``Register``) or from the client (``Connect``)."""

    def __init__(self, call: Any) -> None:
        """Wrap a servicer context or a stream-stream call."""
        self._call: _Call = call
        self._writing = asyncio.Lock()

    async def read(self) -> ChaincodeMessage | None:
        """The next message; None when the chaincode is gone."""
        try:
            message = await self._call.read()
        except (grpc.RpcError, grpc.aio.BaseError, asyncio.InvalidStateError):
            return None
        return message if isinstance(message, ChaincodeMessage) else None

    async def write(self, message: ChaincodeMessage) -> None:
        """Send a message."""
        # gRPC takes one message at a time.
        async with self._writing:
            try:
                await self._call.write(message)
            except (grpc.RpcError, grpc.aio.UsageError, asyncio.InvalidStateError) as error:
                raise ConnectionError(f"the chaincode's stream is closed: {error}") from error

    def answer_with(self, conversation: ChaincodeConversation) -> None:
        """Have the core answer what it can."""
        self._call.answer_with(conversation)
