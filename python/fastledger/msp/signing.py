# SPDX-License-Identifier: Apache-2.0
"""One's own identity: a certificate and the key that signs for it."""

import time
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from fastledger._core import SigningKey
from fastledger.common.errors import IdentityRefused, InputError
from fastledger.common.gopem import first_block
from fastledger.msp.folder import pem_paths
from fastledger.msp.keys import ORDERS, P256, PrivateKey, keys_of
from fastledger.msp.local import load_msp
from fastledger.protos.msp.identities_pb2 import SerializedIdentity

_MAX_NAMED = 5
"""Files of a keystore that an error names."""


class SigningIdentity:
    """An identity with its key (``msp.SigningIdentity``); it never changes."""

    __slots__ = ("_key", "_order", "certificate", "core_key", "mspid", "serialized")

    def __init__(self, mspid: str, certificate: bytes, key: PrivateKey) -> None:
        """Join a certificate and its key.

        Args:
            mspid: The MSP's name.
            certificate: PEM.
            key: On one of the curves P-224 to P-521, or Ed25519.

        Raises:
            InputError: The key is of another kind, or another certificate's.
        """
        self.mspid = mspid
        self.certificate = certificate
        self.serialized = SerializedIdentity(mspid=mspid, id_bytes=certificate).SerializeToString()
        self._key = key
        self._order = 0
        self.core_key: SigningKey | None = None
        """The key, where the core signs with it."""
        if isinstance(key, ec.EllipticCurvePrivateKey):
            if key.curve.name not in ORDERS:
                raise InputError(
                    f"keys on curve {key.curve.name} do not sign: use P-256, P-384, P-521 or P-224"
                )
            self._order = ORDERS[key.curve.name]
        if not _belongs(key, _load_certificate(certificate, "the certificate")):
            raise InputError(f"the private key does not belong to the certificate of {mspid}")
        if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name == P256:
            self.core_key = SigningKey.from_pkcs8(_pkcs8(key))

    @classmethod
    def load(cls, folder: Path | str, mspid: str) -> "SigningIdentity":
        """Read one's own MSP folder, and set its MSP up as every Fabric tool does first.

        Args:
            folder: As for :func:`~fastledger.msp.load_msp_config`, with signcerts and keystore.
            mspid: The MSP's name.

        Raises:
            InputError: The folder holds no usable identity.
        """
        folder = Path(folder)
        signcerts = folder / "signcerts"
        listed = pem_paths(signcerts)
        if listed is None:
            raise InputError(
                f"could not load signing certificate from directory {signcerts}: "
                "there is no such folder"
            )
        if not listed:
            raise InputError(f"no signing certificate found in directory {signcerts}")
        path, certificate = next(iter(listed.items()))
        msp = load_msp(folder, mspid)
        claimed = SerializedIdentity(mspid=mspid, id_bytes=certificate).SerializeToString()
        try:
            identity = msp.identity(claimed)
        except IdentityRefused as error:
            raise IdentityRefused(f"{path}: {error}") from error
        ago = time.time() - identity.not_after
        if ago >= 0:
            raise InputError(
                f"{path}: signing identity expired {int(ago)} seconds ago ({identity.subject}): "
                "enroll it again"
            )
        return cls(mspid, identity.certificate, _find_key(folder, identity.certificate, path))

    def sign(self, message: bytes) -> bytes:
        """Sign: ECDSA over SHA-256 in DER with low S, or Ed25519 over the message itself."""
        if self.core_key is not None:
            return self.core_key.sign(message)
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return self._key.sign(message)
        signature = self._key.sign(message, ec.ECDSA(hashes.SHA256()))
        r, s = decode_dss_signature(signature)
        return signature if s <= self._order // 2 else encode_dss_signature(r, self._order - s)

    def __repr__(self) -> str:
        """Name the MSP; the key stays out of logs."""
        return f"SigningIdentity({self.mspid!r})"


def _pkcs8(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _load_certificate(pem: bytes, what: str) -> x509.Certificate:
    block = first_block(pem)
    if block is None:
        raise InputError(f"{what} cannot be read: it has no PEM block")
    try:
        return x509.load_der_x509_certificate(block.data)
    except ValueError as error:
        raise InputError(f"{what} cannot be read: {error}") from error


def _belongs(key: PrivateKey, certificate: x509.Certificate) -> bool:
    try:
        public = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return False
    return _spki(key.public_key()) == _spki(public)


def _spki(key: object) -> bytes:
    if not isinstance(key, ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey):
        return b""
    return key.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def _find_key(folder: Path, certificate: bytes, path: Path) -> PrivateKey:
    """Find the certificate's key in the keystore, whatever its file is called."""
    keystore = folder / "keystore"
    parsed = _load_certificate(certificate, f"the certificate in {path}")
    keys, others = keys_of(keystore)
    for _, key in keys:
        if _belongs(key, parsed):
            return key
    others += [f"{file.name}: the key is another certificate's" for file, _ in keys]
    raise InputError(
        f"{keystore} holds no private key of the certificate in {path}: KeyMaterial not found in "
        f"SigningIdentityInfo ({'; '.join(others[:_MAX_NAMED]) or 'it has no files'})"
    )
