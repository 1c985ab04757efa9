# SPDX-License-Identifier: Apache-2.0
"""Numbers as Go's ``strconv`` reads and writes them."""

import re
from dataclasses import dataclass
from decimal import Decimal

_BASES = {"x": 16, "o": 8, "b": 2}
_DIGITS = {16: "0123456789abcdef", 10: "0123456789", 8: "01234567", 2: "01"}
_LITERAL = re.compile(
    r"[-+]?(?:0[xX](?:_?[0-9a-fA-F])+|0[bB](?:_?[01])+|0[oO]?(?:_?[0-7])+|[1-9](?:_?[0-9])*|0)"
)

MOST_DIGITS = 4000
"""Python bounds the decimal digits that it converts; far fewer fit any width."""

_TOO_LARGE = 1 << 64


@dataclass(frozen=True, slots=True)
class Width:
    """How many bits a number has, and whether it has a sign."""

    bits: int
    signed: bool = False

    def holds(self, number: float) -> bool:
        """Tell whether a number fits."""
        least = -(1 << (self.bits - 1)) if self.signed else 0
        return least <= number < 1 << (self.bits - self.signed)

    def cut(self, number: int) -> int:
        """Cut a number to the width, as Go does where it converts."""
        number %= 1 << self.bits
        is_negative = self.signed and number >> (self.bits - 1)
        return number - (1 << self.bits) if is_negative else number


def parse_int(text: str) -> int | None:
    """Read a whole number without underscores in any of Go's bases; None if it is none.

    A leading zero alone means octal.
    """
    digits = text[1:] if text[:1] in ("+", "-") else text
    base = 10
    if digits[:1] == "0" and len(digits) > 1:
        base = _BASES.get(digits[1].lower(), 8)
        digits = digits[2:] if digits[1].lower() in _BASES else digits[1:]
    if not digits or not set(digits.lower()) <= set(_DIGITS[base]):
        return None
    value = int(digits, base) if len(digits) <= MOST_DIGITS else _TOO_LARGE
    return -value if text[0] == "-" else value


def parse_number(text: str, width: Width) -> int | None:
    """Read a number as ``ParseInt`` and ``ParseUint`` do with base 0; None if they refuse it."""
    found = _LITERAL.fullmatch(text)
    if not found or (not width.signed and text[0] in "+-"):
        return None
    number = parse_int(text.replace("_", ""))
    return number if number is not None and width.holds(number) else None


def format_float(value: float) -> str:
    """Write a float without an exponent, as short as it can be read again."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    text = format(Decimal(repr(value)), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
