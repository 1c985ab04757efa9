# SPDX-License-Identifier: Apache-2.0
"""``cryptogen generate`` and ``cryptogen extend``."""

import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from fastledger.common.errors import InputError
from fastledger.common.gopaths import join
from fastledger.tools.cryptogen.ca import CertificateAuthority
from fastledger.tools.cryptogen.msp import (
    NodeType,
    certificate_name,
    write_key,
    write_local_msp,
    write_verifying_msp,
)
from fastledger.tools.cryptogen.spec import Config, NodeSpec, OrgSpec

Say = Callable[[str], None]
"""Takes a line of progress."""


@dataclass(frozen=True, slots=True)
class _Organization:
    """One organization's folder and what is in it."""

    spec: OrgSpec
    folder: Path
    kind: NodeType
    """What its nodes are: peers or orderers."""

    sign_ca: CertificateAuthority
    tls_ca: CertificateAuthority

    def write_nodes(self, place: str, nodes: Iterable[NodeSpec], kind: NodeType) -> None:
        """Write the nodes that are not there yet."""
        for node in nodes:
            folder = join(self.folder, place, node.common_name)
            if folder.exists():
                continue
            ous = self.spec.enable_node_ous
            node_kind = NodeType.ADMIN if node.is_admin and ous else kind
            write_local_msp(folder, node, node_kind, self.sign_ca, self.tls_ca, node_ous=ous)

    def write_peers_or_orderers(self) -> None:
        self.write_nodes(_nodes_folder(self.kind), self.spec.nodes, self.kind)

    def appoint_admin(self, msp: Path) -> None:
        """Make the administrator an MSP's only one, if certificates and not OUs tell who is."""
        if self.spec.enable_node_ous:
            return
        admin = self.spec.admin.common_name
        certificate = join(self.folder, "users", admin, "msp/signcerts", certificate_name(admin))
        target = join(msp, "admincerts", certificate_name(admin))
        if target.exists():
            return
        if not certificate.exists():
            raise InputError(f"{certificate}: no such file; it is needed in {target.parent}")
        shutil.rmtree(target.parent, ignore_errors=True)
        target.parent.mkdir(parents=True)
        shutil.copyfile(certificate, target)

    def appoint_admin_of_nodes(self) -> None:
        for node in self.spec.nodes:
            self.appoint_admin(join(self.folder, _nodes_folder(self.kind), node.common_name, "msp"))


def generate(config: Config, output: Path, say: Say) -> None:
    """Write all organizations' keys and certificates.

    Nodes and users that are already there are left alone; authorities are made anew.
    """
    for spec in config.peer_orgs:
        _generate(spec, output, NodeType.PEER, say)
    for spec in config.orderer_orgs:
        _generate(spec, output, NodeType.ORDERER, say)


def extend(config: Config, network: Path, say: Say) -> None:
    """Add the organizations, nodes and users that an existing network lacks."""
    for spec in config.peer_orgs:
        _extend(spec, network, NodeType.PEER, say)
    for spec in config.orderer_orgs:
        _extend(spec, network, NodeType.ORDERER, say)


def _generate(spec: OrgSpec, network: Path, kind: NodeType, say: Say) -> None:
    if kind is NodeType.PEER:
        say(spec.domain)
    folder = _folder(spec, network, kind)
    authorities = []
    for place, prefix in (("ca", ""), ("tlsca", "tls")):
        name = prefix + spec.ca.common_name
        authority = CertificateAuthority.create(spec.ca, spec.domain, name)
        (folder / place).mkdir(parents=True, exist_ok=True)
        write_key(folder / place / "priv_sk", authority.key)
        join(folder, place, certificate_name(name)).write_bytes(authority.certificate)
        authorities.append(authority)
    organization = _Organization(spec, folder, kind, *authorities)
    write_verifying_msp(folder / "msp", *authorities, node_ous=spec.enable_node_ous)
    organization.write_peers_or_orderers()
    users = spec.users if kind is NodeType.PEER else ()
    organization.write_nodes("users", (*users, spec.admin), NodeType.CLIENT)
    organization.appoint_admin(folder / "msp")
    organization.appoint_admin_of_nodes()


def _extend(spec: OrgSpec, network: Path, kind: NodeType, say: Say) -> None:
    folder = _folder(spec, network, kind)
    if not folder.exists():
        _generate(spec, network, kind, say)
        return
    name = spec.ca.common_name
    sign_ca = CertificateAuthority.load(folder / "ca", spec.ca, name)
    tls_ca = CertificateAuthority.load(folder / "tlsca", spec.ca, f"tls{name}")
    organization = _Organization(spec, folder, kind, sign_ca, tls_ca)
    organization.write_peers_or_orderers()
    organization.appoint_admin_of_nodes()
    if kind is NodeType.PEER:
        organization.write_nodes("users", spec.users, NodeType.CLIENT)


def _folder(spec: OrgSpec, network: Path, kind: NodeType) -> Path:
    return join(network, f"{kind.value}Organizations", spec.domain)


def _nodes_folder(kind: NodeType) -> str:
    return f"{kind.value}s"
