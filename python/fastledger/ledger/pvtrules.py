# SPDX-License-Identifier: Apache-2.0
"""What of private writes is believed, and kept."""

from collections.abc import Iterator
from hashlib import sha256
from typing import Protocol

from google.protobuf.message import DecodeError

from fastledger.protos.ledger.rwset import rwset_pb2 as rwset


class Rules(Protocol):
    """What of a channel's private data a peer keeps, and how long; collections by their names."""

    @property
    def keeps_invalid(self) -> bool:
        """Whether write sets of invalid transactions are kept, too."""

    def is_member(self, ns: str, coll: str) -> bool:
        """Whether the peer is of an organisation that has the collection's values."""

    def block_to_live(self, ns: str, coll: str) -> int:
        """How many blocks values live; 0 for ever."""


class KeepAll:
    """Everything of valid transactions, for ever."""

    keeps_invalid = False

    def is_member(self, _ns: str, _coll: str) -> bool:
        """It is."""
        return True

    def block_to_live(self, _ns: str, _coll: str) -> int:
        """They do not end."""
        return 0


def agreed(public: bytes, private: bytes) -> Iterator[tuple[str, str, bytes]]:
    """Yield the collections of which the private writes have the hash that the channel agreed on.

    Args:
        public: Encoded ``rwset.TxReadWriteSet`` of the committed transaction.
        private: Encoded ``rwset.TxPvtReadWriteSet``.
    """
    try:
        claimed = rwset.TxReadWriteSet.FromString(public)
    except DecodeError:
        # Of an invalid transaction that has the id of one that was endorsed.
        return
    hashes = {
        (ns.namespace, coll.collection_name): coll.pvt_rwset_hash
        for ns in claimed.ns_rwset
        for coll in ns.collection_hashed_rwset
    }
    for ns in rwset.TxPvtReadWriteSet.FromString(bytes(private)).ns_pvt_rwset:
        for coll in ns.collection_pvt_rwset:
            if hashes.get((ns.namespace, coll.collection_name)) == sha256(coll.rwset).digest():
                yield ns.namespace, coll.collection_name, coll.rwset
