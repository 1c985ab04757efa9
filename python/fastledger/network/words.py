# SPDX-License-Identifier: Apache-2.0
"""What only a peer's words tell.

A proposal's response has a status and a text, and no code for what went wrong. Where something
hangs on that here, the words are in this file and nowhere else: Fabric's peer's
(``core/chaincode/lifecycle``, ``core/chaincode``), and for :func:`is_run_by_hand` fastledger's.
"""

_NOT_LAUNCHED = "could not launch chaincode"


def is_installed(message: str) -> bool:
    """Whether a package is not installed because it is there."""
    return "already successfully installed" in message


def is_undefined(message: str) -> bool:
    """Whether a chaincode was never committed on the channel."""
    return "is not defined" in message


def is_approved(message: str) -> bool:
    """Whether a definition is not approved because it was before, as it is."""
    return "with unchanged content" in message


def is_unknown(chaincode: str, message: str) -> bool:
    """Whether a channel has no chaincode of that name."""
    return f"chaincode {chaincode} not found" in message


def is_run_by_hand(message: str) -> bool:
    """Whether a chaincode does not run because the user has to start it."""
    return "in dev mode the peer starts none" in message


def not_launched(message: str) -> str | None:
    """Why a chaincode was not launched, without the way to it and without what it printed.

    Returns:
        None when the message says something else.

    Example:
        >>> not_launched("could not launch chaincode a:b: no such file; it printed: much")
        'no such file'
    """
    _, found, rest = message.partition(_NOT_LAUNCHED)
    told = rest.partition("; it printed:")[0]
    return (told.partition(": ")[2].strip() or told.strip()) if found else None
