# SPDX-License-Identifier: Apache-2.0
"""Reading a ledger: state, history, blocks, transactions, and the reasons of verdicts."""

from collections.abc import Iterable, Iterator

from fastledger import _core
from fastledger._core import CoreBytes
from fastledger.common.codes import TxValidationCode
from fastledger.common.errors import NotFound
from fastledger.ledger import explanation
from fastledger.ledger.explanation import Explanation, ReadConflict
from fastledger.ledger.pvteffects import PrivateEffects
from fastledger.ledger.records import (
    CommittedTransaction,
    Height,
    HistoryEntry,
    StateEntry,
    StateValue,
)
from fastledger.protoutil import block as blocks
from fastledger.protoutil import transaction
from fastledger.protoutil.block import Block


class QueryExecutor:
    """The reading half of a :class:`~fastledger.ledger.kvledger.Ledger`.

    Reads see every block whose outcome was told, also while others are being committed.
    """

    def __init__(self, core: _core.Ledger) -> None:
        """Take over an open ledger of the core."""
        self._core = core

    @property
    def height(self) -> int:
        """Number of the next block.

        Example:
            >>> with fastledger.open(ledger_path) as ledger:
            ...     ledger.height
            84
        """
        return self._core.height

    @property
    def channel_id(self) -> str | None:
        """The channel's name, None before the first block."""
        return self._core.channel_id

    @property
    def last_header_hash(self) -> bytes | None:
        """Hash of the newest block's header."""
        return self._core.last_header_hash

    @property
    def last_commit_hash(self) -> bytes | None:
        """Commit hash of the newest block: equal ones mean equal verdicts and writes so far."""
        return self._core.last_commit_hash

    def view(self) -> _core.StateView:
        """The state now, for one simulation: it stays as it is while commits go on.

        Close it soon: the ledger keeps what it shows.

        Example:
            >>> with fastledger.open(ledger_path) as ledger:
            ...     ledger.view().height
            84
        """
        return self._core.view()

    def get(self, namespace: str, key: str) -> StateValue | None:
        """Read a key of a chaincode's public state, None when it does not exist.

        Example:
            >>> with fastledger.open(ledger_path) as ledger:
            ...     ledger.get("basic", "nothing here")
            ...     ledger.get("anyorg", "nv")
            StateValue(value=b'3', version=Height(block=65, tx=1), metadata=b'...')
        """
        return _state(self._core.get(namespace, key))

    def get_hash(self, namespace: str, collection: str, key_hash: bytes) -> StateValue | None:
        """Read what the channel knows of a private key: the hash of its value.

        Args:
            namespace: Chaincode name.
            collection: Collection name.
            key_hash: SHA-256 of the private key.

        Example:
            >>> from hashlib import sha256
            >>> key = sha256(b"namespaces/fields/basic/Sequence").digest()
            >>> with fastledger.open(ledger_path) as ledger:
            ...     ledger.get_hash("_lifecycle", "_implicit_org_Org1MSP", key) is None
            True
        """
        return _state(self._core.get_hash(namespace, collection, key_hash))

    def collections_before(self, chaincode: str, block: int) -> bytes | None:
        """Read how a chaincode's collections were defined before a block, by either lifecycle.

        Returns:
            The encoded ``protos.CollectionConfigPackage``; None where there were none, or where it
            is older than the snapshot that the ledger began from.

        Example:
            >>> with fastledger.open(ledger_path) as ledger:
            ...     ledger.collections_before("basic", 0) is None
            True
        """
        return self._core.collections_before(chaincode, block)

    def private_effects(self, number: int) -> tuple[PrivateEffects, ...]:
        """Read what a committed block's transactions do to private data, in hashes.

        Raises:
            NotFound: The block is not there.

        Example:
            >>> with fastledger.open(ledger_path) as ledger:
            ...     ledger.private_effects(0)
            ()
        """
        return PrivateEffects.of(self._core.private_effects(number))

    def range(self, namespace: str, start: str = "", end: str = "") -> Iterator[StateEntry]:
        """Read a range of a chaincode's public keys in byte order.

        Args:
            namespace: Chaincode name.
            start: First key.
            end: Key after the last one; empty for no end.

        Example:
            >>> with fastledger.open(ledger_path) as ledger:
            ...     [entry.key for entry in ledger.range("anyorg", "n", "o")]
            [b'n2', b'nv', b'nw']
        """
        for found in self._core.range(namespace, start, end):
            yield _entry(found)

    def state(self) -> Iterator[StateEntry]:
        """Read the whole state: public keys, hashes of private keys, and the configuration.

        Example:
            >>> with fastledger.open(ledger_path) as ledger:
            ...     sum(1 for entry in ledger.state())
            370
        """
        for found in self._core.state():
            yield _entry(found)

    def history(self, namespace: str, key: str) -> Iterator[HistoryEntry]:
        """Read the valid writes of a public key, newest first.

        Example:
            >>> with fastledger.open(ledger_path) as ledger:
            ...     [(str(entry.version), entry.value) for entry in ledger.history("anyorg", "nv")]
            [('65:1', b'3'), ...]
        """
        for number, place in self._core.history(namespace, key):
            parts = transaction.parse(self.block(number).envelopes[place])
            written = next(
                (w for w in parts.writes if w.namespace == namespace and w.key == key), None
            )
            yield HistoryEntry(
                tx_id=parts.tx_id,
                version=Height(number, place),
                value=written.value if written else b"",
                # A write of nothing deletes, as in the state.
                is_delete=written is not None and (written.is_delete or not written.value),
                timestamp=parts.timestamp,
            )

    def encoded_block(self, number: int) -> bytes:
        """Read a block without taking it apart.

        Raises:
            NotFound: The ledger has no such block.
        """
        if number < 0:
            raise NotFound(f"there is no block {number}")
        return self._core.block(number)

    def block_in_core(self, number: int) -> CoreBytes:
        """Read an encoded block that Python only hands on.

        Raises:
            NotFound: The ledger has no such block.
        """
        return self._core.block_in_core(number)

    def block(self, number: int) -> Block:
        """Read a block by its number.

        Raises:
            NotFound: The ledger has no such block.

        Example:
            >>> with fastledger.open(ledger_path) as ledger:
            ...     len(ledger.block(0).envelopes)
            1
        """
        return blocks.parse(self.encoded_block(number))

    def block_by_hash(self, header_hash: bytes) -> Block:
        """Read a block by the hash of its header.

        Raises:
            NotFound: The ledger has no such block.

        Example:
            >>> with fastledger.open(ledger_path) as ledger:
            ...     ledger.block_by_hash(ledger.last_header_hash).number
            83
        """
        encoded = self._core.block_by_hash(header_hash)
        if encoded is None:
            raise NotFound(f"the ledger has no block with the header hash {header_hash.hex()}")
        return blocks.parse(encoded)

    def has_transaction(self, tx_id: str) -> bool:
        """Whether a transaction of this id was seen, valid or not.

        Example:
            >>> with fastledger.open(ledger_path) as ledger:
            ...     ledger.has_transaction("never seen")
            False
        """
        try:
            return self._core.find(tx_id) is not None
        except NotFound:
            # Older than the snapshot that the ledger began from.
            return True

    def transaction(self, tx_id: str) -> CommittedTransaction:
        """Read a transaction by its id; the first one, where copies are on the ledger.

        Raises:
            NotFound: The ledger has no such transaction.

        Example:
            >>> with fastledger.open(ledger_path) as ledger:
            ...     str(ledger.transaction(conflict_tx_id).version)
            '30:1'
        """
        found = self._core.find(tx_id)
        if found is None:
            raise NotFound(f"the ledger has no transaction {tx_id}")
        envelope = self.block(found.block).envelopes[found.tx]
        version = Height(found.block, found.tx)
        return CommittedTransaction(tx_id, version, TxValidationCode(found.code), envelope)

    def explain(self, tx_id: str) -> Explanation:
        """Say why a transaction got its verdict.

        Raises:
            NotFound: The ledger has no such transaction.

        Example:
            >>> with fastledger.open(ledger_path) as ledger:
            ...     why = ledger.explain(conflict_tx_id)
            >>> why.code.name, why.reason.key, str(why.reason.expected)
            ('MVCC_READ_CONFLICT', ...)
        """
        found = self.transaction(tx_id)
        return self.explain_at(found.version.block, found.version.tx)

    def explain_at(self, block: int, tx: int) -> Explanation:
        """Say why the transaction at a place in the chain got its verdict.

        A copy of an earlier transaction has the same id; this finds it all the same.

        Raises:
            NotFound: The ledger has no such block or transaction.

        Example:
            >>> with fastledger.open(ledger_path) as ledger:
            ...     ledger.explain_at(0, 0).type
            'CONFIG'
        """
        found = self.block(block)
        if not 0 <= tx < len(found.envelopes):
            raise NotFound(f"block {block} has {len(found.envelopes)} transactions, none at {tx}")
        parts = transaction.parse(found.envelopes[tx])
        reason = explanation.read_reason(self._core.explain(block, tx))
        if isinstance(reason, ReadConflict):
            reason = explanation.with_writer(reason, self._writer(block, reason))
        return Explanation(
            tx_id=parts.tx_id,
            version=Height(block, tx),
            code=TxValidationCode(found.codes[tx]),
            type=parts.type,
            channel_id=parts.channel_id,
            timestamp=parts.timestamp,
            creator=parts.creator,
            chaincode=parts.chaincode,
            endorsers=parts.endorsers,
            policies=self._policies((parts.chaincode, *parts.namespaces)),
            reason=reason,
        )

    def _writer(self, block: int, reason: ReadConflict) -> str:
        if reason.written_in_block_by is not None:
            writer = Height(block, reason.written_in_block_by)
        elif reason.found is not None:
            writer = reason.found
        else:
            return ""
        try:
            return transaction.parse(self.block(writer.block).envelopes[writer.tx]).tx_id
        except NotFound:
            # Older than the snapshot that the ledger began with.
            return ""

    def _policies(self, namespaces: Iterable[str]) -> dict[str, str]:
        found = ((namespace, self._core.policy_of(namespace)) for namespace in namespaces)
        return {namespace: policy for namespace, policy in found if policy is not None}


def _state(found: _core.VersionedValue | None) -> StateValue | None:
    if found is None:
        return None
    return StateValue(found.value, Height(*found.version), found.metadata)


def _entry(found: tuple[str, str, bytes, _core.VersionedValue]) -> StateEntry:
    namespace, collection, key, value = found
    return StateEntry(
        namespace, collection, key, StateValue(value.value, Height(*value.version), value.metadata)
    )
