# SPDX-License-Identifier: Apache-2.0
"""Messages in one line, as Go programs print them: ``status:200 payload:"OK"``."""

import re

from google.protobuf import text_format
from google.protobuf.message import Message

_COLON_OR_STRING = re.compile(r'"(?:[^"\\]|\\.)*"|: ')


def one_line(message: Message) -> str:
    """Return a message's fields in a line."""
    text = text_format.MessageToString(message, as_one_line=True)
    return _COLON_OR_STRING.sub(lambda m: ":" if m[0] == ": " else m[0], text)
