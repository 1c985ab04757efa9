# SPDX-License-Identifier: Apache-2.0
"""Messages in one line, as Go programs print them: ``status:200 payload:"OK"``."""

from google.protobuf import text_format
from google.protobuf.message import Message


def one_line(message: Message) -> str:
    """Return a message's fields in a line."""
    return text_format.MessageToString(message, as_one_line=True).replace(": ", ":")
