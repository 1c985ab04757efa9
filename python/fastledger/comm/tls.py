# SPDX-License-Identifier: Apache-2.0
"""Keys and certificates of a connection.

Certificates and keys are PEM, as ``tls/server.crt``, ``tls/server.key`` and ``tls/ca.crt`` of
cryptogen's folders hold them.
"""

import hashlib
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path

from fastledger.common.errors import ConfigInvalid


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """What a server shows, and whom it lets in.

    Attributes:
        cert: The server's certificate chain.
        key: Its private key, PKCS #8 or SEC 1.
        client_roots: Certificate authorities of clients.
        require_client_cert: Mutual TLS: a client without a certificate of ``client_roots`` is
            refused. Fabric's ``clientAuthRequired``.
        more_roots: Whether authorities of clients are asked for at each handshake, too.
        time_shift_s: Clients' certificates are judged as of so long ago. Fabric's
            ``TLSHandshakeTimeShift``, for the rescue of a network whose certificates have ended.
    """

    cert: bytes
    key: bytes
    client_roots: bytes = b""
    require_client_cert: bool = False
    more_roots: bool = False
    time_shift_s: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what no handshake could use."""
        _must_be_pem(self.cert, b"CERTIFICATE", "TLS certificate")
        _must_be_pem(self.key, b"PRIVATE KEY", "TLS private key")
        if self.require_client_cert and not self.more_roots:
            _must_be_pem(self.client_roots, b"CERTIFICATE", "client root certificates")

    @staticmethod
    def load(
        cert: Path,
        key: Path,
        client_roots: list[Path] | None = None,
        *,
        require: bool = False,
        more_roots: bool = False,
        time_shift_s: float = 0.0,
    ) -> "TlsConfig":
        """Read the files."""
        roots = b"".join(read_file(path, "client root certificate") for path in client_roots or [])
        pair = read_file(cert, "TLS certificate"), read_file(key, "TLS private key")
        return TlsConfig(*pair, roots, require, more_roots, time_shift_s)

    def ssl_context(self) -> ssl.SSLContext:
        """Return the context of an HTTP server.

        Raises:
            ConfigInvalid: Key and certificate do not belong together, or cannot be used.
        """
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # The standard library reads certificate chains from files only.
        with tempfile.NamedTemporaryFile() as pair:
            pair.write(self.key.rstrip() + b"\n" + self.cert)
            pair.flush()
            try:
                context.load_cert_chain(pair.name)
            except ssl.SSLError as error:
                reason = (error.reason or str(error)).lower().replace("_", " ")
                raise ConfigInvalid(f"TLS certificate and private key: {reason}") from error
        if self.client_roots:
            try:
                context.load_verify_locations(cadata=self.client_roots.decode("ascii"))
            except (ssl.SSLError, UnicodeDecodeError) as error:
                raise ConfigInvalid(f"client root certificates: {error}") from error
            context.verify_mode = ssl.CERT_OPTIONAL
        if self.require_client_cert:
            context.verify_mode = ssl.CERT_REQUIRED
        return context


@dataclass(frozen=True, slots=True)
class ClientTls:
    """What a client trusts, and what it shows.

    Attributes:
        roots: Certificate authorities of servers.
        cert: The client's certificate chain for mutual TLS; empty shows none.
        key: Its private key.
        override: Host name to look for in the server's certificate instead of the address's;
            Fabric's ``serverhostoverride``.
        server_key: The key that the server must have besides, DER of a ``SubjectPublicKeyInfo``;
            any where it is empty.
        time_shift_s: The server's certificate is judged as of so long ago.
    """

    roots: bytes
    cert: bytes = b""
    key: bytes = b""
    override: str = ""
    server_key: bytes = b""
    time_shift_s: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what no handshake could use."""
        _must_be_pem(self.roots, b"CERTIFICATE", "TLS root certificates")
        if self.cert or self.key:
            _must_be_pem(self.cert, b"CERTIFICATE", "TLS client certificate")
            _must_be_pem(self.key, b"PRIVATE KEY", "TLS client key")

    @property
    def certificate_hash(self) -> bytes:
        """SHA-256 of the client's certificate, for ``tls_cert_hash``; empty without one."""
        return certificate_hash(self.cert) if self.cert else b""


def certificate_hash(chain: bytes) -> bytes:
    """Return the SHA-256 of a PEM chain's first certificate, as ``tls_cert_hash`` holds it."""
    end = "-----END CERTIFICATE-----"
    text = chain.decode("ascii")
    begin = text.index("-----BEGIN CERTIFICATE-----")
    own = text[begin : text.index(end, begin) + len(end)] + "\n"
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(own)).digest()


def read_file(path: Path, what: str) -> bytes:
    """Read a key or certificate file.

    Raises:
        ConfigInvalid: It cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigInvalid(f"cannot read the {what} {path}: {error.strerror or error}") from error


def _must_be_pem(content: bytes, kind: bytes, what: str) -> None:
    if b"-----BEGIN " not in content or kind + b"-----" not in content:
        raise ConfigInvalid(f"the {what} holds no PEM block of kind {kind.decode()}")
