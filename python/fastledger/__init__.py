# SPDX-License-Identifier: Apache-2.0
"""fastledger: a permissioned ledger that speaks Hyperledger Fabric's protocol.

The core validates and commits Fabric's blocks exactly as a Fabric peer does::

    import fastledger
    from fastledger.ledger import sources

    with fastledger.open("ledger") as ledger, sources.open("chains/mychannel") as source:
        for commit in ledger.commit_all(source):
            print(commit.number, [code.name for code in commit.codes])
        print(ledger.get("basic", "asset1"))

:class:`fastledger.ledger.replay.Replay` does the same and compares with the verdicts that a peer
stored in the blocks; :meth:`Ledger.explain` says why a transaction got its own. What Python
chaincode is made of is in :mod:`fastledger.shim`.
"""

import importlib
from typing import TYPE_CHECKING, Any

from fastledger._core import __version__

if TYPE_CHECKING:
    from fastledger.common.codes import TxValidationCode
    from fastledger.common.errors import (
        BlockRefused,
        Defect,
        FastledgerError,
        InputError,
        LedgerCorrupted,
        LedgerIo,
        LedgerLocked,
        LedgerStopped,
        NotFound,
        Unsupported,
    )
    from fastledger.ledger.explanation import Explanation
    from fastledger.ledger.kvledger import Ledger, open, restore
    from fastledger.ledger.records import (
        Commit,
        CommittedTransaction,
        Height,
        HistoryEntry,
        StateEntry,
        StateValue,
    )
    from fastledger.protoutil.block import Block

__all__ = [
    "Block",
    "BlockRefused",
    "Commit",
    "CommittedTransaction",
    "Defect",
    "Explanation",
    "FastledgerError",
    "Height",
    "HistoryEntry",
    "InputError",
    "Ledger",
    "LedgerCorrupted",
    "LedgerIo",
    "LedgerLocked",
    "LedgerStopped",
    "NotFound",
    "StateEntry",
    "StateValue",
    "TxValidationCode",
    "Unsupported",
    "__version__",
    "open",
    "restore",
]

_HOMES = {
    "fastledger.common.codes": ("TxValidationCode",),
    "fastledger.common.errors": (
        "BlockRefused",
        "Defect",
        "FastledgerError",
        "InputError",
        "LedgerCorrupted",
        "LedgerIo",
        "LedgerLocked",
        "LedgerStopped",
        "NotFound",
        "Unsupported",
    ),
    "fastledger.ledger.explanation": ("Explanation",),
    "fastledger.ledger.kvledger": (
        "Ledger",
        "open",
        "restore",
    ),
    "fastledger.ledger.records": (
        "Commit",
        "CommittedTransaction",
        "Height",
        "HistoryEntry",
        "StateEntry",
        "StateValue",
    ),
    "fastledger.protoutil.block": ("Block",),
}
"""Where the names come from: each module is loaded when one of its names is first asked for.

A command that only makes keys or decodes a file starts five times as fast without the rest.
"""

if not TYPE_CHECKING:  # so that a type checker still knows which names there are

    def __getattr__(name: str) -> Any:
        for module, names in _HOMES.items():
            if name in names:
                value = getattr(importlib.import_module(module), name)
                globals()[name] = value
                return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        """List what there is, for help() and for completion, though nothing of it is loaded."""
        return sorted({*globals(), *__all__})
