# SPDX-License-Identifier: Apache-2.0
"""Archives that are odd or broken, read as Go's standard library reads them."""

import base64
import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from fastledger.chaincode.archive import Archive
from fastledger.common.errors import InputError
from odd_packages import archives

COUNT = 4000
MAX_BYTES = 1 << 30


def ours(data: bytes) -> tuple[list[tuple[bytes, int, int, int, bytes]], str]:
    entries = []
    try:
        for entry in Archive(data, MAX_BYTES):
            content = hashlib.sha256()
            for chunk in entry.chunks():
                content.update(chunk)
            name = entry.name.encode("utf-8", "surrogateescape")
            told = (name, ord(entry.type), entry.mode, entry.size, content.digest())
            entries.append(told)
    except InputError as error:
        return entries, str(error)
    return entries, ""


@pytest.mark.parametrize("seed", range(3))
def test_they_are_read_as_go_reads_them(seed: int, tmp_path: Path) -> None:
    if shutil.which("go") is None:
        pytest.skip("needs go")
    program = tmp_path / "archives"
    source = Path(__file__).parent / "archives"
    subprocess.run(["go", "build", "-o", program, "."], cwd=source, check=True)
    given = list(archives(seed, COUNT))
    lines = b"\n".join(map(base64.b64encode, given)) + b"\n"
    answers = subprocess.run([program], input=lines, capture_output=True, check=True).stdout
    whole = cut = 0
    for data, line in zip(given, answers.splitlines(), strict=True):
        go = json.loads(line)
        theirs = [
            (
                base64.b64decode(e["Name"] or ""),
                e["Type"],
                e["Mode"],
                e["Size"],
                base64.b64decode(e["Content"]),
            )
            for e in go["Entries"] or []
        ]
        entries, error = ours(data)
        if go["Error"] == "unexpected EOF" and not error and len(entries) == len(theirs):
            # The last bits of a stream that is cut short, which held nothing any more.
            cut += 1
            continue
        assert place_free(error) == place_free(go["Error"]), data.hex()
        if error:
            # Where the bytes end with a content, Go says so with the content, we do after it.
            count = min(len(entries), len(theirs))
            entries, theirs = entries[:count], theirs[:count]
        assert list(map(known, entries)) == list(map(known, theirs)), data.hex()
        whole += not error
    assert cut < COUNT / 1000
    assert COUNT / 5 < whole < COUNT * 4 / 5


def known(entry: tuple[bytes, int, int, int, bytes]) -> tuple[object, ...]:
    """What Go says the same each time: a global header's name comes out of an unordered map."""
    return entry[1:] if entry[1] == ord("g") else entry


def place_free(error: str) -> str:
    """Where in the compressed bytes a flaw is, two decompressors see differently."""
    return re.sub(r"offset \d+", "offset", error)
