# SPDX-License-Identifier: Apache-2.0
"""``crypto-config.yaml``: which organisations have which nodes and users."""

import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from fastledger.common import yaml_file
from fastledger.common.errors import InputError

ECDSA = "ecdsa"
ED25519 = "ed25519"

DEFAULT = Path(__file__).with_name("template.yaml")
"""What ``showtemplate`` shows and ``generate`` takes when no configuration is named."""


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """A node, a user or a certificate authority."""

    hostname: str = ""
    common_name: str = ""
    country: str = ""
    province: str = ""
    locality: str = ""
    organizational_unit: str = ""
    street_address: str = ""
    postal_code: str = ""
    sans: tuple[str, ...] = ()
    """Subject alternative names: IP addresses and DNS names."""

    public_key_algorithm: str = ECDSA

    is_admin: bool = False


@dataclass(frozen=True, slots=True)
class OrgSpec:
    """An organisation."""

    domain: str
    enable_node_ous: bool = False
    ca: NodeSpec = field(default_factory=NodeSpec)
    nodes: tuple[NodeSpec, ...] = ()
    """Its ``Specs``, then what its ``Template`` makes."""

    users: tuple[NodeSpec, ...] = ()
    """Its users but the administrator."""

    @property
    def admin(self) -> NodeSpec:
        """The administrator, whom every organisation has."""
        return NodeSpec(common_name=f"Admin@{self.domain}", is_admin=True)


@dataclass(frozen=True, slots=True)
class Config:
    """A whole ``crypto-config.yaml``."""

    peer_orgs: tuple[OrgSpec, ...]
    orderer_orgs: tuple[OrgSpec, ...]


def load(path: Path) -> Config:
    """Read a configuration and fill its templates in.

    Raises:
        InputError: A value has the wrong kind, or a template cannot be filled in.
        OSError: The file cannot be read.
    """
    root = _Section(yaml_file.load(path), str(path))
    return Config(
        peer_orgs=tuple(_org(section, "peer") for section in root.sections("PeerOrgs")),
        orderer_orgs=tuple(_org(section, "orderer") for section in root.sections("OrdererOrgs")),
    )


class _Section:
    """A mapping of the file; what is not there is empty."""

    def __init__(self, value: Any, where: str) -> None:
        if not isinstance(value, dict | None):
            raise InputError(f"{where}: expected a mapping, found {value!r}")
        self._values: dict[str, Any] = value or {}
        self._where = where

    def _get(self, key: str, kinds: type | tuple[type, ...], wanted: str) -> Any:
        value = self._values.get(key)
        wrong = isinstance(value, bool) and kinds is not bool
        if value is not None and (wrong or not isinstance(value, kinds)):
            raise InputError(f"{self._where}: {key}: expected {wanted}, found {value!r}")
        return value

    def text(self, key: str) -> str:
        value = self._get(key, (str, int, float), "text")
        return "" if value is None else str(value)

    def number(self, key: str) -> int:
        return self._get(key, int, "a whole number") or 0

    def flag(self, key: str) -> bool:
        return bool(self._get(key, bool, "true or false"))

    def texts(self, key: str) -> tuple[str, ...]:
        return tuple(str(value) for value in self._get(key, list, "a list") or ())

    def section(self, key: str) -> "_Section":
        return _Section(self._values.get(key), f"{self._where}: {key}")

    def sections(self, key: str) -> "list[_Section]":
        values = self._get(key, list, "a list") or []
        return [_Section(value, f"{self._where}: {key}[{i}]") for i, value in enumerate(values)]


def _org(section: _Section, prefix: str) -> OrgSpec:
    domain = section.text("Domain")
    nodes = [_node(spec) for spec in section.sections("Specs")]
    nodes += _templated(section.section("Template"), prefix, domain)
    ca = _node(section.section("CA"))
    users = section.section("Users")
    algorithm = users.text("PublicKeyAlgorithm") or ECDSA
    return OrgSpec(
        domain=domain,
        enable_node_ous=section.flag("EnableNodeOUs"),
        ca=_rendered(replace(ca, hostname=ca.hostname or "ca"), domain),
        nodes=tuple(_rendered(node, domain) for node in nodes),
        users=tuple(
            NodeSpec(common_name=f"User{number}@{domain}", public_key_algorithm=algorithm)
            for number in range(1, users.number("Count") + 1)
        ),
    )


def _node(section: _Section) -> NodeSpec:
    return NodeSpec(
        hostname=section.text("Hostname"),
        common_name=section.text("CommonName"),
        country=section.text("Country"),
        province=section.text("Province"),
        locality=section.text("Locality"),
        organizational_unit=section.text("OrganizationalUnit"),
        street_address=section.text("StreetAddress"),
        postal_code=section.text("PostalCode"),
        sans=section.texts("SANS"),
        public_key_algorithm=section.text("PublicKeyAlgorithm") or ECDSA,
    )


def _templated(template: _Section, prefix: str, domain: str) -> list[NodeSpec]:
    start = template.number("Start")
    hostname = template.text("Hostname") or "{{.Prefix}}{{.Index}}"
    return [
        NodeSpec(
            hostname=_fill(hostname, Prefix=prefix, Index=str(index), Domain=domain),
            sans=template.texts("SANS"),
            public_key_algorithm=template.text("PublicKeyAlgorithm") or ECDSA,
        )
        for index in range(start, start + template.number("Count"))
    ]


def _rendered(spec: NodeSpec, domain: str) -> NodeSpec:
    values = {"Hostname": spec.hostname, "Domain": domain, "CommonName": ""}
    name = _fill(spec.common_name or "{{.Hostname}}.{{.Domain}}", **values)
    values["CommonName"] = name
    sans = (name, spec.hostname, *(_fill(san, **values) for san in spec.sans))
    return replace(spec, common_name=name, sans=sans)


_ACTION = re.compile(r"(?:\s*\{\{-\s+|\{\{\s*)\.(\w+)(?:\s+-\}\}\s*|\s*\}\})")


def _fill(template: str, **values: str) -> str:
    """Fill in a template of Go's kind, of whose actions only ``{{.Field}}`` is known here."""

    def value(action: re.Match[str]) -> str:
        if action[1] not in values:
            known = ", ".join(sorted(values))
            raise InputError(f"template {template!r}: no field {action[1]}, only {known}")
        return values[action[1]]

    filled = _ACTION.sub(value, template)
    if "{{" in _ACTION.sub("", template):
        raise InputError(f"template {template!r}: only {{{{.Field}}}} can be filled in")
    return filled
