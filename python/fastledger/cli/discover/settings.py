# SPDX-License-Identifier: Apache-2.0
"""Who asks, and how to connect: flags, or the file that ``saveConfig`` writes (``cmd/common``)."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fastledger.common.durations import format_duration, parse_duration
from fastledger.common.errors import FastledgerError, InputError

if TYPE_CHECKING:
    from fastledger.client.target import Target
    from fastledger.msp import SigningIdentity

DEFAULT_TIMEOUT_S = 5.0
_FILE_MODE = 0o600
_SELF_SIGNED_DAYS = 1


@dataclass(frozen=True, slots=True)
class Settings:
    """What ``discover`` needs to know; paths as texts, empty where they are not given."""

    mspid: str = ""
    user_cert: str = ""
    user_key: str = ""
    tls_ca: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    timeout: str = "0s"

    def check(self) -> None:
        """Return when there is what every command needs.

        Raises:
            FastledgerError: There is not.
        """
        for name, value in (
            ("MSPID", self.mspid),
            ("IdentityPath", self.user_cert),
            ("KeyPath", self.user_key),
        ):
            if not value:
                raise InputError(f"{name} is mandatory and cannot be empty")

    def save(self, file: str) -> None:
        """Write the settings, as Fabric's command writes them."""
        import yaml

        content = {
            "version": 0,
            "tlsconfig": {
                "certpath": self.tls_cert,
                "keypath": self.tls_key,
                "peercacertpath": self.tls_ca,
                "timeout": self.timeout,
            },
            "signerconfig": {
                "mspid": self.mspid,
                "identitypath": self.user_cert,
                "keypath": self.user_key,
            },
        }
        text = yaml.safe_dump(content, indent=4, sort_keys=False, width=2**31)
        # Go's YAML quotes empty texts with the other quotes.
        path = Path(file)
        path.touch(_FILE_MODE)
        path.write_text(text.replace(": ''\n", ': ""\n'), "utf-8")

    @staticmethod
    def load(file: str) -> "Settings":
        """Read what ``saveConfig`` wrote.

        Raises:
            FastledgerError: It cannot be used.
        """
        from fastledger.cli.discover.saved import load

        try:
            saved = load(read(file), file)
        except InputError as error:
            raise InputError(f"error unmarshalling YAML file {file}: {error}") from error
        tls, signer = saved.tls, saved.signer
        found = Settings(
            mspid=signer.mspid,
            user_cert=signer.identity_path,
            user_key=signer.key_path,
            tls_ca=tls.peer_ca_cert_path,
            tls_cert=tls.cert_path,
            tls_key=tls.key_path,
            timeout=format_duration(tls.timeout),
        )
        found.check()
        return found

    def target(self, server: str) -> "Target":
        """Return how to reach a server; without a CA in plain text.

        Raises:
            FastledgerError: A file cannot be read.
        """
        from fastledger.client.target import Target
        from fastledger.comm import ClientTls

        try:
            timeout_s = parse_duration(self.timeout) or DEFAULT_TIMEOUT_S
        except ValueError as error:
            raise InputError(f"time: invalid duration {self.timeout!r}") from error
        if not self.tls_ca:
            return Target(server, timeout_s=timeout_s)
        roots = _opened(self.tls_ca)
        if self.tls_key or self.tls_cert:
            key, cert = _opened(self.tls_key), _opened(self.tls_cert)
        else:
            key, cert = _self_signed()
        return Target(server, ClientTls(roots, cert, key), timeout_s)

    def signer(self) -> "SigningIdentity":
        """Return who asks.

        Raises:
            FastledgerError: Certificate or key cannot be used.
        """
        from fastledger.common.errors import InputError
        from fastledger.msp import SigningIdentity
        from fastledger.msp.keys import read_private_key

        certificate = read(self.user_cert)
        if b"-----BEGIN " not in certificate:
            raise InputError("enrollment certificate isn't a valid PEM block")
        try:
            key = read_private_key(read(self.user_key))
        except InputError as error:
            raise InputError(f"failed to decode PEM block from {self.user_key}: {error}") from error
        return SigningIdentity(self.mspid, certificate, key)


def read(path: str) -> bytes:
    """Read a file.

    Raises:
        FastledgerError: It cannot be read; the text is Go's.
    """
    try:
        # Path("") is the folder, and no file without a name.
        with open(path, "rb") as file:  # noqa: PTH123
            return file.read()
    except OSError as error:
        raise InputError(f"open {path}: {(error.strerror or '').lower()}") from error


def _opened(path: str) -> bytes:
    try:
        return read(path)
    except FastledgerError as error:
        raise InputError(f"Failed opening file {path}: {error}") from error


def _self_signed() -> tuple[bytes, bytes]:
    """Make a key and a certificate for one connection: discovery binds a request to some."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    span = dt.timedelta(days=_SELF_SIGNED_DAYS)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "discover")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - span)
        .not_valid_after(now + span)
        .sign(key, hashes.SHA256())
    )
    encoded = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return encoded, certificate.public_bytes(serialization.Encoding.PEM)
