# SPDX-License-Identifier: Apache-2.0
"""``crypto-config.yaml``: which organizations have which nodes and users."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from fastledger.common import gotemplate, goyaml
from fastledger.common.errors import InputError
from fastledger.common.goyaml import Int, key

ECDSA = "ecdsa"
ED25519 = "ed25519"

DEFAULT = Path(__file__).with_name("template.yaml")
"""What ``showtemplate`` shows and ``generate`` takes when no configuration is named."""

MAX_MADE = 100_000
"""Nodes or users that one ``Count`` may ask for; their certificates take a minute and more."""


@dataclass(frozen=True, slots=True)
class NodeSpec:
    """A node, a user or a certificate authority."""

    hostname: str = key("Hostname", "")
    common_name: str = key("CommonName", "")
    country: str = key("Country", "")
    province: str = key("Province", "")
    locality: str = key("Locality", "")
    organizational_unit: str = key("OrganizationalUnit", "")
    street_address: str = key("StreetAddress", "")
    postal_code: str = key("PostalCode", "")
    sans: tuple[str, ...] = key("SANS", ())
    """Subject alternative names: IP addresses and DNS names."""

    public_key_algorithm: str = key("PublicKeyAlgorithm", ECDSA)
    is_admin: bool = False


@dataclass(frozen=True, slots=True)
class NodeTemplate:
    """Nodes that are all alike."""

    count: Int = key("Count", 0)
    start: Int = key("Start", 0)
    hostname: str = key("Hostname", "")
    sans: tuple[str, ...] = key("SANS", ())
    public_key_algorithm: str = key("PublicKeyAlgorithm", "")


@dataclass(frozen=True, slots=True)
class UsersSpec:
    """How many users there are besides the administrator."""

    count: Int = key("Count", 0)
    public_key_algorithm: str = key("PublicKeyAlgorithm", "")


@dataclass(frozen=True, slots=True)
class OrgEntry:
    """An organization as the file describes it."""

    name: str = key("Name", "")
    domain: str = key("Domain", "")
    enable_node_ous: bool = key("EnableNodeOUs", False)
    ca: NodeSpec = key("CA", NodeSpec())
    template: NodeTemplate = key("Template", NodeTemplate())
    specs: tuple[NodeSpec, ...] = key("Specs", ())
    users: UsersSpec = key("Users", UsersSpec())


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A whole ``crypto-config.yaml``."""

    orderer_orgs: tuple[OrgEntry, ...] = key("OrdererOrgs", ())
    peer_orgs: tuple[OrgEntry, ...] = key("PeerOrgs", ())


@dataclass(frozen=True, slots=True)
class OrgSpec:
    """An organization with all its nodes and users."""

    domain: str
    enable_node_ous: bool = False
    ca: NodeSpec = field(default_factory=NodeSpec)
    nodes: tuple[NodeSpec, ...] = ()
    """Its ``Specs``, then what its ``Template`` makes."""

    users: tuple[NodeSpec, ...] = ()
    """Its users but the administrator."""

    @property
    def admin(self) -> NodeSpec:
        """The administrator, whom every organization has."""
        return NodeSpec(common_name=f"Admin@{self.domain}", is_admin=True)


@dataclass(frozen=True, slots=True)
class Config:
    """What is to be made."""

    peer_orgs: tuple[OrgSpec, ...]
    orderer_orgs: tuple[OrgSpec, ...]


def load(path: Path) -> Config:
    """Read a configuration and fill its templates in.

    Raises:
        InputError: A value has the wrong kind, or a template cannot be filled in.
        OSError: The file cannot be read.
    """
    file = goyaml.load(path, ConfigFile, null=False)
    try:
        return Config(
            peer_orgs=tuple(_org(entry, "peer") for entry in file.peer_orgs),
            orderer_orgs=tuple(_org(entry, "orderer") for entry in file.orderer_orgs),
        )
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _org(entry: OrgEntry, prefix: str) -> OrgSpec:
    domain = entry.domain
    ca = replace(entry.ca, hostname=entry.ca.hostname or "ca")
    nodes = (*entry.specs, *_templated(entry.template, prefix, domain))
    algorithm = entry.users.public_key_algorithm or ECDSA
    return OrgSpec(
        domain=domain,
        enable_node_ous=entry.enable_node_ous,
        ca=_rendered(ca, domain),
        nodes=tuple(_rendered(node, domain) for node in nodes),
        users=tuple(
            NodeSpec(common_name=f"User{number}@{domain}", public_key_algorithm=algorithm)
            for number in range(1, _bounded(entry.users.count, "Users.Count") + 1)
        ),
    )


def _bounded(count: int, what: str) -> int:
    if count > MAX_MADE:
        raise InputError(f"{what} is {count}, at most {MAX_MADE} are made")
    return count


def _templated(template: NodeTemplate, prefix: str, domain: str) -> list[NodeSpec]:
    hostname = template.hostname or "{{.Prefix}}{{.Index}}"
    return [
        NodeSpec(
            hostname=gotemplate.fill(
                hostname,
                "HostnameData",
                {"Prefix": prefix, "Index": _wrapped(index), "Domain": domain},
            ),
            sans=template.sans,
            public_key_algorithm=template.public_key_algorithm,
        )
        for index in range(
            template.start, template.start + _bounded(template.count, "Template.Count")
        )
    ]


def _wrapped(index: int) -> int:
    """Count on as Go's numbers of 64 bits do."""
    return (index + (1 << 63)) % (1 << 64) - (1 << 63)


def _rendered(spec: NodeSpec, domain: str) -> NodeSpec:
    values = {"Hostname": spec.hostname, "Domain": domain, "CommonName": ""}
    name = gotemplate.fill(spec.common_name or "{{.Hostname}}.{{.Domain}}", "SpecData", values)
    values["CommonName"] = name
    sans = (name, spec.hostname, *(gotemplate.fill(san, "SpecData", values) for san in spec.sans))
    algorithm = spec.public_key_algorithm or ECDSA
    return replace(spec, common_name=name, sans=sans, public_key_algorithm=algorithm)
