# SPDX-License-Identifier: Apache-2.0
"""Settings of the local MSP and of its crypto provider: what they ask for is done, or refused."""

from fastledger.common.config import Config
from fastledger.common.errors import ConfigInvalid, Unsupported

X509 = "bccsp"
IDEMIX = "idemix"
SOFTWARE = "SW"

_HASHES = ("SHA2", "SHA3")
_SECURITY = (256, 384)
"""What Fabric's software provider takes; identities are signed with SHA-256 whatever is set."""


def check_msp_settings(config: Config, section: str) -> None:
    """Check that the identity of a node or a command is one that signs with a key in a file.

    Args:
        config: core.yaml or orderer.yaml.
        section: The section that has ``BCCSP``, and ``localMspType`` if it can be chosen there.

    Raises:
        ConfigInvalid: A setting names what Fabric does not know either.
        Unsupported: A setting asks for an anonymous identity or for a security module.
    """
    kind = config.string(f"{section}.localMspType") or X509
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
    _check_provider(config, f"{section}.BCCSP")


def _check_provider(config: Config, section: str) -> None:
    problem = "could not initialize BCCSP Factories: "
    provider = config.string(f"{section}.Default") or SOFTWARE
    if provider == "PKCS11":
        raise Unsupported(
            f"{problem}Could not find default `{provider}` BCCSP: {section}.Default asks for a "
            f"security module, and keys are read from files only; use {SOFTWARE}"
        )
    if provider != SOFTWARE:
        raise ConfigInvalid(
            f"{problem}Could not find default `{provider}` BCCSP: {section}.Default may be "
            f"{SOFTWARE}"
        )
    family = config.string(f"{section}.SW.Hash") or _HASHES[0]
    level = config.integer(f"{section}.SW.Security", _SECURITY[0])
    if family not in _HASHES:
        raise ConfigInvalid(
            f"{problem}Hash Family not supported [{family}]: {section}.SW.Hash may be "
            f"{' or '.join(_HASHES)}"
        )
    if level not in _SECURITY:
        raise ConfigInvalid(
            f"{problem}Security level not supported [{level}]: {section}.SW.Security may be "
            f"{' or '.join(map(str, _SECURITY))}"
        )
