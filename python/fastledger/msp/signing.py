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

from fastledger.common.errors import InputError
from fastledger.msp.folder import load_msp_config, pem_files
from fastledger.msp.provider import Msp
from fastledger.protos.msp.identities_pb2 import SerializedIdentity

_ORDERS = {
    "secp256r1": 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "secp384r1": int(
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF"
        "581A0DB248B0A77AECEC196ACCC52973",
        16,
    ),
}
"""Orders of the curves that Fabric's software provider signs on; s may be at most half of it."""

_PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class SigningIdentity:
    """An identity with its key (``msp.SigningIdentity``); it never changes."""

    __slots__ = ("_key", "_order", "certificate", "mspid", "serialized")

    def __init__(self, mspid: str, certificate: bytes, key: _PrivateKey) -> None:
        """Join a certificate and its key.

        Args:
            mspid: The MSP's name.
            certificate: PEM.
            key: On P-256 or P-384, or Ed25519.

        Raises:
            InputError: The key is of another kind, or another certificate's.
        """
        self.mspid = mspid
        self.certificate = certificate
        self.serialized = SerializedIdentity(mspid=mspid, id_bytes=certificate).SerializeToString()
        self._key = key
        self._order = 0
        if isinstance(key, ec.EllipticCurvePrivateKey):
            if key.curve.name not in _ORDERS:
                raise InputError(f"keys on curve {key.curve.name} do not sign: use P-256 or P-384")
            self._order = _ORDERS[key.curve.name]
        if not _belongs(key, _load_certificate(certificate, "the certificate")):
            raise InputError(f"the private key does not belong to the certificate of {mspid}")

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
        listed = pem_files(folder / "signcerts")
        if listed is None:
            raise InputError(
                "could not load signing certificate from directory "
                f"{folder / 'signcerts'}: there is no such folder"
            )
        if not listed:
            raise InputError(f"no signing certificate found in directory {folder / 'signcerts'}")
        msp = Msp(load_msp_config(folder, mspid).SerializeToString())
        claimed = SerializedIdentity(mspid=mspid, id_bytes=listed[0]).SerializeToString()
        identity = msp.identity(claimed)
        ago = time.time() - identity.not_after
        if ago >= 0:
            raise InputError(
                f"{folder}: signing identity expired {int(ago)} seconds ago ({identity.subject}): "
                "enroll it again"
            )
        return cls(mspid, identity.certificate, _find_key(folder, identity.certificate))

    def sign(self, message: bytes) -> bytes:
        """Sign: ECDSA over SHA-256 in DER with low S, or Ed25519 over the message itself."""
        if isinstance(self._key, ed25519.Ed25519PrivateKey):
            return self._key.sign(message)
        signature = self._key.sign(message, ec.ECDSA(hashes.SHA256()))
        r, s = decode_dss_signature(signature)
        return signature if s <= self._order // 2 else encode_dss_signature(r, self._order - s)

    def __repr__(self) -> str:
        """Name the MSP; the key stays out of logs."""
        return f"SigningIdentity({self.mspid!r})"


def _load_certificate(pem: bytes, what: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise InputError(f"{what} cannot be read: {error}") from error


def _belongs(key: _PrivateKey, certificate: x509.Certificate) -> bool:
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


def _find_key(folder: Path, certificate: bytes) -> _PrivateKey:
    """Find the certificate's key in the keystore, whatever its file is called."""
    keystore = folder / "keystore"
    parsed = _load_certificate(certificate, f"the certificate in {folder / 'signcerts'}")
    for pem in pem_files(keystore) or []:
        try:
            key = serialization.load_pem_private_key(pem, password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            continue
        if isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) and _belongs(
            key, parsed
        ):
            return key
    raise InputError(
        f"{keystore} holds no private key of the certificate in {folder / 'signcerts'}: "
        "KeyMaterial not found in SigningIdentityInfo"
    )
