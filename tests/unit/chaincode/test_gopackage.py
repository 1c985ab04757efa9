# SPDX-License-Identifier: Apache-2.0
"""Archives against what Go, and Fabric's own packager, made of the same."""

import gzip
import hashlib
import io
import json
import random
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from corpora import ROOT, VECTORS, Corpus, OpenCorpus
from fastledger.chaincode import gopackage
from fastledger.cli.peer.packaging import source_code
from fastledger.protos.peer.chaincode_pb2 import ChaincodeDeploymentSpec

MADE_BY_GO = json.loads((VECTORS / "tools" / "go_packages.json").read_text("utf-8"))


def license_text() -> bytes:
    return (ROOT / "LICENSE").read_bytes()


def mixture() -> bytes:
    """Text, noise and zeros, in pieces that recur near and far."""
    chance, text = random.Random(2), license_text()
    pieces = [bytes(400), *(chance.randbytes(300) for _ in range(8)), text[:3000], text[5000:5100]]
    return b"".join(chance.choice(pieces)[: chance.randrange(3000)] for _ in range(400))


INPUTS: dict[str, Callable[[], bytes]] = {
    "nothing": lambda: b"",
    "one byte": lambda: b"a",
    "repetition": lambda: b"hello " * 20,
    "noise": lambda: random.Random(1).randbytes(70_000),
    "zeros": lambda: bytes(200_000),
    "four letters": lambda: bytes(random.Random(1).choices(b"abcd", k=150_000)),
    "license": lambda: license_text() * 20,
    "mixture": mixture,
    "a window apart": lambda: random.Random(3).randbytes(32_768) * 20,
}


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("portion", [1_000, 32_768])
def test_gzip_is_gos(name: str, portion: int) -> None:
    data = INPUTS[name]()
    made = gopackage.gzip([data[at : at + portion] for at in range(0, len(data), portion)])
    assert gzip.decompress(made) == data
    assert hashlib.sha256(made).hexdigest() == MADE_BY_GO["gzip"][f"{name}/{portion}"]


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    """Lay out a Go module that is a package of GOPATH, too."""
    folder = tmp_path / "src" / "example.org" / "cc"
    files = {
        "main.go": 'package main\n\nimport "example.org/cc/inner"\n\nfunc main() { inner.Run() }\n',
        "main_test.go": "package main\n",
        "inner/inner.go": "package inner\n\nfunc Run() {}\n",
        "META-INF/statedb/couchdb/indexes/i.json": '{"index":{"fields":["a"]},"name":"i",'
        '"type":"json"}\n',
        "README.md": "hi\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder


@pytest.mark.parametrize(
    ("language", "derived"),
    [("golang", ".git/HEAD"), ("node", "node_modules/x.js"), ("java", "build/X.java")],
)
def test_a_folder_is_packaged_as_fabric_does(sources: Path, language: str, derived: str) -> None:
    (sources / "go.mod").write_text("module example.org/cc\n\ngo 1.20\n", "utf-8")
    (sources / derived).parent.mkdir()
    (sources / derived).write_text("x", "utf-8")
    _, code = source_code(language, str(sources))
    kind = "golang" if language == "golang" else "other"
    assert hashlib.sha256(code).hexdigest() == MADE_BY_GO["module"][kind]


def test_a_package_of_gopath_is_packaged_as_fabric_does(
    sources: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOPATH", str(tmp_path))
    path, code = source_code("golang", "example.org/cc")
    assert path == "example.org/cc"
    assert hashlib.sha256(code).hexdigest() == MADE_BY_GO["gopath"]


@pytest.fixture(scope="module")
def recorded(open_corpus: OpenCorpus) -> bytes:
    """The code that a 1.4.12 command line packaged."""
    corpus: Corpus = open_corpus("v14")
    lines = (corpus.folder / "transcript.jsonl").read_text("utf-8").splitlines()
    answer = next(json.loads(line)["stdout"] for line in lines if "getdepspec" in line)
    return ChaincodeDeploymentSpec.FromString(bytes.fromhex(answer.strip())).code_package


def test_what_a_real_command_line_compressed_is_compressed_alike(recorded: bytes) -> None:
    assert gopackage.gzip([gzip.decompress(recorded)]) == recorded


def test_names_of_every_length_can_be_read_back() -> None:
    names = ["a" * 100, "a/" * 60 + "b", "d" * 155 + "/" + "f" * 100, "x" * 300, "ü.py"]
    archive = gopackage.tar_gz({name: name.encode() for name in names})
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        assert tar.getnames() == names
