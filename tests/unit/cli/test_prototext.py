# SPDX-License-Identifier: Apache-2.0
"""Messages in one line, as ``%v`` of Go's protobuf prints them."""

import pytest

from fastledger.cli.peer.prototext import one_line
from fastledger.protos.peer.proposal_response_pb2 import Response


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("no function 'f': a", "no function 'f': a"),
        ('a "b"', r"a \"b\""),
        (r"a\'b", r"a\\'b"),
        ("zwölf", "zwölf"),
        ("a\nb", r"a\nb"),
    ],
)
def test_strings(message: str, shown: str) -> None:
    line = one_line(Response(status=500, message=message, payload=b"OK"))
    assert line == f'status:500 message:"{shown}" payload:"OK"'
