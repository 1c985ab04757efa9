# SPDX-License-Identifier: Apache-2.0
"""Our readers of YAML, durations, policies and templates make of any text what Fabric's make."""

import base64
import dataclasses
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fabric_readers import Readers, fabric_readers
from fabric_tools import fabric_tool
from fastledger.cli.discover.saved import Saved
from fastledger.cli.peer.connection_profile import ConnectionProfile
from fastledger.common import config, gotemplate, goyaml, viperutil
from fastledger.common.durations import Duration, format_duration, parse_duration
from fastledger.common.errors import ConfigInvalid, InputError
from fastledger.common.goyaml.fields import fields_of
from fastledger.common.settings import keys
from fastledger.msp.folder import Configuration
from fastledger.node.orderer import config as orderer
from fastledger.node.orderer.config import OrdererConfig
from fastledger.node.peer import config as peer
from fastledger.policies import from_string
from fastledger.tools.configtxgen.profile import TopLevel
from fastledger.tools.cryptogen.spec import ECDSA, ConfigFile
from generated_files import (
    ODD,
    configtx,
    connection_profile,
    crypto_config,
    discover_config,
    msp_config,
)

many = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

FREE = {"profiles", "policies", "capabilities", "acls", "consortiums"}
"""Mappings whose keys are the file's own."""

REMARKS: dict[str, Callable[[config.Config], list[str]]] = {
    "core": peer.remarks,
    "orderer": orderer.remarks,
}

UNKNOWN_HERE = re.compile(r"of a float is not known here|complex numbers|bytes$")


@pytest.fixture(scope="module")
def fabric() -> Iterator[Readers]:
    with fabric_readers() as readers:
        yield readers


def tree(value: Any) -> Any:
    """A structure as Go's JSON has it."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = fields_of(type(value)).items()
        return {key: tree(getattr(value, name)) for key, (name, _) in fields if key != "Kafka"}
    if isinstance(value, list | tuple):
        return [tree(one) for one in value]
    if isinstance(value, dict):
        return {key: tree(one) for key, one in value.items()}
    if isinstance(value, Duration):
        return value.nanoseconds
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def settled(value: Any, free: bool = False) -> Any:
    """Leave out what stands by default, and the case and signs of fields."""
    if isinstance(value, list):
        return [settled(one) for one in value]
    if not isinstance(value, dict):
        return value
    result = {}
    for key, entry in value.items():
        name = key if free else key.lower().replace("_", "").replace("-", "")
        made = settled(entry, name in FREE and not free)
        if free:
            result[name] = made or None if isinstance(made, dict | list) else made
        elif made not in (None, "", 0, [], {}, ECDSA):
            result[name] = made
    return result


def test_durations(fabric: Readers) -> None:
    number = st.from_regex(r"\A[0-9]{0,21}(\.[0-9]{0,25})?\Z")
    unit = st.sampled_from(["ns", "us", "µs", "μs", "ms", "s", "m", "h", "", "d", " s"])
    term = st.builds(lambda one, two: one + two, number, unit)
    sign = st.sampled_from(["", "", "-", "+", " "])

    @many
    @given(sign, st.lists(term, min_size=1, max_size=3).map("".join))
    def check(sign: str, terms: str) -> None:
        taken, made = fabric.read("duration", sign + terms)
        try:
            duration = parse_duration(sign + terms)
        except ValueError:
            assert not taken, made
        else:
            assert (taken, made) == (True, [str(duration.nanoseconds), format_duration(duration)])

    check()


@pytest.mark.parametrize(
    ("reader", "make", "kind"),
    [
        ("crypto", crypto_config, ConfigFile),
        ("msp", msp_config, Configuration),
        ("profile", connection_profile, ConnectionProfile),
        ("discover", discover_config, Saved),
    ],
)
def test_yaml(fabric: Readers, reader: str, make: Any, kind: Any) -> None:
    @many
    @given(st.randoms(use_true_random=False), st.floats(0, 0.3))
    def check(random: Random, odd: float) -> None:
        text = make(random, odd)
        taken, made = fabric.read(reader, text)
        try:
            ours = goyaml.parse(text, kind, "file", null=reader in ("msp", "discover"))
        except InputError as error:
            assert not taken, error
        else:
            assert taken, made
            assert settled(tree(ours)) == settled(made)

    check()


def test_configtx(fabric: Readers, tmp_path: Path) -> None:
    file = tmp_path / "configtx.yaml"

    @many
    @given(st.randoms(use_true_random=False), st.floats(0, 0.2))
    def check(random: Random, odd: float) -> None:
        file.write_bytes(configtx(random, odd))
        taken, made = fabric.read("configtx", file.read_bytes())
        try:
            ours = viperutil.load(file, TopLevel, "CONFIGTX", {})
        except InputError as error:
            assert not taken, error
        else:
            assert taken, made
            assert settled(tree(ours)) == settled(made)

    check()


def test_core(fabric: Readers, tmp_path: Path) -> None:
    """What viper cannot convert it takes for zero, which we refuse; the rest is the same."""
    for odd in ODD:
        text = f"key: {odd}\n"
        (tmp_path / "core.yaml").write_text(text, "utf-8")
        taken, made = fabric.read("core", text)
        try:
            read = config.load("core", tmp_path, {})
        except ConfigInvalid as error:
            assert not taken, (odd, error)
            continue
        assert taken, (odd, made)
        for kind, get in (("string", read.string), ("bool", read.boolean), ("int", read.integer)):
            try:
                value: Any = get("key")  # type: ignore[operator]
            except ConfigInvalid:
                continue
            assert value == made[kind] or odd == "-0", (odd, kind)


STRICTER = ("it must be at least", "it must be at most", "it must be a duration", "it must be none")
"""Ranges of ours that Fabric's types do not have."""

NOT_READ_BY_FABRIC = ("General.BCCSP.", "Consensus.", "Kafka.")
"""Whose kinds this reader leaves out, since Fabric looks at them later; Fabric 3 has no Kafka."""


def test_orderer(fabric: Readers, tmp_path: Path) -> None:
    """A value that Fabric's orderer refuses is refused, and one that it takes is the same."""
    followed = [
        (key, each) for key, each in keys(OrdererConfig) if not key.startswith(NOT_READ_BY_FABRIC)
    ]
    assert len(followed) > 30
    for key, setting in followed:
        for odd in ODD:
            section, _, name = key.rpartition(".")
            opened = "".join(f"{part}: {{" for part in section.split("."))
            text = f"{opened}{name}: {odd}\n{'}' * (section.count('.') + 1)}\n"
            (tmp_path / "orderer.yaml").write_text(text, "utf-8")
            taken, made = fabric.read("orderer", text)
            try:
                read = setting.read(config.load("orderer", tmp_path, {}), key)
            except ConfigInvalid as error:
                assert not taken or any(wanted in str(error) for wanted in STRICTER), (key, odd)
                continue
            assert taken, (key, odd, made)
            for part in key.split("."):
                made = made[part]
            assert not made or _is(read, made, tmp_path), (key, odd, made)


def _is(read: Any, made: Any, folder: Path) -> bool:
    """Tell whether a setting is what Go's JSON says, but for entries of lists that are empty."""
    if isinstance(read, tuple):
        named = [one for one in made if one]
        return len(read) == len(named) and all(map(_is, read, named, [folder] * len(read)))
    if isinstance(read, Path):
        return read == folder / made
    return bool(read == made / 1e9 if isinstance(read, float) else read == made)


@pytest.mark.parametrize("version", ["v2.5.15", "v3.1.5"])
@pytest.mark.parametrize("name", ["core", "orderer"])
def test_fabrics_own_files_ask_for_nothing_in_vain(version: str, name: str) -> None:
    sample = fabric_tool("orderer", version).parent / "sampleconfig"
    assert REMARKS[name](config.load(name, sample, {})) == []


ATOMS = [
    *(".Index", ".Domain", ".Prefix", "$", "$.Domain", "$x", ".", "1", "0", "-3", "0x1F", "1_000"),
    *("1.5", "1e3", "'a'", '"abc"', '"%d"', '"%02d"', "`raw`", '"\\x41\\u00e9"', "true", "nil"),
    *(
        "(len .Domain)",
        "(index .Domain 0)",
        "(print 1 2)",
        ".Nope",
        "08",
        '"é"',
        "9223372036854775808",
    ),
]
VERBS = [
    *(
        "%d",
        "%02d",
        "%s",
        "%v",
        "%q",
        "%x",
        "%5d",
        "%-5d|",
        "%+d",
        "%05s",
        "%.1s",
        "%t",
        "%T",
        "%c",
    ),
    *("%U", "%o", "%O", "%b", "%e", "%g", "%.2f", "%%", "%z", "%*d", "%[2]v", "%#x", "%+q", "% d"),
]
FUNCTIONS = [
    *(
        "and",
        "or",
        "not",
        "len",
        "index",
        "slice",
        "eq",
        "ne",
        "lt",
        "le",
        "gt",
        "ge",
        "html",
        "js",
    ),
    *("urlquery", "print", "println", "call", "nope"),
]


@st.composite
def templates(draw: st.DrawFn, depth: int = 0) -> str:
    atom = st.sampled_from(ATOMS)
    call = st.builds(
        lambda name, given: " ".join((name, *given)),
        st.sampled_from(FUNCTIONS),
        st.lists(atom, max_size=3),
    )
    verbs = st.lists(st.sampled_from(VERBS), min_size=1, max_size=3).map("".join)
    printf = st.builds(
        lambda verbs, given: " ".join((f'printf "{verbs}"', *given)),
        verbs,
        st.lists(atom, max_size=3),
    )
    pipeline = st.lists(atom | call | printf, min_size=1, max_size=2).map(" | ".join)
    parts = []
    for _ in range(draw(st.integers(1, 2))):
        parts.append(draw(st.sampled_from(["", "a", " b ", "\n", "{{/* c */}}"])))
        inner = draw(pipeline)
        kind = draw(st.integers(0, 5 if depth < 2 else 1))
        body = draw(templates(depth + 1)) if kind > 1 else ""
        otherwise = draw(st.sampled_from(["", "{{else}}x"]))
        trim = draw(st.sampled_from(["{{%s}}", "{{ %s }}", "{{- %s -}}"]))
        parts.append(
            (
                trim % inner,
                "{{$x := " + inner + "}}{{$x}}",
                "{{if " + inner + "}}" + body + otherwise + "{{end}}",
                "{{with $x := " + inner + "}}" + body + otherwise + "{{end}}",
                "{{range " + draw(st.sampled_from(["3", "0", inner])) + "}}" + body + "{{end}}",
                '{{define "t"}}[' + body + ']{{end}}{{template "t" .}}',
            )[kind]
        )
    return "".join(parts)


def test_templates(fabric: Readers) -> None:
    fields = {"Prefix": "peer", "Index": 7, "Domain": "a.test"}

    @many
    @given(templates())
    def check(template: str) -> None:
        taken, made = fabric.read("hostname", template)
        try:
            ours = gotemplate.fill(template, "HostnameData", fields)
        except InputError as error:
            assert not taken or UNKNOWN_HERE.search(str(error)) or not _is_text(made), error
        else:
            assert (taken, base64.b64decode(made or "")) == (True, ours.encode())

    check()


def _is_text(made: str) -> bool:
    try:
        return bool(base64.b64decode(made or "").decode() or True)
    except UnicodeDecodeError:
        return False


PRINCIPALS = [
    "'A.member'",
    '"B.peer"',
    "`A.orderer`",
    "'a-b.c.client'",
    "('A.peer')",
    "'A'",
    "1",
    "'é.peer'",
]
NUMBERS = [
    "1",
    "2",
    "'1'",
    "1.9",
    "-1",
    "0x1",
    "1+1",
    "4/2",
    "(1)",
    "01",
    "true",
    "max(1, 2)",
    "true ? 1 : 2",
]
AROUND = [
    *(
        "%s",
        "%s",
        "%s",
        "%s // c",
        "/* c */ %s",
        "%s && true",
        "false || %s",
        "(%s)",
        " %s\n",
        "%s;",
    ),
    *("!%s", "%s + ''", "true ? %s : ''", "let x = %s; x", "[%s][0]", "trim(%s)", "%s | trim()"),
    *("if true { %s } else { '' }", "%s == ''", "%s ?? ''", "%s x", "# %s", "%s and false"),
]


@st.composite
def policies(draw: st.DrawFn, depth: int = 0) -> str:
    gate = draw(st.sampled_from(["AND", "OR", "And", "or", "OutOf", "outof", "OUTOF", "Outof"]))
    count = draw(st.integers(0, 3))
    arguments = [
        draw(policies(depth + 1))
        if depth < 2 and draw(st.integers(0, 3)) == 0
        else draw(st.sampled_from(PRINCIPALS))
        for _ in range(count)
    ]
    if gate.lower() == "outof":
        arguments.insert(0, draw(st.sampled_from(NUMBERS)))
    separator = draw(st.sampled_from([",", ", ", " , ", ",\n"]))
    text = f"{gate}({separator.join(arguments)})"
    return text if depth else draw(st.sampled_from(AROUND)).replace("%s", text)


def test_policies(fabric: Readers) -> None:
    @many
    @given(policies())
    def check(policy: str) -> None:
        taken, made = fabric.read("policy", policy)
        try:
            ours = from_string(policy).SerializeToString(deterministic=True)
        except InputError as error:
            assert not taken, error
        else:
            assert (taken, base64.b64decode(made or "")) == (True, ours)

    check()
