# SPDX-License-Identifier: Apache-2.0
"""What of private writes is kept, and believed when it is read."""

from collections.abc import Callable
from typing import Protocol

Holds = Callable[[bytes, bytes, tuple[int, int]], None]
"""Takes a private key, its value and its version; raises LedgerCorrupted when that is not what the
channel agreed on."""


def believe(_key: bytes, _value: bytes, _version: tuple[int, int]) -> None:
    """Hold nothing against a value."""


class Rules(Protocol):
    """What of a channel's private data a peer keeps, and how long; collections by their names."""

    @property
    def keeps_invalid(self) -> bool:
        """Whether write sets of invalid transactions are kept, too."""

    def is_member(self, ns: str, coll: str, block: int) -> bool:
        """Whether the peer has the collection's values, as it is defined before a block."""

    def block_to_live(self, ns: str, coll: str) -> int:
        """How many blocks values live; 0 for ever."""


class KeepAll:
    """Everything of valid transactions, for ever."""

    keeps_invalid = False

    def is_member(self, _ns: str, _coll: str, _block: int) -> bool:
        """It is."""
        return True

    def block_to_live(self, _ns: str, _coll: str) -> int:
        """They do not end."""
        return 0
