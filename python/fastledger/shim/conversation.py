# SPDX-License-Identifier: Apache-2.0
"""The chaincode's end of the stream (Fabric: the shims' ``handler``).

::

    created ── REGISTERED ──► established ── READY ──► ready ── stream ends ──► over

Every transaction runs on a thread of its own and waits there for the answers to its requests, of
which it has one at a time. How messages get to the peer and to the right thread is the link's part.
"""

import os
import sys
import traceback
from collections.abc import Callable
from typing import Protocol

from fastledger.protos.peer.chaincode_pb2 import (
    ChaincodeAdditionalParams,
    ChaincodeID,
    ChaincodeInput,
)
from fastledger.protos.peer.chaincode_shim_pb2 import ChaincodeMessage
from fastledger.shim.errors import ChaincodeFailed, PeerError
from fastledger.shim.interface import ERROR, Chaincode, Response, error, unicode
from fastledger.shim.stub import ChaincodeStub

WORKERS_VARIABLE = "FASTLEDGER_SHIM_WORKERS"
DEFAULT_WORKERS = 64
"""Transactions that run side by side; more wait. A transaction that calls its own chaincode on
another channel needs two."""

ANSWERS = frozenset({ChaincodeMessage.RESPONSE, ChaincodeMessage.ERROR})
_KNOWN = frozenset(ChaincodeMessage.Type.values())


def workers() -> int:
    """Size of the pool, as the environment says.

    Raises:
        ValueError: It says no positive number.
    """
    text = os.environ.get(WORKERS_VARIABLE, str(DEFAULT_WORKERS))
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"{WORKERS_VARIABLE} is {text!r}, it must be a positive number")
    return int(text)


class Link(Protocol):
    """The way to the peer; used on any thread."""

    def send(self, message: ChaincodeMessage) -> None:
        """Send a message."""

    def ask(self, message: ChaincodeMessage) -> ChaincodeMessage | None:
        """Send a request and wait for its answer; None when the peer is gone."""


class Conversation:
    """One peer's stream."""

    def __init__(self, chaincode: Chaincode, ccid: str, link: Link) -> None:
        """Nothing is said before :meth:`register`.

        Args:
            chaincode: What to run.
            ccid: The name to register with.
            link: The way to the peer.
        """
        self.params = ChaincodeAdditionalParams()
        """What the peer offers; nothing before READY, or from a peer before 3.1."""

        self._chaincode = chaincode
        self._ccid = ccid
        self._link = link

    def register(self) -> None:
        """Say who this is."""
        payload = ChaincodeID(name=self._ccid).SerializeToString()
        self._link.send(ChaincodeMessage(type=ChaincodeMessage.REGISTER, payload=payload))

    def receive(self, message: ChaincodeMessage) -> None:
        """Take a message from the peer that no request waits for; transactions run here."""
        kind = message.type
        if kind in (ChaincodeMessage.TRANSACTION, ChaincodeMessage.INIT):
            self._run(message)
        elif kind == ChaincodeMessage.READY:
            self.params = ChaincodeAdditionalParams.FromString(message.payload)
        elif kind == ChaincodeMessage.KEEPALIVE:
            self._link.send(message)
        elif kind != ChaincodeMessage.REGISTERED and kind in _KNOWN - ANSWERS:
            raise PeerError(
                f"the peer sent {ChaincodeMessage.Type.Name(kind)}, which is no request"
            )

    def request(
        self,
        kind: "ChaincodeMessage.Type.ValueType",
        payload: bytes,
        channel_id: str,
        tx_id: str,
    ) -> bytes:
        """Ask the peer, and wait for the answer.

        Raises:
            PeerError: The peer refuses, or is gone.
        """
        answer = self._link.ask(
            ChaincodeMessage(type=kind, payload=payload, txid=tx_id, channel_id=channel_id)
        )
        if answer is None:
            raise PeerError("the peer has hung up")
        if answer.type == ChaincodeMessage.ERROR:
            raise PeerError(answer.payload.decode("utf-8", "replace"))
        return answer.payload

    def _run(self, message: ChaincodeMessage) -> None:
        try:
            answer = self._answer(message)
        except Exception as failure:  # noqa: BLE001 (the transaction's, and it is told)
            answer = ChaincodeMessage(
                type=ChaincodeMessage.ERROR, payload=unicode(str(failure)).encode()
            )
        answer.txid, answer.channel_id = message.txid, message.channel_id
        self._link.send(answer)

    def _answer(self, message: ChaincodeMessage) -> ChaincodeMessage:
        stub = ChaincodeStub(
            self,
            message.channel_id,
            message.txid,
            ChaincodeInput.FromString(message.payload),
            message.proposal if message.HasField("proposal") else None,
        )
        is_init = message.type == ChaincodeMessage.INIT
        function = self._chaincode.init if is_init else self._chaincode.invoke
        response = run_safely(lambda: function(stub))
        if is_init and response.status >= ERROR:
            return ChaincodeMessage(type=ChaincodeMessage.ERROR, payload=response.message.encode())
        stub.finish_write_batch()
        answer = ChaincodeMessage(
            type=ChaincodeMessage.COMPLETED, payload=response.SerializeToString()
        )
        if stub.event is not None:
            answer.chaincode_event.CopyFrom(stub.event)
        return answer


def run_safely(function: Callable[[], Response]) -> Response:
    """Run chaincode; what it raises becomes a failed response, with the trace on stderr."""
    try:
        return function()
    except (ChaincodeFailed, PeerError) as failure:
        return error(str(failure))
    except Exception as failure:  # noqa: BLE001 (whatever it is, it is this transaction's)
        traceback.print_exc(file=sys.stderr)
        return error(f"{type(failure).__name__}: {failure}")
