# SPDX-License-Identifier: Apache-2.0
"""What a shim does with a transaction, and with one that comes too late."""

import pytest

from fastledger.protos.peer.chaincode_pb2 import ChaincodeInput
from fastledger.protos.peer.chaincode_shim_pb2 import ChaincodeMessage
from fastledger.protos.peer.proposal_response_pb2 import Response
from fastledger.shim.conversation import NESTED, PATIENCE_VARIABLE, Conversation, Waiting
from fastledger.shim.interface import Chaincode, success
from stand_in import Peer, tx


class Sent:
    """A link that keeps what is sent."""

    def __init__(self) -> None:
        self.messages: list[ChaincodeMessage] = []

    def send(self, message: ChaincodeMessage) -> None:
        self.messages.append(message)

    def ask(self, message: ChaincodeMessage) -> None:
        raise AssertionError(message)


class Asking(Chaincode):
    """Says what its conversation makes of a call on another channel while it runs."""

    conversation: Conversation

    def invoke(self, stub):
        nested = transaction()
        nested.txid, nested.channel_id = stub.get_tx_id(), "other"
        return success(self.conversation.caller(nested))


def transaction() -> ChaincodeMessage:
    context = tx(Peer())
    return ChaincodeMessage(
        type=ChaincodeMessage.TRANSACTION,
        txid=context.tx_id,
        channel_id=context.channel_id,
        payload=ChaincodeInput(args=[b"f"]).SerializeToString(),
        proposal=context.proposal.signed,
    )


def begin(chaincode: Chaincode) -> tuple[Conversation, Sent]:
    link = Sent()
    return Conversation(chaincode, "basic:1", link), link


def test_a_transaction_belongs_to_who_signed_its_proposal() -> None:
    chaincode = Asking()
    conversation, link = begin(chaincode)
    chaincode.conversation = conversation
    message = transaction()
    assert conversation.caller(message) == tx(Peer()).creator
    conversation.run(Waiting(message))
    [answer] = link.messages
    # One that a running transaction waits for is not behind its caller's others.
    assert Response.FromString(answer.payload).payload == NESTED
    assert conversation.caller(message) == tx(Peer()).creator


def test_what_the_peer_waits_for_no_longer_is_not_begun(monkeypatch) -> None:
    monkeypatch.setenv(PATIENCE_VARIABLE, "30")
    conversation, link = begin(Chaincode())
    waiting = Waiting(transaction())
    waiting.came -= 31
    conversation.run(waiting)
    [answer] = link.messages
    assert answer.type == ChaincodeMessage.ERROR
    assert answer.txid == waiting.message.txid
    assert b"it has waited for more than 30 s" in answer.payload


@pytest.mark.parametrize("text", ["0", "-1", "soon", "nan"])
def test_the_patience_is_a_positive_number(monkeypatch, text: str) -> None:
    monkeypatch.setenv(PATIENCE_VARIABLE, text)
    with pytest.raises(ValueError, match=PATIENCE_VARIABLE):
        begin(Chaincode())
