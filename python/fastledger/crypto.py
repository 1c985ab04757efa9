# SPDX-License-Identifier: Apache-2.0
"""Batches of ECDSA P-256 signatures, verified as a Fabric peer verifies them."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from fastledger import _core

Engine = Literal["auto", "ifma", "avx512", "avx_ifma", "avx2", "portable", "library"]


class Job(NamedTuple):
    """One signature to verify."""

    public_key: bytes
    """The uncompressed point of SEC 1: 65 bytes, ``04 || x || y``."""

    digest: bytes
    """SHA-256 of the message, 32 bytes."""

    signature: bytes
    """DER. As in Fabric, S must be low and bytes behind the structure do not matter."""


class Verifier:
    """Verifies batches; keys that come often get tables that live as long as the verifier does.

    Several threads may share one: the GIL is not held while it works.

    Example:
        >>> import hashlib
        >>> from cryptography.hazmat.primitives import hashes, serialization
        >>> from cryptography.hazmat.primitives.asymmetric import ec
        >>> key = ec.generate_private_key(ec.SECP256R1())
        >>> point = key.public_key().public_bytes(
        ...     serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        ... )
        >>> digest = hashlib.sha256(b"message").digest()
        >>> Verifier().verify_batch([Job(point, digest, b"no signature")])
        [False]
    """

    def __init__(self, *, engine: Engine = "auto", table_bytes: int | None = None) -> None:
        """Choose the engine.

        Args:
            engine: ``ifma`` (AVX-512 with its 52-bit integers), ``avx512`` (without), ``avx_ifma``
                (those integers without AVX-512, never taken unasked), ``avx2``, ``portable``,
                ``library`` (AWS-LC), or ``auto`` for the fastest that the machine has, which also
                stands in for one whose instructions it lacks.
            table_bytes: Most bytes that tables may take; None for the default.

        Raises:
            InputError: There is no such engine.
        """
        self._core = _core.Verifier(engine=engine, table_bytes=table_bytes)

    @property
    def engine(self) -> str:
        """The engine in use."""
        return self._core.engine

    def verify_batch(self, jobs: Sequence[Job]) -> list[bool]:
        """Say for each job whether its signature is valid.

        Raises:
            InputError: A key is not a point of the curve, or a digest not 32 bytes long.
        """
        return self._core.verify_batch(jobs)


def verify_batch(jobs: Sequence[Job]) -> list[bool]:
    """Verify one batch with a verifier of its own; keep a :class:`Verifier` where keys come again.

    Raises:
        InputError: A key is not a point of the curve, or a digest not 32 bytes long.
    """
    return Verifier().verify_batch(jobs)
