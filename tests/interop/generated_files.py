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

    def mapping(
        self, fields: dict[str, Maker], share: float = 0.5, always: Sequence[str] = ()
    ) -> Maker:
        """Write some of the fields."""

        def make(indent: int) -> str:
            if self.random.random() < self.odd / 4:
                return " " + self.random.choice(ODD)
            chosen = [key for key in fields if key in always or self.random.random() < share]
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
    # In the folder of an organization that was there already, cryptogen leaves more behind.
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
        ("Domain",),
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


def connection_profile(random: Random, odd: float = 0.1) -> bytes:
    """Make a connection profile."""
    w = Writer(random, odd)
    pem = w.mapping({"path": w.text(), "pem": w.scalar("|\n            a\n")}, 0.7)
    truth = w.scalar("true", "false", "yes", "off")
    tls = w.mapping({"enabled": truth})
    options = w.keyed(["ssl-target-name-override", "1", "a"], w.text())
    endpoint = {
        "url": w.scalar("grpcs://p0:7051", "p0:7051", "1.10"),
        "grpcOptions": options,
        "tlsCACerts": pem,
    }
    peer = w.mapping({**endpoint, "eventUrl": w.text()}, 0.7)
    roles = dict.fromkeys(["endorsingPeer", "chaincodeQuery", "ledgerQuery", "eventSource"], truth)
    channel = {
        "orderers": w.flow("o1", "010"),
        "peers": w.keyed(["p0", "p1", "1.10"], w.mapping(roles)),
        "chaincodes": w.flow("a:v1", "1.0"),
    }
    organization = {
        "mspid": w.text(),
        "peers": w.flow("p0", "01"),
        "cryptoPath": w.text(),
        "certificateAuthorities": w.flow("ca"),
        "adminPrivateKey": pem,
        "signedCert": pem,
    }
    authority = {
        "url": w.text(),
        "httpOptions": options,
        "tlsCACerts": w.mapping(
            {"path": w.text(), "pem": w.flow("a"), "client": w.mapping({"key": pem, "cert": pem})}
        ),
        "registrar": w.mapping({"enrollId": w.text(), "enrollSecret": w.scalar("0123", "1e3")}),
        "caName": w.text(),
    }
    return w.document(
        w.mapping(
            {
                "name": w.text(),
                "version": w.scalar("1.0", "1.0.0", "'1'"),
                "x-type": w.text(),
                "description": w.text(),
                "channels": w.keyed(["ch", "010"], w.mapping(channel, 0.8)),
                "organizations": w.keyed(["Org1", "~"], w.mapping(organization)),
                "peers": w.keyed(["p0", "p1", "1.10"], peer),
                "client": w.mapping({"organization": w.text(), "tls": tls, "logging": pem}),
                "orderers": w.keyed(["o1", "yes"], w.mapping(endpoint)),
                "certificateAuthorities": w.keyed(["ca"], w.mapping(authority)),
            },
            0.6,
        )
    )


def discover_config(random: Random, odd: float = 0.1) -> bytes:
    """Make a file as ``discover saveConfig`` does."""
    w = Writer(random, odd)
    tls = dict.fromkeys(["certpath", "keypath", "peercacertpath"], w.text())
    tls["timeout"] = w.scalar("0s", "1m30s", "0", "5")
    signer = dict.fromkeys(["mspid", "identitypath", "keypath"], w.text())
    return w.document(
        w.mapping(
            {
                "version": w.scalar("0", "0x1", "1.0"),
                "tlsconfig": w.mapping(tls, 0.8),
                "signerconfig": w.mapping(signer, 0.9),
            },
            0.9,
        )
    )


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


ORDERER = "crypto/ordererOrganizations/ord.test/orderers/o1.ord.test"
TLS = f"{ORDERER}/tls/server.crt"


class Configtx(Writer):
    """Writes the parts of a ``configtx.yaml``."""

    def __init__(self, random: Random, odd: float) -> None:
        """Choose what all parts have in common."""
        super().__init__(random, odd)
        self.size = self.scalar(
            *("10", "99 MB", "512 KB", "1_000", "4294967296", "10k", "'0x10'", "1e2", "2.9")
        )
        self.number = self.scalar(
            *("10", "500", "010", "'5'", "4294967295", "-1", "10.5", "1e2", '""', "true")
        )
        self.port = self.scalar("7051", "'7051'", "07051", "0x1b8b")
        self.is_bft = random.random() < 0.2
        truth = self.scalar("true", "true", "false", "1", "'true'")
        self.capabilities = self.keyed(["V2_0", "V2_5", "V9"], truth)
        self.signature = self.mapping(
            {"Type": self.scalar("Signature"), "Rule": self.scalar(*POLICIES[:7])}, 1
        )
        self.meta = self.mapping(
            {"Type": self.scalar("ImplicitMeta"), "Rule": self.scalar(*META[:4])}, 1
        )

    def policies(self, kind: Maker, *more: str) -> Maker:
        return self.mapping(dict.fromkeys(["Readers", "Writers", "Admins", *more], kind), 0.999)

    def organization(self, kind: str, domain: str, mspid: str, *more: str) -> Maker:
        fields = {
            "Name": self.scalar(mspid),
            "ID": self.scalar(mspid),
            "MSPDir": self.scalar(f"crypto/{kind}Organizations/{domain}/msp"),
            "Policies": self.policies(self.signature, *more),
        }
        if kind == "orderer" and (self.is_bft or self.random.random() < 0.6):
            fields["OrdererEndpoints"] = self.flow("'o1:7050'", "o2.ord.test:7050")
        if kind == "peer" and self.random.random() < 0.6:
            anchor = {"Host": self.scalar("peer0", "1.10"), "Port": self.port}
            fields["AnchorPeers"] = self.listed(self.mapping(anchor, 0.95))
        return self.mapping(fields, 0.999)

    def raft(self) -> dict[str, Maker]:
        consenter = {
            "Host": self.scalar("o1.ord.test", "10", "1.10"),
            "Port": self.port,
            "ClientTLSCert": self.scalar(TLS),
            "ServerTLSCert": self.scalar(TLS),
        }
        options = {
            "TickInterval": self.scalar("500ms", "1s", "250ms"),
            "ElectionTick": self.scalar("10", "'12'", "9"),
            "HeartbeatTick": self.scalar("1", "2"),
            "MaxInflightBlocks": self.number,
            "SnapshotIntervalSize": self.size,
        }
        raft = {
            "Consenters": self.listed(self.mapping(consenter, 0.999)),
            "Options": self.mapping(options),
        }
        return {
            "OrdererType": self.scalar("etcdraft", "etcdraft", "solo"),
            "Addresses": self.flow("'o1:7050'", "o2:7050"),
            "EtcdRaft": self.mapping(raft, 0.95),
        }

    def bft(self) -> dict[str, Maker]:
        consenter = {
            "ID": self.scalar("1", "'2'", "0x3"),
            "Host": self.scalar("o1.ord.test", "1.10"),
            "Port": self.port,
            "MSPID": self.scalar("OrdMSP", "010"),
            "Identity": self.scalar(f"{ORDERER}/msp/signcerts/o1.ord.test-cert.pem"),
            "ClientTLSCert": self.scalar(TLS),
            "ServerTLSCert": self.scalar(TLS),
        }
        options = {
            "RequestBatchMaxCount": self.number,
            "RequestBatchMaxBytes": self.number,
            "RequestBatchMaxInterval": self.scalar("50ms", "1e3", "true"),
            "LeaderHeartbeatCount": self.number,
            "SyncOnStart": self.scalar("true", "false", "1", "'T'"),
            "LeaderRotation": self.scalar("1", "2", "'1'"),
            "DecisionsPerLeader": self.number,
        }
        return {
            "OrdererType": self.scalar("BFT"),
            "ConsenterMapping": self.listed(self.mapping(consenter, 0.999), 4),
            "SmartBFT": self.mapping(options),
        }

    def orderer(self) -> Maker:
        batch = {
            "MaxMessageCount": self.number,
            "AbsoluteMaxBytes": self.size,
            "PreferredMaxBytes": self.size,
        }
        return self.mapping(
            {
                **(self.bft() if self.is_bft else self.raft()),
                "BatchTimeout": self.scalar(
                    *("2s", "1m30s", "1us", "0.1234567s", "'500ms'", "1000000", "0", "12.5h")
                ),
                "BatchSize": self.mapping(batch),
                "MaxChannels": self.number,
                "Organizations": self.listed(self.organization("orderer", "ord.test", "OrdMSP"), 1),
                "Capabilities": self.capabilities,
                "Policies": self.policies(self.meta, "BlockValidation"),
            },
            0.999,
        )

    def application(self) -> dict[str, Maker]:
        writers = self.scalar("/Channel/Application/Writers", "1")
        return {
            "ACLs": self.keyed(["peer/Propose", "event/Block"], writers),
            "Capabilities": self.capabilities,
            "Policies": self.policies(self.meta, "Endorsement", "LifecycleEndorsement"),
        }


def configtx(random: Random, odd: float = 0.06) -> bytes:
    """Make a ``configtx.yaml``, whose certificates are in ``crypto`` beside it."""
    w = Configtx(random, odd)
    organization = w.organization("peer", "a.test", "AMSP", "Endorsement")
    application = {"Organizations": w.listed(organization, 1)}
    before = ""
    if random.random() < 0.4:
        before = f"Application: &defaults{w.mapping(w.application(), 1)(2)}\n"
        application = {"<<": lambda _indent: " *defaults", **application}
    else:
        application |= w.application()
    if random.random() < 0.3:
        before += f"Capabilities:\n  Channel:{w.capabilities(4)}\n"
    profile = w.mapping(
        {
            "Policies": w.policies(w.meta),
            "Capabilities": w.scalar("{V3_0: true}", "{V3_0: 1}") if w.is_bft else w.capabilities,
            "Orderer": w.orderer(),
            "Application": w.mapping(application, 0.999),
        },
        0.999,
    )
    return w.document(lambda _indent: f"{before}Profiles:\n  P:{profile(4)}")
