# SPDX-License-Identifier: Apache-2.0
"""The file that ``discover saveConfig`` writes, as it is read (Fabric: ``cmd/common``)."""

from dataclasses import dataclass

from fastledger.common import goyaml
from fastledger.common.durations import Duration
from fastledger.common.goyaml import Int, key


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """How to connect."""

    cert_path: str = key("certpath", "")
    key_path: str = key("keypath", "")
    peer_ca_cert_path: str = key("peercacertpath", "")
    timeout: Duration = key("timeout", Duration(0))


@dataclass(frozen=True, slots=True)
class SignerConfig:
    """Who asks."""

    mspid: str = key("mspid", "")
    identity_path: str = key("identitypath", "")
    key_path: str = key("keypath", "")


@dataclass(frozen=True, slots=True)
class Saved:
    """The whole file."""

    version: Int = key("version", 0)
    tls: TlsConfig = key("tlsconfig", TlsConfig())
    signer: SignerConfig = key("signerconfig", SignerConfig())


def load(text: bytes, name: str) -> Saved:
    """Read the file's text.

    Raises:
        InputError: It cannot be used.
    """
    return goyaml.parse(text, Saved, name)
