# SPDX-License-Identifier: Apache-2.0
"""JSON as we read it, and as Go's encoding/json reads it into structs with Fabric's tags."""

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from fabric_tools import CACHE, examples
from fastledger.chaincode.launcher import connection
from fastledger.chaincode.metadata import PackageMetadata
from fastledger.cli.peer import arguments, collections
from fastledger.common import gojson
from fastledger.common.errors import InputError
from json_inputs import documents, encodings

# As long as the number of inputs that is asked for takes.
pytestmark = pytest.mark.timeout(0)

HERE = Path(__file__).parent
KINDS: dict[str, tuple[Any, list[bytes]]] = {
    "any": (Any, [b"a", b"b", b"\\ud800"]),
    "transient": (dict[str, bytes], [b"a", b"b", b"\\ud800", b"\xff"]),
    "input": (arguments._Input, [b"Args", b"args", b"Function", b"FUNCTION", b"arg\xc5\xbf", b"x"]),
    "metadata": (
        PackageMetadata,
        [b"label", b"Label", b"type", b"TYPE", b"path", b"pat\xe2\x84\xaa"],
    ),
    "server": (
        connection._ServerUserData,
        [
            *(b"address", b"Address", b"domain", b"dial_timeout", b"tls_required", b"TLS_required"),
            *(b"tl\xc5\xbf_required", b"client_auth_required", b"root_cert", b"client_key", b"x"),
        ],
    ),
    "connection": (
        connection._Template,
        [b"address", b"ADDRESS", b"dial_timeout", b"tls_required", b"TLS_required", b"root_cert"],
    ),
    "collections": (
        list[collections._Collection],
        [
            *(b"name", b"Name", b"policy", b"requiredPeerCount", b"maxpeercount", b"blockToLive"),
            *(b"bloc\xe2\x84\xaaToLive", b"memberOnlyRead", b"memberOnlyWrite", b"x"),
            *(b"endorsementPolicy", b"endorsementpolicy", b"signaturePolicy"),
            b"channelConfigPolicy",
        ],
    ),
}


class Go:
    """The other reader; asked line by line."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen(
            [program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def read(self, kind: str, data: bytes, *, first: bool = False) -> tuple[str, Any]:
        asked = {"Kind": kind, "First": first, "Data": base64.b64encode(data).decode()}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return answer["error"], answer["value"]

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


@pytest.fixture(scope="module")
def go() -> Iterator[Go]:
    if shutil.which("go") is None:
        pytest.skip("needs Go")
    program = CACHE / "gojson"
    command = ["go", "build", "-o", str(program), "."]
    subprocess.run(command, cwd=HERE / "gojson", check=True, capture_output=True)
    reader = Go(program)
    yield reader
    reader.close()


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
@examples()
def test_values_and_errors(go: Go, kind: str, data: st.DataObject) -> None:
    declared, keys = KINDS[kind]
    document = data.draw(documents(keys, listed=kind == "collections"))
    first = data.draw(st.booleans())
    problem, value = go.read(kind, document, first=first)
    try:
        read = (gojson.decode if first else gojson.unmarshal)(document, declared)
    except gojson.JsonInvalid as error:
        assert _without_packages(str(error)) == _without_packages(problem) or (
            # Of bytes that are no UTF-8, and of durations, the words differ; and of two errors Go
            # tells that of a type which reads itself, wherever it stands, and ours the first one.
            problem
            and any(word in problem for word in ("invalid character", "duration", "dial_timeout"))
        )
    else:
        event("taken")
        assert problem == ""
        assert (_bare(_shown(read)) or None) == (_bare(value) or None)


@given(text=encodings())
@examples()
def test_base64(go: Go, text: bytes) -> None:
    problem, value = go.read("base64", text)
    try:
        decoded = gojson.decode_base64(text.decode("utf-8", "replace"))
    except InputError as error:
        assert str(error) == problem
    else:
        event("taken")
        assert (problem, base64.b64encode(decoded).decode()) == ("", value or "")


@pytest.mark.parametrize("depth", [9_999, 10_000, 10_001])
@pytest.mark.parametrize("pair", ["[]", "{}"])
def test_nesting(go: Go, depth: int, pair: str) -> None:
    begin, end = ("[", "]") if pair == "[]" else ('{"x":', "}")
    inner = begin * (depth - 2) + pair + end * (depth - 2)
    document = f'{{"x":{inner}}}'.encode()
    problem, _ = go.read("metadata", document)
    try:
        gojson.unmarshal(document, PackageMetadata)
    except gojson.JsonInvalid as error:
        assert str(error) == problem
    else:
        assert problem == ""


def _without_packages(text: str) -> str:
    return re.sub(r"\b(?:chaincode|persistence|externalbuilder|main)\.", "", text)


def _shown(value: Any) -> Any:
    """What Go's encoder would make of a value."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, list):
        return [_shown(item) for item in value]
    if isinstance(value, dict):
        return {key: _shown(item) for key, item in value.items()}
    if is_dataclass(value):
        hints = get_type_hints(type(value), include_extras=True)
        shown = {_key(hints[one.name], one.name): getattr(value, one.name) for one in fields(value)}
        if isinstance(value, connection._ServerUserData):
            # Go has whole nanoseconds.
            shown["dial_timeout"] = int(round(shown["dial_timeout"] * 1e9, 3))
        return {key: _shown(item) for key, item in shown.items()}
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _key(hint: Any, name: str) -> str:
    extras = getattr(hint, "__metadata__", ())
    return next((extra.name for extra in extras if isinstance(extra, gojson.Key)), name)


def _bare(value: Any) -> Any:
    """Without what Go leaves out or writes as null."""
    if isinstance(value, dict):
        bare = {key: _bare(item) for key, item in value.items()}
        return {key: item for key, item in bare.items() if item not in (None, [], {}, "")}
    if isinstance(value, list):
        return [_bare(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return value or None if value in ([], {}, "") else value
