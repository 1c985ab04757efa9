# SPDX-License-Identifier: Apache-2.0
"""Configuration files that somebody might have written, well or not.

They are made with a random number generator, so that hypothesis can make and shorten them
(``st.randoms()``), and a longer run can make thousands.
"""

import itertools
from collections.abc import Callable, Sequence
from random import Random

Maker = Callable[[int], str]
"""Makes what stands after ``key:``, for an indentation."""

TEXTS = ["a", "x.test", "org1", "Köln", "Domkloster 4", '"50667"', "'q'", "a b"]
"""Texts that mean themselves."""

ODD = [
    *("01234", "1.10", "010", "1e3", "1_000", "0o17", "0x1F", "0b11", "08", "+5", "-1", ".5", "1."),
    *("true", "yes", "on", "off", "No", "y", "n", "~", "null", "", "''", '"yes"', "'true'", "Yes"),
    *("2020-01-01", "2001-1-1 1:2:3", "2001-02-29", "12:30", "1e400", ".inf", "-.INF", ".nan"),
    *("!!str 5", "!!int '7'", "!!bool yes", "!!float 1", "!!binary aGk=", "!foo bar", "! 12"),
    *("9223372036854775807", "9223372036854775808", "18446744073709551616", "4294967296", "-0"),
    *("[x]", "[x, ~, 'b', 1.0]", "[~]", "[]", "{}", "{a: b}", "[[a]]", "<<", "*a", "&b 3", "# c"),
    *(
        "|\n          x\n          y",
        ">\n          x",
        "'it''s'",
        '"\\u00e9\\x41"',
        '"a\\/b"',
        "a # c",
    ),
    *(
        "@x",
        "`x`",
        "- 1",
        "a: b",
        "https://x.y:80/z",
        "a\tb",
        "1 2",
        "é",
        "0.0",
        "3.0",
        "1e2",
        "-1.5",
    ),
]
"""Scalars, and what is none, whose meaning depends on who reads."""


class Writer:
    """Writes YAML."""

    def __init__(self, random: Random, odd: float) -> None:
        """Take where choices come from, and how often values are odd."""
        self.random = random
        self.odd = odd

    def scalar(self, *plain: str) -> Maker:
        return lambda _indent: (
            " "
            + (
                self.random.choice(ODD)
                if self.random.random() < self.odd
                else self.random.choice(plain)
            )
        )

    def text(self) -> Maker:
        return self.scalar(*TEXTS)

    def mapping(self, fields: dict[str, Maker], share: float = 0.5) -> Maker:
        """Write some of the fields."""

        def make(indent: int) -> str:
            if self.random.random() < self.odd / 4:
                return " " + self.random.choice(ODD)
            chosen = [key for key in fields if self.random.random() < share]
            self.random.shuffle(chosen)
            if not chosen:
                return self.random.choice([" {}", " ~", ""])
            pad = "\n" + " " * indent
            return "".join(f"{pad}{self._key(key)}:{fields[key](indent + 2)}" for key in chosen)

        return make

    def _key(self, key: str) -> str:
        chance = self.random.random()
        if chance < self.odd / 10:
            return self.random.choice([key.lower(), f"X{key}", "1", "~", "true", key.upper()])
        return f'"{key}"' if chance < self.odd / 8 else key

    def keyed(self, keys: Sequence[str], value: Maker, most: int = 3) -> Maker:
        """Write a mapping whose keys are free."""

        def make(indent: int) -> str:
            chosen = self.random.sample(keys, self.random.randint(1, min(most, len(keys))))
            return self.mapping(dict.fromkeys(chosen, value), 1)(indent)

        return make

    def listed(self, entry: Maker, most: int = 2) -> Maker:
        def make(indent: int) -> str:
            if self.random.random() < self.odd / 4:
                return " " + self.random.choice(ODD)
            pad = "\n" + " " * indent
            count = self.random.randint(1, most)
            return "".join(f"{pad}-{entry(indent + 2)}" for _ in range(count))

        return make

    def flow(self, *plain: str) -> Maker:
        """Write a list in brackets."""

        def make(_indent: int) -> str:
            if self.random.random() < self.odd / 2:
                return " " + self.random.choice(ODD)
            entries = [self.random.choice(plain) for _ in range(self.random.randint(0, 3))]
            return f" [{', '.join(entries)}]"

        return make

    def document(self, body: Maker) -> bytes:
        """Write a file, sometimes with what may stand around a document."""
        before = after = ""
        encoding = "utf-8"
        if self.random.random() < self.odd:
            before = self.random.choice(
                [
                    "\ufeff",
                    "---\n",
                    "%YAML 1.1\n---\n",
                    "%YAML 1.2\n---\n",
                    "# hi\n",
                    "\n\n",
                    "--- # x\n",
                ]
            )
            after = self.random.choice(
                ["\n---\nfoo: [\n", "\n...\n", "\n--- x\n", "\n...\nfoo", "\n\t\n", "\n# end"]
            )
        text = before + body(0).lstrip("\n") + "\n" + after
        return text.encode(encoding)


TEMPLATES = [
    "{{.Prefix}}{{.Index}}",
    'p{{printf "%02d" .Index}}',
    "{{ .Prefix }}-{{ .Index }}",
    "{{if eq .Index 0}}first{{else}}p{{.Index}}{{end}}",
    "n{{len .Domain}}{{.Index}}",
    "{{- .Prefix | html -}}{{ .Index | print }}",
    "{{$x := .Index}}{{range 2}}{{$x}}{{end}}",
    '{{index .Domain 0 | printf "%c"}}{{.Index}}',
    "{{with .Prefix}}{{.}}{{end}}{{.Index}}",
    "{{slice .Prefix 0 2}}{{.Index}}",
    "{{/* c */}}a{{.Index}}",
    '{{define "n"}}{{.}}{{end}}{{template "n" .Index}}',
    "{{.Nope}}",
    "{{nope}}",
    "{{",
    "host",
    "{{if lt .Index 1}}a{{else if ge .Index 1}}b{{.Index}}{{end}}",
    '{{urlquery "a b"}}{{.Index}}',
    "{{println .Index}}",
]


def quoted(text: str) -> str:
    """Write a text in single quotes."""
    return "'" + text.replace("'", "''") + "'"


def crypto_config(random: Random, odd: float = 0.12) -> bytes:
    """Make a ``crypto-config.yaml``."""
    w = Writer(random, odd)
    names = {
        "Country": w.scalar("US", "DE"),
        "Province": w.text(),
        "Locality": w.text(),
        "OrganizationalUnit": w.text(),
        "StreetAddress": w.text(),
        "PostalCode": w.text(),
    }
    algorithm = {"PublicKeyAlgorithm": w.scalar("ecdsa", "ecdsa", "ed25519", "rsa")}
    sans = w.flow(
        "10.0.0.1", "'::1'", "'{{.Hostname}}.alt.{{.Domain}}'", "x.test", "1.10", "010", "~"
    )
    templated = [quoted(one) for one in TEMPLATES]
    common_name = w.scalar(
        "foo.test", "'{{.Hostname}}-{{.Domain}}'", "a/b", "/abs", "'x y'", "Köln"
    )
    spec = {
        "Hostname": w.scalar("foo", "bar", "010", "a.b"),
        **names,
        "SANS": sans,
        **algorithm,
    }
    if random.random() < 0.4:
        spec["CommonName"] = common_name
    count = w.scalar("1", "1", "2", "0")
    # Of two organisations in one folder the second one finds what the first one left.
    numbers = itertools.count(1)

    def domain(indent: int) -> str:
        number = next(numbers)
        return w.scalar(f"a{number}.test", f"{number}.10", f"a/{number}", f"0{number}0")(indent)

    organization = w.mapping(
        {
            "Name": w.text(),
            "Domain": domain,
            "EnableNodeOUs": w.scalar("true", "false", "yes", "On", "off"),
            "CA": w.mapping({"Hostname": w.scalar("ca", "root"), **names, **algorithm}, 0.3),
            "Template": w.mapping(
                {
                    "Count": count,
                    "Start": w.scalar("0", "5", "-1", "0x1F"),
                    "Hostname": w.scalar(*templated),
                    "SANS": sans,
                },
                0.6,
            ),
            "Specs": w.listed(w.mapping(spec, 0.4)),
            "Users": w.mapping({"Count": count, **algorithm}, 0.6),
        },
        0.7,
    )
    body = w.mapping(
        {"PeerOrgs": w.listed(organization), "OrdererOrgs": w.listed(organization, 1)}, 0.8
    )
    return w.document(body)


def msp_config(random: Random, odd: float = 0.25) -> bytes:
    """Make the ``config.yaml`` of an MSP's folder."""
    w = Writer(random, odd)
    certificate = w.scalar(
        "cacerts/ca.pem",
        "cacerts/ca.pem",
        "nope.pem",
        "/cacerts/ca.pem",
        "./cacerts/../cacerts/ca.pem",
    )
    unit = w.mapping(
        {
            "Certificate": certificate,
            "OrganizationalUnitIdentifier": w.scalar("peer", "010", "yes"),
        },
        0.85,
    )
    node_ous = {f"{kind}OUIdentifier": unit for kind in ("Client", "Peer", "Admin", "Orderer")}
    enable = w.scalar("true", "yes", "on", "false", "off", "'yes'", "'true'", "1")
    fields = {"NodeOUs": w.mapping({"Enable": enable, **node_ous}, 0.8)}
    if random.random() < 0.3:
        fields["OrganizationalUnitIdentifiers"] = w.listed(unit)
    return w.document(w.mapping(fields, 0.9))


POLICIES = [
    "\"OR('AMSP.member')\"",
    "\"OR('AMSP.admin', 'AMSP.peer')\"",
    "\"AND('AMSP.admin', OutOf(1, 'AMSP.client')) // both\"",
    "\"OutOf('1', 'AMSP.member') && true\"",
    "\"outof(1.0, 'AMSP.member', 'B-1.x.peer')\"",
    "'OR(\"AMSP.member\")'",
    "\"OR(('AMSP.member'))\"",
    "\"Or('AMSP.Member')\"",
    "\"OutOf(3, 'AMSP.member')\"",
]
META = ['"ANY Readers"', '"MAJORITY Admins"', '"ALL Writers"', "ANY Readers", "any Readers", "ANY"]


def configtx(random: Random, odd: float = 0.06) -> bytes:
    """Make a ``configtx.yaml``, whose certificates are in ``crypto`` beside it."""
    w = Writer(random, odd)
    signature = w.mapping({"Type": w.scalar("Signature"), "Rule": w.scalar(*POLICIES[:7])}, 1)
    meta = w.mapping({"Type": w.scalar("ImplicitMeta"), "Rule": w.scalar(*META[:4])}, 1)

    def policies(kind: Maker, *more: str) -> Maker:
        names = ["Readers", "Writers", "Admins", *more]
        return w.mapping(dict.fromkeys(names, kind), 0.999)

    size = w.scalar("10", "99 MB", "512 KB", "1_000", "4294967296", "10k", "'0x10'", "1e2", "2.9")
    number = w.scalar("10", "500", "010", "'5'", "4294967295", "-1", "10.5", "1e2", '""', "true")
    duration = w.scalar("2s", "1m30s", "1us", "0.1234567s", "'500ms'", "1000000", "0", "12.5h")
    port = w.scalar("7051", "'7051'", "07051", "0x1b8b")
    tls = "crypto/ordererOrganizations/ord.test/orderers/o1.ord.test/tls/server.crt"
    consenter = w.mapping(
        {
            "Host": w.scalar("o1.ord.test", "10", "1.10"),
            "Port": port,
            "ClientTLSCert": w.scalar(tls),
            "ServerTLSCert": w.scalar(tls),
        },
        0.999,
    )
    options = w.mapping(
        {
            "TickInterval": w.scalar("500ms", "1s", "250ms"),
            "ElectionTick": w.scalar("10", "'12'", "9"),
            "HeartbeatTick": w.scalar("1", "2"),
            "MaxInflightBlocks": number,
            "SnapshotIntervalSize": size,
        }
    )

    def organization(kind: str, domain: str, mspid: str, *more: str) -> Maker:
        folder = f"crypto/{kind}Organizations/{domain}/msp"
        fields = {
            "Name": w.scalar(mspid),
            "ID": w.scalar(mspid),
            "MSPDir": w.scalar(folder),
            "Policies": policies(signature, *more),
        }
        extra = w.mapping({"Host": w.scalar("peer0", "1.10"), "Port": port}, 0.95)
        if random.random() < 0.6:
            fields["AnchorPeers" if kind == "peer" else "OrdererEndpoints"] = (
                w.listed(extra) if kind == "peer" else w.flow("'o1:7050'", "o2.ord.test:7050")
            )
        return w.mapping(fields, 0.999)

    capabilities = w.keyed(["V2_0", "V2_5", "V9"], w.scalar("true", "true", "false", "1", "'true'"))
    orderer = w.mapping(
        {
            "OrdererType": w.scalar("etcdraft", "etcdraft", "solo"),
            "Addresses": w.flow("'o1:7050'", "o2:7050"),
            "BatchTimeout": duration,
            "BatchSize": w.mapping(
                {"MaxMessageCount": number, "AbsoluteMaxBytes": size, "PreferredMaxBytes": size}
            ),
            "EtcdRaft": w.mapping({"Consenters": w.listed(consenter), "Options": options}, 0.95),
            "MaxChannels": number,
            "Organizations": w.listed(organization("orderer", "ord.test", "OrdMSP"), 1),
            "Capabilities": capabilities,
            "Policies": policies(meta, "BlockValidation"),
        },
        0.999,
    )
    application = w.mapping(
        {
            "Organizations": w.listed(organization("peer", "a.test", "AMSP", "Endorsement"), 1),
            "ACLs": w.keyed(
                ["peer/Propose", "event/Block"], w.scalar("/Channel/Application/Writers", "1")
            ),
            "Capabilities": capabilities,
            "Policies": policies(meta, "Endorsement", "LifecycleEndorsement"),
        },
        0.999,
    )
    profile = w.mapping(
        {
            "Policies": policies(meta),
            "Capabilities": capabilities,
            "Orderer": orderer,
            "Application": application,
        },
        0.999,
    )
    defaults = f"Capabilities:\n  Channel:{capabilities(4)}\n" if random.random() < 0.3 else ""
    return w.document(lambda _indent: f"{defaults}Profiles:\n  P:{profile(4)}")
