# SPDX-License-Identifier: Apache-2.0
"""Evaluates expressions over an environment."""

import math
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from fastledger.policies.expression.lexer import refuse
from fastledger.policies.expression.parser import (
    Array,
    Binary,
    Call,
    Conditional,
    Item,
    Let,
    Literal,
    Member,
    Name,
    Node,
    Sequence,
    Unary,
)

MAX_RANGE = 1_000
"""The longest list that ``1..n`` makes."""


class EvaluationError(Exception):
    """A function of the environment refuses its arguments."""


def type_name(value: Any) -> str:
    """Say what Go calls the type of a value."""
    if value is None:
        return "%!s(<nil>)"
    names = {bool: "bool", int: "int", float: "float64", str: "string", list: "[]interface {}"}
    if type(value) in names:
        return names[type(value)]
    is_function = isinstance(value, Callable)  # type: ignore[arg-type]  # the abstract class
    return "func(...interface {}) (interface {}, error)" if is_function else type(value).__name__


class Evaluator:
    """Evaluates over an environment, names first, as a compiler would."""

    def __init__(self, source: str, environment: Mapping[str, Any]) -> None:
        """Take the source that errors show."""
        self._source = source
        self._environment = {**FUNCTIONS, **environment}

    def check(self, node: Node, variables: frozenset[str]) -> None:
        """Refuse names that are not known.

        Raises:
            InputError: There is one.
        """
        match node:
            case Name(name, at) if name not in self._environment and name not in variables:
                refuse(self._source, f"unknown name {name}", at)
            case Member(of, name, at):
                self.check(of, variables)
                known = type_name(self._environment.get(of.name)) if isinstance(of, Name) else "any"
                refuse(self._source, f"type {known} has no field {name}", at)
            case Let(name, value, body):
                self.check(value, variables)
                self.check(body, variables | {name})
            case _:
                for one in _parts(node):
                    self.check(one, variables)

    def run(self, node: Node, variables: Mapping[str, Any]) -> Any:
        """Evaluate.

        Raises:
            InputError: A function or an operator refuses its arguments.
        """
        match node:
            case Literal(value):
                return value
            case Name(name):
                return variables[name] if name in variables else self._environment[name]
            case Sequence(parts):
                return [self.run(one, variables) for one in parts][-1]
            case Array(parts):
                return [self.run(one, variables) for one in parts]
            case Item():
                return self._item(node, variables)
        return self._compute(node, variables)

    def _compute(self, node: Node, variables: Mapping[str, Any]) -> Any:
        match node:
            case Call(function, arguments, at):
                return self._call(function, [self.run(one, variables) for one in arguments], at)
            case Unary(operator, operand, at):
                return self._unary(operator, self.run(operand, variables), at)
            case Binary():
                return self._binary(node, variables)
            case Conditional(condition, then, otherwise, at):
                chosen = self._truth(self.run(condition, variables), at)
                return self.run(then if chosen else otherwise, variables)
            case Let(name, value, body):
                return self.run(body, {**variables, name: self.run(value, variables)})
        raise AssertionError(f"checked before: {node}")

    def _call(self, function: Name, arguments: list[Any], at: int) -> Any:
        try:
            return self._environment[function.name](*arguments)
        except EvaluationError as error:
            refuse(self._source, str(error), at)
        except (LookupError, TypeError, ValueError, OverflowError):
            refuse(self._source, f"invalid arguments for {function.name}", at)

    def _truth(self, value: Any, at: int) -> bool:
        if not isinstance(value, bool):
            refuse(self._source, f"expected a truth value, got {type_name(value)}", at)
        return value

    def _unary(self, operator: str, value: Any, at: int) -> Any:
        if operator in ("not", "!"):
            return not self._truth(value, at)
        if type(value) not in (int, float):
            self._mismatched(operator, (value,), at)
        return -value if operator == "-" else value

    def _binary(self, node: Binary, variables: Mapping[str, Any]) -> Any:
        if node.operator in ("and", "&&", "or", "||"):
            return self._junction(node, variables)
        left = self.run(node.left, variables)
        if node.operator == "??" and left is not None:
            return left
        right = self.run(node.right, variables)
        if node.operator not in _OPERATORS:
            refuse(self._source, f"the operator {node.operator} is not known here", node.at)
        try:
            return _OPERATORS[node.operator](left, right)
        except (TypeError, ValueError, ArithmeticError):
            self._mismatched(node.operator, (left, right), node.at)

    def _junction(self, node: Binary, variables: Mapping[str, Any]) -> Any:
        """Evaluate ``and`` and ``or``.

        Beside a constant that does not settle it, the other side stands for the whole, whatever it
        is: ``OR('A.peer') && true`` is the gate.
        """
        settling = node.operator in ("or", "||")
        left, right = _constant(node.left), _constant(node.right)
        if left is (not settling):
            return self.run(node.right, variables)
        if right is (not settling):
            return self.run(node.left, variables)
        if settling in (left, right):
            return settling
        value = self._truth(self.run(node.left, variables), node.at)
        return settling if value is settling else self.run(node.right, variables)

    def _item(self, node: Item, variables: Mapping[str, Any]) -> Any:
        of = self.run(node.of, variables)
        bounds: list[Any] = [
            None if one is None else self.run(one, variables) for one in (node.begin, node.end)
        ]
        if not isinstance(of, list | str) or any(
            type(one) not in (int, type(None)) for one in bounds
        ):
            self._mismatched("[]", (of,), node.at)
        if node.is_slice:
            return of[bounds[0] : bounds[1]]
        if not isinstance(of, list) or not -len(of) <= bounds[0] < len(of):
            refuse(self._source, f"index out of range: {bounds[0]}", node.at)
        return of[bounds[0]]

    def _mismatched(self, operator: str, values: tuple[Any, ...], at: int) -> NoReturn:
        types = " and ".join(type_name(value) for value in values)
        word = "types" if len(values) > 1 else "type"
        refuse(self._source, f"invalid operation: {operator} (mismatched {word} {types})", at)


def _parts(node: Node) -> tuple[Node, ...]:
    match node:
        case Call(function, arguments):
            return (function, *arguments)
        case Unary(_, operand):
            return (operand,)
        case Binary(_, left, right):
            return (left, right)
        case Conditional(condition, then, otherwise):
            return (condition, then, otherwise)
        case Sequence(parts) | Array(parts):
            return parts
        case Item(of, begin, end):
            return (of, *(one for one in (begin, end) if one is not None))
    return ()


def _constant(node: Node) -> bool | None:
    """Return a truth value that is known before anything is evaluated; None if it is not."""
    match node:
        case Literal(bool() as value):
            return value
        case Unary("not" | "!", operand):
            inner = _constant(operand)
            return None if inner is None else not inner
        case Binary("==", Literal(left), Literal(right)) if type(left) is type(right):
            return None if isinstance(left, float | None) else bool(left == right)
        case Binary("and" | "&&" | "or" | "||" as operator, left_node, right_node):
            settling = operator in ("or", "||")
            sides = (_constant(left_node), _constant(right_node))
            if settling in sides:
                return settling
            return None if None in sides else not settling
    return None


def _numbers(left: Any, right: Any) -> None:
    if type(left) not in (int, float) or type(right) not in (int, float):
        raise TypeError


def _sum(left: Any, right: Any) -> Any:
    if not isinstance(left, str) or not isinstance(right, str):
        _numbers(left, right)
    return left + right


def _arithmetic(compute: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def checked(left: Any, right: Any) -> Any:
        _numbers(left, right)
        return compute(left, right)

    return checked


def _comparison(compute: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def checked(left: Any, right: Any) -> bool:
        if not isinstance(left, str) or not isinstance(right, str):
            _numbers(left, right)
        return compute(left, right)

    return checked


def _text_test(compute: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    def checked(left: Any, right: Any) -> bool:
        if not isinstance(left, str) or not isinstance(right, str):
            raise TypeError
        return compute(left, right)

    return checked


def _remainder(left: Any, right: Any) -> int:
    if type(left) is not int or type(right) is not int:
        raise TypeError
    return int(math.fmod(left, right))


def _range(left: Any, right: Any) -> list[int]:
    if type(left) is not int or type(right) is not int or right - left > MAX_RANGE:
        raise TypeError
    return list(range(left, right + 1))


def _is_in(left: Any, right: Any) -> bool:
    if not isinstance(right, list):
        raise TypeError
    return any(_equal(left, one) for one in right)


def _equal(left: Any, right: Any) -> bool:
    return isinstance(left, bool) is isinstance(right, bool) and bool(left == right)


def _unequal(left: Any, right: Any) -> bool:
    return not _equal(left, right)


def _else(_left: Any, right: Any) -> Any:
    return right


_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": _sum,
    "-": _arithmetic(lambda left, right: left - right),
    "*": _arithmetic(lambda left, right: left * right),
    "/": _arithmetic(lambda left, right: float(left) / right),
    "%": _remainder,
    **dict.fromkeys(("**", "^"), _arithmetic(math.pow)),
    "==": _equal,
    "!=": _unequal,
    "<": _comparison(lambda left, right: left < right),
    ">": _comparison(lambda left, right: left > right),
    "<=": _comparison(lambda left, right: left <= right),
    ">=": _comparison(lambda left, right: left >= right),
    "in": _is_in,
    "contains": _text_test(lambda left, right: right in left),
    "startsWith": _text_test(str.startswith),
    "endsWith": _text_test(str.endswith),
    "..": _range,
    "??": _else,
}


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError
    return int(value)


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value if isinstance(value, str) else str(_whole(value))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": lambda value: abs(_whole(value) if isinstance(value, int) else value),
    "first": lambda values: values[0] if isinstance(values, list) else _text(None),
    "int": _whole,
    "join": lambda values, glue="": _text(glue).join(values),
    "last": lambda values: values[-1] if isinstance(values, list) else _text(None),
    "len": lambda value: len(value),
    "lower": lambda value: _text(value).lower(),
    "max": lambda *values: max(values, key=float),
    "min": lambda *values: min(values, key=float),
    "string": _as_text,
    "trim": lambda value: _text(value).strip(),
    "upper": lambda value: _text(value).upper(),
}
"""Those of the language's own functions that texts and numbers of a policy can be made with."""
