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
        time_shift_s: float = 0.0,
    ) -> None:
        """Know who asks.

        Args:
            signer: Signs requests for blocks.
            settings: How long others are waited for.
            certificate: PEM that other orderers are shown; empty where there is no TLS.
            key: Its key, PEM.
            time_shift_s: Their certificates are judged as of so long ago.
        """
        self._settings = settings
        self._sources = Sources(signer, settings, certificate, key, time_shift_s)

    def puller(self, channel: Followed) -> BlockPuller:
        """Return what pulls a channel's blocks."""
        return BlockPuller(channel, self._sources, self._settings)
