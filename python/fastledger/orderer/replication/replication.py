# SPDX-License-Identifier: Apache-2.0
"""What an orderer needs to pull blocks from others, whichever the channel."""

from fastledger.orderer.replication.puller import BlockPuller, Followed
from fastledger.orderer.replication.settings import ReplicationSettings
from fastledger.orderer.replication.source import Sources
from fastledger.protoutil.signer import Signer


class Replication:
    """Makes the pullers of one orderer's channels."""

    def __init__(
        self,
        signer: Signer,
        settings: ReplicationSettings,
        certificate: bytes = b"",
        key: bytes = b"",
    ) -> None:
        """Know who asks; certificate and key are PEM, what other orderers are shown."""
        self._settings = settings
        self._sources = Sources(signer, settings, certificate, key)

    def puller(self, channel: Followed) -> BlockPuller:
        """Return what pulls a channel's blocks."""
        return BlockPuller(channel, self._sources, self._settings)
