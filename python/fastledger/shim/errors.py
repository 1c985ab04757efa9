# SPDX-License-Identifier: Apache-2.0
"""What a chaincode may see go wrong."""


class PeerError(Exception):
    """The peer refused a request; the text is the peer's."""


class ChaincodeFailed(Exception):
    """Raised by a chaincode to fail its transaction with a message of its own.

    Any other exception fails it too, and its type is told along with its text.
    """
