# SPDX-License-Identifier: Apache-2.0
"""A certificate authority, and the certificates that it signs.

The certificates are cryptogen's byte for byte but for keys, serial numbers, times and signatures:
the same names in the same order and string types, the same extensions in the same order.
"""

import base64
import ipaddress
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from fastledger.common.errors import InputError
from fastledger.tools.cryptogen import der
from fastledger.tools.cryptogen.spec import ECDSA, ED25519, NodeSpec

VALIDITY = timedelta(days=3650)
BACKDATED = timedelta(minutes=5)
"""How long before now a certificate begins, for machines whose clocks are behind."""

SERIAL_BITS = 128

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

_ECDSA_WITH_SHA256 = der.sequence(der.oid("1.2.840.10045.4.3.2"))
_ED25519 = der.sequence(der.oid("1.3.101.112"))

DIGITAL_SIGNATURE = 0x80
KEY_ENCIPHERMENT = 0x20
_KEY_CERT_SIGN = 0x04
_CRL_SIGN = 0x02

SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"

# The attributes of a name, in the order in which Go's pkix.Name writes them.
_COUNTRY = "2.5.4.6"
_PROVINCE = "2.5.4.8"
_LOCALITY = "2.5.4.7"
_STREET_ADDRESS = "2.5.4.9"
_POSTAL_CODE = "2.5.4.17"
_ORGANIZATION = "2.5.4.10"
_ORGANIZATIONAL_UNIT = "2.5.4.11"
_COMMON_NAME = "2.5.4.3"


def generate_key(algorithm: str) -> PrivateKey:
    """Make a private key.

    Raises:
        InputError: Neither ``ecdsa`` (P-256) nor ``ed25519``.
    """
    if algorithm == ECDSA:
        return ec.generate_private_key(ec.SECP256R1())
    if algorithm == ED25519:
        return ed25519.Ed25519PrivateKey.generate()
    raise InputError(f"Unsupported key algorithm: {algorithm}; there are {ECDSA} and {ED25519}")


def key_pem(key: PrivateKey) -> bytes:
    """Encode a private key as PKCS #8 in PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def certificate_pem(encoded: bytes) -> bytes:
    """Write a DER certificate as PEM."""
    text = base64.b64encode(encoded)
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return b"\n".join((b"-----BEGIN CERTIFICATE-----", *lines, b"-----END CERTIFICATE-----", b""))


@dataclass(frozen=True, slots=True)
class CertificateAuthority:
    """A certificate authority with its key."""

    spec: NodeSpec
    """What its name, and the names under it, are made of."""

    name: str
    """Common name of its certificate; its files are called by it."""

    key: PrivateKey
    certificate: bytes
    """Its certificate in PEM."""

    subject: bytes
    """Its name in DER."""

    key_id: bytes
    """Its subject key identifier."""

    @classmethod
    def create(cls, spec: NodeSpec, organization: str, name: str) -> "CertificateAuthority":
        """Make a self-signed authority."""
        key = generate_key(spec.public_key_algorithm)
        subject = _name(spec, name, organization=organization)
        key_id = sha256(_public_point(key)).digest()
        extensions = [
            _key_usage(DIGITAL_SIGNATURE | KEY_ENCIPHERMENT | _KEY_CERT_SIGN | _CRL_SIGN),
            _extended_key_usage((CLIENT_AUTH, SERVER_AUTH)),
            _basic_constraints(is_ca=True),
            _extension("2.5.29.14", der.octets(key_id)),
        ]
        certificate = _certificate(subject, subject, key, key, extensions)
        return cls(spec, name, key, certificate_pem(certificate), subject, key_id)

    @classmethod
    def load(cls, folder: Path, spec: NodeSpec, name: str) -> "CertificateAuthority":
        """Take up an authority that an earlier run made.

        Raises:
            InputError: The folder lacks its certificate or its key, or they do not fit.
        """
        from cryptography import x509

        certificate = _only(folder, ".pem")
        try:
            key = serialization.load_pem_private_key(_only(folder, "_sk"), None)
            loaded = x509.load_pem_x509_certificate(certificate)
            key_id = loaded.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        except (ValueError, TypeError, x509.ExtensionNotFound) as error:
            raise InputError(f"{folder}: not a certificate authority's: {error}") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
            raise InputError(f"{folder}: the key is neither {ECDSA} nor {ED25519}")
        if key.public_key() != loaded.public_key():
            raise InputError(f"{folder}: the key is not that of the certificate")
        return cls(spec, name, key, certificate, loaded.subject.public_bytes(), key_id.value.digest)

    def sign(
        self,
        key: PrivateKey,
        name: str,
        *,
        organizational_units: Sequence[str] = (),
        sans: Sequence[str] = (),
        key_usage: int = DIGITAL_SIGNATURE,
        extended_key_usage: Sequence[str] = (),
    ) -> bytes:
        """Sign a certificate for a key; it comes in PEM."""
        extensions = [_key_usage(key_usage)]
        if extended_key_usage:
            extensions.append(_extended_key_usage(extended_key_usage))
        extensions.append(_basic_constraints(is_ca=False))
        extensions.append(_extension("2.5.29.35", der.sequence(der.element(0x80, self.key_id))))
        if sans:
            extensions.append(alternative_names(sans))
        subject = _name(self.spec, name, units=organizational_units)
        return certificate_pem(_certificate(subject, self.subject, key, self.key, extensions))


def _only(folder: Path, suffix: str) -> bytes:
    # Like cryptogen: the last one in the order of names.
    found = sorted(folder.glob(f"*{suffix}"))
    if not found:
        raise InputError(f"{folder}: no file *{suffix}; extend needs the authority it continues")
    return found[-1].read_bytes()


def _certificate(
    subject: bytes, issuer: bytes, key: PrivateKey, signer: PrivateKey, extensions: list[bytes]
) -> bytes:
    is_ecdsa = isinstance(signer, ec.EllipticCurvePrivateKey)
    algorithm = _ECDSA_WITH_SHA256 if is_ecdsa else _ED25519
    begins = _rounded(datetime.now(UTC)) - BACKDATED
    body = der.sequence(
        der.element(0xA0, der.integer(2)),
        der.integer(secrets.randbits(SERIAL_BITS)),
        algorithm,
        issuer,
        der.sequence(der.time(begins), der.time(begins + VALIDITY)),
        subject,
        key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        ),
        der.element(0xA3, der.sequence(*extensions)),
    )
    return der.sequence(body, algorithm, der.bits(_signature(signer, body)))


def _rounded(moment: datetime) -> datetime:
    return (moment + timedelta(seconds=30)).replace(second=0, microsecond=0)


def _signature(signer: PrivateKey, message: bytes) -> bytes:
    if isinstance(signer, ed25519.Ed25519PrivateKey):
        return signer.sign(message)
    signature = signer.sign(message, ec.ECDSA(hashes.SHA256()))
    r, s = decode_dss_signature(signature)
    # Fabric takes only the lower of the two values that verify.
    return signature if s <= _P256_ORDER // 2 else encode_dss_signature(r, _P256_ORDER - s)


def _public_point(key: PrivateKey) -> bytes:
    public: Any = key.public_key()
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return bytes(public.public_bytes_raw())
    return bytes(
        public.public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
    )


def _name(
    spec: NodeSpec,
    common_name: str,
    *,
    organization: str | None = None,
    units: Sequence[str] = (),
) -> bytes:
    organizations = () if organization is None else (organization,)
    attributes: list[tuple[str, Sequence[str]]] = [
        (_COUNTRY, (spec.country or "US",)),
        (_PROVINCE, (spec.province or "California",)),
        (_LOCALITY, (spec.locality or "San Francisco",)),
        (_STREET_ADDRESS, (spec.street_address,)),
        (_POSTAL_CODE, (spec.postal_code,)),
        (_ORGANIZATION, organizations),
        (_ORGANIZATIONAL_UNIT, (spec.organizational_unit, *units)),
        (_COMMON_NAME, (common_name,)),
    ]
    return der.sequence(
        *(
            der.set_of(*(der.sequence(der.oid(kind), der.text(value)) for value in given))
            for kind, values in attributes
            if (given := [value for value in values if value or kind == _ORGANIZATION])
        )
    )


def _extension(kind: str, value: bytes, *, critical: bool = False) -> bytes:
    flag = (der.true(),) if critical else ()
    return der.sequence(der.oid(kind), *flag, der.octets(value))


def _key_usage(usage: int) -> bytes:
    unused = (usage & -usage).bit_length() - 1
    return _extension("2.5.29.15", der.bits(bytes((usage,)), unused), critical=True)


def _extended_key_usage(usages: Sequence[str]) -> bytes:
    return _extension("2.5.29.37", der.sequence(*(der.oid(usage) for usage in usages)))


def _basic_constraints(*, is_ca: bool) -> bytes:
    return _extension("2.5.29.19", der.sequence(*((der.true(),) if is_ca else ())), critical=True)


def _address(text: str) -> bytes:
    """Return an IP address's bytes; Go knows no zones, and writes mapped addresses short.

    Raises:
        ValueError: It is none.
    """
    if "%" in text:
        raise ValueError(text)
    address = ipaddress.ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).packed


def alternative_names(sans: Sequence[str]) -> bytes:
    """Write the extension of alternative names."""
    # Go writes the DNS names first, whatever their order in the file.
    names, addresses = [], []
    for san in sans:
        try:
            addresses.append(der.element(0x87, _address(san)))
        except ValueError:
            if not san.isascii():
                raise InputError(f"SANS: {san!r} is neither an address nor an ASCII name") from None
            names.append(der.element(0x82, san.encode()))
    return _extension("2.5.29.17", der.sequence(*names, *addresses))
