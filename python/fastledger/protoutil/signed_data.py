# SPDX-License-Identifier: Apache-2.0
"""What policies are evaluated over (Fabric: ``protoutil.SignedData``)."""

from typing import NamedTuple


class SignedData(NamedTuple):
    """A signature, what it is over, and whose it claims to be."""

    data: bytes
    identity: bytes
    """An encoded ``msp.SerializedIdentity``."""

    signature: bytes
