# SPDX-License-Identifier: Apache-2.0
"""A transaction as one chaincode executes it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from fastledger.chaincode.config import MAX_TRANSACTION_BYTES, REQUEST_BYTES
from fastledger.chaincode.queries import OpenQueries
from fastledger.common.errors import Defect
from fastledger.ledger.simulator import TxSimulator
from fastledger.protos.peer.chaincode_shim_pb2 import ChaincodeMessage
from fastledger.protoutil.unpacked import UnpackedProposal


@dataclass(slots=True)
class TransactionContext:
    """What the endorser knows of a transaction (Fabric: ``TransactionParams``)."""

    channel_id: str
    """Empty for proposals to system chaincodes that belong to no channel."""

    tx_id: str
    namespace: str
    """Name of the chaincode that is called, and of the state that it reads and writes."""

    simulator: TxSimulator | None = None
    """None where there is no ledger to read: every request for state is then refused."""

    proposal: UnpackedProposal | None = None
    creator: bytes = b""
    """Whose transaction it is, as the signature says; empty where the peer itself calls."""

    decorations: Mapping[str, bytes] = field(default_factory=dict)
    """What the peer's decorators add to the chaincode's input."""


class TransactionTooLarge(Exception):
    """The transaction read or wrote more than fits into any message."""


class Execution:
    """One INIT or TRANSACTION in flight at one chaincode."""

    __slots__ = (
        "_bytes",
        "access",
        "busy",
        "closed",
        "context",
        "defect",
        "is_init",
        "queries",
        "result",
    )

    def __init__(self, context: TransactionContext, *, is_init: bool) -> None:
        """Begin; the running loop gets the result."""
        self.context = context
        self.is_init = is_init
        self.result: asyncio.Future[ChaincodeMessage] = asyncio.get_running_loop().create_future()
        self.queries = OpenQueries()
        self.access: dict[str, object] = {}
        """Collections whose access was checked already."""
        self.busy = False
        """Whether a request is being answered: there is one at a time."""
        self.defect: Defect | None = None
        """Why the core has not answered a request; nothing that follows may be endorsed."""
        self.closed = False
        """Whether nobody waits for its result any more."""
        self._bytes = 0

    def charge(self, size: int) -> None:
        """Count what a request adds to the read-write set.

        Raises:
            TransactionTooLarge: It is more than any transaction may have.
        """
        self._bytes += size + REQUEST_BYTES
        if self._bytes > MAX_TRANSACTION_BYTES:
            raise TransactionTooLarge(
                f"the transaction reads and writes more than {MAX_TRANSACTION_BYTES} bytes; "
                "split it into smaller ones"
            )

    def complete(self, message: ChaincodeMessage) -> None:
        """Hand the chaincode's answer over, or the defect; only the first one counts."""
        if self.result.done():
            return
        if self.defect is None:
            self.result.set_result(message)
        else:
            self.result.set_exception(self.defect)

    def close(self) -> None:
        """Let go of open queries."""
        self.closed = True
        self.queries.close()
