# SPDX-License-Identifier: Apache-2.0
"""Writes blocks of tokens as bits: the second half of DEFLATE (RFC 1951, section 3.2)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fastledger.chaincode.gopackage.codes import Code, bits, codes, fixed_distances, fixed_literals
from fastledger.chaincode.gopackage.matches import Token

_END = 256
_LITERALS = 286
_DISTANCES = 30
_STORABLE_BITS = (65535 + 5) * 8 + 1
"""A stored block, its header included, is smaller."""

_MAX_CODE_BITS = 15
_MAX_TABLE_CODE_BITS = 7

# Kinds of block, in two bits.
_STORED, _FIXED, _DYNAMIC = range(3)

# Symbols of a table of code lengths that stand for repetitions, and the bits that say how many.
_REPEAT, _ZEROS, _MANY_ZEROS = 16, 17, 18
_TABLE_EXTRA_BITS = {_REPEAT: 2, _ZEROS: 3, _MANY_ZEROS: 7}
_TABLE_ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)
_MIN_TABLE_CODES = 4


def _ranges(extra_bits: Sequence[int], first: int) -> list[tuple[int, int]]:
    """Return where each symbol's range of values begins, and its extra bits."""
    ranges = []
    for count in extra_bits:
        ranges.append((first, count))
        first += 1 << count
    return ranges


_LENGTH_RANGES = _ranges([0] * 8 + [n for n in range(1, 6) for _ in range(4)], 3)
_LENGTH_RANGES.append((258, 0))
_DISTANCE_RANGES = _ranges([0, 0] + [n for n in range(14) for _ in range(2)], 1)
_LENGTH_SYMBOL = {
    length: symbol
    for symbol, (first, count) in enumerate(_LENGTH_RANGES)
    for length in range(first, min(first + (1 << count), 259))
}


def _distance_symbol(distance: int) -> int:
    """Return the symbol of a distance: two for each number of binary digits."""
    value = distance - 1
    if value < 4:
        return value
    digits = value.bit_length()
    return 2 * (digits - 1) + (value >> (digits - 2) & 1)


@dataclass(frozen=True, slots=True)
class _Table:
    """The lengths of a block's codes, run-length encoded (section 3.2.7)."""

    literals: int
    distances: int
    """How many lengths it has of each."""

    entries: list[tuple[int, int]]
    """Symbol, and the value of its extra bits."""

    codes: list[Code]
    sent: int
    """How many lengths of ``codes`` are written."""

    bits: int


class Writer:
    """Collects the bits of blocks."""

    def __init__(self) -> None:
        """Nothing is written yet."""
        self._out = bytearray()
        self._bits = 0
        self._count = 0

    def finish(self) -> bytes:
        """Write the end, a stored block of nothing, and return all bytes."""
        self._stored(b"", final=1)
        return bytes(self._out)

    def block(self, tokens: Sequence[Token], content: bytes | None) -> None:
        """Write a block in the smallest of its forms; ``content`` is what it may be stored as."""
        literals, distances = _frequencies(tokens)
        extra = _extra_bits(literals, distances)
        fixed = 3 + bits(literals, _FIXED_LITERALS) + bits(distances, _FIXED_DISTANCES) + extra
        literal_codes = codes(literals, _MAX_CODE_BITS)
        distance_codes = codes(distances, _MAX_CODE_BITS)
        table = _table(_used(literals, literal_codes), _used(distances, distance_codes))
        dynamic = (
            table.bits + bits(literals, literal_codes) + bits(distances, distance_codes) + extra
        )
        if content is not None and (len(content) + 5) * 8 < min(fixed, dynamic, _STORABLE_BITS):
            self._stored(content)
        elif dynamic < fixed:
            self._table(table)
            self._tokens(tokens, literal_codes, distance_codes)
        else:
            self._write(_FIXED << 1, 3)
            self._tokens(tokens, _FIXED_LITERALS, _FIXED_DISTANCES)

    def _table(self, table: _Table) -> None:
        self._write(_DYNAMIC << 1, 3)
        self._write(table.literals - (_END + 1), 5)
        self._write(table.distances - 1, 5)
        self._write(table.sent - _MIN_TABLE_CODES, 4)
        for symbol in _TABLE_ORDER[: table.sent]:
            self._write(table.codes[symbol][1], 3)
        for symbol, extra in table.entries:
            self._write(*table.codes[symbol])
            self._write(extra, _TABLE_EXTRA_BITS.get(symbol, 0))

    def _tokens(
        self, tokens: Sequence[Token], literals: Sequence[Code], distances: Sequence[Code]
    ) -> None:
        for token in tokens:
            if token >= 0:
                self._write(*literals[token])
                continue
            length, distance = -token >> 16, -token & 0xFFFF
            symbol = _LENGTH_SYMBOL[length]
            self._write(*literals[_END + 1 + symbol])
            first, count = _LENGTH_RANGES[symbol]
            self._write(length - first, count)
            symbol = _distance_symbol(distance)
            self._write(*distances[symbol])
            first, count = _DISTANCE_RANGES[symbol]
            self._write(distance - first, count)
        self._write(*literals[_END])

    def _stored(self, content: bytes, final: int = 0) -> None:
        self._write(_STORED << 1 | final, 3)
        self._write(0, -self._count % 8)
        self._write(len(content), 16)
        self._write(len(content) ^ 0xFFFF, 16)
        self._out += content

    def _write(self, value: int, count: int) -> None:
        self._bits |= value << self._count
        self._count += count
        whole = self._count >> 3
        self._out += (self._bits & (1 << 8 * whole) - 1).to_bytes(whole, "little")
        self._bits >>= 8 * whole
        self._count &= 7


def _frequencies(tokens: Sequence[Token]) -> tuple[list[int], list[int]]:
    literals, distances = [0] * _LITERALS, [0] * _DISTANCES
    for token in tokens:
        if token >= 0:
            literals[token] += 1
        else:
            literals[_END + 1 + _LENGTH_SYMBOL[-token >> 16]] += 1
            distances[_distance_symbol(-token & 0xFFFF)] += 1
    literals[_END] = 1
    if not any(distances):
        distances[0] = 1  # a table needs one
    return literals, distances


def _extra_bits(literals: Sequence[int], distances: Sequence[int]) -> int:
    lengths = zip(literals[_END + 1 :], _LENGTH_RANGES, strict=True)
    offsets = zip(distances, _DISTANCE_RANGES, strict=True)
    return sum(times * count for times, (_, count) in (*lengths, *offsets))


def _used(frequencies: Sequence[int], assigned: Sequence[Code]) -> list[int]:
    """Return the lengths of codes up to the last symbol that occurs."""
    last = max(symbol for symbol, frequency in enumerate(frequencies) if frequency)
    return [length for _, length in assigned[: last + 1]]


def _table(literals: Sequence[int], distances: Sequence[int]) -> _Table:
    entries = list(_runs([*literals, *distances]))
    frequencies = [0] * len(_TABLE_ORDER)
    for symbol, _ in entries:
        frequencies[symbol] += 1
    assigned = codes(frequencies, _MAX_TABLE_CODE_BITS)
    sent = len(_TABLE_ORDER)
    while sent > _MIN_TABLE_CODES and not frequencies[_TABLE_ORDER[sent - 1]]:
        sent -= 1
    extra = sum(_TABLE_EXTRA_BITS.get(symbol, 0) for symbol, _ in entries)
    size = 3 + 5 + 5 + 4 + 3 * sent + bits(frequencies, assigned) + extra
    return _Table(len(literals), len(distances), entries, assigned, sent, size)


def _runs(lengths: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Shorten runs of equal lengths."""
    at = 0
    while at < len(lengths):
        length = lengths[at]
        count = 1
        while at + count < len(lengths) and lengths[at + count] == length:
            count += 1
        at += count
        yield from _run(length, count)


def _run(length: int, count: int) -> Iterator[tuple[int, int]]:
    if length:
        yield length, 0
        count -= 1
        while count >= 3:
            taken = min(6, count)
            yield _REPEAT, taken - 3
            count -= taken
    else:
        while count >= 11:
            taken = min(138, count)
            yield _MANY_ZEROS, taken - 11
            count -= taken
        if count >= 3:
            yield _ZEROS, count - 3
            count = 0
    for _ in range(count):
        yield length, 0


_FIXED_LITERALS = fixed_literals()
_FIXED_DISTANCES = fixed_distances()
