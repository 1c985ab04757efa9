# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, as exceptions. The core raises these classes by name.

::

    FastledgerError
    ├── InputError           what was handed in cannot be used: a path, a block's encoding, a key
    │   └── ConfigInvalid    a configuration file, or an environment variable, has a wrong value
    ├── ConnectionFailed     no connection to another node, or no address to serve at
    ├── BlockRefused         Fabric would refuse the block whole; nothing of it was written
    ├── NotFound             no such block, transaction or key
    ├── Unsupported          sound by Fabric's rules, but not done by fastledger
    ├── LedgerIo             the disk failed or is full, or the folder cannot be written
    ├── LedgerLocked         another process, or another handle, has the ledger open
    └── LedgerCorrupted      the ledger's own files contradict themselves

A transaction that is merely invalid raises nothing: its verdict is a
:class:`~fastledger.common.codes.TxValidationCode`.
"""


class FastledgerError(Exception):
    """Any error that fastledger raises on purpose; its text says what, where and what to do."""


class InputError(FastledgerError):
    """What was handed in cannot be used."""


class ConfigInvalid(InputError):
    """A configuration file or an environment variable has a wrong value; the text names the key."""


class ConnectionFailed(FastledgerError):
    """A node cannot be reached, or an address cannot be served; the text names it and says why."""


class BlockRefused(FastledgerError):
    """A block breaks a rule for which Fabric refuses it whole.

    Nothing of the block was written, everything before it stays committed, and the ledger
    takes a right block of the same number.

    Attributes:
        number: The refused block's number, as the ledger counts.
        reason: Which rule the block breaks, and by what.
    """

    def __init__(self, number: int, reason: str) -> None:
        """Name the block and the broken rule."""
        super().__init__(number, reason)
        self.number = number
        self.reason = reason

    def __str__(self) -> str:
        """Say it in one line."""
        return f"block {self.number} is refused: {self.reason}"


class NotFound(FastledgerError):
    """No such block, transaction or key."""


class Unsupported(FastledgerError):
    """Sound by Fabric's rules, but not done by fastledger."""


class LedgerIo(FastledgerError):
    """The disk failed or is full, or the ledger's folder cannot be written."""


class LedgerLocked(FastledgerError):
    """Another process, or another handle of this one, has the ledger open."""


class LedgerCorrupted(FastledgerError):
    """The ledger's own files contradict themselves; the text names the file and the offset."""
