# SPDX-License-Identifier: Apache-2.0
"""Encoded answers: whole blocks, filtered blocks, statuses.

``orderer.DeliverResponse`` and ``protos.DeliverResponse`` number status and block alike, so both
services share these. A block is sent as it was stored, from the memory that it was read into: only
its frame is written for it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from fastledger._core import BlockResponse
from fastledger.deliver.request import DeliverRequest
from fastledger.deliver.source import BlockSource
from fastledger.ledger.results import filtered_block
from fastledger.protos.common.common_pb2 import Block
from fastledger.protoutil import varint
from fastledger.protoutil.blocks import EncodedBlock, is_config_block

_STATUS, _FILTERED_BLOCK = 0x08, 0x1A
"""Tags of the fields of a DeliverResponse that are written here."""

Response = bytes | BlockResponse
"""An encoded answer."""


class ResponseForm(Protocol):
    """How a service of the Deliver family writes its answers."""

    @property
    def data_type(self) -> str:
        """``block``, ``filtered_block`` or ``block_and_pvtdata``: the metrics' label."""

    async def response(
        self, source: BlockSource, number: int, request: DeliverRequest, *, header_only: bool
    ) -> Response:
        """Return the encoded response that carries a block.

        Args:
            source: Has the block.
            number: The block.
            request: What the client has asked for.
            header_only: Whether the block goes without its transactions, unless it is a
                configuration block (Fabric: ``SeekInfo.HEADER_WITH_SIG``).

        Raises:
            FastledgerError: The block cannot be read.
        """


@dataclass(frozen=True, slots=True)
class SharedForm:
    """Answers that are the same for every client.

    Attributes:
        data_type: See :class:`ResponseForm`.
        whole: Encodes the response with a block.
        header_only: Encodes the response with a block without its transactions.
    """

    data_type: str
    whole: Callable[[EncodedBlock], Response]
    header_only: Callable[[EncodedBlock], Response]

    async def response(
        self,
        source: BlockSource,
        number: int,
        request: DeliverRequest,  # noqa: ARG002
        *,
        header_only: bool,
    ) -> Response:
        """Return the response that all clients share."""
        return await self.encoded(source, number, header_only=header_only)

    async def encoded(self, source: BlockSource, number: int, *, header_only: bool) -> Response:
        """Return the response, whoever asks; see :meth:`ResponseForm.response`."""
        return await source.blocks.get(number, self.header_only if header_only else self.whole)


def status_response(status: int) -> bytes:
    """Encode a DeliverResponse that ends a range."""
    return bytes([_STATUS]) + varint.encode(status)


def filtered_response(encoded: EncodedBlock) -> bytes:
    """Encode a ``protos.DeliverResponse`` with what waiting clients need of a committed block."""
    return field(_FILTERED_BLOCK, filtered_block(encoded))


def without_data(encoded: EncodedBlock) -> EncodedBlock:
    """Strip a block's transactions, unless it is a configuration block.

    Fabric: ``SeekInfo.HEADER_WITH_SIG``.
    """
    block = Block.FromString(bytes(encoded))
    if is_config_block(block):
        return encoded
    block.ClearField("data")
    return block.SerializeToString()


def field(tag: int, *content: bytes) -> bytes:
    """Encode a field of bytes, or of a message, whose content comes in pieces."""
    return b"".join((bytes([tag]), varint.encode(sum(map(len, content))), *content))


BLOCKS = SharedForm("block", BlockResponse, lambda encoded: BlockResponse(without_data(encoded)))
"""Whole blocks."""

FILTERED_BLOCKS = SharedForm(
    "filtered_block", filtered_response, lambda encoded: filtered_response(without_data(encoded))
)
"""Ids, types, codes and events' names (Fabric: ``core/peer/deliverevents.go``)."""
