# SPDX-License-Identifier: Apache-2.0
"""What can go wrong, as exceptions. The core raises these classes by name.

::

    FastledgerError
    ├── InputError           what was handed in cannot be used: a path, a block's encoding, a key
    │   ├── ConfigRefused    a channel's configuration, or its update, breaks Fabric's rules
    │   └── ConfigInvalid    a configuration file, or an environment variable, has a wrong value
    ├── ConnectionFailed     no connection to another node, or none to be had here
    │   └── ListenFailed     no address to serve at
    ├── Overloaded           too much of this waits here already; it may be tried again
    ├── RpcFailed            another node answered a call with a gRPC status
    ├── EndorsementFailed    this peer cannot endorse a proposal
    ├── InvocationRefused    a system chaincode does not do what it was asked
    │   ├── InstallFailed        a chaincode's package is not installed
    │   ├── DefinitionRefused    a chaincode's definition is missing, or breaks a lifecycle's rules
    │   └── CollectionsRefused   a chaincode's collections break the rules
    ├── QueryRefused         discovery does not answer a query
    │   └── NoEndorsers          no peers that are there satisfy an endorsement policy
    ├── JoinRefused          a peer does not join a channel
    ├── SnapshotRefused      a peer does not take a request for a snapshot
    ├── NodeFailed           a node of the test network does not do its part
    ├── ProposalRefused      a peer answered a proposal with a bad status
    ├── BroadcastRefused     an orderer did not take a transaction
    ├── ProposalDropped      a member of a Raft cluster does not lead, so it orders nothing
    ├── DeliverEnded         a node ended a stream of blocks before what was asked for came
    ├── IdentityRefused      an identity is not valid under its MSP, or did not sign this
    ├── PolicyUnsatisfied    who signed is not whom a policy asks for
    ├── BlockRefused         Fabric would refuse the block whole; nothing of it was written
    ├── NotFound             no such block, transaction or key
    ├── Unsupported          sound by Fabric's rules, but not done by fastledger
    ├── ChaincodeError       a chaincode cannot be built or started, failed, died or took too long
    ├── LedgerIo             the disk failed or is full, or the folder cannot be written
    ├── LedgerStopped        an earlier failure stopped the ledger, or a channel; the log has it
    ├── LedgerLocked         another process, or another handle, has the ledger open
    └── LedgerCorrupted      the ledger's own files contradict themselves

    Defect                   the core panicked: a defect of fastledger, which is no refusal

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


class ListenFailed(ConnectionFailed):
    """An address cannot be served: it is taken, or not this machine's."""


class Overloaded(FastledgerError):
    """Too much of this waits here already; it may be tried again."""


class EndorsementFailed(FastledgerError):
    """This peer cannot endorse a proposal; the text is the proposal response's."""


class InvocationRefused(FastledgerError):
    """A system chaincode does not do what it was asked; the text is its response's, as Fabric's."""


class InstallFailed(InvocationRefused):
    """A chaincode's package is not installed."""


class DefinitionRefused(InvocationRefused):
    """A chaincode's definition is missing, cannot be read, or breaks the rules of a lifecycle."""


class CollectionsRefused(InvocationRefused):
    """A chaincode's collections break the rules, or those of an earlier version do not allow it."""


class QueryRefused(FastledgerError):
    """Discovery does not answer a query: it asks for too much, or whoever asks may not."""


class NoEndorsers(QueryRefused):
    """No peers that are there satisfy an endorsement policy, or there is none."""


class JoinRefused(FastledgerError):
    """A peer does not join a channel."""


class SnapshotRefused(FastledgerError):
    """A peer does not take a request for a snapshot."""


class NodeFailed(FastledgerError):
    """A node of the test network does not do its part; the text names it and says what to do."""


class RpcFailed(FastledgerError):
    """Another node answered a call with a gRPC status.

    Attributes:
        code: The status as Go's gRPC names it, such as ``Unknown``.
        details: Its text.
    """

    def __init__(self, code: str, details: str) -> None:
        """Name the status."""
        super().__init__(code, details)
        self.code = code
        self.details = details

    def __str__(self) -> str:
        """Say it as Go's gRPC does."""
        return f"rpc error: code = {self.code} desc = {self.details}"


class ProposalRefused(FastledgerError):
    """A peer answered a proposal with a bad status.

    Attributes:
        status: The response's status, HTTP's numbers.
        message: Its text.
    """

    def __init__(self, status: int, message: str) -> None:
        """Name the status."""
        super().__init__(status, message)
        self.status = status
        self.message = message

    def __str__(self) -> str:
        """Say it in one line."""
        return f"status {self.status}: {self.message}"


class ProposalDropped(FastledgerError):
    """A member of a Raft cluster does not lead, or hands leadership over; ask the leader."""


class BroadcastRefused(FastledgerError):
    """An orderer did not take a transaction.

    Attributes:
        status: ``common.Status`` by name, such as ``BAD_REQUEST``.
        info: The orderer's reason.
    """

    def __init__(self, status: str, info: str) -> None:
        """Name the status."""
        super().__init__(status, info)
        self.status = status
        self.info = info

    def __str__(self) -> str:
        """Say it as Fabric's client does."""
        return f"got unexpected status: {self.status} -- {self.info}"


class DeliverEnded(FastledgerError):
    """A node ended a stream of blocks before what was asked for came.

    Attributes:
        status: ``common.Status`` by name, such as ``NOT_FOUND``.
    """

    def __init__(self, status: str) -> None:
        """Name the status."""
        super().__init__(status)
        self.status = status

    def __str__(self) -> str:
        """Say it as Fabric's client does."""
        return f"can't read the block: &{{{self.status}}}"


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


class ConfigRefused(InputError):
    """A channel's configuration, or an update of it, breaks a rule; updates get Fabric's texts."""


class IdentityRefused(FastledgerError):
    """An identity is not valid under its MSP, or a signature is not the identity's."""


class PolicyUnsatisfied(FastledgerError):
    """Those who signed are not those whom a policy asks for.

    Attributes:
        reason: What Fabric says.
        details: The policy's rule, who signed, and whom it lacks.
    """

    def __init__(self, reason: str, details: str) -> None:
        """Take what Fabric says, which is also the text, and what helps to find out why."""
        super().__init__(reason, details)
        self.reason = reason
        self.details = details

    def __str__(self) -> str:
        """Say it as Fabric does."""
        return self.reason


class NotFound(FastledgerError):
    """No such block, transaction or key."""


class Unsupported(FastledgerError):
    """Sound by Fabric's rules, but not done by fastledger."""


class ChaincodeError(FastledgerError):
    """A chaincode gave no answer: it cannot be built or started, failed, died or took too long."""


class SimulationError(FastledgerError):
    """A transaction asked for what a simulation cannot do; the text is Fabric's if it has one."""


class LedgerIo(FastledgerError):
    """The disk failed or is full, or the ledger's folder cannot be written."""


class LedgerStopped(FastledgerError):
    """An earlier failure stopped the ledger, or a node's channels; the text or the log has it."""


class LedgerLocked(FastledgerError):
    """Another process, or another handle of this one, has the ledger open."""


class LedgerCorrupted(FastledgerError):
    """The ledger's own files contradict themselves; the text names the file and the offset."""


class Defect(Exception):
    """The core panicked: a defect of fastledger, which is no refusal of anything.

    It is not a :class:`FastledgerError`, so that nobody takes it for an answer. The core has told
    the log of it, and counted it.

    Attributes:
        text: What the panic said.
        place: Source file and line of the core.
    """

    def __init__(self, text: str, place: str) -> None:
        """Name the panic."""
        super().__init__(text, place)
        self.text = text
        self.place = place

    def __str__(self) -> str:
        """Ask for a report."""
        return f"a defect of fastledger, please report it: {self.text}, at {self.place}"


def told(error: OSError) -> str:
    """An error of the operating system for others to read: its reason, and no path of this node.

    Example:
        >>> told(FileNotFoundError(2, "No such file or directory", "/var/node/secret"))
        'no such file or directory'
    """
    return (error.strerror or "input/output error").lower()


def said_to_others(error: BaseException) -> str:
    """What a client may learn of a failure that nobody foresaw: no class, and no path of this node.

    Example:
        >>> said_to_others(KeyError("secret"))
        'internal error, see the log of this node'
    """
    if isinstance(error, FastledgerError):
        return str(error)
    return told(error) if isinstance(error, OSError) else "internal error, see the log of this node"
