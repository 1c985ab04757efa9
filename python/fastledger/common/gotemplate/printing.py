# SPDX-License-Identifier: Apache-2.0
"""Prints values as Go's package ``fmt`` does."""

import dataclasses
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fastledger.common.gotemplate.values import (
    Byte,
    Struct,
    TemplateError,
    Value,
    encoded,
    type_name,
)

NO_VALUE = "<no value>"
"""What stands where a value is not there."""

MAX_WIDTH = 1 << 16
"""The widest that a value may be printed, and the most digits it may have."""

_CONTROL = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
}
_NUMBER = re.compile(r"[0-9]*")
_INDEX = re.compile(r"\[([0-9]+)\]")


def sprint(values: Sequence[Value]) -> str:
    """Print values, with a space between two of which neither is text."""
    printed = ""
    for place, value in enumerate(values):
        if place and not isinstance(value, str) and not isinstance(values[place - 1], str):
            printed += " "
        printed += _Verb("v").print(value)
    return printed


def sprintf(template: str, values: Sequence[Value]) -> str:
    """Print values by a format.

    Raises:
        TemplateError: The format asks for what is not known here, or for too much.
    """
    return _Format(template, values).print()


def is_printable(character: str) -> bool:
    """Tell whether Go writes a character as it is where it quotes."""
    return character == " " or (character.isprintable() and not character.isspace())


@dataclass(slots=True)
class _Verb:
    """One verb with its flags.

    Attributes:
        as_go: The flag ``#`` of ``%#v``, which asks for Go's own syntax.
        named: The flag ``+`` of ``%+v``, which asks for the names of fields.
    """

    verb: str
    as_go: bool = False
    named: bool = False
    sharp: bool = False
    zero: bool = False
    plus: bool = False
    minus: bool = False
    space: bool = False
    width: int | None = None
    precision: int | None = None

    def print(self, value: Value) -> str:
        if self.verb == "T":
            return self._pad(type_name(value))
        if value is None:
            return self._pad("<nil>") if self.verb == "v" else f"%!{self.verb}(<nil>)"
        if isinstance(value, Struct):
            return self._struct(value)
        if isinstance(value, bool):
            return self._pad(str(value).lower()) if self.verb in "tv" else self.misfit(value)
        if isinstance(value, int):
            return self._integer(value)
        if isinstance(value, float):
            return self._float(value)
        return self._text(value)

    def misfit(self, value: Value) -> str:
        plain = dataclasses.replace(self, verb="v")
        return f"%!{self.verb}({type_name(value)}={plain.print(value)})"

    def _pad(self, text: str, zeros: bool = True) -> str:
        missing = (self.width or 0) - len(text)
        if missing <= 0:
            return text
        if self.minus:
            return text + " " * missing
        return ("0" if self.zero and zeros else " ") * missing + text

    def _struct(self, value: Struct) -> str:
        if self.as_go:
            raise TemplateError("%#v of the whole data is not known here")
        parts = (
            (f"{name}:" if self.named else "") + self.print(one)
            for name, one in value.fields.items()
        )
        return "{" + " ".join(parts) + "}"

    def _text(self, text: str) -> str:
        if self.verb in ("x", "X"):
            return self._hexadecimal(text)
        if self.precision is not None:
            text = text[: self.precision]
        if self.verb == "q" or self.as_go:
            if self.sharp and self.verb == "q" and "`" not in text and _is_raw(text):
                return self._pad(f"`{text}`")
            return self._pad(_quoted(text, '"', self.plus))
        return self._pad(text) if self.verb in ("s", "v") else self.misfit(text)

    def _hexadecimal(self, text: str) -> str:
        content = encoded(text)[: self.precision]
        digits = [f"{one:02x}" for one in content]
        prefix = "0x" if self.sharp and content else ""
        joined = (f" {prefix}" if self.space else "").join(digits)
        shown = prefix + joined
        return self._pad(shown.upper() if self.verb == "X" else shown)

    def _integer(self, value: int) -> str:
        if self.as_go and isinstance(value, Byte):
            return self._pad(f"0x{value:x}")
        if self.verb in "cqU":
            return self._character(value)
        bases: dict[str, Callable[[int], str]] = {
            "v": str,
            "d": str,
            "b": "{:b}".format,
            "o": "{:o}".format,
            "O": "{:o}".format,
            "x": "{:x}".format,
            "X": "{:X}".format,
        }
        if self.verb not in bases:
            return self.misfit(int(value) if not isinstance(value, Byte) else value)
        signed = value < 0 or self.plus or self.space
        precision = self.precision
        if precision is None and self.zero and not self.minus and self.width is not None:
            precision = self.width - signed
        elif precision == 0 and value == 0:
            return " " * (self.width or 0)
        digits = bases[self.verb](abs(int(value))).rjust(precision or 0, "0")
        if self.sharp and self.verb != "v":
            octal = "" if digits[0] == "0" else "0"
            digits = {"b": "0b", "x": "0x", "X": "0X", "o": octal, "O": octal}.get(
                self.verb, ""
            ) + digits
        if self.verb == "O":
            digits = f"0o{digits}"
        sign = "-" if value < 0 else "+" if self.plus else " " if self.space else ""
        return self._pad(sign + digits, zeros=False)

    def _character(self, value: int) -> str:
        is_valid = 0 <= value <= 0x10FFFF and not 0xD800 <= value < 0xE000
        character = chr(value) if is_valid else "�"
        if self.verb == "c":
            return self._pad(character)
        if self.verb == "q":
            return self._pad(_quoted(character, "'", self.plus))
        digits = f"{value % (1 << 64):X}".rjust(max(self.precision or 0, 4), "0")
        shown = f"U+{digits}"
        if self.sharp and is_valid and is_printable(character):
            shown += f" '{character}'"
        return self._pad(shown, zeros=False)

    def _float(self, value: float) -> str:
        is_exact = self.verb not in "xX" or self.precision is None
        if self.verb == "b" or not is_exact or (self.sharp and self.verb in "veEfFgGxX"):
            raise TemplateError(f"%{'#' * self.sharp}{self.verb} of a float is not known here")
        if self.verb not in "veEfFgGxX":
            return self.misfit(value)
        negative = math.copysign(1, value) < 0 and not math.isnan(value)
        digits = _float_digits(abs(value), self.verb, self.precision)
        sign = "-" if negative else "+" if self.plus else " " if self.space else ""
        if math.isinf(value) and not sign:
            sign = "+"
        if math.isinf(value) or math.isnan(value):
            return self._pad(sign + digits, zeros=False)
        if sign and self.zero and not self.minus and self.width is not None:
            return sign + digits.rjust(self.width - 1, "0")
        return self._pad(sign + digits)


def _float_digits(value: float, verb: str, precision: int | None) -> str:
    if math.isinf(value) or math.isnan(value):
        return "Inf" if math.isinf(value) else "NaN"
    if verb in "xX":
        mantissa, exponent = value.hex().split("p")
        shown = f"{mantissa.rstrip('0').rstrip('.') if '.' in mantissa else mantissa}"
        shown += f"p{exponent[0]}{exponent[1:].rjust(2, '0')}"
        return shown.upper() if verb == "X" else shown
    if verb in "eE":
        return f"{value:.{6 if precision is None else precision}{verb}}"
    if verb in "fF":
        return f"{value:.{6 if precision is None else precision}f}"
    if precision is None:
        # As short as it can be read again; %g of Go turns to exponents at 21 digits.
        mantissa, exponent = f"{float(repr(value)):.17e}".split("e")
        digits = repr(value).replace(".", "").split("e")[0].strip("0") or "0"
        power = int(exponent)
        if -4 <= power < 21:
            return _plain(digits, power)
        mantissa = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
        shown = f"{mantissa}e{'-' if power < 0 else '+'}{abs(power):02}"
    else:
        shown = f"{value:.{precision or 1}g}"
    return shown.upper() if verb == "G" else shown


def _plain(digits: str, power: int) -> str:
    if power < 0:
        return f"0.{'0' * (-power - 1)}{digits}"
    whole = digits[: power + 1].ljust(power + 1, "0")
    part = digits[power + 1 :]
    return f"{whole}.{part}" if part else whole


def _is_raw(text: str) -> bool:
    return all(one == "\t" or (ord(one) >= 0x20 and one not in "\x7f\ufeff") for one in text)


def _quoted(text: str, quote: str, ascii_only: bool) -> str:
    def character(one: str) -> str:
        code = ord(one)
        if one == quote:
            return f"\\{one}"
        if one in _CONTROL:
            return _CONTROL[one]
        if 0xDC80 <= code <= 0xDCFF:
            return f"\\x{code - 0xDC00:02x}"
        if is_printable(one) and (one.isascii() or not ascii_only):
            return one
        if code < 0x20 or code == 0x7F:
            return f"\\x{code:02x}"
        return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

    return f"{quote}{''.join(character(one) for one in text)}{quote}"


class _Format:
    """A format on its way through its arguments."""

    def __init__(self, template: str, values: Sequence[Value]) -> None:
        self._template = template
        self._values = values
        self._at = 0
        self._next = 0
        self._reordered = False
        self._is_good = True
        self._after_index = False
        self._printed: list[str] = []

    def print(self) -> str:
        while (percent := self._template.find("%", self._at)) >= 0:
            self._printed.append(self._template[self._at : percent])
            self._at = percent + 1
            self._verb()
            if self._at >= len(self._template):
                break
        self._printed.append(self._template[self._at :])
        if not self._reordered and self._next < len(self._values):
            extra = ", ".join(
                "<nil>" if one is None else f"{type_name(one)}={_Verb('v').print(one)}"
                for one in self._values[self._next :]
            )
            self._printed.append(f"%!(EXTRA {extra})")
        return "".join(self._printed)

    def _peek(self) -> str:
        return self._template[self._at : self._at + 1]

    def _verb(self) -> None:
        made = _Verb("")
        self._is_good, self._after_index = True, False
        flags = {"#": "sharp", "0": "zero", "+": "plus", "-": "minus", " ": "space"}
        while self._peek() in flags:
            setattr(made, flags[self._peek()], True)
            self._at += 1
        self._index()
        self._read_width(made)
        if self._peek() == "." and self._at + 1 < len(self._template):
            self._read_precision(made)
        if not self._after_index:
            self._index()
        made.verb = self._peek()
        self._at += 1
        self._printed.append(self._print_verb(made))

    def _print_verb(self, made: _Verb) -> str:
        if not made.verb:
            return "%!(NOVERB)"
        if made.verb == "%":
            return "%"
        if not self._is_good:
            return f"%!{made.verb}(BADINDEX)"
        if self._next >= len(self._values):
            return f"%!{made.verb}(MISSING)"
        value = self._values[self._next]
        self._next += 1
        if made.verb == "v":
            made.as_go, made.named, made.sharp, made.plus = made.sharp, made.plus, False, False
        if made.verb == "w":
            return made.misfit(value) if value is not None else "%!w(<nil>)"
        return made.print(value)

    def _index(self) -> None:
        """Read an argument's explicit number, if one stands here."""
        if self._peek() != "[":
            return
        self._reordered = True
        found = _INDEX.match(self._template, self._at)
        if found and 1 <= int(found[1][:9]) <= len(self._values):
            self._at, self._next = found.end(), int(found[1]) - 1
            self._after_index = True
            return
        self._is_good = False
        closing = self._template.find("]", self._at)
        self._at = closing + 1 if closing >= 0 else self._at + 1
        self._after_index = closing >= 0

    def _read_width(self, made: _Verb) -> None:
        if self._peek() == "*":
            self._at += 1
            width = self._number_argument()
            if width is None:
                self._printed.append("%!(BADWIDTH)")
            elif width < 0:
                made.width, made.minus, made.zero = -width, True, False
            else:
                made.width = width
            self._after_index = False
            return
        made.width = self._number()
        if self._after_index and made.width is not None:
            self._is_good = False

    def _read_precision(self, made: _Verb) -> None:
        self._at += 1
        if self._after_index:
            self._is_good = False
        self._index()
        if self._peek() == "*":
            self._at += 1
            precision = self._number_argument()
            made.precision = precision if precision is not None and precision >= 0 else None
            if made.precision is None:
                self._printed.append("%!(BADPREC)")
            self._after_index = False
        else:
            made.precision = self._number() or 0

    def _number(self) -> int | None:
        found = _NUMBER.match(self._template, self._at)
        if not found or not found[0]:
            return None
        self._at = found.end()
        return _bounded(int(found[0][:9]))

    def _number_argument(self) -> int | None:
        if self._next >= len(self._values):
            return None
        value = self._values[self._next]
        self._next += 1
        is_number = isinstance(value, int) and not isinstance(value, bool)
        return _bounded(int(value)) if is_number else None  # type: ignore[arg-type]  # it is one


def _bounded(number: int) -> int:
    if abs(number) > MAX_WIDTH:
        raise TemplateError(f"a width or precision of {number}; at most {MAX_WIDTH} is printed")
    return number
