# SPDX-License-Identifier: Apache-2.0
"""Queries of a channel's ledger (``core/scc/qscc``)."""

from collections.abc import Callable

from fastledger.chaincode.context import TransactionContext
from fastledger.common.errors import FastledgerError, NotFound
from fastledger.endorser import response
from fastledger.endorser.acl import AclProvider
from fastledger.endorser.channel import Channel, Channels
from fastledger.endorser.services import Outcome
from fastledger.endorser.syscc.call import proposal_of, signed, text
from fastledger.protos.common import common_pb2, ledger_pb2
from fastledger.protos.peer import proposal_response_pb2, transaction_pb2

_MAX_BLOCK = 2**64


class Qscc:
    """The query system chaincode."""

    def __init__(self, channels: Channels, acl: AclProvider) -> None:
        """Query the peer's channels."""
        self._channels = channels
        self._acl = acl

    async def invoke(self, context: TransactionContext, args: list[bytes]) -> Outcome:
        """Answer one query."""
        return self._answer(context, args), None

    def _answer(
        self, context: TransactionContext, args: list[bytes]
    ) -> proposal_response_pb2.Response:
        if len(args) < 2:
            return response.failure(f"Incorrect number of arguments, {len(args)}")
        function, channel_id = text(args[0]), text(args[1])
        called = proposal_of(context).chaincode
        if called != "qscc":
            return response.failure(
                "Rejecting invoke of QSCC from another chaincode because of potential for "
                f"deadlocks, original invocation for '{called}'"
            )
        if function != "GetChainInfo" and len(args) < 3:
            return response.failure(f"missing 3rd argument for {function}")
        channel = self._channels.channel(channel_id)
        if channel is None:
            return response.failure(f"Invalid chain ID, {channel_id}")
        try:
            self._acl.check(f"qscc/{function}", channel_id, signed(context))
        except FastledgerError as error:
            return response.failure(f"access denied for [{function}][{channel_id}]: [{error}]")
        query = _QUERIES.get(function)
        if query is None:
            return response.failure(f"Requested function {function} not found.")
        try:
            return response.success(query(channel, args[2] if len(args) > 2 else b""))
        except _Failed as error:
            return response.failure(str(error))


class _Failed(FastledgerError):
    """A query without an answer."""


def _chain_info(channel: Channel, _argument: bytes) -> bytes:
    """Encode ``common.BlockchainInfo``."""
    ledger = channel.ledger
    height = ledger.height
    newest = ledger.block(height - 1)
    info = ledger_pb2.BlockchainInfo(
        height=height,
        currentBlockHash=newest.header_hash,
        previousBlockHash=newest.previous_hash,
    )
    return info.SerializeToString(deterministic=True)


def _by_number(channel: Channel, argument: bytes) -> bytes:
    given = text(argument)
    if not given.isascii() or not given.isdigit() or int(given) >= _MAX_BLOCK:
        raise _Failed(
            "Failed to parse block number with error strconv.ParseUint: "
            f'parsing "{given}": {"value out of range" if given.isdigit() else "invalid syntax"}'
        )
    number = int(given)
    # Fabric's ledger takes the largest number for the newest block.
    wanted = channel.ledger.height - 1 if number == _MAX_BLOCK - 1 else number
    try:
        return channel.ledger.block(wanted).encoded
    except NotFound as error:
        missing = f"no such block number [{number}] in index"
        raise _Failed(f"Failed to get block number {number}, error {missing}") from error


def _by_hash(channel: Channel, argument: bytes) -> bytes:
    try:
        return channel.ledger.block_by_hash(argument).encoded
    except FastledgerError as error:
        missing = f"no such block hash [{argument.hex()}] in index"
        shown = argument.decode("utf-8", "replace")
        raise _Failed(f"Failed to get block hash {shown}, error {missing}") from error


def _transaction(channel: Channel, argument: bytes) -> bytes:
    tx_id = text(argument)
    try:
        found = channel.ledger.transaction(tx_id)
    except FastledgerError as error:
        missing = f"no such transaction ID [{tx_id}] in index"
        raise _Failed(f"Failed to get transaction with id {tx_id}, error {missing}") from error
    processed = transaction_pb2.ProcessedTransaction(
        transactionEnvelope=common_pb2.Envelope.FromString(found.envelope),
        validationCode=int(found.code),
    )
    return processed.SerializeToString(deterministic=True)


def _block_of(channel: Channel, argument: bytes) -> bytes:
    tx_id = text(argument)
    try:
        return channel.ledger.block(channel.ledger.transaction(tx_id).version.block).encoded
    except FastledgerError as error:
        missing = f"no such transaction ID [{tx_id}] in index"
        raise _Failed(f"Failed to get block for txID {tx_id}, error {missing}") from error


_QUERIES: dict[str, Callable[[Channel, bytes], bytes]] = {
    "GetChainInfo": _chain_info,
    "GetBlockByNumber": _by_number,
    "GetBlockByHash": _by_hash,
    "GetTransactionByID": _transaction,
    "GetBlockByTxID": _block_of,
}
