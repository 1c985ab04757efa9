# SPDX-License-Identifier: Apache-2.0
"""The folders that cryptogen writes: an organization's MSP, and a node's ``msp`` and ``tls``."""

import json
import re
from enum import Enum
from pathlib import Path

from fastledger.common.gopaths import join
from fastledger.tools.cryptogen.ca import (
    CLIENT_AUTH,
    DIGITAL_SIGNATURE,
    KEY_ENCIPHERMENT,
    SERVER_AUTH,
    CertificateAuthority,
    PrivateKey,
    generate_key,
    key_pem,
)
from fastledger.tools.cryptogen.spec import NodeSpec


class NodeType(Enum):
    """What a certificate's holder is; its organizational unit where NodeOUs are enabled."""

    CLIENT = "client"
    ORDERER = "orderer"
    PEER = "peer"
    ADMIN = "admin"

    @property
    def tls_name(self) -> str:
        """What the files of its TLS key and certificate are called."""
        return "client" if self in (NodeType.CLIENT, NodeType.ADMIN) else "server"


def certificate_name(name: str) -> str:
    """Return the file name of somebody's certificate."""
    return f"{name}-cert.pem"


def write_key(path: Path, key: PrivateKey) -> None:
    """Write a private key that its owner alone may read."""
    path.touch(mode=0o600)
    path.write_bytes(key_pem(key))


def write_verifying_msp(
    folder: Path, sign_ca: CertificateAuthority, tls_ca: CertificateAuthority, *, node_ous: bool
) -> None:
    """Write an organization's MSP: what others need to check its members.

    Where NodeOUs are not enabled its ``admincerts`` stay empty until there is an administrator.
    """
    for name in ("admincerts", "cacerts", "tlscacerts"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    ca_file = f"cacerts/{certificate_name(sign_ca.name)}"
    join(folder, ca_file).write_bytes(sign_ca.certificate)
    join(folder, "tlscacerts", certificate_name(tls_ca.name)).write_bytes(tls_ca.certificate)
    if node_ous:
        (folder / "config.yaml").write_text(_node_ous(ca_file))


def write_local_msp(
    folder: Path,
    node: NodeSpec,
    kind: NodeType,
    sign_ca: CertificateAuthority,
    tls_ca: CertificateAuthority,
    *,
    node_ous: bool,
) -> None:
    """Write what a node or a user needs: its identity in ``msp``, its TLS pair in ``tls``."""
    msp, tls, name = folder / "msp", folder / "tls", node.common_name
    write_verifying_msp(msp, sign_ca, tls_ca, node_ous=node_ous)
    for made in (msp / "keystore", msp / "signcerts", tls):
        made.mkdir(parents=True, exist_ok=True)

    key = generate_key(node.public_key_algorithm)
    write_key(msp / "keystore" / "priv_sk", key)
    units = (kind.value,) if node_ous else ()
    certificate = sign_ca.sign(key, name, organizational_units=units)
    join(msp, "signcerts", certificate_name(name)).write_bytes(certificate)
    if not node_ous:
        join(msp, "admincerts", certificate_name(name)).write_bytes(certificate)

    key = generate_key(node.public_key_algorithm)
    write_key(tls / f"{kind.tls_name}.key", key)
    certificate = tls_ca.sign(
        key,
        name,
        sans=node.sans,
        key_usage=DIGITAL_SIGNATURE | KEY_ENCIPHERMENT,
        extended_key_usage=(SERVER_AUTH, CLIENT_AUTH),
    )
    (tls / f"{kind.tls_name}.crt").write_bytes(certificate)
    (tls / "ca.crt").write_bytes(tls_ca.certificate)


_PLAIN = re.compile(r"[A-Za-z0-9._/@+-]+")
"""A path that needs no quotes in YAML."""


def _scalar(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


_UNITS = (
    ("Client", NodeType.CLIENT),
    ("Peer", NodeType.PEER),
    ("Admin", NodeType.ADMIN),
    ("Orderer", NodeType.ORDERER),
)


def _node_ous(ca_file: str) -> str:
    lines = ["NodeOUs:", "    Enable: true"]
    for name, kind in _UNITS:
        lines.append(f"    {name}OUIdentifier:")
        lines.append(f"        Certificate: {_scalar(ca_file)}")
        lines.append(f"        OrganizationalUnitIdentifier: {kind.value}")
    return "\n".join((*lines, ""))
