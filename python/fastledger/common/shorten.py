# SPDX-License-Identifier: Apache-2.0
"""Text that others have sent, as it is repeated to them and in logs."""

MAX_NAME = 64
"""Bytes that are repeated of a name; transaction ids, the longest that are right, have as many."""

_MORE = "..."


def shortened(text: str, most: int = MAX_NAME) -> str:
    """Return what fits of a text into so many bytes of UTF-8, and that there was more."""
    if len(text) * 4 <= most:
        return text
    encoded = text.encode(errors="replace")
    if len(encoded) <= most:
        return text
    return encoded[:most].decode(errors="ignore") + _MORE
