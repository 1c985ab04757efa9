# SPDX-License-Identifier: Apache-2.0
"""The rules that every message must pass (Fabric: ``orderer/common/msgprocessor``).

An empty message never comes here: it names no channel.
"""

import time

from fastledger.channelconfig import Bundle
from fastledger.common.errors import FastledgerError, NotFound
from fastledger.msp import expires_at
from fastledger.orderer.capabilities import orderer_of
from fastledger.orderer.errors import PermissionDenied, Rejected
from fastledger.orderer.msgprocessor.message import OrdererMessage
from fastledger.protoutil.signed_data import SignedData

WRITERS = ("/Channel/Writers", "/Channel/Orderer/Writers")
READERS = ("/Channel/Readers", "/Channel/Orderer/Readers")
"""The policy that holds normally, and the one of maintenance."""

MAINTENANCE = "STATE_MAINTENANCE"


def check_size(bundle: Bundle, message: OrdererMessage) -> None:
    """Refuse a message that no block may hold."""
    limit = max_bytes(bundle)
    if message.size > limit:
        raise Rejected(
            f"message payload is {message.size} bytes and exceeds maximum allowed {limit} bytes"
        )


def max_bytes(bundle: Bundle) -> int:
    """Return how many bytes of payload and signature a message may have."""
    return orderer_of(bundle).batch_size.absolute_max_bytes


def knows_expiration(bundle: Bundle) -> bool:
    """Whether clients are refused whose certificates have ended."""
    return orderer_of(bundle).capabilities.expiration_check


def check_expiration(bundle: Bundle, creator: bytes) -> None:
    """Refuse a client whose certificate ended; before 1.1 capabilities nobody is."""
    if not knows_expiration(bundle):
        return
    end = expires_at(creator)
    if end is not None and time.time() >= end:
        raise Rejected("broadcast client identity expired")


def check_signature(bundle: Bundle, signed: SignedData, policies: tuple[str, str]) -> None:
    """Refuse whom the policy does not let in: `WRITERS` or `READERS`."""
    policy = policy_in_effect(bundle, policies)
    try:
        bundle.evaluate(policy, [signed])
    except NotFound as error:
        raise Rejected(f"could not find policy {policy}") from error
    except FastledgerError as error:
        raise PermissionDenied.because(error) from error


def policy_in_effect(bundle: Bundle, policies: tuple[str, str]) -> str:
    """Return the policy that counts: in maintenance only the orderers' organizations come in."""
    normal, maintenance = policies
    return maintenance if orderer_of(bundle).state == MAINTENANCE else normal
