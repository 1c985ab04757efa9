# SPDX-License-Identifier: Apache-2.0
"""Identities that may not, or not any more, made with an organization's own authority."""

import datetime as dt
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.x509.oid import NameOID

from fastledger.msp import SigningIdentity
from fastledger.protoutil.signer import Signer

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_HOUR = dt.timedelta(hours=1)


class Authority:
    """The certificate authority of an organization's folder, as cryptogen leaves it."""

    def __init__(self, org_folder: Path) -> None:
        [certificate] = (org_folder / "ca").glob("*.pem")
        [key] = (org_folder / "ca").glob("*_sk")
        self._certificate = x509.load_pem_x509_certificate(certificate.read_bytes())
        loaded = serialization.load_pem_private_key(key.read_bytes(), None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        self._key = loaded

    def enroll(
        self, mspid: str, role: str = "client", *, name: str = "mallory", ended: bool = False
    ) -> SigningIdentity:
        """Make an identity with a NodeOU role; `ended` makes its certificate one of the past."""
        key = ec.generate_private_key(ec.SECP256R1())
        now = dt.datetime.now(dt.UTC)
        subject = [
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, role),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
        begin = max(self._certificate.not_valid_before_utc, now - 2 * _HOUR)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name(subject))
            .issuer_name(self._certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(now - dt.timedelta(seconds=1) if ended else now + _HOUR)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(self._authority_key(), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return SigningIdentity(mspid, certificate.public_bytes(serialization.Encoding.PEM), key)

    def revoke(self, identity: SigningIdentity) -> bytes:
        """Return the PEM of a list that revokes an identity."""
        certificate = x509.load_pem_x509_certificate(identity.certificate)
        now = dt.datetime.now(dt.UTC)
        entry = (
            x509.RevokedCertificateBuilder()
            .serial_number(certificate.serial_number)
            .revocation_date(now - _HOUR)
            .build()
        )
        revoked = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._certificate.subject)
            .last_update(now - _HOUR)
            .next_update(now + 24 * _HOUR)
            .add_revoked_certificate(entry)
            .add_extension(self._authority_key(), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return revoked.public_bytes(serialization.Encoding.PEM)

    def _authority_key(self) -> x509.AuthorityKeyIdentifier:
        identifier = self._certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier.value)


class Signing:
    """An identity that signs in its own way."""

    def __init__(self, signer: Signer) -> None:
        self._signer = signer

    @property
    def serialized(self) -> bytes:
        return self._signer.serialized

    def sign(self, message: bytes) -> bytes:
        return self._signer.sign(message)


class HighS(Signing):
    """Signs with the other, equally good value of s, which Fabric does not take."""

    def sign(self, message: bytes) -> bytes:
        r, s = decode_dss_signature(super().sign(message))
        return encode_dss_signature(r, P256_ORDER - s)


class Forger(Signing):
    """Signs something else."""

    def sign(self, message: bytes) -> bytes:
        return super().sign(message + b"!")


class Claiming(Signing):
    """Signs as himself under another's name."""

    def __init__(self, signer: Signer, serialized: bytes) -> None:
        super().__init__(signer)
        self._claimed = serialized

    @property
    def serialized(self) -> bytes:
        return self._claimed
