# SPDX-License-Identifier: Apache-2.0
"""The TLS binding: which client certificate a call came with.

Fabric compares its SHA-256 with ``ChannelHeader.tls_cert_hash`` of Deliver and Discover requests
(Fabric: ``internal/pkg/comm/util.go``).
"""

import hashlib
import ssl
from collections.abc import Iterable, Mapping
from typing import Protocol

_PEM_CERTIFICATE = "x509_pem_cert"


class Call(Protocol):
    """A handler's context: gRPC's synchronous or asynchronous one."""

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        """Tell about the connection's security."""


def client_certificate(call: Call) -> bytes | None:
    """Return the DER certificate that a call's client showed, None when it showed none."""
    for pem in call.auth_context().get(_PEM_CERTIFICATE, ()):
        return ssl.PEM_cert_to_DER_cert(pem.decode("ascii"))
    return None


def client_certificate_hash(call: Call) -> bytes | None:
    """Return what ``tls_cert_hash`` must be: SHA-256 of the certificate's DER."""
    certificate = client_certificate(call)
    return hashlib.sha256(certificate).digest() if certificate is not None else None
