# SPDX-License-Identifier: Apache-2.0
"""JSON into trees: objects as lists of pairs, numbers as they are written.

Python's own scanner reads what is right. Where it gives up, the slow one here reads again: it goes
as deep as Go does, and says in Go's words what is wrong. Tests hold the two against each other.
"""

import codecs
import json
import re
from typing import Any, Never

from fastledger.common.errors import InputError

MAX_NESTING = 10_000
"""Go's limit for lists and objects in each other."""

_GO_REPLACE = "fastledger-go-replace"


class JsonInvalid(InputError):
    """A text is no JSON, or not what it should be; in the words of Go's encoding/json."""


class Number(str):
    """A number, as it is written."""

    __slots__ = ()


class Object(list[tuple[str, Any]]):
    """An object's keys and values in their order; a key may come twice."""


def text_of(data: bytes | str) -> str:
    """Decode a document as Go does: each wrong byte, and each lone surrogate, is U+FFFD.

    The result can always be encoded, and so can what is read of it.
    """
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogateescape")
    return replace_surrogates(str(data, "utf-8", _GO_REPLACE))


def replace_surrogates(text: str) -> str:
    r"""Write ``\ufffd`` for escapes in JSON that stand for half a character."""
    return _ESCAPE.sub(_whole_character, text) if _SURROGATE.search(text) else text


_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_ESCAPE = re.compile(
    r"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    r"|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)",
    re.DOTALL,
)


def _whole_character(escape: re.Match[str]) -> str:
    return "\\ufffd" if escape.group(1) else escape.group()


def _one_for_each(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\ufffd", error.start + 1


codecs.register_error(_GO_REPLACE, _one_for_each)


def read(data: bytes | str, *, first: bool = False) -> Any:
    """Read a document's value: Object, list, str, Number, bool or None.

    Args:
        data: The document.
        first: Whether something may stand behind the value.

    Raises:
        JsonInvalid: It is no JSON.
    """
    text = text_of(data)
    begin = _SPACE.match(text).end()  # type: ignore[union-attr]
    try:
        value, end = _FAST.raw_decode(text, begin)
    except (ValueError, RecursionError):
        value = None
    if value is None or isinstance(value, Number):
        # Python's scanner stops before a fraction that is none; Go finds fault with it.
        value, end = _Scanner(text, first=first).value(begin)
    if not first:
        end = _SPACE.match(text, end).end()  # type: ignore[union-attr]
        if end < len(text):
            _unexpected(text, end, "after top-level value", first=False)
    return value


def _not_in_json(name: str) -> Never:
    raise ValueError(name)


_FAST = json.JSONDecoder(
    object_pairs_hook=Object, parse_int=Number, parse_float=Number, parse_constant=_not_in_json
)
_SPACE = re.compile(r"[ \t\r\n]*")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+')
_HEX = re.compile(r"[0-9a-fA-F]{0,4}")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<part>\.[0-9]+)?(?P<power>[eE][+-]?[0-9]+)?")
_LITERALS = {"t": ("true", True), "f": ("false", False), "n": ("null", None)}
_ENDS: dict[type, str] = {list: "]", Object: "}"}
_UNFINISHED = (
    "in literal",
    "in numeric literal",
    "after decimal point",
    "in exponent",
    "in string escape",
    "in \\u",
)
"""What ends a document too early other than between its values."""


def _unexpected(text: str, place: int, context: str, *, first: bool) -> Never:
    if place >= len(text):
        if first:
            raise JsonInvalid("EOF" if not text.strip(" \t\r\n") else "unexpected EOF")
        if not context.startswith(_UNFINISHED):
            raise JsonInvalid("unexpected end of JSON input")
        # Go puts a blank behind the end, and says of that what it says of any other character.
        text, place = " ", 0
    raise JsonInvalid(f"invalid character {_quoted(text[place])} {context}")


def _quoted(character: str) -> str:
    """The first byte of a character, as Go quotes it."""
    byte = character.encode("utf-8", "replace")[0]
    if character in "'\\":
        return f"'\\{character}'"
    shown = chr(byte)
    if shown.isprintable():
        return f"'{shown}'"
    named = {"\a": "a", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t", "\v": "v"}
    if shown in named:
        return f"'\\{named[shown]}'"
    return f"'\\x{byte:02x}'" if byte < 0x80 else f"'\\u{byte:04x}'"


class _Scanner:
    """Reads one value without recursion."""

    def __init__(self, text: str, *, first: bool) -> None:
        self._text = text
        self._first = first
        self._opened: list[Any] = []
        self._keys: list[str] = []

    def value(self, place: int) -> tuple[Any, int]:
        """Read the value that begins at a place; return it with its end."""
        while True:
            made, place = self._begin(place)
            if isinstance(made, list):
                if len(self._opened) >= MAX_NESTING:
                    self._fail(place - 1, "exceeded max depth")
                place = self._after_space(place)
                if self._text[place : place + 1] != _ENDS[type(made)]:
                    self._opened.append(made)
                    if isinstance(made, Object):
                        place = self._key(place)
                    continue
                place += 1
            made, place = self._put(made, place)
            if not self._opened:
                return made, place

    def _put(self, made: Any, place: int) -> tuple[Any, int]:
        """Put a value where it belongs, and all that ends with it; then another one begins."""
        while self._opened:
            outer = self._opened[-1]
            is_object = isinstance(outer, Object)
            outer.append((self._keys.pop(), made) if is_object else made)
            place = self._after_space(place)
            mark = self._text[place : place + 1]
            if mark == ",":
                place = self._after_space(place + 1)
                return made, self._key(place) if is_object else place
            if mark != _ENDS[type(outer)]:
                pair = "after object key:value pair" if is_object else "after array element"
                self._fail(place, pair)
            made, place = self._opened.pop(), place + 1
        return made, place

    def _begin(self, place: int) -> tuple[Any, int]:
        """Read a literal, or the opening of a list or an object."""
        mark = self._text[place : place + 1]
        if mark == "{":
            return Object(), place + 1
        if mark == "[":
            return [], place + 1
        if mark == '"':
            return self._string(place)
        if mark in _LITERALS:
            return self._literal(*_LITERALS[mark], place)
        if mark and mark in "-0123456789":
            return self._number(place)
        return self._fail(place, "looking for beginning of value")

    def _key(self, place: int) -> int:
        if self._text[place : place + 1] != '"':
            self._fail(place, "looking for beginning of object key string")
        key, place = self._string(place)
        self._keys.append(key)
        place = self._after_space(place)
        if self._text[place : place + 1] != ":":
            self._fail(place, "after object key")
        return self._after_space(place + 1)

    def _string(self, start: int) -> tuple[str, int]:
        at = _STRING.match(self._text, start).end()  # type: ignore[union-attr]
        mark = self._text[at : at + 1]
        if mark == '"':
            return json.loads(self._text[start : at + 1]), at + 1
        if mark != "\\":
            self._fail(at, "in string literal")
        if self._text[at + 1 : at + 2] != "u":
            self._fail(at + 1, "in string escape code")
        digits = _HEX.match(self._text, at + 2)
        return self._fail(digits.end(), "in \\u hexadecimal character escape")  # type: ignore[union-attr]

    def _literal(self, name: str, value: Any, place: int) -> tuple[Any, int]:
        for offset, letter in enumerate(name):
            if self._text[place + offset : place + offset + 1] != letter:
                self._fail(place + offset, f"in literal {name} (expecting {_quoted(letter)})")
        return value, place + len(name)

    def _number(self, place: int) -> tuple[Number, int]:
        found = _NUMBER.match(self._text, place)
        if found is None:
            self._fail(place + 1, "in numeric literal")
        end = found.end()
        mark = self._text[end : end + 1]
        if mark == "." and not found["part"] and not found["power"]:
            self._fail(end + 1, "after decimal point in numeric literal")
        if mark and mark in "eE" and not found["power"]:
            signed = self._text[end + 1 : end + 2] in ("+", "-")
            self._fail(end + 1 + signed, "in exponent of numeric literal")
        return Number(found.group()), end

    def _after_space(self, place: int) -> int:
        return _SPACE.match(self._text, place).end()  # type: ignore[union-attr]

    def _fail(self, place: int, context: str) -> Never:
        _unexpected(self._text, place, context, first=self._first)
