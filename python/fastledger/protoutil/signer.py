# SPDX-License-Identifier: Apache-2.0
"""Who signs (Fabric: ``protoutil.Signer``)."""

from typing import Protocol


class Signer(Protocol):
    """An identity with its key."""

    @property
    def serialized(self) -> bytes:
        """The encoded ``msp.SerializedIdentity``."""

    def sign(self, message: bytes) -> bytes:
        """Sign: ECDSA over SHA-256, in DER, low S."""
