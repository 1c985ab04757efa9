# SPDX-License-Identifier: Apache-2.0
"""How transactions are run (Fabric: the shims' ``handler``).

The core talks with the peers: it registers, takes transactions, and brings each answer to the
thread that waits for it. Here a transaction is run, and its outcome told.
"""

import os
import sys
import traceback
from collections.abc import Callable
from functools import lru_cache

from fastledger._core import ShimTransaction
from fastledger.protos.peer.chaincode_event_pb2 import ChaincodeEvent
from fastledger.protos.peer.chaincode_pb2 import ChaincodeAdditionalParams
from fastledger.protos.peer.chaincode_shim_pb2 import ChaincodeMessage
from fastledger.shim.errors import ChaincodeFailed, PeerError
from fastledger.shim.interface import ERROR, MAX_TEXT, Chaincode, Response, error, unicode
from fastledger.shim.memory import room_for
from fastledger.shim.stub import ChaincodeStub

PATIENCE_VARIABLE = "FASTLEDGER_SHIM_PATIENCE_S"
"""For how many seconds a peer waits for a transaction (its ``chaincode.executetimeout``)."""


def patience_s() -> float:
    """How long a transaction may have waited when it begins, as the environment says.

    Raises:
        ValueError: It says no positive number.
    """
    text = os.environ.get(PATIENCE_VARIABLE, "inf")
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0
    if not seconds > 0:
        raise ValueError(f"{PATIENCE_VARIABLE} is {text!r}, it must be a positive number")
    return seconds


class Conversation:
    """Runs a chaincode's transactions; any thread may use it."""

    def __init__(self, chaincode: Chaincode) -> None:
        """Take the chaincode to run.

        Raises:
            ValueError: The environment says no patience.
        """
        self._chaincode = chaincode
        self._patience_s = patience_s()

    def run(self, transaction: ShimTransaction) -> None:
        """Run a transaction, unless the peer has stopped waiting for it, and send the answer."""
        try:
            if transaction.age_s > self._patience_s:
                raise TimeoutError(f"it has waited for more than {self._patience_s:g} s")
            self._answer(transaction)
        except Exception as failure:  # noqa: BLE001 (the transaction's, and it is told)
            _fail(transaction, str(failure))

    def _answer(self, transaction: ShimTransaction) -> None:
        stub = ChaincodeStub(
            _Exchange(transaction),
            transaction.channel_id,
            transaction.tx_id,
            transaction,
            transaction.signed_proposal,
        )
        function = self._chaincode.init if transaction.is_init else self._chaincode.invoke
        response = run_safely(function, stub)
        if transaction.is_init and response.status >= ERROR:
            _fail(transaction, response.message)
            return
        stub.finish_write_batch()
        try:
            _complete(transaction, response, stub.event)
        except (ValueError, MemoryError) as failure:
            _complete(transaction, error(str(failure)), None)


class _Exchange:
    """What a running transaction asks of its peer."""

    __slots__ = ("_transaction", "params")

    def __init__(self, transaction: ShimTransaction) -> None:
        self._transaction = transaction
        self.params = _params(transaction.params)

    def request(self, kind: "ChaincodeMessage.Type.ValueType", payload: bytes) -> bytes:
        with room_for(len(payload), "the request"):
            answer = self._transaction.ask(kind, payload)
        if answer is None:
            raise PeerError("the peer has hung up")
        is_error, told = answer
        if is_error:
            raise PeerError(told.decode("utf-8", "replace"))
        return told


@lru_cache(maxsize=1)
def _params(encoded: bytes) -> ChaincodeAdditionalParams:
    """What a peer offers: all peers of one version offer the same."""
    return ChaincodeAdditionalParams.FromString(encoded)


def _fail(transaction: ShimTransaction, text: str) -> None:
    transaction.fail(unicode(text[:MAX_TEXT]))


def _complete(
    transaction: ShimTransaction, response: Response, event: ChaincodeEvent | None
) -> None:
    size = len(response.payload) + len(response.message)
    size += len(event.payload) + len(event.event_name) if event else 0
    with room_for(size, "the answer"):
        encoded_event = event.SerializeToString() if event else None
        transaction.complete(response.SerializeToString(), encoded_event)


def run_safely(function: Callable[[ChaincodeStub], Response], stub: ChaincodeStub) -> Response:
    """Run chaincode; what it raises becomes a failed response, with the trace on stderr."""
    try:
        return function(stub)
    except (ChaincodeFailed, PeerError) as failure:
        return error(str(failure))
    except Exception as failure:  # noqa: BLE001 (whatever it is, it is this transaction's)
        traceback.print_exc(file=sys.stderr)
        return error(f"{type(failure).__name__}: {failure}")
