# SPDX-License-Identifier: Apache-2.0
"""What a transaction says of a range that it read (``rwsetutil/query_results_helper.go``).

Up to ``MAX_DEGREE`` results stand in the read-write set one by one. More are summed up by a tree of
hashes: a node is the hash of ``MAX_DEGREE + 1`` children, results at the lowest level and hashes
above, and the summary is the lowest level that has at most ``MAX_DEGREE`` nodes. The last node of
a level may have fewer children; with a single hash below it, it is that hash.
"""

from hashlib import sha256

from fastledger.protos.ledger.rwset.kvrwset import kv_rwset_pb2 as kvrwset

MAX_DEGREE = 50
"""Fabric's ``maxDegreeQueryReadsHashing``; it is written into every summary."""

Version = tuple[int, int]


class RangeResults:
    """The results of one range query, in the order of their reading."""

    __slots__ = ("_levels", "_pending")

    def __init__(self) -> None:
        """Begin with none."""
        self._pending = kvrwset.QueryReads()
        self._levels: list[list[bytes]] = []

    def add(self, key: str, version: Version) -> None:
        """Count one result in."""
        read = self._pending.kv_reads.add(key=key)
        read.version.block_num, read.version.tx_num = version
        read.version.SetInParent()
        if len(self._pending.kv_reads) > MAX_DEGREE:
            self._hash_pending()

    def fill(self, info: kvrwset.RangeQueryInfo) -> None:
        """Set what the range query info says of the results: nothing for none."""
        if not self._levels:
            if self._pending.kv_reads:
                info.raw_reads.CopyFrom(self._pending)
            return
        if self._pending.kv_reads:
            self._hash_pending()
        level, hashes = self._finish()
        info.reads_merkle_hashes.max_degree = MAX_DEGREE
        info.reads_merkle_hashes.max_level = level
        info.reads_merkle_hashes.max_level_hashes.extend(hashes)

    def _hash_pending(self) -> None:
        node = sha256(self._pending.SerializeToString(deterministic=True)).digest()
        self._pending.Clear()
        level = 0
        while True:
            if level == len(self._levels):
                self._levels.append([])
            nodes = self._levels[level]
            nodes.append(node)
            if len(nodes) <= MAX_DEGREE:
                return
            node = sha256(b"".join(nodes)).digest()
            nodes.clear()
            level += 1

    def _finish(self) -> tuple[int, list[bytes]]:
        carried: list[bytes] = []
        nodes: list[bytes] = []
        for unparented in self._levels:
            nodes = unparented + carried
            carried = nodes if len(nodes) < 2 else [sha256(b"".join(nodes)).digest()]
        if len(nodes) > MAX_DEGREE:
            return len(self._levels) + 1, carried
        return len(self._levels), nodes
