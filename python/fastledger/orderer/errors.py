# SPDX-License-Identifier: Apache-2.0
"""Why the orderer takes no message, as exceptions that know their Broadcast status; or no block.

::

    Rejected                BAD_REQUEST
    ├── ChannelDoesNotExist NOT_FOUND
    ├── PermissionDenied    FORBIDDEN
    └── MaintenanceMode     SERVICE_UNAVAILABLE

The texts are Fabric's: clients show them.
"""

from typing import Self

from fastledger.common.errors import FastledgerError
from fastledger.protos.common.common_pb2 import Status


class BlockNotNext(FastledgerError):
    """A block that does not follow the channel's last one; the text names the hashes."""


class Rejected(FastledgerError):
    """A message that is not ordered."""

    status: int = Status.BAD_REQUEST

    def within(self, context: str) -> Self:
        """Return the same refusal with where it happened before its text."""
        return type(self)(f"{context}: {self}")


class ChannelDoesNotExist(Rejected):
    """No such channel."""

    status = Status.NOT_FOUND

    def __init__(self, text: str = "channel does not exist") -> None:
        """Say so."""
        super().__init__(text)


class PermissionDenied(Rejected):
    """The signature does not satisfy the channel's policy."""

    status = Status.FORBIDDEN

    @staticmethod
    def because(reason: object) -> "PermissionDenied":
        """Say which policy."""
        return PermissionDenied(f"{reason}: permission denied")


class MaintenanceMode(Rejected):
    """The channel is being moved to another kind of consensus."""

    status = Status.SERVICE_UNAVAILABLE

    @staticmethod
    def because(reason: str) -> "MaintenanceMode":
        """Say what is not done meanwhile."""
        return MaintenanceMode(f"{reason}: maintenance mode")
