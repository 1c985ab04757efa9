# SPDX-License-Identifier: Apache-2.0
"""What every system chaincode asks about a call."""

from fastledger.chaincode.context import TransactionContext
from fastledger.common.errors import InvocationRefused
from fastledger.ledger.simulator import TxSimulator
from fastledger.protoutil.signed_data import SignedData
from fastledger.protoutil.unpacked import UnpackedProposal


def proposal_of(context: TransactionContext) -> UnpackedProposal:
    """The proposal behind a call.

    Raises:
        FastledgerError: There is none.
    """
    if context.proposal is None:
        raise InvocationRefused("Failed getting signed proposal from stub: no proposal")
    return context.proposal


def signed(context: TransactionContext) -> SignedData:
    """What access is decided by."""
    return proposal_of(context).signed_data


def simulator_of(context: TransactionContext) -> TxSimulator:
    """The simulation that a call is part of.

    Raises:
        FastledgerError: The call belongs to no channel.
    """
    if context.simulator is None:
        raise InvocationRefused("invalid channel-less operation")
    return context.simulator


def text(argument: bytes) -> str:
    """An argument as text."""
    return argument.decode("utf-8", "replace")
