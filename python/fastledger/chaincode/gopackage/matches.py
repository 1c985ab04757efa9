# SPDX-License-Identifier: Apache-2.0
"""Finds what repeats in a stream: the first half of DEFLATE (RFC 1951, section 4).

At each position the chain of earlier positions with the same hash is followed; a match is put off
by one byte when the next position may have a longer one. Which match is found, hence every byte of
the output, depends on all of the numbers below and on when the window moves. They are those of
Go's ``compress/flate`` at its default level, 6.
"""

from collections.abc import Callable

WINDOW = 1 << 15
MAX_BLOCK_TOKENS = 1 << 14
MIN_MATCH = 4
MAX_MATCH = 258

Token = int
"""A literal is its byte; a match is ``-(length << 16 | distance)``."""

EmitBlock = Callable[[list[Token], "bytes | None"], None]
"""Takes a block's tokens, and its bytes unless they have left the window."""

_CHAIN = 128
"""Earlier positions that are looked at."""

_NICE = 128
"""A match of this length ends the search."""

_LAZY = 16
"""After a match of this length the next position is not searched."""

_NEAR = 4096
"""A match of the smallest length may not be farther away."""

_HASH_MULTIPLIER = 0x1E35A7BD
_HASH_SHIFT = 32 - 17
_LOOKAHEAD = MIN_MATCH + MAX_MATCH
"""So many bytes have to be known before a position is decided."""

_NOWHERE = -1


class Matcher:
    """Turns a stream, of which ever more is written, into blocks of tokens."""

    def __init__(self, data: bytes, emit: EmitBlock) -> None:
        """Take all that will be written, and what gets the blocks."""
        self._data = data
        self._emit = emit
        self._written = 0
        self._window_start = 0
        self._position = 0
        self._block_start: int | None = 0
        self._tokens: list[Token] = []
        self._newest: dict[int, int] = {}
        self._earlier = [_NOWHERE] * len(data)
        # The match at the position before, and whether that position's byte is still to be told.
        self._length = MIN_MATCH - 1
        self._distance = 0
        self._pending = False

    def write(self, size: int) -> None:
        """Let the next ``size`` bytes be known."""
        while size:
            self._decide(final=False)
            if self._position - self._window_start >= 2 * WINDOW - _LOOKAHEAD:
                self._window_start += WINDOW
                if self._block_start is not None and self._block_start < self._window_start:
                    self._block_start = None
            taken = min(size, self._window_start + 2 * WINDOW - self._written)
            self._written += taken
            size -= taken

    def finish(self) -> None:
        """Decide the rest."""
        self._decide(final=True)
        if self._pending:
            self._tokens.append(self._data[self._position - 1])
        if self._tokens:
            self._end_block(self._position)

    def _decide(self, *, final: bool) -> None:
        """Decide the positions that have enough bytes behind them."""
        needed = 1 if final else _LOOKAHEAD
        while self._written - self._position >= needed:
            length, distance = self._length, self._distance
            self._length, self._distance = self._search(length)
            if length >= MIN_MATCH and self._length <= length:
                self._take(length, distance)
            else:
                self._put_off()

    def _search(self, previous_length: int) -> tuple[int, int]:
        """Find a match at the position, and let later positions find this one."""
        position = self._position
        candidate = self._insert(position)
        lookahead = self._written - position
        if not previous_length < min(lookahead, _LAZY):
            return MIN_MATCH - 1, 0
        return self._longest(position, candidate, min(MAX_MATCH, lookahead))

    def _insert(self, position: int) -> int:
        """Add a position to its chain; return the one before it."""
        if position > self._written - MIN_MATCH:
            return _NOWHERE
        word = int.from_bytes(self._data[position : position + MIN_MATCH], "big")
        key = (word * _HASH_MULTIPLIER & 0xFFFFFFFF) >> _HASH_SHIFT
        before = self._newest.get(key, _NOWHERE)
        self._newest[key] = position
        self._earlier[position] = before
        return before

    def _longest(self, position: int, candidate: int, limit: int) -> tuple[int, int]:
        data, earlier = self._data, self._earlier
        best, distance = MIN_MATCH - 1, 0
        nice = min(_NICE, limit)
        farthest = position - WINDOW
        oldest = max(farthest, self._window_start)
        for _ in range(_CHAIN):
            if candidate < oldest:
                break
            if data[candidate + best] == data[position + best]:
                length = _common(data, candidate, position, limit)
                if length > best and (length > MIN_MATCH or position - candidate <= _NEAR):
                    best, distance = length, position - candidate
                    if length >= nice:
                        break
            if candidate == farthest:
                break
            candidate = earlier[candidate]
        return best, distance

    def _take(self, length: int, distance: int) -> None:
        """Tell the match of the position before, and go behind it."""
        self._tokens.append(-(length << 16 | distance))
        end = self._position + length - 1
        for position in range(self._position + 1, end):
            self._insert(position)
        self._position = end
        self._pending = False
        self._length = MIN_MATCH - 1
        if len(self._tokens) == MAX_BLOCK_TOKENS:
            self._end_block(end)

    def _put_off(self) -> None:
        """Tell the byte before, and leave this position to the next one's match."""
        if self._pending:
            self._tokens.append(self._data[self._position - 1])
            if len(self._tokens) == MAX_BLOCK_TOKENS:
                self._end_block(self._position)
        self._position += 1
        self._pending = True

    def _end_block(self, end: int) -> None:
        start = self._block_start
        self._emit(self._tokens, None if start is None else self._data[start:end])
        self._block_start = end
        self._tokens = []


def _common(data: bytes, one: int, other: int, limit: int) -> int:
    """Count the bytes that two places have in common."""
    if data[one : one + limit] == data[other : other + limit]:
        return limit
    length = 0
    while data[one + length] == data[other + length]:
        length += 1
    return length
