# SPDX-License-Identifier: Apache-2.0
"""Huffman codes of limited length (RFC 1951, section 3.2.2).

Lengths come from package-merge: each level holds the symbols and pairs of the level below, by
weight; the first ``2n - 2`` items of the top level say how often each symbol's length counts. Of
equal weights a pair goes first, as in Go's ``compress/flate``.
"""

from collections.abc import Sequence

Code = tuple[int, int]
"""The bits, the first to be written lowest, and how many."""

_NONE: Code = (0, 0)


def codes(frequencies: Sequence[int], max_length: int) -> list[Code]:
    """Return the code of every symbol; no bits for one that does not occur."""
    present = [symbol for symbol, frequency in enumerate(frequencies) if frequency]
    assigned = [_NONE] * len(frequencies)
    if len(present) <= 2:
        for code, symbol in enumerate(present):
            assigned[symbol] = (code, 1)
        return assigned
    present.sort(key=lambda symbol: (frequencies[symbol], symbol))
    counts = _counts([frequencies[symbol] for symbol in present], max_length)
    code = 0
    for length, count in enumerate(counts, 1):
        code <<= 1
        chosen = sorted(present[len(present) - count :])
        del present[len(present) - count :]
        for symbol in chosen:
            assigned[symbol] = (_reversed(code, length), length)
            code += 1
    return assigned


def fixed_literals() -> list[Code]:
    """Return the codes of literals and lengths that need no table (section 3.2.6)."""
    ranges = ((0, 144, 8, 48), (144, 256, 9, 400), (256, 280, 7, 0), (280, 286, 8, 192))
    return [
        (_reversed(first + at, length), length)
        for start, end, length, first in ranges
        for at in range(end - start)
    ]


def fixed_distances() -> list[Code]:
    """Return the codes of distances that need no table."""
    return [(_reversed(symbol, 5), 5) for symbol in range(30)]


def bits(frequencies: Sequence[int], assigned: Sequence[Code]) -> int:
    """Return how many bits symbols of these frequencies take."""
    return sum(count * length for count, (_, length) in zip(frequencies, assigned, strict=False))


def _counts(weights: list[int], max_length: int) -> list[int]:
    """Return how many symbols get each length, from 1 on; the weights ascend."""
    depth = min(max_length, len(weights) - 1)
    levels: list[list[int | None]] = []
    pairs: list[int] = []
    for _ in range(depth):
        items = _merged(weights, pairs)
        levels.append([weight if is_leaf else None for weight, is_leaf in items])
        pairs = [items[at][0] + items[at + 1][0] for at in range(0, len(items) - len(items) % 2, 2)]
    wanted = 2 * len(weights) - 2
    leaves = []
    for level in reversed(levels):
        taken = level[:wanted]
        leaves.append(sum(weight is not None for weight in taken))
        wanted = 2 * (len(taken) - leaves[-1])
    # A symbol's length is the number of levels at which it was taken.
    return [more - fewer for more, fewer in zip(leaves, [*leaves[1:], 0], strict=True)]


def _merged(weights: list[int], pairs: list[int]) -> list[tuple[int, bool]]:
    """Merge two ascending lists; the second element tells a symbol from a pair."""
    return sorted([(weight, False) for weight in pairs] + [(weight, True) for weight in weights])


def _reversed(code: int, length: int) -> int:
    return int(f"{code:0{length}b}"[::-1], 2)
