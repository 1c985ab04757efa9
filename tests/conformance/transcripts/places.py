# SPDX-License-Identifier: Apache-2.0
"""Recorded paths and ports, and ours in their place.

The recorded network used fixed ports, each twice: a proxy listened at 7051, the peer at 17051.
Ours are free ones with as many digits, so that what holds an address keeps its length.
"""

import random
import re
import socket
from collections.abc import Callable
from pathlib import Path

_ALIASES = {10_000 + port: port for port in (7050, 7051, 7052, 8051, 8052, 9051, 9052)}
_ALIASES |= {20_051: 10_051, 20_052: 10_052}
_PORTS = (*sorted(set(_ALIASES.values())), 17_053, 18_053, 19_053, 20_053, 18_443)
_FOUR_DIGITS = range(2_000, 9_999)
_FIVE_DIGITS = range(11_000, 32_000)
_ANCHORS = (7051, 9051)
_WIDE = range(1 << 14, 32_000)
"""Ports that are as long as 17051 when they are encoded."""

_ADDRESS = re.compile(rb"(127\.0\.0\.1:)(\d{4,5})\b")
_HOST_AND_PORT = re.compile(
    rb'("?host"?: "?127\.0\.0\.1"?,?\s+"?port"?: )(\d{4,5})\b', re.IGNORECASE
)
_ENCODED = re.compile(rb"(127\.0\.0\.1\x10)([\x80-\xff]{1,2}[\x00-\x7f])")
"""An encoded ``protos.AnchorPeer``."""

_NET = re.compile(r"(?<![\w])NET(?=/|$)")


class Places:
    """Where things are, there and here."""

    def __init__(self, folder: Path, *, wide_anchors: bool = False) -> None:
        """Choose free ports.

        Args:
            folder: What the recording calls NET.
            wide_anchors: Whether anchor peers are named by the second of their ports.
        """
        self.folder = folder
        self._ports: dict[int, int] = {}
        for port in _PORTS:
            digits = _FOUR_DIGITS if port < 10_000 else _FIVE_DIGITS
            if wide_anchors and port in _ANCHORS:
                digits = _WIDE
            self._ports[port] = _free(digits, {*_PORTS, *self._ports.values()})
        self._recorded = {ours: theirs for theirs, ours in self._ports.items()}

    def port(self, recorded: int) -> int:
        """Return our port for a recorded one; a port that nobody listens at stays."""
        port = _ALIASES.get(recorded, recorded)
        return self._ports.get(port, port)

    def here(self, text: str) -> str:
        """Put our paths and ports in the place of the recorded ones."""
        moved = _replaced(text.encode(), self.port).decode()
        return _NET.sub(str(self.folder), moved)

    def there(self, text: str) -> str:
        """Put the recorded paths and ports in the place of ours."""
        return self.recorded(text.encode()).decode().replace(str(self.folder), "NET")

    def recorded(self, encoded: bytes) -> bytes:
        """Put the recorded ports in the place of ours, one of each pair for both."""
        return _replaced(encoded, lambda port: self._recorded.get(port, _ALIASES.get(port, port)))


def _replaced(encoded: bytes, port: Callable[[int], int]) -> bytes:
    def decimal(found: re.Match[bytes]) -> bytes:
        return b"%s%d" % (found[1], port(int(found[2])))

    def varint(found: re.Match[bytes]) -> bytes:
        """Put a port in as many bytes as there were, lest lengths change."""
        number = sum((byte & 0x7F) << 7 * place for place, byte in enumerate(found[2]))
        number, last = port(number), len(found[2]) - 1
        return found[1] + bytes(
            number >> 7 * place & 0x7F | (0x80 if place < last else 0) for place in range(last + 1)
        )

    encoded = _HOST_AND_PORT.sub(decimal, _ADDRESS.sub(decimal, encoded))
    return _ENCODED.sub(varint, encoded)


def _free(digits: range, taken: set[int]) -> int:
    while True:
        port = random.choice(digits)
        if port in taken:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
