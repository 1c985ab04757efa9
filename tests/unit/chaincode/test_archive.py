# SPDX-License-Identifier: Apache-2.0
"""Archives of strangers: read as Go reads them, with a bound on every step."""

import base64
import gzip
import hashlib
import io
import json
import re
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from fastledger.chaincode.archive import Archive, reader
from fastledger.common.errors import InputError

VECTORS = Path(__file__).parents[2] / "vectors" / "tools" / "archives.json"
ENOUGH = 1 << 30


def read(data: bytes, max_bytes: int = ENOUGH) -> tuple[list[dict[str, object]], str]:
    """The entries of an archive, and the error that ended it."""
    entries: list[dict[str, object]] = []
    try:
        for entry in Archive(data, max_bytes):
            content = hashlib.sha256()
            for chunk in entry.chunks():
                content.update(chunk)
            name = entry.name.encode("utf-8", "surrogateescape")
            entries.append(
                {
                    "name": base64.b64encode(name).decode(),
                    "type": ord(entry.type),
                    "mode": entry.mode,
                    "size": entry.size,
                    "sha256": content.hexdigest(),
                }
            )
    except InputError as error:
        return entries, re.sub(r"offset \d+", "offset", str(error))
    return entries, ""


def test_archives_are_read_as_go_reads_them() -> None:
    vectors = json.loads(VECTORS.read_text("utf-8"))
    assert len(vectors) > 200
    for vector in vectors:
        entries, error = read(base64.b64decode(vector["archive"]))
        assert error == vector["error"], vector
        # Where the bytes end with a content, Go says so with the content, we do after it.
        count = min(len(entries), len(vector["entries"])) if error else None
        assert entries[:count] == vector["entries"][:count], vector


def special(kind: bytes, size: int) -> bytes:
    """A tar that begins with a special header of so many bytes."""
    entry = tarfile.TarInfo("special")
    entry.type, entry.size = kind, size
    return entry.tobuf(tarfile.USTAR_FORMAT) + bytes(size + -size % 512)


@pytest.mark.parametrize("kind", [b"L", b"K", b"x", b"g"])
def test_a_special_header_costs_a_mebibyte_at_most(kind: bytes) -> None:
    bomb = gzip.compress(special(kind, 32 << 20), 1)
    tracemalloc.start()
    try:
        assert read(bomb) == ([], "archive/tar: header field too long")
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_what_is_skipped_is_counted_and_not_kept() -> None:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for number in range(3):
            entry = tarfile.TarInfo(str(number))
            entry.size = 10 << 20
            tar.addfile(entry, io.BytesIO(bytes(entry.size)))
    bomb = gzip.compress(plain.getvalue(), 1)
    del plain
    tracemalloc.start()
    try:
        assert [entry.name for entry in Archive(bomb, 64 << 20)] == ["0", "1", "2"]
        with pytest.raises(InputError, match="unpacks to more than 20971520 bytes"):
            list(Archive(bomb, 20 << 20))
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()


def test_entries_paths_and_headers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    def archive(names: list[str]) -> bytes:
        plain = io.BytesIO()
        with tarfile.open(fileobj=plain, mode="w:gz", format=tarfile.GNU_FORMAT) as tar:
            for name in names:
                tar.addfile(tarfile.TarInfo(name))
        return plain.getvalue()

    assert read(archive(["n" * 4097]))[1] == "a path has more than 4096 bytes"
    assert read(archive(["d/" * 2047 + "n"]))[1] == ""
    monkeypatch.setattr(reader, "MAX_ENTRIES", 2)
    assert read(archive(["a", "b"]))[1] == ""
    assert read(archive(["a", "b", "c"]))[1] == "it has more than 2 entries"
    monkeypatch.setattr(reader, "MAX_SPECIAL_TOTAL", 1000)
    assert "special headers have more" in read(archive(["n" * 600, "m" * 600]))[1]


def test_sparse_files_are_refused() -> None:
    old = tarfile.TarInfo("holes")
    old.type = tarfile.GNUTYPE_SPARSE
    plain = old.tobuf(tarfile.GNU_FORMAT) + bytes(1024)
    assert "is a sparse file" in read(gzip.compress(plain))[1]
    new = tarfile.TarInfo("holes")
    new.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
    plain = new.tobuf(tarfile.PAX_FORMAT) + bytes(1024)
    assert "is a sparse file" in read(gzip.compress(plain))[1]
