# SPDX-License-Identifier: Apache-2.0
"""Other TLS certificates for orderers of networks that ``fastledger up`` plans."""

import datetime as dt
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import certificates
from certificates import Pair
from fastledger.network.plan import Node, Plan

LONG_AGO, ENDED = dt.timedelta(days=90), dt.timedelta(days=10)
"""Where the authority's certificate begins, and how long certificates have ended."""

SHIFT = "480h"
"""Turns the clock back to when they were valid."""


def authority(plan: Plan) -> Pair:
    """Return what certifies the orderers' TLS keys."""
    key = serialization.load_pem_private_key(
        (plan.orderer_org / "tlsca" / "priv_sk").read_bytes(), None
    )
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return Pair(x509.load_pem_x509_certificate(_authority_file(plan).read_bytes()), key)


def another(plan: Plan) -> Pair:
    """Make another TLS key, certified by the same authority."""
    return certificates.leaf(authority(plan))


def give(node: Node, pair: Pair) -> None:
    """Let a node have a TLS key from its next start on."""
    (node.identity / "tls" / "server.crt").write_bytes(pair.cert)
    (node.identity / "tls" / "server.key").write_bytes(pair.key)


def make_authority_old(plan: Plan) -> None:
    """Have the authority's certificate begin long ago; the plan has no channel yet."""
    issuer = authority(plan)
    old = issuer.certificate.public_bytes(serialization.Encoding.PEM)
    began = dt.datetime.now(dt.UTC) - LONG_AGO
    renewed = _dated(issuer, issuer.certificate, began, issuer.certificate.not_valid_after_utc)
    for path in plan.orderer_org.rglob("*"):
        if path.suffix in (".pem", ".crt") and path.read_bytes() == old:
            path.write_bytes(renewed)


def end(plan: Plan, node: Node) -> dt.datetime:
    """Have a node's TLS certificate, of the same key, end some days ago; return when it did."""
    path = node.identity / "tls" / "server.crt"
    ended = (dt.datetime.now(dt.UTC) - ENDED).replace(microsecond=0)
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    path.write_bytes(_dated(authority(plan), certificate, ended - ENDED * 5, ended))
    return ended


def turn_back_clock(node: Node, section: str) -> None:
    """Have a node judge others' certificates as of then, from its next start on."""
    with (node.folder / "env").open("a", encoding="utf-8") as file:
        file.write(f"ORDERER_GENERAL_{section}_TLSHANDSHAKETIMESHIFT={SHIFT}\n")


def _authority_file(plan: Plan) -> Path:
    [path] = (plan.orderer_org / "tlsca").glob("*.pem")
    return path


def _dated(
    issuer: Pair, certificate: x509.Certificate, begin: dt.datetime, end: dt.datetime
) -> bytes:
    """Return the PEM of a certificate with other dates."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(certificate.subject)
        .issuer_name(certificate.issuer)
        .public_key(certificate.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )
    for extension in certificate.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    signed = builder.sign(issuer.private, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)
