# SPDX-License-Identifier: Apache-2.0
"""Packages of both formats, services, external builders, names in Docker."""

import asyncio
import io
import json
import tarfile
from pathlib import Path

import pytest

from fastledger.chaincode import package
from fastledger.chaincode.config import ChaincodeConfig
from fastledger.chaincode.launcher.builder import Builder, ExternalBuilders, PeerConnection
from fastledger.chaincode.launcher.connection import fill_connection, parse_connection
from fastledger.chaincode.launcher.dev import DevLauncher
from fastledger.chaincode.launcher.docker import DockerConfig, container_name, image_name
from fastledger.chaincode.launcher.docker_engine import Engine
from fastledger.chaincode.launcher.external import ExternalLauncher
from fastledger.chaincode.launcher.router import Router
from fastledger.chaincode.metadata import parse_metadata
from fastledger.chaincode.platforms import platform_of
from fastledger.common.errors import ChaincodeError, InputError, Unsupported
from fastledger.protos.peer.chaincode_pb2 import ChaincodeDeploymentSpec, ChaincodeSpec


def _tar(name: str, content: bytes = b"x") -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w:gz") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    return plain.getvalue()


def test_a_lifecycle_package_comes_back(tmp_path: Path) -> None:
    files = {"src/a.py": b"1", "META-INF/statedb/couchdb/indexes/i.json": b"{}"}
    raw = package.build("basic_1.0", "python", files, "where")
    assert raw == package.build("basic_1.0", "python", files, "where")
    read = package.parse(raw)
    assert (read.type, read.label, read.path) == ("python", "basic_1.0", "where")
    assert json.loads(read.metadata) == {"path": "where", "type": "python", "label": "basic_1.0"}
    assert read.database_artifacts() == {"META-INF/statedb/couchdb/indexes/i.json": b"{}"}
    read.unpack(tmp_path)
    assert (tmp_path / "src" / "a.py").read_bytes() == b"1"
    name, _, digest = package.package_id("basic_1.0", raw).partition(":")
    assert (name, len(digest)) == ("basic_1.0", 64)


def test_a_deployment_spec_of_1_x() -> None:
    spec = ChaincodeDeploymentSpec(code_package=_tar("src/x/main.go"))
    spec.chaincode_spec.type = ChaincodeSpec.GOLANG
    spec.chaincode_spec.chaincode_id.name = "mycc"
    spec.chaincode_spec.chaincode_id.path = "x"
    read = package.parse(spec.SerializeToString())
    assert (read.type, read.label, read.path) == ("golang", "mycc", "x")
    assert [name for name, _ in read.files()] == ["src/x/main.go"]
    assert type(platform_of(read)).__name__ == "Golang"


@pytest.mark.parametrize("name", ["../out", "/etc/passwd", "src/../../out"])
def test_code_may_not_lead_out(tmp_path: Path, name: str) -> None:
    read = package.ChaincodePackage("python", "", "l", _tar(name), b"{}")
    with pytest.raises(InputError, match="absolute or escaping path"):
        read.unpack(tmp_path / "in")
    assert not (tmp_path / "out").exists()


def test_a_bomb_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "MAX_CODE_BYTES", 10_000)
    read = package.ChaincodePackage("python", "", "l", _tar("src/a", b"0" * 20_000), b"{}")
    with pytest.raises(InputError, match="unpacks to more than"):
        read.unpack(tmp_path)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\x1f\x8bgarbage", "error reading as gzip stream: unexpected EOF"),
        (b"\xff\xff", "neither"),
        (_tar("metadata.json", b"{}"), "did not find a code package inside the package"),
    ],
)
def test_what_is_no_package(data: bytes, says: str) -> None:
    with pytest.raises(InputError, match=says):
        package.parse(data)


def test_types_that_no_process_runs() -> None:
    with pytest.raises(Unsupported, match="ccaas"):
        platform_of(package.ChaincodePackage("cobol", "", "l", _tar("src/a"), b"{}"))
    found = platform_of(package.ChaincodePackage("undefined", "", "l", _tar("src/a.py"), b"{}"))
    assert type(found).__name__ == "Python"


@pytest.mark.parametrize("number", ["18446744073709551615", "9223372036854775808", "-1e300"])
def test_a_dial_timeout_that_go_cannot_hold_is_its_least_one(number: str) -> None:
    info = parse_connection(b'{"address":"h:1","dial_timeout":%s}' % number.encode(), "c")
    assert info.dial_timeout_s == -(2**63) * 1e-9


def test_connections() -> None:
    info = parse_connection(b'{"address":"h:1","dial_timeout":"1m30.5s"}', "c")
    assert (info.address, info.dial_timeout_s, info.root_cert) == ("h:1", 90.5, None)
    tls = {"address": "h:1", "tls_required": True, "root_cert": "R", "client_auth_required": True}
    with pytest.raises(ChaincodeError, match="chaincode tls key not provided"):
        parse_connection(json.dumps(tls).encode(), "c")
    info = parse_connection(
        json.dumps({**tls, "client_key": "K", "client_cert": "C"}).encode(), "c"
    )
    assert (info.root_cert, info.client_key, info.client_cert) == (b"R", b"K", b"C")
    for bad, says in (
        (b"{", "malformed"),
        (b"{}", "address not provided"),
        (b"[]", "cannot unmarshal array"),
    ):
        with pytest.raises(ChaincodeError, match=says):
            parse_connection(bad, "c")
    with pytest.raises(ChaincodeError, match="not a duration"):
        parse_connection(b'{"address":"h:1","dial_timeout":"soon"}', "c")


@pytest.mark.parametrize(
    ("content", "tls"),
    [
        ('{"address":"h:1","TLS_required":true,"root_cert":"x"}', True),
        ('{"Address":"h:1"}', False),
        ('{"address":"h:1","tls_required":false,"root_cert":"x"}', False),
        ('{"address":"h:1","tls_required":null}', False),
        ('{"address":"h:1","tls_required":false,"TLS_REQUIRED":true,"Root_Cert":"x"}', True),
        ('{"address":"h:1","tl\u017f_required":true,"root_cert":"x"}', True),
        ('{"address":"h:1","dial_timeout":2000000000,"unknown":[{}]}', False),
    ],
)
def test_tls_is_not_dropped(content: str, tls: bool) -> None:
    for info in (
        parse_connection(content.encode(), "c"),
        *([] if "dial_timeout" in content else [fill_connection(content.encode(), "c", "")]),
    ):
        assert (info.address, info.root_cert is not None) == ("h:1", tls)


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ('{"address":"h:1","tls_required":"true"}', "string into Go struct field"),
        ('{"address":"h:1","tls_required":1}', "number into Go struct field"),
        ('{"address":5}', "number into Go struct field"),
        ('{"address":null}', "chaincode address not provided"),
        ('{"address":"h:1","TLS_required":true}', "chaincode tls root cert not provided"),
        ('{"address":"h:1"} trailing', "after top-level value"),
        ('\ufeff{"address":"h:1"}', "invalid character"),
        ("", "unexpected end of JSON input"),
        ("[" * 100_000, "exceeded max depth"),
    ],
)
def test_connections_that_go_refuses(content: str, error: str) -> None:
    with pytest.raises(ChaincodeError, match=error):
        parse_connection(content.encode(), "c")
    with pytest.raises(ChaincodeError, match=error):
        fill_connection(content.encode(), "c", "")


def test_placeholders_are_filled_in_texts() -> None:
    content = b'{"address":"{{.name}}:{{ .in.port }}","dial_timeout":"{{.wait}}","domain":"{{.d}}"}'
    values = '{"name":"\\u00e9\\"","in":{"port":7051},"wait":"2s","d":true}'
    info = fill_connection(content, "c", values)
    assert (info.address, info.dial_timeout_s, info.domain) == ('\u00e9":7051', 2.0, "true")
    content = b'{"address":"{{printf \\"%s:1\\" .name}}{{if .none}}x{{end}}"}'
    assert fill_connection(content, "c", '{"name":"h","none":""}').address == "h:1"
    with pytest.raises(ChaincodeError, match="address in 'c': template"):
        fill_connection(b'{"address":"{{if}}"}', "c", "{}")
    content = b'{"address":"{{.name}}","dial_timeout":"{{.wait}}"}'
    for config, error in (
        ("", "address in 'c' asks for {{.name}}, which CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG does"),
        ("[]", "CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG is not usable: json: cannot unmarshal array"),
        ('{"name":[1]}', "which is no text, number or truth value"),
    ):
        with pytest.raises(ChaincodeError) as raised:
            fill_connection(content, "c", config)
        assert error in str(raised.value)


@pytest.mark.parametrize(
    ("metadata", "label"),
    [
        (b'{"Type":"ccaas","Label":"l"}', "l"),
        (b'{"label":"a","LABEL":"b"}', "b"),
        (b'{"type":null,"path":null,"label":"l","other":{}}', "l"),
    ],
)
def test_metadata_in_any_letter_case(metadata: bytes, label: str) -> None:
    assert parse_metadata(metadata).label == label


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        (b'{"label":5}', "cannot unmarshal number into Go struct field"),
        (b'{"label":["l"]}', "cannot unmarshal array into Go struct field"),
        (b'\xef\xbb\xbf{"label":"l"}', "invalid character"),
        (b'{"label":"l"} trailing', "after top-level value"),
        (b'{"label":"l","path":NaN}', "invalid character 'N'"),
        (b'{"label":"l","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "exceeded max depth"),
    ],
)
def test_metadata_that_go_refuses(metadata: bytes, error: str) -> None:
    with pytest.raises(InputError, match=f"could not unmarshal metadata.json as json: .*{error}"):
        parse_metadata(metadata)


async def _no_serve(stream: object, expected_ccid: str | None = None) -> None:
    del stream, expected_ccid


async def _dial(launcher: ExternalLauncher, read: package.ChaincodePackage) -> None:
    start = await launcher.build("s:1", read)
    await start(_no_serve)


def test_a_service_that_does_not_answer_is_named() -> None:
    connection = b'{"address":"{{.peername}}:1","dial_timeout":"100ms"}'
    read = package.parse(package.build("s", "ccaas", {"connection.json": connection}))
    env = {"CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG": '{"peername":"127.0.0.1"}'}
    with pytest.raises(ChaincodeError, match=r"dial tcp 127\.0\.0\.1:1: connect: conn"):
        asyncio.run(_dial(ExternalLauncher(env), read))
    with pytest.raises(ChaincodeError, match=r"asks for \{\{\.peername\}\}"):
        asyncio.run(_dial(ExternalLauncher({}), read))
    empty = package.parse(package.build("s", "ccaas", {"a": b""}))
    with pytest.raises(ChaincodeError, match=r"no connection\.json"):
        asyncio.run(_dial(ExternalLauncher({}), empty))


def test_dev_mode_says_how_to_start_it() -> None:
    async def start() -> None:
        await (await DevLauncher("peer:7052").build("mycc:1.0"))(_no_serve)

    with pytest.raises(ChaincodeError, match=r"CORE_CHAINCODE_ID_NAME=mycc:1\.0"):
        asyncio.run(start())


SCRIPTS = {
    "detect": 'grep -q mine "$2/metadata.json"',
    "build": 'test -f "$1/src/code" && echo built > "$3/made" && echo "$SEEN$UNSEEN" > "$3/env"',
    "release": 'cp "$1/made" "$2/released"',
    "run": 'cp "$2/chaincode.json" "$1/told" && exit 5',
}


def test_an_external_builder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEEN", "seen")
    monkeypatch.setenv("UNSEEN", "unseen")
    home = tmp_path / "builder" / "bin"
    home.mkdir(parents=True)
    for name, line in SCRIPTS.items():
        (home / name).write_text(f"#!/bin/sh\nset -e\n{line}\n")
        (home / name).chmod(0o755)
    builders = ExternalBuilders(
        tmp_path / "builds",
        [Builder("mine", home.parent, ["SEEN"])],
        PeerConnection("peer:7052", mspid="Org1MSP"),
    )
    ours = package.parse(package.build("l", "mine", {"src/code": b""}))
    others = package.parse(package.build("l", "other", {"src/code": b""}))
    broken = package.parse(package.build("l", "mine", {"src/none": b""}))

    class Never:
        async def build(self, ccid, package):
            raise ChaincodeError("not for builders")

    async def main() -> None:
        async def find(ccid: str) -> package.ChaincodePackage:
            return {"l:1": ours, "l:2": others, "l:3": broken}[ccid]

        router = Router(find, Never(), ExternalLauncher({}), builders)
        instance = await (await router.build("l:1"))(_no_serve)
        assert "exited with 5" in await instance.wait()
        await instance.stop()
        with pytest.raises(ChaincodeError, match="not for builders"):
            await router.build("l:2")
        with pytest.raises(ChaincodeError, match="external builder 'mine' failed: exit status 1"):
            await router.build("l:3")

    asyncio.run(main())
    folder = tmp_path / "builds" / "l-1"
    assert (folder / "release" / "released").read_text() == "built\n"
    assert (folder / "bld" / "env").read_text() == "seen\n"
    told = json.loads((folder / "bld" / "told").read_text())
    assert told["chaincode_id"] == "l:1"
    assert told["peer_address"] == "peer:7052"
    assert json.loads((folder / "build-info.json").read_text())["builder_name"] == "mine"
    assert [path.name for path in (tmp_path / "builds").iterdir()] == ["l-1"]


def test_names_in_docker() -> None:
    config = DockerConfig({}, network_id="dev", peer_id="peer0.org1")
    # "dev-peer0.org1-basic-1.0" and its SHA-256.
    image = image_name(config, "Basic:1.0")
    assert image.startswith("dev-peer0.org1-basic-1.0-")
    assert len(image.rpartition("-")[2]) == 64
    assert container_name(config, "basic_1.0:abc") == "dev-peer0.org1-basic_1.0-abc"
    with pytest.raises(ChaincodeError, match="naming rules"):
        image_name(DockerConfig({}, network_id="-"), "x:1")
    with pytest.raises(ChaincodeError, match="unix://PATH"):
        Engine("tcp://1.2.3.4:1")
    with pytest.raises(ChaincodeError, match="no Docker engine answers"):
        Engine("unix:///nonexistent/docker.sock").ping()


@pytest.mark.parametrize(
    ("setting", "key"),
    [
        ({"execute_timeout_s": 0.5}, "chaincode.executetimeout"),
        ({"startup_timeout_s": 1}, "chaincode.startuptimeout"),
        ({"max_size_write_batch": 0}, "maxSizeWriteBatch"),
        ({"total_query_limit": 0}, "totalQueryLimit"),
    ],
)
def test_wrong_settings_are_named(setting: dict, key: str) -> None:
    with pytest.raises(ValueError, match=key):
        ChaincodeConfig(**setting)
