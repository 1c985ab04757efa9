# SPDX-License-Identifier: Apache-2.0
"""Private keys in files, as Fabric's software provider reads them (``bccsp/sw``).

The first PEM block counts, whatever it is called, and holds a key in PKCS#8 or SEC 1.
"""

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import load_der_private_key

from fastledger.common.errors import InputError
from fastledger.common.gopem import first_block

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

MAX_FILE_BYTES = 1 << 16
"""Larger files of a keystore are not looked into, as in Fabric."""

P256 = "secp256r1"
"""The curve that nearly all keys are on; the core signs with them."""

ORDERS = {
    "secp224r1": 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFF16A2E0B8F03E13DD29455C5C2A3D,
    P256: 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    "secp384r1": int(
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF"
        "581A0DB248B0A77AECEC196ACCC52973",
        16,
    ),
    "secp521r1": int(
        "01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
        "FFFA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409",
        16,
    ),
}
"""Orders of the curves that Fabric's software provider signs on; s may be at most half of it."""


def read_private_key(text: bytes) -> PrivateKey:
    """Read the key of a file.

    Args:
        text: The file's content.

    Raises:
        InputError: It has no key that Fabric signs with; the text says why.
    """
    block = first_block(text)
    if block is None:
        raise InputError("it has no PEM block")
    if block.is_encrypted or block.type == "ENCRYPTED PRIVATE KEY":
        raise InputError("the key is encrypted; keys have no password here")
    try:
        key = load_der_private_key(block.data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InputError(
            f"its first PEM block, {block.type}, is no private key in PKCS#8 or SEC 1"
        ) from error
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise InputError("the key is of a kind that does not sign: use ECDSA or Ed25519")
    if key.curve.name not in ORDERS:
        raise InputError(
            f"keys on curve {key.curve.name} do not sign: use P-256, P-384, P-521 or P-224"
        )
    return key


def keys_of(folder: Path) -> tuple[list[tuple[Path, PrivateKey]], list[str]]:
    """Read a keystore's keys; of files without one, say why they have none."""
    found: list[tuple[Path, PrivateKey]] = []
    others = []
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.is_dir():
            continue
        try:
            if path.stat().st_size > MAX_FILE_BYTES:
                raise InputError(f"it has more than {MAX_FILE_BYTES} bytes")
            found.append((path, read_private_key(path.read_bytes())))
        except InputError as error:
            others.append(f"{path.name}: {error}")
        except OSError as error:
            others.append(f"{path.name}: {error.strerror}")
    return found, others
