# SPDX-License-Identifier: Apache-2.0
"""Membership: who an organization's members are, and one's own identity (Fabric: ``msp``).

The verdicts are the core's; here stand the folders that Fabric's tools keep identities in, and the
private key of whoever runs this process.
"""

from fastledger._core import Identity, expires_at
from fastledger.msp.folder import load_msp_config
from fastledger.msp.local import load_msp
from fastledger.msp.provider import Msp
from fastledger.msp.settings import check_msp_settings
from fastledger.msp.signing import SigningIdentity

__all__ = [
    "Identity",
    "Msp",
    "SigningIdentity",
    "check_msp_settings",
    "expires_at",
    "load_msp",
    "load_msp_config",
]
