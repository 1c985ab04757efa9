# SPDX-License-Identifier: Apache-2.0
"""Cuts an expression into tokens."""

import re
from dataclasses import dataclass
from typing import NoReturn

from fastledger.common.errors import InputError

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*\n?|/\*.*?\*/)
    |(?P<number>0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+
        |(?:[0-9][0-9_]*(?:\.(?!\.)[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9_]+)?)
    |(?P<name>[^\W\d][\w$]*|\$[\w$]*)
    |(?P<quote>["'])|(?P<raw>`)
    |(?P<bracket>[()\[\]{}])
    |(?P<operator>[&!=*<>][&=*]?|\?[.?]?|\|\|?|::?|\.\.?|\#\#?|[-+%/,;^])""",
    re.VERBOSE | re.DOTALL,
)
_OPERATOR_WORDS = frozenset(
    {"and", "or", "not", "in", "matches", "contains", "startsWith", "endsWith", "let", "if", "else"}
)
_ESCAPE = re.compile(
    r"\\(?:x(?P<x>[0-9a-fA-F]{2})|u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8})"
    r"|(?P<o>[0-3][0-7]{2})|(?P<c>[abfnrtv\\'\"]))"
)
_CONTROL = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


class _LexicalError(Exception):
    """What stands here is no token."""

    def __init__(self, reason: str, at: int) -> None:
        super().__init__(reason)
        self.at = at


@dataclass(frozen=True, slots=True)
class Token:
    """A token.

    Attributes:
        kind: ``number``, ``name``, ``text``, ``bracket``, ``operator``, ``error`` or ``end``.
        value: As it stands, but texts as they are meant; what is wrong, of an error.
        at: Where it begins.
    """

    kind: str
    value: str
    at: int


def refuse(source: str, reason: str, at: int) -> NoReturn:
    """Refuse with the place, as Fabric's reader shows it."""
    if not source:
        raise InputError(reason)
    line_start = source.rfind("\n", 0, at) + 1
    line_end = source.find("\n", at)
    line = source[line_start : line_end if line_end >= 0 else len(source)]
    shown = line.replace("\t", " ")
    number, column = source.count("\n", 0, at) + 1, at - line_start
    raise InputError(f"{reason} ({number}:{column + 1})\n | {shown}\n | {'.' * column}^")


def tokens(source: str) -> list[Token]:
    """Cut a source into tokens; what is none ends the list, and is an error once it is reached."""
    tokens, at = [], 0
    try:
        while at < len(source):
            token, at = _token_at(source, at)
            if token.kind != "space":
                tokens.append(token)
    except _LexicalError as error:
        tokens.append(Token("error", str(error), error.at))
    tokens.append(Token("end", "", max(len(source) - 1, 0)))
    return tokens


def _token_at(source: str, at: int) -> tuple[Token, int]:
    """Read one token; returns it and where it ends."""
    found = _TOKEN.match(source, at)
    if found is None:
        character = source[at]
        raise _LexicalError(f"unrecognized character: U+{ord(character):04X} '{character}'", at)
    if source.startswith("/*", at) and found.lastgroup != "space":
        raise _LexicalError("unclosed comment", len(source))
    kind, end = found.lastgroup or "", found.end()
    if kind in ("quote", "raw"):
        value, end = _text(source, at)
        return Token("text", value, at), end
    if kind == "name" and found[0] in _OPERATOR_WORDS:
        kind = "operator"
    if kind == "number" and end < len(source) and (source[end].isalnum() or source[end] == "_"):
        raise _LexicalError(f'bad number syntax: "{source[at : end + 1]}"', end)
    return Token(kind, found[0], at), end


def _text(source: str, at: int) -> tuple[str, int]:
    """Read a quoted text; returns it and where it ends."""
    quote, end = source[at], at + 1
    while end < len(source) and source[end] != quote:
        end += 2 if source[end] == "\\" and quote != "`" else 1
    if end >= len(source):
        raise _LexicalError("literal not terminated", len(source))
    raw = source[at + 1 : end]
    return raw if quote == "`" else _unescaped(raw, at), end + 1


def _unescaped(raw: str, at: int) -> str:
    def character(found: re.Match[str]) -> str:
        digits = found["x"] or found["u"] or found["U"]
        if digits:
            return chr(min(int(digits, 16), 0x10FFFF))
        if found["o"]:
            return chr(int(found["o"], 8))
        return _CONTROL.get(found["c"], found["c"])

    if "\\" in _ESCAPE.sub("", raw):
        raise _LexicalError("unable to unescape string", at)
    return _ESCAPE.sub(character, raw)
