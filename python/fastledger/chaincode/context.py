# SPDX-License-Identifier: Apache-2.0
"""A transaction as one chaincode executes it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from fastledger._core import ChaincodeTransaction
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


class Execution:
    """One INIT or TRANSACTION in flight at one chaincode."""

    __slots__ = ("access", "closed", "context", "is_init", "result", "timer", "transaction")

    def __init__(
        self,
        context: TransactionContext,
        transaction: ChaincodeTransaction,
        timer: asyncio.TimerHandle,
        *,
        is_init: bool,
    ) -> None:
        """Begin; the running loop gets the result."""
        self.context = context
        self.transaction = transaction
        """Answers the chaincode's requests."""
        self.timer = timer
        """Ends it when it takes too long."""
        self.is_init = is_init
        self.result: asyncio.Future[ChaincodeMessage] = asyncio.get_running_loop().create_future()
        self.access: dict[str, object] = {}
        """Collections whose access was checked already."""
        self.closed = False
        """Whether it has ended: its requests are answered for nobody."""

    def complete(self, message: ChaincodeMessage) -> None:
        """Hand the chaincode's answer over, or a defect of the core, unless nobody waits."""
        try:
            self.transaction.check()
        except Defect as defect:
            self.fail(defect)
            return
        self._close()
        if not self.result.done():
            self.result.set_result(message)

    def fail(self, error: Exception) -> None:
        """Say why there is no answer, unless nobody waits."""
        self._close()
        if not self.result.done():
            self.result.set_exception(error)

    def _close(self) -> None:
        """Let go of open queries, and answer no more requests."""
        self.closed = True
        self.timer.cancel()
        self.transaction.end()
