# SPDX-License-Identifier: Apache-2.0
"""Contracts: chaincode as a class with typed methods.

A method is called by its name, ``CreateAsset`` or ``AssetTransfer:CreateAsset``. Its arguments are
read by their type hints (see :mod:`.values`), too many, too few and wrong ones are refused with
their names, and what it returns is the response's payload. What it raises fails the transaction.
"""

import inspect
import json
import typing
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, overload

from fastledger.shim.errors import ChaincodeFailed
from fastledger.shim.interface import Chaincode, Response, success
from fastledger.shim.stub import ChaincodeStub
from fastledger.shim.values import WrongValue, decode, encode, name_of

if TYPE_CHECKING:
    from fastledger.shim.identity import ClientIdentity

F = TypeVar("F", bound=Callable[..., Any])
_MARK = "__fastledger_transaction__"
_METADATA_FUNCTION = "org.hyperledger.fabric:GetMetadata"


class Context:
    """What a method gets to work with."""

    def __init__(self, stub: ChaincodeStub) -> None:
        """Wrap a transaction's stub."""
        self.stub = stub

    @cached_property
    def client_identity(self) -> "ClientIdentity":
        """Who submitted the transaction."""
        from fastledger.shim.identity import ClientIdentity

        return ClientIdentity(self.stub)


class Transaction:
    """A method that clients may call."""

    def __init__(self, name: str, function: Callable[..., Any], *, submit: bool) -> None:
        """Read the method's signature."""
        self.name = name
        self.submit = submit
        """Whether it is meant to be submitted; False for queries."""

        self._function = function
        parameters = list(inspect.signature(function).parameters.values())
        self.parameters = parameters[2:]
        self._hints = typing.get_type_hints(function)
        self.returns = self._hints.get("return", Any)
        self._least = sum(p.default is inspect.Parameter.empty for p in self.parameters)
        self._wanted = [(p.name, self.hint(p)) for p in self.parameters]

    def hint(self, parameter: inspect.Parameter) -> Any:
        """The type of a parameter."""
        return self._hints.get(parameter.name, str)

    def call(self, contract: "Contract", context: Context, arguments: list[bytes]) -> Any:
        """Call the method.

        Raises:
            ChaincodeFailed: The arguments do not fit; the text says which and why.
        """
        if not self._least <= len(arguments) <= len(self._wanted):
            wanted = ", ".join(f"{name}: {name_of(hint)}" for name, hint in self._wanted)
            raise ChaincodeFailed(
                f"{self.name} takes {_count(self._least, len(self._wanted))} ({wanted}), "
                f"{len(arguments)} given"
            )
        values = []
        for argument, (name, hint) in zip(arguments, self._wanted, strict=False):
            try:
                values.append(decode(argument, hint))
            except WrongValue as error:
                raise ChaincodeFailed(f"{self.name}: {name}: {error}") from error
        return self._function(contract, context, *values)


def _count(least: int, most: int) -> str:
    if least != most:
        return f"{least} to {most} arguments"
    return f"{most} argument{'' if most == 1 else 's'}"


@overload
def transaction(function: F) -> F: ...
@overload
def transaction(*, name: str | None = None) -> Callable[[F], F]: ...
def transaction(function: F | None = None, *, name: str | None = None) -> F | Callable[[F], F]:
    """Let clients submit a method, under its own name or another one."""
    return _mark(function, name, submit=True)


@overload
def query(function: F) -> F: ...
@overload
def query(*, name: str | None = None) -> Callable[[F], F]: ...
def query(function: F | None = None, *, name: str | None = None) -> F | Callable[[F], F]:
    """Let clients call a method that only reads."""
    return _mark(function, name, submit=False)


def _mark(function: F | None, name: str | None, *, submit: bool) -> F | Callable[[F], F]:
    def mark(method: F) -> F:
        setattr(method, _MARK, (name or method.__name__, submit))
        return method

    return mark if function is None else mark(function)


class Contract(Chaincode):
    """Base class of contracts."""

    name: str | None = None
    """What may stand before a function's name; the class's name when None."""

    @cached_property
    def transactions(self) -> dict[str, Transaction]:
        """Everything that clients may call, by name."""
        found = {}
        for _, method in inspect.getmembers(type(self), callable):
            mark = getattr(method, _MARK, None)
            if mark is not None:
                found[mark[0]] = Transaction(mark[0], method, submit=mark[1])
        return found

    def before_transaction(self, ctx: Context) -> None:
        """Called before every method; raise to refuse it."""

    def after_transaction(self, ctx: Context, result: Any) -> None:
        """Called after every method that raised nothing."""

    def unknown_transaction(self, ctx: Context, function: str) -> Any:
        """Called for a function that the contract has not."""
        del ctx
        names = ", ".join(sorted(self.transactions)) or "no functions"
        raise ChaincodeFailed(f"there is no function {function!r}; there are {names}")

    def init(self, stub: ChaincodeStub) -> Response:
        """Call what Init names; Init without arguments does nothing."""
        return self.invoke(stub) if stub.get_args() else success()

    def invoke(self, stub: ChaincodeStub) -> Response:
        """Call the method that the first argument names."""
        arguments = stub.get_args()
        function = arguments[0].decode("utf-8", "replace") if arguments else ""
        if function == _METADATA_FUNCTION:
            return success(json.dumps(self.metadata(), sort_keys=True).encode())
        contract, separator, short = function.rpartition(":")
        ours = not separator or contract == (self.name or type(self).__name__)
        found = self.transactions.get(short) if ours else None
        context = Context(stub)
        if found is None:
            return success(encode(self.unknown_transaction(context, function)))
        self.before_transaction(context)
        result = found.call(self, context, arguments[1:])
        self.after_transaction(context, result)
        return success(encode(result))

    def metadata(self) -> dict[str, Any]:
        """Describe the contract, as Fabric's contract API does."""
        name = self.name or type(self).__name__
        described = [_describe(found) for _, found in sorted(self.transactions.items())]
        contract = {"name": name, "transactions": described}
        return {
            "$schema": "https://hyperledger.github.io/fabric-chaincode-node/main/api/contract-schema.json",
            "components": {"schemas": {}},
            "contracts": {name: contract},
            "info": {"title": name, "version": ""},
        }


def _describe(found: Transaction) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": found.name,
        "tag": ["submit", "SUBMIT"] if found.submit else ["evaluate", "EVALUATE"],
        "parameters": [
            {"name": p.name, "schema": _schema(found.hint(p))} for p in found.parameters
        ],
    }
    if found.returns not in (None, type(None)):
        described["returns"] = _schema(found.returns)
    return described


_SCHEMAS: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    bytes: {"type": "string", "format": "byte"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
}


def _schema(hint: Any) -> dict[str, Any]:
    if typing.get_origin(hint) is list:
        (of,) = typing.get_args(hint)
        return {"type": "array", "items": _schema(of)}
    return _SCHEMAS.get(hint, {"type": "object"})
