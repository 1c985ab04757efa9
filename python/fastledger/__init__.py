# SPDX-License-Identifier: Apache-2.0
"""fastledger: a permissioned ledger that speaks Hyperledger Fabric's protocol.

The core validates and commits Fabric's blocks exactly as a Fabric peer does::

    import fastledger
    from fastledger.ledger import sources

    with fastledger.open("ledger") as ledger, sources.open("chains/mychannel") as source:
        for commit in ledger.commit_all(source):
            print(commit.number, [code.name for code in commit.codes])
        print(ledger.get("basic", "asset1"))
"""

from fastledger._core import __version__
from fastledger.common.codes import TxValidationCode
from fastledger.common.errors import (
    BlockRefused,
    FastledgerError,
    InputError,
    LedgerCorrupted,
    LedgerIo,
    LedgerLocked,
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
    "Explanation",
    "FastledgerError",
    "Height",
    "HistoryEntry",
    "InputError",
    "Ledger",
    "LedgerCorrupted",
    "LedgerIo",
    "LedgerLocked",
    "NotFound",
    "StateEntry",
    "StateValue",
    "TxValidationCode",
    "Unsupported",
    "__version__",
    "open",
    "restore",
]
