# SPDX-License-Identifier: Apache-2.0
"""What a committed block's transactions are called, and what they wrote."""

from collections.abc import Iterator
from dataclasses import dataclass

from google.protobuf.message import DecodeError

from fastledger._core import emitted_events, filtered_block, transaction_ids
from fastledger.common.codes import TxValidationCode
from fastledger.protos.common import common_pb2
from fastledger.protos.peer import proposal_pb2, proposal_response_pb2, transaction_pb2
from fastledger.protoutil.blocks import EncodedBlock

__all__ = [
    "Endorsed",
    "emitted_events",
    "endorsed_results",
    "filtered_block",
    "transaction_ids",
    "verdicts",
]


def verdicts(block: EncodedBlock, codes: bytes) -> Iterator[tuple[str, TxValidationCode]]:
    """Yield the id and the verdict of every transaction that has an id."""
    for tx_id, code in zip(transaction_ids(block), codes, strict=True):
        if tx_id:
            yield tx_id, TxValidationCode(code)


@dataclass(frozen=True, slots=True)
class Endorsed:
    """A chaincode's transaction in a block."""

    index: int
    tx_id: str
    results: bytes
    """Encoded ``rwset.TxReadWriteSet``."""

    valid: bool = True


def endorsed_results(block: bytes, codes: bytes) -> Iterator[Endorsed]:
    """Yield what a block's transactions would write, and whether they do; not what is malformed.

    Args:
        block: The encoded block.
        codes: Its transactions filter.
    """
    envelopes = common_pb2.Block.FromString(block).data.data
    for index, (envelope, code) in enumerate(zip(envelopes, codes, strict=True)):
        header = _header(envelope)
        if header is not None and header[0].type == common_pb2.ENDORSER_TRANSACTION:
            results = _results(header[1])
            if results is not None:
                yield Endorsed(index, header[0].tx_id, results, code == TxValidationCode.VALID)


def _header(envelope: bytes) -> tuple[common_pb2.ChannelHeader, bytes] | None:
    try:
        payload = common_pb2.Payload.FromString(common_pb2.Envelope.FromString(envelope).payload)
        return common_pb2.ChannelHeader.FromString(payload.header.channel_header), payload.data
    except DecodeError:
        return None


def _results(data: bytes) -> bytes | None:
    """The read-write set of a transaction; an invalid one may have none."""
    try:
        action = transaction_pb2.Transaction.FromString(data).actions[0]
        endorsed = transaction_pb2.ChaincodeActionPayload.FromString(action.payload).action
        response = proposal_response_pb2.ProposalResponsePayload.FromString(
            endorsed.proposal_response_payload
        )
        return proposal_pb2.ChaincodeAction.FromString(response.extension).results
    except (DecodeError, IndexError):
        return None
