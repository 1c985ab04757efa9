# SPDX-License-Identifier: Apache-2.0
"""Carries templates out (Go: ``text/template``'s ``exec.go``)."""

from collections.abc import Iterable

from fastledger.common.gotemplate import functions, printing
from fastledger.common.gotemplate.parser import (
    Action,
    Block,
    Call,
    Chain,
    Constant,
    Dot,
    Invocation,
    Leap,
    Nil,
    Nodes,
    Operand,
    Pipeline,
    Template,
    Variable,
)
from fastledger.common.gotemplate.values import Struct, TemplateError, Value, is_true, type_name

MAX_STEPS = 100_000
"""Nodes that one filling may carry out; loops could go on for ever."""

MAX_OUTPUT = 1 << 16
"""Characters that one filling may make; it makes a name."""

MAX_INVOCATIONS = 50
"""How deep templates may invoke one another, themselves too."""

MAX_INT = (1 << 63) - 1

MISSING: list[Value] = []
"""No value from a command before."""


class _Leaped(Exception):
    """A ``break`` or ``continue`` on its way to its loop."""

    def __init__(self, keyword: str) -> None:
        super().__init__(keyword)
        self.keyword = keyword


def execute(template: Template, data: Struct) -> str:
    """Fill a template in.

    Raises:
        TemplateError: It cannot be carried out.
    """
    execution = _Execution(template)
    execution.walk(template.body, data, [("$", data)])
    return "".join(execution.output)


_Variables = list[tuple[str, Value]]


class _Execution:
    def __init__(self, template: Template) -> None:
        self._template = template
        self._steps = 0
        self._written = 0
        self._invocations = 0
        self.output: list[str] = []

    def walk(self, nodes: Nodes, dot: Value, variables: _Variables) -> None:
        for node in nodes:
            self._step()
            match node:
                case str():
                    self._write(node)
                case Action(pipeline):
                    value = self._pipeline(pipeline, dot, variables)
                    if not pipeline.declared:
                        self._write(
                            printing.sprint([printing.NO_VALUE if value is None else value])
                        )
                case Block("range"):
                    self._range(node, dot, variables)
                case Block():
                    self._choose(node, dot, variables)
                case Leap(keyword):
                    raise _Leaped(keyword)
                case Invocation():
                    self._invoke(node, dot, variables)

    def _step(self) -> None:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise TemplateError(f"it takes more than {MAX_STEPS} steps")

    def _write(self, text: str) -> None:
        self._written += len(text)
        if self._written > MAX_OUTPUT:
            raise TemplateError(f"it makes more than {MAX_OUTPUT} characters")
        self.output.append(text)

    def _choose(self, block: Block, dot: Value, variables: _Variables) -> None:
        count = len(variables)
        value = self._pipeline(block.pipeline, dot, variables)
        if is_true(value):
            self.walk(block.body, value if block.keyword == "with" else dot, variables)
        elif block.otherwise is not None:
            self.walk(block.otherwise, dot, variables)
        del variables[count:]

    def _range(self, block: Block, dot: Value, variables: _Variables) -> None:
        count = len(variables)
        over = self._pipeline(block.pipeline, dot, variables)
        declared = block.pipeline.declared
        if over is not None and (not isinstance(over, int) or isinstance(over, bool)):
            raise TemplateError(f"range can't iterate over {printing.sprint([over])}")
        if over is not None and len(declared) > 1:
            raise TemplateError(f"can't use {over} to iterate over more than one variable")
        kind = int if over is None else type(over)
        for number in range(over or 0):
            inner = len(variables)
            if declared:
                self._set_range_variable(block.pipeline, kind(number), variables)
            try:
                self._step()
                self.walk(block.body, kind(number), variables)
            except _Leaped as leap:
                if leap.keyword == "break":
                    break
            finally:
                del variables[inner:]
        del variables[count:]
        if not over or over < 0:
            self.walk(block.otherwise or [], dot, variables)

    def _set_range_variable(self, pipeline: Pipeline, value: int, variables: _Variables) -> None:
        if pipeline.assigns:
            _assign(pipeline.declared[0], value, variables)
        else:
            variables[-1] = (variables[-1][0], value)

    def _invoke(self, node: Invocation, dot: Value, variables: _Variables) -> None:
        body = self._template.defined.get(node.name)
        if body is None:
            raise TemplateError(f"template {node.name!r} not defined")
        if self._invocations >= MAX_INVOCATIONS:
            raise TemplateError(f"exceeded maximum template depth ({MAX_INVOCATIONS})")
        value = None if node.pipeline is None else self._pipeline(node.pipeline, dot, variables)
        self._invocations += 1
        self.walk(body, value, [("$", value)])
        self._invocations -= 1

    def _pipeline(self, pipeline: Pipeline, dot: Value, variables: _Variables) -> Value:
        before = MISSING
        for command in pipeline.commands:
            self._step()
            before = [self._command(command, before, dot, variables)]
        value = before[0]
        for name in pipeline.declared:
            if pipeline.assigns:
                _assign(name, value, variables)
            else:
                variables.append((name, value))
        return value

    def _command(
        self, command: tuple[Operand, ...], before: list[Value], dot: Value, variables: _Variables
    ) -> Value:
        first, rest = command[0], command[1:]
        if isinstance(first, Call):
            return self._call(first.name, rest, before, dot, variables)
        if rest or before:
            raise TemplateError("can't give an argument to what is no function")
        if isinstance(first, Nil):
            raise TemplateError("nil is not a command")
        return self._operand(first, dot, variables)

    def _operand(self, operand: Operand, dot: Value, variables: _Variables) -> Value:
        match operand:
            case Constant(value):
                if isinstance(value, int) and value > MAX_INT:
                    raise TemplateError(f"{value} overflows int")
                return value
            case Nil():
                return None
            case Dot():
                return dot
            case Call(name):
                return self._call(name, (), MISSING, dot, variables)
            case Variable(name):
                return _value_of(name, variables)
            case Pipeline():
                return self._pipeline(operand, dot, variables)
            case Chain(of, fields):
                return _field(self._operand(of, dot, variables), fields)

    def _call(
        self,
        name: str,
        arguments: Iterable[Operand],
        before: list[Value],
        dot: Value,
        variables: _Variables,
    ) -> Value:
        evaluated: list[Value] = []
        given = list(arguments)
        functions.check_count(name, len(given) + len(before))
        for argument in given:
            evaluated.append(self._operand(argument, dot, variables))
            if name in ("and", "or") and is_true(evaluated[-1]) == (name == "or"):
                return evaluated[-1]
        made = functions.FUNCTIONS[name].call(*evaluated, *before)
        if isinstance(made, str) and len(made) > MAX_OUTPUT:
            raise TemplateError(f"it makes more than {MAX_OUTPUT} characters")
        return made


def _field(value: Value, fields: tuple[str, ...]) -> Value:
    for name in fields:
        if value is None:
            return None
        if not isinstance(value, Struct) or name not in value.fields:
            known = f"; there are {', '.join(value.fields)}" if isinstance(value, Struct) else ""
            raise TemplateError(f"can't evaluate field {name} in type {type_name(value)}{known}")
        value = value.fields[name]
    return value


def _value_of(name: str, variables: _Variables) -> Value:
    for known, value in reversed(variables):
        if known == name:
            return value
    raise TemplateError(f"undefined variable: {name}")


def _assign(name: str, value: Value, variables: _Variables) -> None:
    for place in range(len(variables) - 1, -1, -1):
        if variables[place][0] == name:
            variables[place] = (name, value)
            return
    raise TemplateError(f"undefined variable: {name}")
