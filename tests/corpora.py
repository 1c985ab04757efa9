# SPDX-License-Identifier: Apache-2.0
"""Ledgers that real Fabric networks made, and what the real peers decided.

The kept ones are in tests/vectors, in every clone. Two are too large for that: the folder that
FASTLEDGER_CORPUS names (../shared/corpus if it is not set) can hold them, and others. The crate
fastledger-vectors looks for them in the same places. Nothing here asks fastledger what is right.
"""

import hashlib
import json
import os
import re
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import zstandard

from fastledger.ledger.framing import block_file
from fastledger.protoutil import block as blocks

ROOT = Path(__file__).parents[1]
VECTORS = ROOT / "tests" / "vectors"
MORE = Path(os.environ.get("FASTLEDGER_CORPUS", ROOT.parent / "shared" / "corpus"))

KEPT = (
    "fabric-3.1/small",
    "fabric-3.1/bypass",
    "fabric-3.1/malformed",
    "fabric-1.4/pvt14",
    "fabric-1.4/v14",
    "fabric-1.4/v11",
    "fabric-1.4/tls",
    "fabric-1.3/upgraded13",
)
FURTHER = ("fabric-3.1/perf-2of2", "fabric-3.1/perf-contended")

# Folders that hold a channel's blocks, by who gave them, for both layouts.
FEEDS = {
    "peer": ("blocks_peer/*.block", "mychannel/peer_*.block"),
    "orderer": ("blocks_orderer/*.block", "mychannel/orderer_*.block"),
}
# A 1.4 peer keeps the configuration under another key and in other bytes than a 2.x one.
CONFIGURATION = ""

Key = tuple[str, str, bytes]


@dataclass(frozen=True)
class Verdict:
    """What a real peer made of a block."""

    number: int
    codes: bytes
    header_hash: bytes
    data_hash: bytes
    commit_hash: bytes | None


def archives() -> dict[str, Path]:
    """Find the archives of ledgers, by corpus name: not `crypto`, which has keys, nor
    `fabric-testdata`, which has several ledgers of two blocks."""
    found = {path.name.removesuffix(".tar.zst"): path for path in MORE.rglob("*.tar.zst")}
    found |= {_short(name): VECTORS / f"{name}.tar.zst" for name in KEPT}
    for other in ("crypto", "fabric-testdata"):
        found.pop(other, None)
    return dict(sorted(found.items()))


def missing() -> list[str]:
    """Name the further ledgers that are not at hand."""
    there = archives()
    return [name for name in map(_short, FURTHER) if name not in there]


def _short(name: str) -> str:
    return name.rpartition("/")[2]


class Corpus:
    """One unpacked corpus."""

    def __init__(self, archive: Path, folder: Path) -> None:
        self.name = archive.name.removesuffix(".tar.zst")
        self.archive = archive
        with (
            zstandard.open(archive, "rb") as stream,
            tarfile.open(fileobj=stream, mode="r|") as tar,
        ):
            tar.extractall(folder, filter="data")
        self.folder = folder / self.name
        for owner in FEEDS:
            for blockfile in self.folder.glob(f"{owner}/*/blockfile_000000"):
                self._write_blocks(blockfile, self.folder / f"blocks_{owner}")

    def _write_blocks(self, blockfile: Path, folder: Path) -> None:
        """Write the blocks of a block file one by one, as other corpora have them."""
        folder.mkdir()
        with blockfile.open("rb") as file:
            for number, framed in enumerate(block_file(file, str(blockfile))):
                (folder / f"{number:06}.block").write_bytes(framed.block)

    @property
    def allow_malformed(self) -> bool:
        """Whether the peer that made it had the check of entries switched off."""
        return self.name == "malformed"

    def feeds(self) -> list[str]:
        """Say whose blocks there are."""
        return [feed for feed in FEEDS if self._files(feed)]

    def blocks(self, feed: str = "") -> list[bytes]:
        """Read the blocks of a feed, by default the first there is."""
        return [path.read_bytes() for path in self._files(feed or self.feeds()[0])]

    def _files(self, feed: str) -> list[Path]:
        return [path for glob in FEEDS[feed] for path in sorted(self.folder.glob(glob))]

    @cached_property
    def verdicts(self) -> list[Verdict]:
        """What the real peer decided, block by block."""
        path = self.folder / "expected.json"
        if path.exists():
            return [_recorded(one) for one in json.loads(path.read_text("utf-8"))["blocks"]]
        return [_stored(encoded) for encoded in self.blocks("peer")]

    @cached_property
    def transactions(self) -> list[dict[str, Any]]:
        """Every transaction as expected.json has it, with its block's number."""
        path = self.folder / "expected.json"
        recorded = json.loads(path.read_text("utf-8"))["blocks"]
        return [tx | {"block": one["number"]} for one in recorded for tx in one["txs"]]

    @cached_property
    def state(self) -> dict[Key, dict[str, Any]]:
        """The real peer's final state: value_sha256, version, metadata_hex by key."""
        path = self.folder / "expected_state.jsonl"
        if path.exists():
            lines = map(json.loads, path.read_text("utf-8").splitlines())
            return {_key(line): _comparable(line) for line in lines}
        return dict(_leveldb((self.folder / "ledger" / "stateLeveldb.txt").read_text("utf-8")))

    @property
    def is_fabric_1(self) -> bool:
        """Whether a 1.x peer made the state."""
        return any(part.startswith("fabric-1.") for part in self.archive.parts)

    @property
    def has_commit_hashes(self) -> bool:
        """Whether the real peer computed them: not where its ledger was begun before 1.4.1."""
        return any(verdict.commit_hash for verdict in self.verdicts)

    @property
    def has_state(self) -> bool:
        """Whether the real peer's final state was recorded."""
        recorded = ("expected_state.jsonl", "ledger/stateLeveldb.txt")
        return any((self.folder / name).exists() for name in recorded)

    @cached_property
    def snapshot_hashes(self) -> dict[str, str] | None:
        """SHA-256 of each file of the real peer's snapshot, None where there is none."""
        path = self.folder / "snapshot" / "_snapshot_signable_metadata.json"
        if not path.exists():
            return None
        hashes: dict[str, str] = json.loads(path.read_text("utf-8"))["snapshot_files_raw_hashes"]
        return hashes


OpenCorpus = Callable[[str], Corpus]
"""Unpacks a corpus by name."""


def _recorded(one: dict[str, Any]) -> Verdict:
    return Verdict(
        number=one["number"],
        codes=bytes(tx["code"] for tx in one["txs"]),
        header_hash=bytes.fromhex(one["header_hash"]),
        data_hash=bytes.fromhex(one["data_hash"]),
        commit_hash=bytes.fromhex(one["commit_hash"]) or None,
    )


def _stored(encoded: bytes) -> Verdict:
    block = blocks.parse(encoded)
    data_hash = hashlib.sha256(b"".join(block.envelopes)).digest()
    return Verdict(block.number, block.codes, block.header_hash, data_hash, block.commit_hash)


def _key(line: dict[str, Any]) -> Key:
    key = line["key"].encode() if "key" in line else bytes.fromhex(line["key_hex"])
    return line["namespace"], line.get("collection", ""), key


def _comparable(line: dict[str, Any]) -> dict[str, Any]:
    return {name: line.get(name) for name in ("value_sha256", "version", "metadata_hex")}


def _leveldb(dump: str) -> Iterator[tuple[Key, dict[str, Any]]]:
    """Read a dump of a 1.4 peer's state database."""
    for quoted, value_hex in re.findall(r'^"(.*)"\n    = <\d+> ([0-9a-f]*)', dump, re.MULTILINE):
        parts = quoted.encode().decode("unicode_escape").split("\0")
        _channel, namespace, key = parts[0], parts[1], "\0".join(parts[2:])
        if key:  # the savepoint has none
            yield (namespace, "", key.encode()), _leveldb_value(bytes.fromhex(value_hex))


def _leveldb_value(encoded: bytes) -> dict[str, Any]:
    """Take a value apart: a zero byte, then a message of version, value and metadata."""
    fields = dict(_bytes_fields(encoded[1:]))
    version = fields[1]
    block_bytes = version[0]
    block = int.from_bytes(version[1 : 1 + block_bytes], "big")
    tx = int.from_bytes(version[2 + block_bytes :], "big")
    metadata = fields.get(3, b"")
    return {
        "value_sha256": hashlib.sha256(fields.get(2, b"")).hexdigest(),
        "version": f"{block}:{tx}",
        "metadata_hex": metadata.hex() or None,
    }


def _bytes_fields(encoded: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position < len(encoded):
        number = encoded[position] >> 3
        length = shift = 0
        while True:
            position += 1
            length |= (encoded[position] & 0x7F) << shift
            shift += 7
            if encoded[position] < 0x80:
                break
        position += 1
        yield number, encoded[position : position + length]
        position += length
