# SPDX-License-Identifier: Apache-2.0
"""The expressions that policies are written in: calls, texts, numbers, names.

Fabric reads policies with a general expression language; this is the part of it that a policy can
use, with its errors, which end in the place: ``unknown name A (1:4)`` and the line with a mark.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from fastledger.common.errors import InputError

MAX_CHARACTERS = 1 << 16
"""Longest expression; a policy over a thousand organisations needs less."""

MAX_NESTING = 32
"""Calls within calls; protobuf's Python runtime decodes policies of no more than 48."""

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<number>0[xX][0-9a-fA-F_]+|(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9_]+)(?:[eE][-+]?[0-9]+)?)
    |(?P<name>[^\W\d]\w*|\$\w*)
    |(?P<quote>["'])|(?P<raw>`)
    |(?P<bracket>[()\[\]{}])
    |(?P<operator>[-+*/%,.:;?!<>=&|^\#]+?)""",
    re.VERBOSE,
)
_OPERATOR_WORDS = frozenset(
    {"and", "or", "not", "in", "matches", "contains", "startsWith", "endsWith"}
)
_ESCAPE = re.compile(
    r"\\(?:x(?P<x>[0-9a-fA-F]{2})|u(?P<u>[0-9a-fA-F]{4})|U(?P<U>[0-9a-fA-F]{8})"
    r"|(?P<o>[0-3][0-7]{2})|(?P<c>[abfnrtv\\'\"]))"
)
_CONTROL = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_LITERALS: dict[str, bool | None] = {"true": True, "false": False, "nil": None}
_KINDS = {"bracket": "Bracket", "operator": "Operator", "name": "Identifier", "text": "String"}


class _LexicalError(Exception):
    """What stands here is no token."""

    def __init__(self, reason: str, at: int) -> None:
        super().__init__(reason)
        self.at = at


class EvaluationError(Exception):
    """A function of the environment refuses its arguments."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    value: str
    at: int


@dataclass(frozen=True, slots=True)
class _Literal:
    value: Any
    at: int


@dataclass(frozen=True, slots=True)
class _Name:
    name: str
    at: int


@dataclass(frozen=True, slots=True)
class _Member:
    of: "_Node"
    name: str
    at: int


@dataclass(frozen=True, slots=True)
class _Call:
    function: _Name
    arguments: tuple["_Node", ...]
    at: int


@dataclass(frozen=True, slots=True)
class _Binary:
    operator: str
    left: "_Node"
    right: "_Node"
    at: int


_Node = _Literal | _Name | _Member | _Call | _Binary


def evaluate(source: str, environment: Mapping[str, Any]) -> Any:
    """Evaluate an expression over the names of an environment.

    Raises:
        InputError: It is no expression, names something else, or a function refuses.
    """
    if len(source) > MAX_CHARACTERS:
        raise InputError(
            f"the policy has {len(source)} characters, at most {MAX_CHARACTERS} are read"
        )
    parser = _Parser(source)
    root = parser.parse()
    _Evaluator(source, environment).check(root)
    return _Evaluator(source, environment).run(root)


def type_name(value: Any) -> str:
    """Say what Go calls the type of a value."""
    if value is None:
        return "%!s(<nil>)"
    names = {bool: "bool", int: "int", float: "float64", str: "string"}
    if type(value) in names:
        return names[type(value)]
    is_function = isinstance(value, Callable)  # type: ignore[arg-type]  # the abstract class
    return "func(...interface {}) (interface {}, error)" if is_function else type(value).__name__


def _refuse(source: str, reason: str, at: int) -> NoReturn:
    """Refuse with the place, as Fabric's reader shows it."""
    if not source:
        raise InputError(reason)
    line_start = source.rfind("\n", 0, at) + 1
    line_end = source.find("\n", at)
    line = source[line_start : line_end if line_end >= 0 else len(source)]
    number, column = source.count("\n", 0, at) + 1, at - line_start
    raise InputError(f"{reason} ({number}:{column + 1})\n | {line}\n | {'.' * column}^")


class _Parser:
    """Reads an expression by recursive descent; :data:`MAX_NESTING` bounds the descent."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._tokens = _tokens(source)
        self._next = 0

    def parse(self) -> _Node:
        root = self._sum(0)
        self._expect("end")
        return root

    @property
    def _token(self) -> _Token:
        token = self._tokens[self._next]
        if token.kind == "error":
            _refuse(self._source, token.value, token.at)
        return token

    def _take(self) -> _Token:
        token = self._token
        self._next += 1
        return token

    def _is(self, value: str) -> bool:
        return self._token.value == value and self._token.kind in ("bracket", "operator")

    def _expect(self, kind: str) -> _Token:
        if self._token.kind != kind:
            self._unexpected()
        return self._take()

    def _unexpected(self) -> NoReturn:
        token = self._token
        shown = "EOF"
        if token.kind != "end":
            quoted = token.value.replace("\\", "\\\\").replace('"', '\\"')
            shown = f'{_KINDS.get(token.kind, "Number")}("{quoted}")'
        _refuse(self._source, f"unexpected token {shown}", token.at)

    def _sum(self, depth: int) -> _Node:
        left = self._primary(depth)
        while self._is("+") or self._is("-"):
            operator = self._take()
            left = _Binary(operator.value, left, self._primary(depth), operator.at)
        return left

    def _primary(self, depth: int) -> _Node:
        token = self._token
        if self._is("-") or self._is("+"):
            self._next += 1
            number = self._expect("number")
            value = _number(self._source, number)
            return _Literal(-value if token.value == "-" else value, token.at)
        if token.kind == "number":
            return _Literal(_number(self._source, self._take()), token.at)
        if token.kind == "text":
            return _Literal(self._take().value, token.at)
        if token.kind != "name":
            self._unexpected()
        return self._named(depth)

    def _named(self, depth: int) -> _Node:
        token = self._take()
        if token.value in _LITERALS:
            return _Literal(_LITERALS[token.value], token.at)
        name = _Name(token.value, token.at)
        if self._is("("):
            return _Call(name, self._arguments(depth), token.at)
        node: _Node = name
        while self._is("."):
            self._next += 1
            member = self._take()
            if member.kind != "name":
                after = self._tokens[min(self._next, len(self._tokens) - 1)]
                _refuse(self._source, "expected name", after.at)
            node = _Member(node, member.value, member.at)
        return node

    def _arguments(self, depth: int) -> tuple[_Node, ...]:
        opening = self._take()
        if depth >= MAX_NESTING:
            reason = f"the policy nests deeper than {MAX_NESTING} gates"
            _refuse(self._source, reason, opening.at)
        arguments: list[_Node] = []
        while not self._is(")"):
            arguments.append(self._sum(depth + 1))
            if not self._is(","):
                break
            self._next += 1
        if not self._is(")"):
            self._unexpected()
        self._next += 1
        return tuple(arguments)


class _Evaluator:
    """Evaluates over an environment, names first, as a compiler would."""

    def __init__(self, source: str, environment: Mapping[str, Any]) -> None:
        self._source = source
        self._environment = environment

    def check(self, node: _Node) -> None:
        match node:
            case _Name(name, at) if name not in self._environment:
                _refuse(self._source, f"unknown name {name}", at)
            case _Member(of, name, at):
                self.check(of)
                _refuse(self._source, f"type {type_name(self.run(of))} has no field {name}", at)
            case _Call(function, arguments):
                for one in (function, *arguments):
                    self.check(one)
            case _Binary(_, left, right):
                self.check(left)
                self.check(right)

    def run(self, node: _Node) -> Any:
        match node:
            case _Literal(value):
                return value
            case _Name(name):
                return self._environment[name]
            case _Call(function, arguments, at):
                return self._call(function.name, [self.run(one) for one in arguments], at)
            case _Binary(operator, left, right, at):
                return self._combine(operator, self.run(left), self.run(right), at)
        raise AssertionError(f"checked before: {node}")

    def _call(self, name: str, arguments: list[Any], at: int) -> Any:
        try:
            return self._environment[name](*arguments)
        except EvaluationError as error:
            _refuse(self._source, str(error), at)

    def _combine(self, operator: str, left: Any, right: Any, at: int) -> Any:
        if operator == "+" and type(left) is type(right) is str:
            return left + right
        if type(left) in (int, float) and type(right) in (int, float):
            return left + right if operator == "+" else left - right
        types = f"{type_name(left)} and {type_name(right)}"
        _refuse(self._source, f"invalid operation: {operator} (mismatched types {types})", at)


def _tokens(source: str) -> list[_Token]:
    """Cut a source into tokens; what is none ends the list, and is an error once it is reached."""
    tokens, at = [], 0
    try:
        while at < len(source):
            token, at = _token_at(source, at)
            if token.kind != "space":
                tokens.append(token)
    except _LexicalError as error:
        tokens.append(_Token("error", str(error), error.at))
    tokens.append(_Token("end", "", max(len(source) - 1, 0)))
    return tokens


def _token_at(source: str, at: int) -> tuple[_Token, int]:
    """Read one token; returns it and where it ends."""
    found = _TOKEN.match(source, at)
    if found is None:
        character = source[at]
        raise _LexicalError(f"unrecognized character: U+{ord(character):04X} '{character}'", at)
    kind, end = found.lastgroup or "", found.end()
    if kind in ("quote", "raw"):
        value, end = _text(source, at)
        return _Token("text", value, at), end
    if kind == "name" and found[0] in _OPERATOR_WORDS:
        kind = "operator"
    if kind == "number" and end < len(source) and (source[end].isalnum() or source[end] == "_"):
        raise _LexicalError(f'bad number syntax: "{source[at : end + 1]}"', end)
    return _Token(kind, found[0], at), end


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


def _number(source: str, token: _Token) -> int | float:
    text = token.value.replace("_", "")
    try:
        if text[:2].lower() == "0x":
            value: int | float = int(text, 16)
        elif text.isdigit():
            value = int(text)
        else:
            value = float(text)
    except ValueError:
        _refuse(source, f'bad number syntax: "{token.value}"', token.at)
    if isinstance(value, int) and value >= 1 << 63:
        reason = f'invalid integer literal: strconv.ParseInt: parsing "{text}": value out of range'
        _refuse(source, reason, token.at + len(token.value))
    return value
