# SPDX-License-Identifier: Apache-2.0
"""The functions that every template has (Go: ``text/template``'s ``funcs.go``)."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote_plus

from fastledger.common.gotemplate import printing
from fastledger.common.gotemplate.values import (
    Byte,
    TemplateError,
    Value,
    decoded,
    encoded,
    is_true,
    type_name,
)


@dataclass(frozen=True, slots=True)
class Function:
    """A function, and how many arguments it takes: at least, and at most if there is a bound."""

    call: Callable[..., Value]
    least: int
    most: int | None = None


def check_count(name: str, count: int) -> None:
    """Refuse a call with too few or too many arguments.

    Raises:
        TemplateError: They are.
    """
    function = FUNCTIONS[name]
    if count < function.least or (function.most is not None and count > function.most):
        bound = "at least " if function.most is None else ""
        raise TemplateError(
            f"wrong number of args for {name}: want {bound}{function.least} got {count}"
        )


def _last(*arguments: Value) -> Value:
    """Return what ``and`` and ``or`` come to when no argument before settled them."""
    return arguments[-1]


def _not(argument: Value) -> bool:
    return not is_true(argument)


def _length(item: Value) -> int:
    if not isinstance(item, str):
        raise TemplateError(f"error calling len: len of type {type_name(item)}")
    return len(encoded(item))


def _index(item: Value, *indexes: Value) -> Value:
    if item is None:
        raise TemplateError("error calling index: index of untyped nil")
    for index in indexes:
        if not isinstance(item, str):
            raise TemplateError(f"error calling index: can't index item of type {type_name(item)}")
        content = encoded(item)
        item = Byte(content[_place(index, len(content) - 1)])
    return item


def _place(index: Value, most: int) -> int:
    if not isinstance(index, int) or isinstance(index, bool):
        raise TemplateError(f"cannot index slice/array with type {type_name(index)}")
    if not 0 <= index <= most:
        raise TemplateError(f"index out of range: {index}")
    return index


def _slice(item: Value, *indexes: Value) -> str:
    if not isinstance(item, str):
        raise TemplateError(f"error calling slice: can't slice item of type {type_name(item)}")
    content = encoded(item)
    begin, end = 0, len(content)
    if indexes:
        begin = _place(indexes[0], len(content))
    if len(indexes) > 1:
        end = _place(indexes[1], len(content))
    if begin > end or len(indexes) > 2:
        raise TemplateError(f"error calling slice: invalid slice index: {begin} > {end}")
    return decoded(content[begin:end])


def _kind(value: Value) -> str:
    if isinstance(value, Byte):
        return "uint"
    return type_name(value) if isinstance(value, str | bool | int | float) else "invalid"


def _equal(first: Value, *others: Value) -> bool:
    if not others:
        raise TemplateError("error calling eq: missing argument for comparison")
    for other in others:
        kinds = {_kind(first), _kind(other)}
        if len(kinds) > 1 and kinds != {"int", "uint"}:
            if first is not None and other is not None:
                raise _incompatible(first, other)
        elif first == other:
            return True
    return False


def _unequal(first: Value, second: Value) -> bool:
    return not _equal(first, second)


def _less(first: Value, second: Value) -> bool:
    kinds = {_kind(first), _kind(second)}
    if kinds == {"bool"} or "invalid" in kinds:
        raise TemplateError("invalid type for comparison")
    if len(kinds) > 1 and kinds != {"int", "uint"}:
        raise _incompatible(first, second)
    if isinstance(first, str) and isinstance(second, str):
        return encoded(first) < encoded(second)
    if isinstance(first, int | float) and isinstance(second, int | float):
        return first < second
    raise TemplateError("invalid type for comparison")


def _incompatible(first: Value, second: Value) -> TemplateError:
    names = f"{type_name(first)} and {type_name(second)}"
    return TemplateError(f"incompatible types for comparison: {names}")


def _less_or_equal(first: Value, second: Value) -> bool:
    return _less(first, second) or _equal(first, second)


def _greater(first: Value, second: Value) -> bool:
    return not _less_or_equal(first, second)


def _greater_or_equal(first: Value, second: Value) -> bool:
    return not _less(first, second)


def _text(arguments: tuple[Value, ...]) -> str:
    if len(arguments) == 1 and isinstance(arguments[0], str):
        return arguments[0]
    return printing.sprint([printing.NO_VALUE if one is None else one for one in arguments])


_HTML = str.maketrans(
    {"\0": "�", '"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;"}
)
_JS = {"\\": "\\\\", "'": "\\'", '"': '\\"'}


def _html(*arguments: Value) -> str:
    return _text(arguments).translate(_HTML)


def _js(*arguments: Value) -> str:
    return "".join(_js_character(one) for one in _text(arguments))


def _js_character(character: str) -> str:
    if character in _JS:
        return _JS[character]
    if character in "<>&=" or ord(character) < 0x20 or not printing.is_printable(character):
        return f"\\u{ord(character):04X}"
    return character


def _urlquery(*arguments: Value) -> str:
    return quote_plus(encoded(_text(arguments)), safe="~")


def _print(*arguments: Value) -> str:
    return printing.sprint(arguments)


def _println(*arguments: Value) -> str:
    return " ".join(printing.sprint([one]) for one in arguments) + "\n"


def _printf(template: Value, *arguments: Value) -> str:
    if not isinstance(template, str):
        raise TemplateError(f"wrong type for value; expected string; got {type_name(template)}")
    return printing.sprintf(template, arguments)


def _call(function: Value, *_arguments: Value) -> Value:
    raise TemplateError(f"error calling call: non-function of type {type_name(function)}")


FUNCTIONS = {
    "and": Function(_last, 1),
    "or": Function(_last, 1),
    "not": Function(_not, 1, 1),
    "len": Function(_length, 1, 1),
    "index": Function(_index, 1),
    "slice": Function(_slice, 1),
    "eq": Function(_equal, 1),
    "ne": Function(_unequal, 2, 2),
    "lt": Function(_less, 2, 2),
    "le": Function(_less_or_equal, 2, 2),
    "gt": Function(_greater, 2, 2),
    "ge": Function(_greater_or_equal, 2, 2),
    "html": Function(_html, 0),
    "js": Function(_js, 0),
    "urlquery": Function(_urlquery, 0),
    "print": Function(_print, 0),
    "println": Function(_println, 0),
    "printf": Function(_printf, 1),
    "call": Function(_call, 1),
}
