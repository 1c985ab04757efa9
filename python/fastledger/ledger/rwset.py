# SPDX-License-Identifier: Apache-2.0
"""Builds a transaction's read-write set in Fabric's bytes (``rwsetutil/rwset_builder.go``).

Several peers endorse one transaction, and their endorsements count only when the bytes are equal:
namespaces, collections and keys are sorted by their UTF-8, range queries keep their order, and an
entry that is written twice keeps its last value.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256

from fastledger.protos.ledger.rwset import rwset_pb2 as rwset
from fastledger.protos.ledger.rwset.kvrwset import kv_rwset_pb2 as kvrwset

Version = tuple[int, int]
"""Block and transaction that wrote a key last."""


class _Collection:
    """The hashed part of one collection, and the private part behind it."""

    __slots__ = ("metadata", "reads", "writes")

    def __init__(self) -> None:
        self.reads: dict[str, Version | None] = {}
        self.writes: dict[str, tuple[bytes, bool]] = {}
        self.metadata: dict[str, Mapping[str, bytes]] = {}

    @property
    def is_private(self) -> bool:
        """Whether there is a private read-write set: reads alone have none."""
        return bool(self.writes or self.metadata)

    def private(self) -> bytes:
        result = kvrwset.KVRWSet(
            writes=[_write(key, self.writes[key][0]) for key in sorted(self.writes)],
            metadata_writes=[kvrwset.KVMetadataWrite(key=key) for key in sorted(self.metadata)],
        )
        return result.SerializeToString(deterministic=True)

    def hashed(self) -> bytes:
        result = kvrwset.HashedRWSet()
        for key in sorted(self.reads):
            _version(result.hashed_reads.add(key_hash=key_hash(key)), self.reads[key])
        for key in sorted(self.writes):
            value, is_purge = self.writes[key]
            result.hashed_writes.add(
                key_hash=key_hash(key),
                is_delete=not value,
                value_hash=sha256(value).digest() if value else b"",
                is_purge=is_purge,
            )
        for key in sorted(self.metadata):
            result.metadata_writes.add(key_hash=key_hash(key), entries=_entries(self.metadata[key]))
        return result.SerializeToString(deterministic=True)


class _Namespace:
    __slots__ = ("collections", "metadata", "ranges", "reads", "writes")

    def __init__(self) -> None:
        self.reads: dict[str, Version | None] = {}
        self.writes: dict[str, bytes] = {}
        self.metadata: dict[str, Mapping[str, bytes]] = {}
        self.ranges: dict[tuple[str, str, bool], kvrwset.RangeQueryInfo] = {}
        self.collections: dict[str, _Collection] = {}

    def public(self) -> bytes:
        result = kvrwset.KVRWSet(
            range_queries_info=self.ranges.values(),
            writes=[_write(key, self.writes[key]) for key in sorted(self.writes)],
            metadata_writes=[
                kvrwset.KVMetadataWrite(key=key, entries=_entries(self.metadata[key]))
                for key in sorted(self.metadata)
            ],
        )
        for key in sorted(self.reads):
            _version(result.reads.add(key=key), self.reads[key])
        return result.SerializeToString(deterministic=True)


class ReadWriteSet:
    """What one transaction read and wrote so far."""

    __slots__ = ("_namespaces",)

    def __init__(self) -> None:
        """Begin with nothing."""
        self._namespaces: dict[str, _Namespace] = {}

    def read(self, ns: str, key: str, version: Version | None) -> None:
        """Add a read; no version means that the key did not exist."""
        self._namespace(ns).reads[key] = version

    def write(self, ns: str, key: str, value: bytes) -> None:
        """Add a write; an empty value deletes."""
        self._namespace(ns).writes[key] = value

    def write_metadata(self, ns: str, key: str, entries: Mapping[str, bytes]) -> None:
        """Replace a key's metadata; no entries delete it."""
        self._namespace(ns).metadata[key] = entries

    def add_range(self, ns: str, info: kvrwset.RangeQueryInfo) -> None:
        """Add a range query; of equal ranges the first counts."""
        key = (info.start_key, info.end_key, info.itr_exhausted)
        self._namespace(ns).ranges.setdefault(key, info)

    def read_hash(self, ns: str, coll: str, key: str, version: Version | None) -> None:
        """Add a read of a private key."""
        self._collection(ns, coll).reads[key] = version

    def write_private(
        self, ns: str, coll: str, key: str, value: bytes, *, is_purge: bool = False
    ) -> None:
        """Add a write of a private key; an empty value deletes."""
        self._collection(ns, coll).writes[key] = (value, is_purge)

    def write_private_metadata(
        self, ns: str, coll: str, key: str, entries: Mapping[str, bytes]
    ) -> None:
        """Replace a private key's metadata."""
        self._collection(ns, coll).metadata[key] = entries

    def build(self) -> tuple[bytes, bytes | None]:
        """Encode: ``rwset.TxReadWriteSet``, and ``rwset.TxPvtReadWriteSet`` if anything private."""
        public = rwset.TxReadWriteSet(data_model=rwset.TxReadWriteSet.KV)
        private = rwset.TxPvtReadWriteSet(data_model=rwset.TxReadWriteSet.KV)
        for name in sorted(self._namespaces):
            namespace = self._namespaces[name]
            encoded = public.ns_rwset.add(namespace=name, rwset=namespace.public())
            kept: list[rwset.CollectionPvtReadWriteSet] = []
            for collection_name in sorted(namespace.collections):
                collection = namespace.collections[collection_name]
                hashed = encoded.collection_hashed_rwset.add(
                    collection_name=collection_name, hashed_rwset=collection.hashed()
                )
                if collection.is_private:
                    values = collection.private()
                    hashed.pvt_rwset_hash = sha256(values).digest()
                    kept.append(
                        rwset.CollectionPvtReadWriteSet(
                            collection_name=collection_name, rwset=values
                        )
                    )
            if kept:
                private.ns_pvt_rwset.add(namespace=name, collection_pvt_rwset=kept)
        encoded_private = private.SerializeToString(deterministic=True)
        return public.SerializeToString(deterministic=True), encoded_private or None

    def namespaces(self) -> Iterable[str]:
        """Names of what was touched, in order."""
        return sorted(self._namespaces)

    def _namespace(self, ns: str) -> _Namespace:
        found = self._namespaces.get(ns)
        if found is None:
            found = self._namespaces[ns] = _Namespace()
        return found

    def _collection(self, ns: str, coll: str) -> _Collection:
        return self._namespace(ns).collections.setdefault(coll, _Collection())


def key_hash(key: str) -> bytes:
    """Hash a private key as the public state keeps it."""
    return sha256(key.encode()).digest()


def metadata_entries(encoded: bytes) -> dict[str, bytes]:
    """Read the metadata of a state's value."""
    found = kvrwset.KVMetadataWrite.FromString(encoded)
    return {entry.name: entry.value for entry in found.entries}


def _write(key: str, value: bytes) -> kvrwset.KVWrite:
    return kvrwset.KVWrite(key=key, is_delete=not value, value=value)


def _version(read: kvrwset.KVRead | kvrwset.KVReadHash, version: Version | None) -> None:
    if version is not None:
        read.version.block_num, read.version.tx_num = version
        read.version.SetInParent()


def _entries(entries: Mapping[str, bytes]) -> list[kvrwset.KVMetadataEntry]:
    return [kvrwset.KVMetadataEntry(name=name, value=entries[name]) for name in sorted(entries)]
