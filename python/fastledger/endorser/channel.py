# SPDX-License-Identifier: Apache-2.0
"""What the endorser knows of the peer and its channels."""

from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from typing import Protocol

from fastledger.channelconfig import Bundle
from fastledger.ledger.kvledger import Ledger
from fastledger.ledger.pvtdata import PrivateDataStore
from fastledger.ledger.queryindexes import QueryIndexes

_LIFECYCLE = {"V2_0", "V2_5", "V3_0"}
_PRIVATE_DATA = {"V1_2", "V1_3", "V1_4_2"} | _LIFECYCLE
_KEY_LEVEL = {"V1_3", "V1_4_2"} | _LIFECYCLE
_PURGE = {"V2_5", "V3_0"}


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
    def capabilities(self) -> set[str]:
        """The application's capabilities."""
        application = self.bundle.application
        return set(application.capabilities) if application is not None else set()

    @property
    def has_lifecycle(self) -> bool:
        """Whether chaincodes may be defined by ``_lifecycle``."""
        return not self.capabilities.isdisjoint(_LIFECYCLE)

    @property
    def has_private_data(self) -> bool:
        """Whether collections may be defined."""
        return not self.capabilities.isdisjoint(_PRIVATE_DATA)

    @property
    def has_key_level_endorsement(self) -> bool:
        """Whether keys may have policies of their own."""
        return not self.capabilities.isdisjoint(_KEY_LEVEL)

    @property
    def has_purge(self) -> bool:
        """Whether private data may be purged."""
        return not self.capabilities.isdisjoint(_PURGE)

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
