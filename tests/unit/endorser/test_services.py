# SPDX-License-Identifier: Apache-2.0
"""What system chaincodes answer when they fail in a way that nobody foresaw."""

import asyncio
import json

import pytest

from fastledger.chaincode.context import TransactionContext
from fastledger.common.errors import Defect, FastledgerError
from fastledger.endorser.services import PeerServices
from fastledger.protos.peer.chaincode_pb2 import ChaincodeInput


class Broken:
    """A system chaincode that raises."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def invoke(self, context, args):
        raise self.error


def answer(error: Exception):
    services = PeerServices(None, None, None)
    services.add("qscc", Broken(error))
    context = TransactionContext(
        channel_id="",
        tx_id="t",
        namespace="qscc",
        simulator=None,
    )
    return asyncio.run(services.invoke_system(context, ChaincodeInput(args=[b"GetChainInfo"])))


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (OSError(36, "File name too long", "/var/peer/x"), "qscc failed: file name too long"),
        (FileNotFoundError(2, "No such file or directory", "/p"), "qscc failed: no such file or"),
        (OSError("odd, of /var/peer"), "qscc failed: input/output error"),
        (RecursionError("maximum recursion depth exceeded"), "qscc failed: internal error"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), "qscc failed: internal error"),
        (json.JSONDecodeError("x", "/var/peer", 0), "qscc failed: internal error"),
        (KeyError("/var/peer"), "qscc failed: internal error"),
        (MemoryError(), "qscc failed: internal error"),
    ],
)
def test_neither_classes_nor_paths_are_told(error: Exception, says: str) -> None:
    response, event = answer(error)
    assert (response.status, event) == (500, None)
    assert response.message.startswith(says)
    assert "/" not in response.message.replace("input/output", "")
    assert "Error" not in response.message


def test_a_refusal_stays_what_it_is() -> None:
    with pytest.raises(FastledgerError, match=r"^as it is$"):
        answer(FastledgerError("as it is"))


def test_a_defect_of_the_core_is_no_answer() -> None:
    with pytest.raises(Defect):
        answer(Defect("tried out", "door.rs:1"))
