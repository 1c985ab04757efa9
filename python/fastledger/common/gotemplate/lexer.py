# SPDX-License-Identifier: Apache-2.0
"""Cuts a template into tokens (Go: ``text/template/parse``)."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from fastledger.common.gotemplate.values import TemplateError

SPACES = " \t\r\n"
KEYWORDS = frozenset(
    "block break continue define else end if range nil template with".split()  # noqa: SIM905
)
_TERMINATORS = frozenset(" \t\r\n.,|:)(")
_SIMPLE = {"=": "assign", "|": "pipe"}
_QUOTED = {
    '"': (re.compile(r'"(?:\\[^\n]|[^"\\\n])*"', re.DOTALL), "string"),
    "'": (re.compile(r"'(?:\\[^\n]|[^'\\\n])*'", re.DOTALL), "character"),
    "`": (re.compile(r"`[^`]*`"), "string"),
}
_NUMBER = re.compile(
    r"[-+]?(?:0[xX][0-9a-fA-F_]*\.?[0-9a-fA-F_]*(?:[pP][-+]?[0-9_]*)?|0[oO][0-7_]*\.?[0-7_]*"
    r"|0[bB][01_]*\.?[01_]*|[0-9_]*\.?[0-9_]*(?:[eE][-+]?[0-9_]*)?)i?"
)


@dataclass(frozen=True, slots=True)
class Token:
    """A token.

    Attributes:
        kind: ``text``, ``open`` and ``close`` (the delimiters), ``space``, ``declare`` (``:=``),
            ``assign``, ``pipe``, ``left``, ``right`` (parentheses), ``string``, ``character``,
            ``number``, ``true`` or ``false``, ``dot``, ``field``, ``variable``, ``name``,
            ``keyword``, ``sign`` (any other character) or ``end``.
        text: As it stands in the template.
    """

    kind: str
    text: str


def tokens(template: str) -> list[Token]:
    """Cut a template into tokens.

    Raises:
        TemplateError: Something is no token.
    """
    return [*_Lexer(template).all(), Token("end", "EOF")]


def is_word(character: str) -> bool:
    """Tell whether names may have a character."""
    return character == "_" or character.isalpha() or character.isdecimal()


class _Lexer:
    def __init__(self, template: str) -> None:
        self._template = template
        self._at = 0
        self._parentheses = 0

    def all(self) -> Iterator[Token]:
        while (opening := self._template.find("{{", self._at)) >= 0:
            text = self._template[self._at : opening]
            self._at = opening + 2
            if self._peek() == "-" and self._peek(1) in SPACES and self._peek(1):
                text = text.rstrip(SPACES)
                self._at += 2
            if text:
                yield Token("text", text)
            if self._template.startswith("/*", self._at):
                self._skip_comment()
            else:
                yield from self._action()
        if rest := self._template[self._at :]:
            yield Token("text", rest)

    def _peek(self, ahead: int = 0) -> str:
        return self._template[self._at + ahead : self._at + ahead + 1]

    def _closing(self) -> int:
        """Return the length of the closing delimiter that stands here; 0 if none does."""
        if self._template.startswith("}}", self._at):
            return 2
        trimmed = self._peek() in SPACES and self._template.startswith("-}}", self._at + 1)
        return 4 if trimmed and self._peek() else 0

    def _close(self, length: int) -> None:
        self._at += length
        if length > 2:
            rest = self._template[self._at :]
            self._at += len(rest) - len(rest.lstrip(SPACES))

    def _skip_comment(self) -> None:
        ending = self._template.find("*/", self._at + 2)
        if ending < 0:
            raise TemplateError("unclosed comment")
        self._at = ending + 2
        closing = self._closing()
        if not closing:
            raise TemplateError("comment ends before closing delimiter")
        self._close(closing)

    def _action(self) -> Iterator[Token]:
        self._parentheses = 0
        yield Token("open", "{{")
        while not (closing := self._closing()):
            yield self._token()
        if self._parentheses:
            raise TemplateError("unclosed left paren")
        self._close(closing)
        yield Token("close", "}}")

    def _token(self) -> Token:
        begin, character = self._at, self._peek()
        if not character:
            raise TemplateError("unclosed action")
        kind = self._skip_token(character)
        text = self._template[begin : self._at]
        if kind == "name" and (text in KEYWORDS or text in ("true", "false")):
            kind = "keyword" if text in KEYWORDS else "bool"
        return Token(kind, text)

    def _skip_token(self, character: str) -> str:
        """Go past a token; returns its kind."""
        if character in SPACES:
            while self._peek() in SPACES and self._peek() and not self._closing():
                self._at += 1
            return "space"
        if character in _QUOTED:
            return self._skip_quoted(*_QUOTED[character])
        if character in ".$":
            return self._skip_field(character)
        if character in "+-0123456789":
            return self._skip_number()
        if is_word(character):
            self._skip_word()
            return "name"
        return self._skip_sign(character)

    def _skip_sign(self, character: str) -> str:
        self._at += 1
        if character == ":":
            if self._peek() != "=":
                raise TemplateError("expected :=")
            self._at += 1
            return "declare"
        if character in "()":
            return self._parenthesis(character)
        if not (character.isascii() and character.isprintable()):
            raise TemplateError(f"unrecognized character in action: U+{ord(character):04X}")
        return _SIMPLE.get(character, "sign")

    def _parenthesis(self, character: str) -> str:
        self._parentheses += 1 if character == "(" else -1
        if self._parentheses < 0:
            raise TemplateError("unexpected right paren")
        return "left" if character == "(" else "right"

    def _skip_quoted(self, pattern: re.Pattern[str], kind: str) -> str:
        found = pattern.match(self._template, self._at)
        if not found:
            raise TemplateError(f"unterminated {kind} constant")
        self._at = found.end()
        return kind

    def _skip_field(self, character: str) -> str:
        after = self._peek(1)
        if character == "." and after and after in "0123456789":
            return self._skip_number()
        self._at += 1
        if self._at_terminator():
            return "dot" if character == "." else "variable"
        self._skip_word()
        return "field" if character == "." else "variable"

    def _skip_word(self) -> None:
        while (character := self._peek()) and is_word(character):
            self._at += 1
        if not self._at_terminator():
            raise TemplateError(f"bad character {self._peek()!r}")

    def _at_terminator(self) -> bool:
        return self._peek() in _TERMINATORS or not self._peek() or self._closing() == 2

    def _skip_number(self) -> str:
        begin, found = self._at, _NUMBER.match(self._template, self._at)
        self._at = found.end() if found else begin
        if (after := self._peek()) and (is_word(after) or after in "+-"):
            raise TemplateError(f"bad number syntax: {self._template[begin : self._at + 1]!r}")
        return "number"
