# SPDX-License-Identifier: Apache-2.0
"""Identities of peers, to be passed on (Fabric: ``gossip/gossip/certstore.go``).

Each is signed by its peer. One of another organization is told to that organization and to the own
one only, and of the own peers only those that have an external endpoint are told to others.
"""

from collections.abc import Callable, Sequence

from fastledger.gossip.identities import MAX_IDENTITIES, Identities
from fastledger.gossip.messages import MessageRefused, seal, unseal
from fastledger.protos.gossip.message_pb2 import Envelope, GossipMessage, PeerIdentity


class CertStore:
    """The identities that one peer passes on."""

    def __init__(self, identities: Identities, external_endpoint: Callable[[bytes], str]) -> None:
        """Begin with the peer's own.

        Args:
            identities: Where they are kept, and judged.
            external_endpoint: Where everybody reaches a peer.
        """
        self._identities = identities
        self._external_endpoint = external_endpoint
        own = PeerIdentity(pki_id=identities.own_id, cert=identities.signer.serialized)
        message = GossipMessage(tag=GossipMessage.EMPTY, peer_identity=own)
        self._items = {identities.own_id: seal(message, identities.signer).envelope}

    def digests(self, asking: bytes) -> Sequence[bytes]:
        """Name the identities that a peer may know, by PKI-ID."""
        return [pki_id for pki_id in self._items if self._may_know(asking, pki_id)]

    def wants(self, digest: bytes) -> bool:
        """Whether an identity is not there, to use it or to pass it on."""
        return digest not in self._items and len(self._items) < MAX_IDENTITIES

    def item(self, digest: bytes) -> Envelope | None:
        """Return an identity, signed by its owner."""
        return self._items.get(digest)

    def take(self, items: Sequence[Envelope]) -> None:
        """Keep identities; one that is not valid here does not keep others out.

        Raises:
            MessageRefused: One of them is no identity, or not signed by its owner.
        """
        for envelope in items[:MAX_IDENTITIES]:
            sealed = unseal(envelope)
            if sealed.kind != "peer_identity":
                raise MessageRefused("expected an identity")
            said = sealed.message.peer_identity
            self._identities.put(said.pki_id, said.cert)
            if not self._identities.check([(said.pki_id, sealed)])[0]:
                raise MessageRefused("an identity is not signed by its owner")
            self._items[said.pki_id] = envelope

    def forget(self, pki_id: bytes) -> None:
        """Pass an identity on no longer."""
        self._items.pop(pki_id, None)

    def _may_know(self, asking: bytes, pki_id: bytes) -> bool:
        identities = self._identities
        asking_org, org = identities.org_of(asking), identities.org_of(pki_id)
        if not asking_org or not org:
            return False
        if asking_org == identities.mspid:
            return True
        told = org in (asking_org, identities.mspid)
        return told and bool(self._external_endpoint(pki_id))
