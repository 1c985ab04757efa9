# SPDX-License-Identifier: Apache-2.0
"""A channel's orderer section, and what no orderer could run.

Fabric: ``multichannel.newLedgerResources``.
"""

from fastledger.channelconfig import Bundle, Orderer
from fastledger.common.errors import InputError, Unsupported

BLOCK_VALIDATION = "/Channel/Orderer/BlockValidation"
"""The policy that a block's signatures must satisfy."""

_SINCE_2_0 = frozenset(("V2_0", "V3_0"))
"""Capabilities that keep orderers of Fabric 1 out."""


def orderer_of(bundle: Bundle) -> Orderer:
    """Return the orderer section, without which nothing is ordered; raises InputError."""
    if bundle.orderer is None:
        raise InputError("config does not contain orderer config")
    return bundle.orderer


def knows_orderer_slot(bundle: Bundle) -> bool:
    """Whether orderers of Fabric 1 may be among a channel's: 2.0 reads another metadata slot."""
    return orderer_of(bundle).capabilities.names.isdisjoint(_SINCE_2_0)


def check_capabilities(bundle: Bundle) -> None:
    """Refuse capabilities that orderers of this version do not have.

    Those of the application are for its peers to judge (Fabric: ``multichannel.checkResources``).

    Raises:
        InputError: One is not known.
    """
    try:
        orderer_of(bundle).capabilities.check_supported()
    except Unsupported as error:
        raise InputError(
            f"config requires unsupported orderer capabilities: {error}: {error}"
        ) from error


def check_block_policy(bundle: Bundle) -> None:
    """Refuse a channel whose blocks nobody could verify.

    Fabric's orderers look for the policy when they open a channel; that is too late.

    Raises:
        InputError: There is no policy for blocks.
    """
    if not bundle.has_policy(BLOCK_VALIDATION):
        raise InputError(f"no policies in config block: {BLOCK_VALIDATION} is missing")
