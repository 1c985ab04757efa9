# SPDX-License-Identifier: Apache-2.0
"""Private writes go to other peers before they are endorsed (``gossip/privdata/distributor.go``).

A collection says to how many: ``requiredPeerCount`` of them must have the values, or else the
endorsement fails. Today a peer hands values to nobody, so it endorses only where none has to have
them; whatever sends them is put here.
"""

from collections.abc import Callable

from fastledger.common.errors import EndorsementFailed
from fastledger.endorser.channel import Channel
from fastledger.endorser.collectionconfigs import Collection, newest
from fastledger.protos.ledger.rwset import rwset_pb2 as rwset

Eligible = Callable[[Channel, Collection], int]
"""Says how many other peers that are alive may have a collection's values."""


class Distributor:
    """Hands private writes of one peer to others."""

    def __init__(self, eligible: Eligible) -> None:
        """Know of other peers."""
        self._eligible = eligible

    async def distribute(self, channel: Channel, tx_id: str, private: bytes) -> None:
        """Return when as many peers have the values as their collections require.

        Args:
            channel: The channel.
            tx_id: The transaction that is being endorsed.
            private: Encoded ``rwset.TxPvtReadWriteSet``.

        Raises:
            EndorsementFailed: Too few peers have them; nothing may be endorsed.
        """
        for ns in rwset.TxPvtReadWriteSet.FromString(private).ns_pvt_rwset:
            for coll in ns.collection_pvt_rwset:
                collection = newest(channel.ledger, ns.namespace, coll.collection_name)
                # An implicit one requires nobody.
                if collection is not None and collection.required_peer_count > 0:
                    raise EndorsementFailed(
                        f"failed to distribute private collection, txID {tx_id}, channel "
                        f"{channel.id}: could not build private data dissemination plan for "
                        f"chaincode {ns.namespace} and collection {coll.collection_name}: "
                        f"{self._reason(channel, collection)}"
                    )

    def _reason(self, channel: Channel, collection: Collection) -> str:
        known = self._eligible(channel, collection)
        required = f"required to disseminate to at least {collection.required_peer_count} peers"
        if known < collection.required_peer_count:
            return f"{required}, but know of only {known} eligible peers"
        return (
            f"{required}, but this peer does not send private data to others yet; endorse with a "
            "peer that does, or define the collection with requiredPeerCount 0"
        )
