# SPDX-License-Identifier: Apache-2.0
"""Messages in one line, as Go programs print them: ``status:200 payload:"OK"``."""

import re

from google.protobuf import text_format
from google.protobuf.message import Message

_COLON_OR_STRING = re.compile(r'"(?:[^"\\]|\\.)*"|: ')
_ESCAPED = re.compile(r"\\(.)")


def one_line(message: Message) -> str:
    """Return a message's fields in a line."""
    text = text_format.MessageToString(message, as_one_line=True, as_utf8=True)
    return _COLON_OR_STRING.sub(lambda m: ":" if m[0] == ": " else _string(m[0]), text)


def _string(quoted: str) -> str:
    """Escape as Go does, which leaves a single quote alone."""
    return _ESCAPED.sub(lambda m: m[1] if m[1] == "'" else m[0], quoted)
