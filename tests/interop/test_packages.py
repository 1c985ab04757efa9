# SPDX-License-Identifier: Apache-2.0
"""Packages of Go code that has no module, to the byte as Fabric's own command line makes them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fabric_tools import fabric_tool, sample_config
from real_nodes import Commands

SOURCES = {
    "cc/main.go": 'package main\n\nimport _ "example.org/cc/below"\nimport "example.org/elsewhere"'
    "\n\nfunc main() { elsewhere.Run() }\n",
    "cc/main_test.go": "package main\n",
    "cc/README.md": "beside\n",
    "cc/below/below.go": "package below\n",
    "cc/unused/unused.go": "package unused\n",
    "cc/META-INF/statedb/couchdb/indexes/i.json": '{"index":{"fields":["a"]},"name":"i",'
    '"type":"json"}\n',
    "elsewhere/elsewhere.go": 'package elsewhere\n\nimport _ "embed"\nimport "example.org/third"\n'
    "\n//go:embed data/*.txt\nvar text string\n\nfunc Run() { third.Run() }\n",
    "elsewhere/elsewhere_test.go": "package elsewhere\n",
    "elsewhere/other_windows.go": "package elsewhere\n",
    "elsewhere/data/told.txt": "embedded\n",
    "elsewhere/data/not.md": "not embedded\n",
    "third/third.go": "package third\n\nfunc Run() {}\n",
    "third/third.h": "// Nothing.\n",
    "third/notes.txt": "no source\n",
}


@pytest.mark.parametrize("version", ["v2.5.15", "v3.1.5"])
def test_code_below_gopath(version: str, tmp_path: Path) -> None:
    if shutil.which("go") is None:
        pytest.skip("needs go")
    for name, text in SOURCES.items():
        file = tmp_path / "src" / "example.org" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
    fabric_tool("peer", version)
    msp = {"CORE_PEER_MSPCONFIGPATH": str(sample_config(version) / "msp")}
    env = {"GOPATH": str(tmp_path), "GO111MODULE": "off", **msp}
    what = ("--label", "cc_1", "--lang", "golang", "--path", "example.org/cc")
    package = ("lifecycle", "chaincode", "package")
    Commands(tmp_path, version, env)("peer", *package, "theirs.tar.gz", *what)
    subprocess.run(
        [sys.executable, "-m", "fastledger", "peer", *package, "ours.tar.gz", *what],
        cwd=tmp_path,
        env=os.environ | env,
        check=True,
    )
    assert (tmp_path / "ours.tar.gz").read_bytes() == (tmp_path / "theirs.tar.gz").read_bytes()
