# SPDX-License-Identifier: Apache-2.0
"""Reads an expression's tokens into a tree, by the strength of its operators."""

from dataclasses import dataclass
from typing import Any, NoReturn

from fastledger.policies.expression.lexer import Token, refuse, tokens

MAX_NESTING = 32
"""Calls within calls; protobuf's Python runtime decodes policies of no more than 48."""

_UNARY = {"not": 50, "!": 50, "-": 90, "+": 90}
_BINARY = {
    **dict.fromkeys(("or", "||"), 10),
    **dict.fromkeys(("and", "&&"), 15),
    **dict.fromkeys(("==", "!=", "<", ">", ">=", "<="), 20),
    **dict.fromkeys(("in", "matches", "contains", "startsWith", "endsWith"), 20),
    "..": 25,
    **dict.fromkeys(("+", "-"), 30),
    **dict.fromkeys(("*", "/", "%"), 60),
    **dict.fromkeys(("**", "^"), 100),
    "??": 500,
}
_RIGHT = ("**", "^")
"""Operators of which the right one binds first."""

_NEGATED = ("in", "matches", "contains", "startsWith", "endsWith")
_LITERALS: dict[str, bool | None] = {"true": True, "false": False, "nil": None}
_KINDS = {"bracket": "Bracket", "operator": "Operator", "name": "Identifier", "text": "String"}


@dataclass(frozen=True, slots=True)
class Literal:
    """A text, a number, a truth value or nil."""

    value: Any
    at: int


@dataclass(frozen=True, slots=True)
class Name:
    """A name of the environment, or a variable."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Member:
    """A field of something."""

    of: "Node"
    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Item:
    """An element of a list, or a part of a list or text."""

    of: "Node"
    begin: "Node | None"
    end: "Node | None"
    is_slice: bool
    at: int


@dataclass(frozen=True, slots=True)
class Call:
    """A call of a function."""

    function: Name
    arguments: tuple["Node", ...]
    at: int


@dataclass(frozen=True, slots=True)
class Unary:
    """An operator before its operand."""

    operator: str
    operand: "Node"
    at: int


@dataclass(frozen=True, slots=True)
class Binary:
    """An operator between its operands."""

    operator: str
    left: "Node"
    right: "Node"
    at: int


@dataclass(frozen=True, slots=True)
class Conditional:
    """``a ? b : c``, or ``if a { b } else { c }``."""

    condition: "Node"
    then: "Node"
    otherwise: "Node"
    at: int


@dataclass(frozen=True, slots=True)
class Let:
    """A variable, and what it stands in."""

    name: str
    value: "Node"
    body: "Node"
    at: int


@dataclass(frozen=True, slots=True)
class Sequence:
    """Expressions one after another; the last one counts."""

    parts: tuple["Node", ...]
    at: int


@dataclass(frozen=True, slots=True)
class Array:
    """A list."""

    parts: tuple["Node", ...]
    at: int


Node = Literal | Name | Member | Item | Call | Unary | Binary | Conditional | Let | Sequence | Array


class Parser:
    """Reads an expression by recursive descent; :data:`MAX_NESTING` bounds the descent."""

    def __init__(self, source: str) -> None:
        """Cut the source into tokens."""
        self._source = source
        self._tokens = tokens(source)
        self._next = 0

    def parse(self) -> Node:
        """Read the whole source.

        Raises:
            InputError: It is no expression.
        """
        root = self._sequence(0)
        if self._token.kind != "end":
            self._unexpected()
        return root

    @property
    def _token(self) -> Token:
        token = self._tokens[self._next]
        if token.kind == "error":
            refuse(self._source, token.value, token.at)
        return token

    def _take(self) -> Token:
        token = self._token
        self._next += 1
        return token

    def _is(self, *values: str) -> bool:
        return self._token.value in values and self._token.kind in ("bracket", "operator")

    def _expect(self, value: str) -> Token:
        if not self._is(value):
            self._unexpected()
        return self._take()

    def _unexpected(self) -> NoReturn:
        token = self._token
        shown = "EOF"
        if token.kind != "end":
            quoted = token.value.replace("\\", "\\\\").replace('"', '\\"')
            shown = f'{_KINDS.get(token.kind, "Number")}("{quoted}")'
        refuse(self._source, f"unexpected token {shown}", token.at)

    def _deeper(self, depth: int, at: int) -> int:
        if depth >= MAX_NESTING:
            refuse(self._source, f"the policy nests deeper than {MAX_NESTING} gates", at)
        return depth + 1

    def _sequence(self, depth: int) -> Node:
        parts = [self._expression(0, depth)]
        while self._is(";"):
            self._take()
            if self._token.kind == "end":
                break
            parts.append(self._expression(0, depth))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts), parts[0].at)

    def _expression(self, strength: int, depth: int) -> Node:
        if not strength and self._is("let"):
            return self._let(depth)
        if not strength and self._is("if"):
            return self._if(depth)
        left = self._primary(depth)
        while self._token.kind == "operator":
            operator = self._token
            if operator.value == "|" and not strength:
                left = self._piped(left, depth)
                continue
            negated = self._negated() if operator.value == "not" else None
            name = negated or operator.value
            if _BINARY.get(name, -1) < strength:
                break
            self._next += 2 if negated else 1
            deeper = self._deeper(depth, operator.at)
            right = self._expression(_BINARY[name] + (name not in _RIGHT), deeper)
            left = Binary(name, left, right, operator.at)
            if negated:
                left = Unary("not", left, operator.at)
        return left if strength else self._conditional(left, depth)

    def _piped(self, argument: Node, depth: int) -> Node:
        """Read ``… | function(…)``, whose first argument stands before it."""
        deeper = self._deeper(depth, self._take().at)
        token = self._token
        if token.kind != "name":
            self._unexpected()
        self._take()
        self._expect("(")
        arguments = (argument, *self._list(")", deeper))
        return self._postfix(Call(Name(token.value, token.at), arguments, token.at), depth)

    def _negated(self) -> str:
        """Return the operator that ``not`` stands before."""
        following = self._tokens[self._next + 1]
        if following.value not in _NEGATED:
            self._next += 1
            self._unexpected()
        return following.value

    def _let(self, depth: int) -> Node:
        at = self._take().at
        name = self._token
        if name.kind != "name":
            self._unexpected()
        self._take()
        self._expect("=")
        deeper = self._deeper(depth, at)
        value = self._expression(0, deeper)
        self._expect(";")
        return Let(name.value, value, self._sequence(deeper), name.at)

    def _if(self, depth: int) -> Node:
        at = self._take().at
        deeper = self._deeper(depth, at)
        condition = self._expression(0, deeper)
        then = self._block(deeper)
        self._expect("else")
        otherwise = self._if(deeper) if self._is("if") else self._block(deeper)
        return Conditional(condition, then, otherwise, at)

    def _block(self, depth: int) -> Node:
        self._expect("{")
        body = self._sequence(depth)
        self._expect("}")
        return body

    def _conditional(self, node: Node, depth: int) -> Node:
        while self._is("?"):
            at = self._take().at
            deeper = self._deeper(depth, at)
            then = node if self._is(":") else self._expression(0, deeper)
            self._expect(":")
            node = Conditional(node, then, self._expression(0, deeper), at)
        return node

    def _primary(self, depth: int) -> Node:
        token = self._token
        if token.kind == "operator" and token.value in _UNARY:
            self._take()
            deeper = self._deeper(depth, token.at)
            operand = self._expression(_UNARY[token.value], deeper)
            if token.value in "+-" and isinstance(operand, Literal) and _is_number(operand.value):
                value = -operand.value if token.value == "-" else operand.value
                return self._postfix(Literal(value, token.at), depth)
            return self._postfix(Unary(token.value, operand, token.at), depth)
        if self._is("("):
            self._take()
            inner = self._sequence(self._deeper(depth, token.at))
            self._expect(")")
            return self._postfix(inner, depth)
        if self._is("["):
            self._take()
            parts = self._list("]", self._deeper(depth, token.at))
            return self._postfix(Array(parts, token.at), depth)
        if token.kind == "number":
            return Literal(_number(self._source, self._take()), token.at)
        if token.kind == "text":
            return self._postfix(Literal(self._take().value, token.at), depth)
        if token.kind != "name":
            self._unexpected()
        return self._named(depth)

    def _named(self, depth: int) -> Node:
        token = self._take()
        if token.value in _LITERALS:
            return Literal(_LITERALS[token.value], token.at)
        name = Name(token.value, token.at)
        if self._is("("):
            opening = self._take()
            arguments = self._list(")", self._deeper(depth, opening.at))
            return self._postfix(Call(name, arguments, token.at), depth)
        return self._postfix(name, depth)

    def _postfix(self, node: Node, depth: int) -> Node:
        while self._is(".", "["):
            opening = self._take()
            if opening.value == ".":
                member = self._take()
                if member.kind != "name":
                    after = self._tokens[min(self._next, len(self._tokens) - 1)]
                    refuse(self._source, "expected name", after.at)
                node = Member(node, member.value, member.at)
            else:
                node = self._item(node, opening, self._deeper(depth, opening.at))
        return node

    def _item(self, node: Node, opening: Token, depth: int) -> Node:
        begin = None if self._is(":") else self._expression(0, depth)
        is_slice = self._is(":")
        end = None
        if is_slice:
            self._take()
            end = None if self._is("]") else self._expression(0, depth)
        self._expect("]")
        return Item(node, begin, end, is_slice, opening.at)

    def _list(self, closing: str, depth: int) -> tuple[Node, ...]:
        parts: list[Node] = []
        while not self._is(closing):
            parts.append(self._expression(0, depth))
            if not self._is(","):
                break
            self._take()
        self._expect(closing)
        return tuple(parts)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _number(source: str, token: Token) -> int | float:
    text = token.value.replace("_", "")
    try:
        base = {"0x": 16, "0o": 8, "0b": 2}.get(text[:2].lower())
        if base:
            value: int | float = int(text, base)
        elif text.isdigit():
            value = int(text)
        else:
            value = float(text)
    except ValueError:
        refuse(source, f'bad number syntax: "{token.value}"', token.at)
    if isinstance(value, int) and value >= 1 << 63:
        reason = f'invalid integer literal: strconv.ParseInt: parsing "{text}": value out of range'
        refuse(source, reason, token.at + len(token.value))
    return value
