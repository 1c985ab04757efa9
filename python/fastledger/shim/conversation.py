# SPDX-License-Identifier: Apache-2.0
"""The chaincode's end of the stream (Fabric: the shims' ``handler``).

::

    created ── REGISTERED ──► established ── READY ──► ready ── stream ends ──► over

Every transaction runs on a thread of its own and waits there for the answers to its requests, of
which it has one at a time. How messages get to the peer and to the right thread is the link's part.
"""

import os
import sys
import time
import traceback
from collections.abc import Callable
from typing import Protocol

from google.protobuf.message import DecodeError

from fastledger._core import CHAINCODE_ANSWERS
from fastledger.protos.common.common_pb2 import Header, SignatureHeader
from fastledger.protos.peer.chaincode_event_pb2 import ChaincodeEvent
from fastledger.protos.peer.chaincode_pb2 import (
    ChaincodeAdditionalParams,
    ChaincodeID,
    ChaincodeInput,
)
from fastledger.protos.peer.chaincode_shim_pb2 import ChaincodeMessage
from fastledger.protos.peer.proposal_pb2 import Proposal
from fastledger.shim.errors import ChaincodeFailed, PeerError
from fastledger.shim.interface import ERROR, MAX_TEXT, Chaincode, Response, error, unicode
from fastledger.shim.memory import room_for
from fastledger.shim.stub import ChaincodeStub

WORKERS_VARIABLE = "FASTLEDGER_SHIM_WORKERS"
DEFAULT_WORKERS = 64
"""Transactions that run side by side; more wait. A transaction that calls its own chaincode on
another channel needs two."""

ANSWERS = frozenset(CHAINCODE_ANSWERS)
"""What answers a request: ``RESPONSE`` and ``ERROR``."""

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


class Waiting:
    """A transaction that has come and has not begun."""

    __slots__ = ("came", "message")

    def __init__(self, message: ChaincodeMessage) -> None:
        """It comes now."""
        self.message = message
        self.came = time.monotonic()


def is_transaction(message: ChaincodeMessage) -> bool:
    """Whether a message asks for a transaction to be run."""
    return message.type in (ChaincodeMessage.TRANSACTION, ChaincodeMessage.INIT)


NESTED = b"nested"
"""Stands for the callers of transactions that a running one has called: it waits for them."""


def _creator(message: ChaincodeMessage) -> bytes:
    try:
        proposal = Proposal.FromString(message.proposal.proposal_bytes)
        header = Header.FromString(proposal.header)
        return SignatureHeader.FromString(header.signature_header).creator
    except DecodeError:
        return b""


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
        self._patience_s = patience_s()
        self._running: set[str] = set()

    def register(self) -> None:
        """Say who this is."""
        payload = ChaincodeID(name=self._ccid).SerializeToString()
        self._link.send(ChaincodeMessage(type=ChaincodeMessage.REGISTER, payload=payload))

    def receive(self, message: ChaincodeMessage) -> None:
        """Take a message from the peer that is no transaction, and that no request waits for."""
        kind = message.type
        if kind == ChaincodeMessage.READY:
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
            ValueError: No message can hold the request.
            MemoryError: The process has no memory for it now.
        """
        with room_for(len(payload), "the request"):
            answer = self._link.ask(
                ChaincodeMessage(type=kind, payload=payload, txid=tx_id, channel_id=channel_id)
            )
        if answer is None:
            raise PeerError("the peer has hung up")
        if answer.type == ChaincodeMessage.ERROR:
            raise PeerError(answer.payload.decode("utf-8", "replace"))
        return answer.payload

    def caller(self, message: ChaincodeMessage) -> bytes:
        """Whose transaction it is, as the peer has checked; empty where the peer itself calls."""
        return NESTED if message.txid in self._running else _creator(message)

    def run(self, waiting: Waiting) -> None:
        """Run a transaction, unless the peer has stopped waiting for it, and send the answer."""
        message = waiting.message
        is_outer = message.txid not in self._running
        self._running.add(message.txid)
        try:
            if time.monotonic() - waiting.came > self._patience_s:
                raise TimeoutError(f"it has waited for more than {self._patience_s:g} s")
            self._answer(message)
        except Exception as failure:  # noqa: BLE001 (the transaction's, and it is told)
            self._send_error(message, str(failure))
        finally:
            if is_outer:
                self._running.discard(message.txid)

    def _send_error(self, message: ChaincodeMessage, text: str) -> None:
        self._link.send(
            ChaincodeMessage(
                type=ChaincodeMessage.ERROR,
                payload=unicode(text[:MAX_TEXT]).encode(),
                txid=message.txid,
                channel_id=message.channel_id,
            )
        )

    def _answer(self, message: ChaincodeMessage) -> None:
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
            self._send_error(message, response.message)
            return
        stub.finish_write_batch()
        try:
            self._complete(message, response, stub.event)
        except (ValueError, MemoryError) as failure:
            self._complete(message, error(str(failure)), None)

    def _complete(
        self, message: ChaincodeMessage, response: Response, event: ChaincodeEvent | None
    ) -> None:
        size = len(response.payload) + len(response.message)
        size += len(event.payload) + len(event.event_name) if event else 0
        with room_for(size, "the answer"):
            answer = ChaincodeMessage(
                type=ChaincodeMessage.COMPLETED,
                payload=response.SerializeToString(),
                txid=message.txid,
                channel_id=message.channel_id,
                chaincode_event=event,
            )
            self._link.send(answer)


def run_safely(function: Callable[[], Response]) -> Response:
    """Run chaincode; what it raises becomes a failed response, with the trace on stderr."""
    try:
        return function()
    except (ChaincodeFailed, PeerError) as failure:
        return error(str(failure))
    except Exception as failure:  # noqa: BLE001 (whatever it is, it is this transaction's)
        traceback.print_exc(file=sys.stderr)
        return error(f"{type(failure).__name__}: {failure}")
