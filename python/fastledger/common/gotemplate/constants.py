# SPDX-License-Identifier: Apache-2.0
"""The values of constants (Go: ``strconv.Unquote``, ``text/template``'s ideal constants)."""

import math
import re

from fastledger.common.gonumbers import Width, parse_number
from fastledger.common.gotemplate.lexer import Token
from fastledger.common.gotemplate.values import TemplateError, Value, decoded, encoded

_ESCAPE = re.compile(
    r"\\(?:x(?P<x>[0-9a-fA-F]{2})|u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8})"
    r"|(?P<o>[0-7]{3})|(?P<c>[abfnrtv\\'\"]))"
)
_CONTROL = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_HEX_FLOAT = re.compile(r"[-+]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_INT = Width(64, signed=True)
_UINT = Width(64)


def value(token: Token) -> Value:
    """Return a constant's value.

    Raises:
        TemplateError: It is wrong.
    """
    if token.kind == "bool":
        return token.text == "true"
    if token.kind == "number":
        return _number(token.text)
    if token.text[0] == "`":
        return token.text[1:-1].replace("\r", "")
    text = _unquoted(token.text)
    if token.kind == "string":
        return text
    if len(text) != 1:
        raise TemplateError(f"malformed character constant: {token.text}")
    # A byte that is no character by itself stands as a lone surrogate.
    return ord(text) - 0xDC00 if 0xDC80 <= ord(text) <= 0xDCFF else ord(text)


def _unquoted(quoted: str) -> str:
    quote, inner = quoted[0], quoted[1:-1]

    def character(found: re.Match[str]) -> str:
        digits = found["x"] or found["u"] or found["U"]
        code = int(digits, 16) if digits else int(found["o"], 8) if found["o"] else None
        if code is None:
            if found["c"] in "'\"" and found["c"] != quote:
                raise TemplateError(f"invalid syntax: {quoted}")
            return _CONTROL.get(found["c"], found["c"])
        is_byte = bool(found["x"] or found["o"])
        if code > (0xFF if is_byte else 0x10FFFF) or 0xD800 <= code < 0xE000:
            raise TemplateError(f"invalid syntax: {quoted}")
        # Escaped bytes may be parts of one character.
        return decoded(bytes((code,))) if is_byte else chr(code)

    if "\\" in _ESCAPE.sub("", inner):
        raise TemplateError(f"invalid syntax: {quoted}")
    return decoded(encoded(_ESCAPE.sub(character, inner)))


def _number(text: str) -> int | float:
    if text[-1:] == "i":
        raise TemplateError(f"{text}: complex numbers are not known here")
    is_float = any(one in text for one in (".eEpP" if text[:2].lower() != "0x" else ".pP"))
    if not is_float:
        number = parse_number(text, _INT)
        if number is None:
            # Go reads it as an unsigned number, and complains where it is to be an int.
            number = parse_number(text, _UINT)
        if number is None:
            raise TemplateError(f"illegal number syntax, or an integer overflow: {text!r}")
        return number
    plain = _without_underscores(text)
    if _HEX_FLOAT.fullmatch(plain):
        return float.fromhex(plain)
    if not _FLOAT.fullmatch(plain) or math.isinf(float(plain)):
        raise TemplateError(f"illegal number syntax: {text!r}")
    return float(plain)


def _without_underscores(text: str) -> str:
    if re.search(r"_(?![0-9a-fA-F])|(?<![0-9a-fA-FxX])_", text):
        raise TemplateError(f"illegal number syntax: {text!r}")
    return text.replace("_", "")
