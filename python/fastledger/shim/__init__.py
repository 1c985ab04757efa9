# SPDX-License-Identifier: Apache-2.0
"""Write chaincode in Python.

With typed methods; arguments are read by their type hints, results go out as JSON::

    from fastledger import shim


    class Greeter(shim.Contract):
        @shim.transaction
        def SetGreeting(self, ctx: shim.Context, name: str, text: str) -> None:
            ctx.stub.put_state(name, text.encode())

        @shim.query
        def Greet(self, ctx: shim.Context, name: str) -> str:
            return ctx.stub.get_state(name).decode()

Or with the two functions of Fabric's shims, as a :class:`Chaincode`. Code is plain, synchronous
Python; transactions run side by side on threads. It is started by the peer, or by hand::

    python -m fastledger.shim start greeter:Greeter

Nothing of fastledger is imported but its messages: a chaincode needs no ledger.
"""

import importlib
from typing import TYPE_CHECKING, Any

from fastledger.shim.errors import ChaincodeFailed, PeerError
from fastledger.shim.interface import Chaincode, Response, error, success
from fastledger.shim.stub import ChaincodeStub

if TYPE_CHECKING:
    from fastledger.shim.contract import Context, Contract, query, transaction
    from fastledger.shim.identity import ClientIdentity
    from fastledger.shim.mock import MockStub
    from fastledger.shim.runtime import start
    from fastledger.shim.statebased import KeyEndorsementPolicy

__all__ = [
    "Chaincode",
    "ChaincodeFailed",
    "ChaincodeStub",
    "ClientIdentity",
    "Context",
    "Contract",
    "KeyEndorsementPolicy",
    "MockStub",
    "PeerError",
    "Response",
    "error",
    "query",
    "start",
    "success",
    "transaction",
]

_ELSEWHERE = {
    "ClientIdentity": "identity",
    "Context": "contract",
    "Contract": "contract",
    "KeyEndorsementPolicy": "statebased",
    "MockStub": "mock",
    "query": "contract",
    "start": "runtime",
    "transaction": "contract",
}


def __getattr__(name: str) -> Any:
    """Import what not every chaincode needs when it is first named."""
    if name not in _ELSEWHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_ELSEWHERE[name]}"), name)
