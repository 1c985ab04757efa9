# SPDX-License-Identifier: Apache-2.0
"""Identities as people read them.

Nothing here decides anything: the verdicts are the core's. A certificate that cannot be read is
shown as it is.
"""

import warnings
from dataclasses import dataclass
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.utils import CryptographyDeprecationWarning
from google.protobuf.message import DecodeError

from fastledger.protos.msp.identities_pb2 import SerializedIdentity


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signed: an ``msp.SerializedIdentity`` by name."""

    msp_id: str
    """The organization's MSP, as the identity claims it."""

    subject: str
    """The certificate's subject common name, empty when there is none to read."""

    def __str__(self) -> str:
        """Write it as ``peer0.org1.example.com (Org1MSP)``."""
        return f"{self.subject or 'an unreadable certificate'} ({self.msp_id or 'no MSP'})"


def identity(serialized: bytes) -> Identity:
    """Read an encoded ``msp.SerializedIdentity``; whatever is unreadable stays empty."""
    try:
        message = SerializedIdentity.FromString(serialized)
    except DecodeError:
        return Identity("", "")
    certificate = _load(message.id_bytes)
    return Identity(message.mspid, _common_name(certificate) if certificate else "")


def summary(pem: bytes) -> dict[str, Any] | None:
    """Return what a PEM certificate says, ready for JSON, or None when it cannot be read."""
    certificate = _load(pem)
    if certificate is None:
        return None
    try:
        return {
            "subject": certificate.subject.rfc4514_string(),
            "issuer": certificate.issuer.rfc4514_string(),
            "serial": f"{certificate.serial_number:x}",
            "not_before": certificate.not_valid_before_utc.isoformat(),
            "not_after": certificate.not_valid_after_utc.isoformat(),
            "sha256": certificate.fingerprint(hashes.SHA256()).hex(),
        }
    except ValueError:
        return None


def _load(pem: bytes) -> x509.Certificate | None:
    # The PEM of an identity named no type in Fabric 1.0.
    typed = pem.replace(b"-----BEGIN -----", b"-----BEGIN CERTIFICATE-----")
    typed = typed.replace(b"-----END -----", b"-----END CERTIFICATE-----")
    with warnings.catch_warnings():
        # Test networks hold certificates with a zero serial number; that is not our concern here.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        try:
            return x509.load_pem_x509_certificate(typed)
        except (ValueError, UnsupportedAlgorithm):
            return None


def _common_name(certificate: x509.Certificate) -> str:
    try:
        names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    except ValueError:
        return ""
    return str(names[0].value) if names else ""
