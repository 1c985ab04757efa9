# SPDX-License-Identifier: Apache-2.0
"""Settings of the local MSP and of its crypto provider: what they ask for is done, or refused."""

from dataclasses import dataclass

from fastledger.common.config import Config
from fastledger.common.errors import ConfigInvalid, Unsupported
from fastledger.common.settings import read, text, whole

X509 = "bccsp"
IDEMIX = "idemix"
SOFTWARE = "SW"

_HASHES = ("SHA2", "SHA3")
_SECURITY = (256, 384)
"""What Fabric's software provider takes; identities are signed with SHA-256 whatever is set."""


@dataclass(frozen=True, slots=True)
class CryptoProvider:
    """``BCCSP``: signatures are made with keys in files."""

    name: str = text("BCCSP.Default", SOFTWARE, "SW: keys are in files.")
    family: str = text("BCCSP.SW.Hash", _HASHES[0], "SHA2 or SHA3; what is signed takes SHA2.")
    level: int = whole("BCCSP.SW.Security", _SECURITY[0], "256 or 384; what is signed takes 256.")


@dataclass(frozen=True, slots=True)
class LocalMsp(CryptoProvider):
    """``BCCSP``, and what kind of identity a peer or a command has."""

    kind: str = text("localMspType", X509, "bccsp: the identity is an X.509 certificate.")


def check_msp_settings(config: Config, section: str) -> None:
    """Check that the identity of a node or a command is one that signs with a key in a file.

    Args:
        config: core.yaml or orderer.yaml.
        section: The section that has ``BCCSP``, and in core.yaml ``localMspType``.

    Raises:
        ConfigInvalid: A setting names what Fabric does not know either.
        Unsupported: A setting asks for an anonymous identity or for a security module.
    """
    if config.name == "core":
        _check_kind(read(config, LocalMsp, section).kind, section)
    _check_provider(read(config, CryptoProvider, section), f"{section}.BCCSP")


def _check_kind(kind: str, section: str) -> None:
    if kind == IDEMIX:
        raise Unsupported(
            f"{section}.localMspType is {IDEMIX}, and anonymous identities do not sign here: use "
            f"an X.509 identity and {X509}"
        )
    if kind != X509:
        raise ConfigInvalid(
            f"unknown MSP type '{kind}': {section}.localMspType may be {X509}, which it is if "
            "nothing is said"
        )


def _check_provider(provider: CryptoProvider, section: str) -> None:
    problem = "could not initialize BCCSP Factories: "
    if provider.name == "PKCS11":
        raise Unsupported(
            f"{problem}Could not find default `{provider.name}` BCCSP: {section}.Default asks for "
            f"a security module, and keys are read from files only; use {SOFTWARE}"
        )
    if provider.name != SOFTWARE:
        raise ConfigInvalid(
            f"{problem}Could not find default `{provider.name}` BCCSP: {section}.Default may be "
            f"{SOFTWARE}"
        )
    if provider.family not in _HASHES:
        raise ConfigInvalid(
            f"{problem}Hash Family not supported [{provider.family}]: {section}.SW.Hash may be "
            f"{' or '.join(_HASHES)}"
        )
    if provider.level not in _SECURITY:
        raise ConfigInvalid(
            f"{problem}Security level not supported [{provider.level}]: {section}.SW.Security may "
            f"be {' or '.join(map(str, _SECURITY))}"
        )
