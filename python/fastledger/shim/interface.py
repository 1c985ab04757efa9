# SPDX-License-Identifier: Apache-2.0
"""What a chaincode is."""

import re
from typing import TYPE_CHECKING

from fastledger.protos.peer.proposal_response_pb2 import Response
from fastledger.shim.memory import room_for

if TYPE_CHECKING:
    from fastledger.shim.stub import ChaincodeStub

__all__ = ["ERROR", "ERROR_THRESHOLD", "OK", "Chaincode", "Response", "error", "success"]

OK = 200
ERROR_THRESHOLD = 400
"""From here on peers do not endorse."""

ERROR = 500

MAX_TEXT = 1_000_000
"""Letters of an error's message; it is for people, and goes into each log on its way."""

_SURROGATE = re.compile("[\ud800-\udfff]")


class Chaincode:
    """The two functions of Fabric's shims. Subclasses override them; both run on threads."""

    def init(self, stub: "ChaincodeStub") -> Response:
        """Called when the chaincode is instantiated or upgraded, or where Init is required."""
        del stub
        return success()

    def invoke(self, stub: "ChaincodeStub") -> Response:
        """Called for every transaction and query."""
        raise NotImplementedError(f"{type(self).__name__} has no invoke")


def success(payload: bytes = b"") -> Response:
    """Succeed with a payload.

    Raises:
        ValueError: No message can hold it.
        MemoryError: The process has no memory for it now.
    """
    with room_for(len(payload), "the answer"):
        return Response(status=OK, payload=payload)


def error(message: str) -> Response:
    """Fail with a message, of which the first million letters are told."""
    return Response(status=ERROR, message=unicode(message[:MAX_TEXT]))


def unicode(text: str) -> str:
    """Replace what is no Unicode by U+FFFD, as Go does: half of a surrogate pair, out of JSON."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)
