# SPDX-License-Identifier: Apache-2.0
"""What the endorser knows of the peer and its channels."""

from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from typing import Protocol

from fastledger.channelconfig import ApplicationCapabilities, Bundle
from fastledger.ledger.kvledger import Ledger
from fastledger.ledger.pvtdata import PrivateDataStore
from fastledger.ledger.queryindexes import QueryIndexes


@dataclass
class Channel:
    """One channel on this peer."""

    id: str
    ledger: Ledger
    private: PrivateDataStore
    bundle: Bundle
    """Of the newest configuration block that is committed."""

    indexes: QueryIndexes | None = None
    """Of public state, for rich queries; None where none are kept."""

    @property
    def capabilities(self) -> ApplicationCapabilities:
        """What the channel asks of its peers."""
        application = self.bundle.application
        return ApplicationCapabilities(set()) if application is None else application.capabilities

    @property
    def has_lifecycle(self) -> bool:
        """Whether chaincodes may be defined by ``_lifecycle``."""
        return self.capabilities.lifecycle_v2_0

    @property
    def organizations(self) -> list[str]:
        """MSP ids of the channel's application organizations, sorted."""
        application = self.bundle.application
        return sorted(application.orgs) if application is not None else []


class Channels(Protocol):
    """The channels of the peer."""

    def channel(self, channel_id: str) -> Channel | None:
        """Find a channel that the peer has joined."""

    def channel_ids(self) -> Iterable[str]:
        """Names of the channels that the peer has joined, in order."""

    def join(self, block: bytes) -> Awaitable[None]:
        """Join the channel that a genesis block begins.

        Raises:
            FastledgerError: It has been joined, or the block is none of an application channel.
        """

    def join_by_snapshot(self, folder: str) -> Awaitable[None]:
        """Join a channel with a snapshot of it.

        Raises:
            FastledgerError: The snapshot cannot be used.
        """
