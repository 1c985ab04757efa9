# SPDX-License-Identifier: Apache-2.0
"""core.yaml and orderer.yaml: overrides, durations, sizes, paths, wrong values."""

from pathlib import Path

import pytest

from fastledger.common import config
from fastledger.common.config import Config
from fastledger.common.durations import format_duration, parse_duration
from fastledger.common.errors import ConfigInvalid

CORE = """
peer:
  address: peer0:7051
  localMspId: Org1MSP
  mspConfigPath: msp
  tls:
    enabled: true
    clientRootCAs:
      files:
        - tls/ca.crt
        - /other/ca.crt
  client:
    connTimeout: 1m30s
  maxRecvMsgSize: many
chaincode:
  executetimeout: soon
  externalBuilders:
    - name: ccaas
      path: /builder
      propagateEnvironment: [A]
"""


def core(tmp_path: Path, **environ: str) -> Config:
    (tmp_path / "core.yaml").write_text(CORE)
    return config.load("core", environ={"FABRIC_CFG_PATH": str(tmp_path), **environ})


def test_values_of_the_file(tmp_path: Path) -> None:
    read = core(tmp_path)
    assert read.string("peer.address") == "peer0:7051"
    assert read.string("PEER.LOCALMSPID") == "Org1MSP"
    assert read.boolean("peer.tls.enabled") is True
    assert read.duration("peer.client.connTimeout") == 90
    assert read.path("peer.mspConfigPath") == tmp_path / "msp"
    assert read.paths("peer.tls.clientRootCAs.files") == [
        tmp_path / "tls/ca.crt",
        Path("/other/ca.crt"),
    ]
    assert read.entries("chaincode.externalBuilders")[0]["path"] == "/builder"
    assert read.string("peer.nothing", "default") == "default"


def test_the_environment_overrides(tmp_path: Path) -> None:
    read = core(
        tmp_path,
        CORE_PEER_ADDRESS="peer1:8051",
        CORE_PEER_TLS_ENABLED="false",
        CORE_PEER_LOCALMSPID="",
        CORE_CHAINCODE_EXECUTETIMEOUT="",
        CORE_PEER_TLS_CLIENTROOTCAS_FILES="[a.crt, b.crt]",
        CORE_CHAINCODE_EXTERNALBUILDERS='[{"name": "mine", "path": "/p"}]',
    )
    assert read.string("peer.address") == "peer1:8051"
    assert read.boolean("peer.tls.enabled") is False
    assert read.string("peer.localMspId") == ""
    assert read.duration("chaincode.executetimeout", 30) == 30
    assert read.strings("peer.tls.clientRootCAs.files") == ["a.crt", "b.crt"]
    assert [entry["name"] for entry in read.entries("chaincode.externalBuilders")] == ["mine"]


def test_wrong_values_are_named(tmp_path: Path) -> None:
    read = core(tmp_path, CORE_PEER_TLS_ENABLED="perhaps")
    with pytest.raises(ConfigInvalid, match=r"CORE_PEER_TLS_ENABLED.*'perhaps'.*true or false"):
        read.boolean("peer.tls.enabled")
    with pytest.raises(ConfigInvalid, match=r"core.yaml: chaincode.executetimeout is 'soon'"):
        read.duration("chaincode.executetimeout")
    with pytest.raises(ConfigInvalid, match=r"peer.maxRecvMsgSize"):
        read.integer("peer.maxRecvMsgSize")


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="FABRIC_CFG_PATH: there is no folder"):
        config.load("core", environ={"FABRIC_CFG_PATH": str(tmp_path / "typo")})


def test_durations_go_forward(tmp_path: Path) -> None:
    read = core(tmp_path, CORE_PEER_KEEPALIVE_INTERVAL="-3s")
    with pytest.raises(ConfigInvalid, match=r"CORE_PEER_KEEPALIVE_INTERVAL: .* is '-3s', it must"):
        read.duration("peer.keepalive.interval")


def test_the_samples_are_defaults(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    orderer = config.load("orderer", environ={"ORDERER_GENERAL_LISTENPORT": "8050"})
    assert orderer.integer("General.ListenPort") == 8050
    assert orderer.size("ChannelParticipation.MaxRequestBodySize") == 1 << 20
    assert orderer.path("General.LocalMSPDir") == tmp_path / "msp"


def test_broken_yaml_is_named(tmp_path: Path) -> None:
    (tmp_path / "core.yaml").write_text("peer: [")
    with pytest.raises(ConfigInvalid, match=r"core.yaml"):
        config.load("core", tmp_path)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("300ms", 0.3), ("1.5h", 5400), ("1m30s", 90), ("-2s", -2), ("0", 0), ("1h2m3s", 3723)],
)
def test_durations(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "3", "s", "3 s", "3x", "."])
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match=r"duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"), [("99 MB", 99 << 20), ("512k", 512 << 10), ("1 g", 1 << 30), ("10", 10)]
)
def test_sizes(text: str, size: int, tmp_path: Path) -> None:
    (tmp_path / "orderer.yaml").write_text(f"a: {text}")
    assert config.load("orderer", tmp_path, {}).size("a") == size


@pytest.mark.parametrize("text", ["10 apples", "4 GB", "many"])
def test_what_is_no_size_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "orderer.yaml").write_text(f"a: {text}")
    with pytest.raises(ConfigInvalid, match=f"a is '{text}', it must be a size"):
        config.load("orderer", tmp_path, {}).size("a")


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("true", "string", "1"),
        ("1e3", "string", "1000"),
        ("'0x10'", "integer", 16),
        ("10.9", "integer", 10),
        ("5", "duration", 5e-9),
        ("'[a, b]'", "strings", ["a", "b"]),
        ("[1, true]", "strings", ["1", "1"]),
        ("'T'", "boolean", True),
    ],
)
def test_values_of_an_orderer_are_converted_as_by_viperutil(
    text: str, key: str, value: object, tmp_path: Path
) -> None:
    (tmp_path / "orderer.yaml").write_text(f"general: {{key: {text}}}")
    assert getattr(config.load("orderer", tmp_path, {}), key)("General.Key") == value


@pytest.mark.parametrize(("text", "key"), [("'5'", "duration"), ("'10.0'", "integer")])
def test_what_viperutil_does_not_take_is_refused(text: str, key: str, tmp_path: Path) -> None:
    (tmp_path / "orderer.yaml").write_text(f"key: {text}")
    with pytest.raises(ConfigInvalid, match="key is '"):
        getattr(config.load("orderer", tmp_path, {}), key)("key")


def test_printed_durations() -> None:
    # As Go's time.Duration.String() prints them.
    assert [format_duration(s) for s in (0, 3, 0.25, 90, 3600, 5400.5)] == [
        "0s",
        "3s",
        "250ms",
        "1m30s",
        "1h0m0s",
        "1h30m0.5s",
    ]


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("-1s", "-1s"),
        ("1us", "1µs"),
        ("2ns", "2ns"),
        ("0.1234567s", "123.4567ms"),
        ("12.3456789s", "12.3456789s"),
        ("1500us", "1.5ms"),
        ("-90m", "-1h30m0s"),
        ("2540400h10m10.000000001s", "2540400h10m10.000000001s"),
        ("9223372036854775807ns", "2562047h47m16.854775807s"),
        ("-9223372036854775808ns", "-2562047h47m16.854775808s"),
        ("0.3333333333333333333h", "20m0s"),
        ("+.5s", "500ms"),
        ("1h0.000000001s", "1h0m0.000000001s"),
    ],
)
def test_durations_are_printed_to_the_nanosecond(text: str, printed: str) -> None:
    assert format_duration(parse_duration(text)) == printed


@pytest.mark.parametrize(
    "text", ["9223372036854775808ns", "+-1s", " 1s", "1s ", "1_0s", "1e3s", "99999999999999999999h"]
)
def test_what_go_does_not_take_for_a_duration(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("010", "integer", 8),
        ("'0x10'", "integer", 16),
        ("'10.0'", "integer", 10),
        ("10.9", "integer", 10),
        ("true", "integer", 1),
        ("5", "duration", 5e-9),
        ("'5'", "duration", 5e-9),
        ("1m", "duration", 60),
        ("2", "boolean", True),
        ("'T'", "boolean", True),
        ("''", "boolean", False),
        ("1e3", "string", "1000"),
        ("1.10", "string", "1.1"),
        ("true", "string", "true"),
        ("2020-1-2", "string", "2020-01-02 00:00:00 +0000 UTC"),
        ("[1, 2.50, true]", "strings", ["1", "2.5", "true"]),
        ("a b", "strings", ["a", "b"]),
    ],
)
def test_values_are_converted_as_by_viper(
    text: str, key: str, value: object, tmp_path: Path
) -> None:
    (tmp_path / "core.yaml").write_text(f"peer: {{key: {text}}}\n---\nignored: [")
    assert getattr(config.load("core", tmp_path, {}), key)("PEER.Key") == value


@pytest.mark.parametrize("text", ["yes", "on", "maybe", "[true]"])
def test_what_viper_takes_for_false_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "core.yaml").write_text(f"peer: {{tls: {{enabled: {text}}}}}")
    with pytest.raises(ConfigInvalid, match="true or false"):
        config.load("core", tmp_path, {}).boolean("peer.tls.enabled")


@pytest.mark.parametrize(("name", "read"), [("core", ""), ("orderer", "of the file")])
def test_an_empty_variable(name: str, read: str, tmp_path: Path) -> None:
    """Fabric 3.1's peer takes it for what it says; its orderer for none."""
    (tmp_path / f"{name}.yaml").write_text("a: {b: of the file, c: true, d: 7}")
    prefix = name.upper()
    environ = {f"{prefix}_A_B": "", f"{prefix}_A_C": "", f"{prefix}_A_D": ""}
    found = config.load(name, tmp_path, environ)
    assert found.string("a.b") == read
    assert found.boolean("a.c") is bool(read)
    assert found.integer("a.d", 3) == (7 if read else 3)


def test_a_text_for_a_list(tmp_path: Path) -> None:
    (tmp_path / "core.yaml").write_text("a: x y")
    (tmp_path / "orderer.yaml").write_text("a: x y")
    assert config.load("core", tmp_path, {}).strings("a") == ["x", "y"]
    assert config.load("orderer", tmp_path, {}).strings("a") == ["x y"]
    assert config.load("orderer", tmp_path, {"ORDERER_A": "[x, y]"}).strings("a") == ["x", "y"]


def test_a_file_without_a_document_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "core.yaml").write_text("# nothing\n")
    assert config.load("core", tmp_path, {}).string("peer.id", "x") == "x"
