# SPDX-License-Identifier: Apache-2.0
"""What a shim does with a transaction, and with one that comes too late."""

from collections.abc import Callable

import pytest

from fastledger.protos.peer.chaincode_event_pb2 import ChaincodeEvent
from fastledger.protos.peer.proposal_response_pb2 import Response
from fastledger.shim.conversation import PATIENCE_VARIABLE, Conversation
from fastledger.shim.interface import Chaincode, error, success
from fastledger.shim.stub import ChaincodeStub


class Transaction:
    """One of the core's, whose answer is kept, and that may be old."""

    tx_id, channel_id, params, signed_proposal = "tx", "mychannel", b"", None

    def __init__(self, *, age_s: float = 0, is_init: bool = False, args: tuple = ()) -> None:
        self.age_s = age_s
        self.is_init = is_init
        self.args = args
        self.failed: str | None = None
        self.completed: tuple[Response, ChaincodeEvent | None] | None = None

    def fail(self, why: str) -> None:
        self.failed = why

    def complete(self, response: bytes, event: bytes | None) -> None:
        told = ChaincodeEvent.FromString(event) if event else None
        self.completed = Response.FromString(response), told


class Saying(Chaincode):
    """Does whatever the test wants."""

    def __init__(self, does: Callable[[ChaincodeStub], Response]) -> None:
        self._does = does

    def init(self, stub: ChaincodeStub) -> Response:
        return self._does(stub)

    def invoke(self, stub: ChaincodeStub) -> Response:
        return self._does(stub)


def test_what_the_chaincode_says_is_the_answer() -> None:
    def invoke(stub):
        stub.set_event("name", b"told")
        return success(b" ".join(stub.get_args()))

    transaction = Transaction(args=(b"f", b"x"))
    Conversation(Saying(invoke)).run(transaction)
    assert transaction.completed is not None
    response, event = transaction.completed
    assert (response.status, response.payload) == (200, b"f x")
    assert event == ChaincodeEvent(event_name="name", payload=b"told")
    assert transaction.failed is None


def test_an_init_that_fails_has_no_response() -> None:
    transaction = Transaction(is_init=True)
    Conversation(Saying(lambda _: error("not yet"))).run(transaction)
    assert (transaction.failed, transaction.completed) == ("not yet", None)


def test_what_the_peer_waits_for_no_longer_is_not_begun(monkeypatch) -> None:
    monkeypatch.setenv(PATIENCE_VARIABLE, "30")
    begun: list[ChaincodeStub] = []

    def invoke(stub: ChaincodeStub) -> Response:
        begun.append(stub)
        return success()

    conversation = Conversation(Saying(invoke))
    late = Transaction(age_s=31)
    conversation.run(late)
    assert (late.failed, begun) == ("it has waited for more than 30 s", [])
    conversation.run(Transaction(age_s=29))
    assert len(begun) == 1


@pytest.mark.parametrize("text", ["0", "-1", "soon", "nan"])
def test_the_patience_is_a_positive_number(monkeypatch, text: str) -> None:
    monkeypatch.setenv(PATIENCE_VARIABLE, text)
    with pytest.raises(ValueError, match=PATIENCE_VARIABLE):
        Conversation(Chaincode())
