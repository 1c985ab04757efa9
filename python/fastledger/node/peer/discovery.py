# SPDX-License-Identifier: Apache-2.0
"""The peer as its discovery service sees it."""

from collections.abc import Sequence
from contextlib import closing

from fastledger.channelconfig import Bundle
from fastledger.common import log
from fastledger.common.errors import FastledgerError
from fastledger.discovery.metadata import Metadata, read_metadata
from fastledger.discovery.support import Membership
from fastledger.msp import Msp
from fastledger.node.peer.channels import PeerChannels
from fastledger.protos.msp.msp_principal_pb2 import MSPRole
from fastledger.protoutil.signed_data import SignedData

_logger = log.get("discovery")


class DiscoverySupport:
    """One peer."""

    def __init__(
        self,
        channels: PeerChannels,
        membership: Membership,
        local_msp: Msp,
        *,
        members_allowed: bool = False,
    ) -> None:
        """Speak for a peer.

        Args:
            channels: Its channels.
            membership: Whom it knows.
            local_msp: The MSP of its organization.
            members_allowed: Whether all members of the organization may ask about the peer, not
                only administrators (``peer.discovery.orgMembersAllowedAccess``).
        """
        self._channels = channels
        self._local = local_msp
        self._role = MSPRole.MEMBER if members_allowed else MSPRole.ADMIN
        self.membership = membership

    def bundle(self, channel_id: str) -> Bundle | None:
        """A channel's configuration."""
        channel = self._channels.channel(channel_id)
        return None if channel is None else channel.bundle

    def check_local(self, signed: SignedData) -> None:
        """Return when whoever signed may ask about the peer itself."""
        self._local.check_role(signed.identity, self._role)
        self._local.identity(signed.identity).verify(signed.data, signed.signature)

    def metadata(
        self, channel_id: str, chaincode: str, collections: Sequence[str]
    ) -> Metadata | None:
        """Read a chaincode's definition; None when there is none."""
        channel = self._channels.channel(channel_id)
        if channel is None:
            return None
        with closing(channel.ledger.view()) as view:
            try:
                return read_metadata(channel.bundle, view, chaincode, collections)
            except FastledgerError as error:
                _logger.error("[%s] chaincode %s: %s", channel_id, chaincode, error)
                return None
