# SPDX-License-Identifier: Apache-2.0
"""Reads a template's tokens into a tree (Go: ``text/template/parse``)."""

from dataclasses import dataclass, field
from typing import NoReturn

from fastledger.common.gotemplate import constants
from fastledger.common.gotemplate.functions import FUNCTIONS
from fastledger.common.gotemplate.lexer import Token, tokens
from fastledger.common.gotemplate.values import TemplateError, Value

MAX_DEPTH = 50
"""How deep parentheses and blocks may nest; reading them recurses."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A text, a number or a truth value."""

    value: Value


@dataclass(frozen=True, slots=True)
class Nil:
    """``nil``."""


@dataclass(frozen=True, slots=True)
class Call:
    """The name of a function."""

    name: str


@dataclass(frozen=True, slots=True)
class Variable:
    """``$`` or ``$name``."""

    name: str


@dataclass(frozen=True, slots=True)
class Dot:
    """What ``.`` stands for."""


@dataclass(frozen=True, slots=True)
class Chain:
    """Fields of something: ``.Hostname``, ``$x.Domain``, ``(…).Index``."""

    of: "Operand"
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands, each of which gets the value of the one before."""

    commands: tuple[tuple["Operand", ...], ...]
    declared: tuple[str, ...] = ()
    assigns: bool = False
    """Whether what it declares are variables that exist already."""


Operand = Constant | Nil | Call | Variable | Dot | Chain | Pipeline


@dataclass(frozen=True, slots=True)
class Action:
    """A pipeline whose value is printed."""

    pipeline: Pipeline


@dataclass(frozen=True, slots=True)
class Block:
    """``if``, ``with`` or ``range``."""

    keyword: str
    pipeline: Pipeline
    body: "Nodes"
    otherwise: "Nodes | None"


@dataclass(frozen=True, slots=True)
class Leap:
    """``break`` or ``continue``."""

    keyword: str


@dataclass(frozen=True, slots=True)
class Invocation:
    """Another template's place."""

    name: str
    pipeline: Pipeline | None


Nodes = list[str | Action | Block | Leap | Invocation]


@dataclass(slots=True)
class Template:
    """A template, and those that it defines."""

    body: Nodes
    defined: dict[str, Nodes] = field(default_factory=dict)


def parse(template: str) -> Template:
    """Read a template.

    Raises:
        TemplateError: It is wrong.
    """
    return _Parser(tokens(template)).template()


class _Parser:
    def __init__(self, read: list[Token]) -> None:
        self._tokens = read
        self._next = 0
        self._variables = ["$"]
        self._ranges = 0
        self._depth = 0
        self._defined: dict[str, Nodes] = {}

    def template(self) -> Template:
        body: Nodes = []
        while self._peek().kind != "end":
            if self._peek().kind == "text":
                body.append(self._take().text)
                continue
            self._take()
            if self._peek_past_space().text == "define" and self._peek().kind == "keyword":
                self._take()
                name = self._name("define clause")
                self._close("define clause")
                self._define(name)
                continue
            node = self._action()
            if isinstance(node, Token):
                raise TemplateError(f"unexpected {{{{{node.text}}}}}")
            body.append(node)
        return Template(body, self._defined)

    def _define(self, name: str) -> None:
        """Read another template's body; its variables and loops are its own."""
        saved = self._variables, self._ranges
        self._variables, self._ranges = ["$"], 0
        body, ending = self._body()
        if ending.text != "end":
            raise TemplateError(f"unexpected {{{{{ending.text}}}}} in the definition of {name!r}")
        self._variables, self._ranges = saved
        if not _is_empty(self._defined.get(name, [])) and not _is_empty(body):
            raise TemplateError(f"multiple definition of template {name!r}")
        if not _is_empty(body) or name not in self._defined:
            self._defined[name] = body

    def _body(self) -> tuple[Nodes, Token]:
        """Read up to ``{{end}}`` or ``{{else}}``; returns that, too."""
        body: Nodes = []
        self._deeper()
        while self._peek().kind != "end":
            if self._peek().kind == "text":
                body.append(self._take().text)
                continue
            self._take()
            node = self._action()
            if isinstance(node, Token):
                self._depth -= 1
                return body, node
            body.append(node)
        raise TemplateError("unexpected EOF")

    def _action(self) -> Action | Block | Leap | Invocation | Token:
        """Read what stands after ``{{``; a token for ``{{end}}`` and ``{{else}}``."""
        token = self._peek_past_space()
        if token.kind != "keyword" or token.text == "nil":
            return Action(self._pipeline("command"))
        self._take()
        if token.text in ("if", "with", "range"):
            return self._block(token.text)
        if token.text in ("break", "continue"):
            self._close(f"{{{{{token.text}}}}}")
            if not self._ranges:
                raise TemplateError(f"{{{{{token.text}}}}} outside {{{{range}}}}")
            return Leap(token.text)
        if token.text == "template":
            name = self._name("template clause")
            if self._peek_past_space().kind != "close":
                return Invocation(name, self._pipeline("template clause"))
            self._take()
            return Invocation(name, None)
        if token.text == "block":
            name = self._name("block clause")
            pipeline = self._pipeline("block clause")
            self._define(name)
            return Invocation(name, pipeline)
        if token.text == "else" and self._peek_past_space().text in ("if", "with"):
            return token
        if token.text not in ("end", "else"):
            self._unexpected(token, "command")
        self._close(token.text)
        return token

    def _block(self, keyword: str) -> Block:
        count = len(self._variables)
        pipeline = self._pipeline(keyword)
        self._ranges += keyword == "range"
        body, ending = self._body()
        self._ranges -= keyword == "range"
        otherwise: Nodes | None = None
        if ending.text == "else":
            otherwise = self._otherwise(keyword)
        del self._variables[count:]
        return Block(keyword, pipeline, body, otherwise)

    def _otherwise(self, keyword: str) -> Nodes:
        following = self._peek()
        if following.kind == "keyword" and following.text == keyword and keyword != "range":
            self._take()
            self._deeper()
            block = self._block(keyword)
            self._depth -= 1
            return [block]
        otherwise, ending = self._body()
        if ending.text != "end":
            raise TemplateError("expected end; found {{else}}")
        return otherwise

    def _pipeline(self, context: str, closing: str = "close") -> Pipeline:
        declared, assigns = self._declarations(context)
        commands: list[tuple[Operand, ...]] = []
        while self._peek_past_space().kind != closing:
            commands.append(self._command(context))
        self._take()
        if not commands:
            raise TemplateError(f"missing value for {context}")
        if any(isinstance(one[0], Constant | Dot | Nil) for one in commands[1:]):
            raise TemplateError("non executable command in pipeline")
        return Pipeline(tuple(commands), tuple(declared), assigns)

    def _declarations(self, context: str) -> tuple[list[str], bool]:
        declared: list[str] = []
        while (variable := self._peek_past_space()).kind == "variable":
            before = self._next
            self._take()
            sign = self._peek_past_space()
            if sign.kind in ("assign", "declare"):
                self._take()
                declared.append(variable.text)
                self._variables.append(variable.text)
                return declared, sign.kind == "assign"
            if sign.text != ",":
                self._next = before
                break
            self._take()
            declared.append(variable.text)
            self._variables.append(variable.text)
            if context != "range" or len(declared) > 1:
                raise TemplateError(f"too many declarations in {context}")
            if self._peek_past_space().kind not in ("variable", "close", "right"):
                raise TemplateError("range can only initialize variables")
        return declared, False

    def _command(self, context: str) -> tuple[Operand, ...]:
        operands: list[Operand] = []
        while True:
            self._peek_past_space()
            operand = self._operand()
            if operand is not None:
                operands.append(operand)
            token = self._peek()
            if token.kind == "space":
                continue
            if token.kind == "pipe":
                self._take()
                if self._peek_past_space().kind in ("close", "right"):
                    raise TemplateError(f"missing value for {context}")
            elif token.kind not in ("close", "right"):
                self._unexpected(token, "operand")
            break
        if not operands:
            raise TemplateError("empty command")
        return tuple(operands)

    def _operand(self) -> Operand | None:
        term = self._term()
        if term is None or self._peek().kind != "field":
            return term
        if isinstance(term, Constant | Nil | Dot):
            raise TemplateError("unexpected . after term")
        fields = []
        while self._peek().kind == "field":
            fields.append(self._take().text[1:])
        if isinstance(term, Chain):
            return Chain(term.of, (*term.fields, *fields))
        return Chain(term, tuple(fields))

    def _term(self) -> Operand | None:
        token = self._peek()
        if token.kind == "left":
            self._take()
            self._deeper()
            pipeline = self._pipeline("parenthesized pipeline", "right")
            self._depth -= 1
            return pipeline
        term = self._simple_term(token)
        if term is not None:
            self._take()
        return term

    def _simple_term(self, token: Token) -> Operand | None:
        match token.kind:
            case "name":
                if token.text not in FUNCTIONS:
                    raise TemplateError(f"function {token.text!r} not defined")
                return Call(token.text)
            case "variable":
                if token.text not in self._variables:
                    raise TemplateError(f"undefined variable {token.text!r}")
                return Variable(token.text)
            case "string" | "number" | "character" | "bool":
                return Constant(constants.value(token))
            case "field":
                return Chain(Dot(), (token.text[1:],))
            case "dot":
                return Dot()
            case "keyword" if token.text == "nil":
                return Nil()
        return None

    def _name(self, context: str) -> str:
        token = self._peek_past_space()
        if token.kind != "string":
            self._unexpected(token, context)
        self._take()
        return str(constants.value(token))

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _peek_past_space(self) -> Token:
        while self._peek().kind == "space":
            self._next += 1
        return self._peek()

    def _take(self) -> Token:
        token = self._tokens[self._next]
        self._next += 1
        return token

    def _close(self, context: str) -> None:
        token = self._peek_past_space()
        if token.kind != "close":
            self._unexpected(token, context)
        self._take()

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise TemplateError(f"it nests deeper than {MAX_DEPTH} blocks and parentheses")

    def _unexpected(self, token: Token, context: str) -> NoReturn:
        raise TemplateError(f"unexpected {token.text!r} in {context}")


def _is_empty(nodes: Nodes) -> bool:
    return all(isinstance(node, str) and not node.strip() for node in nodes)
