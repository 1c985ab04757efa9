# SPDX-License-Identifier: Apache-2.0
"""A chaincode's collections, now and at earlier blocks (Fabric: ``core/ledger/confighistory``)."""

from collections.abc import Iterator

from fastledger.common.errors import FastledgerError, PolicyUnsatisfied
from fastledger.endorser.channel import Channel
from fastledger.endorser.definitions import COLLECTIONS_SUFFIX
from fastledger.endorser.lifecycle import definition, serializer
from fastledger.ledger.kvledger import Ledger
from fastledger.ledger.records import Height
from fastledger.protos.msp.identities_pb2 import SerializedIdentity
from fastledger.protos.peer import collection_pb2
from fastledger.protoutil.signed_data import SignedData
from fastledger.protoutil.signer import Signer

_PROBE = b"collection membership"
"""What a peer signs to see whether it is a member."""

Collection = collection_pb2.StaticCollectionConfig


class PeerRules:
    """What of a channel's private data a peer keeps (Fabric: ``gossip/privdata``)."""

    def __init__(self, channel: Channel, signer: Signer) -> None:
        """Keep for a peer with this identity."""
        self._channel = channel
        self._mspid = SerializedIdentity.FromString(signer.serialized).mspid
        self._signed = SignedData(_PROBE, signer.serialized, signer.sign(_PROBE))

    @property
    def keeps_invalid(self) -> bool:
        """Whether write sets of invalid transactions are kept, too."""
        return self._channel.capabilities.store_pvt_data_of_invalid_tx

    def is_member(self, ns: str, coll: str) -> bool:
        """Whether the collection's policy takes the peer for a member."""
        if coll.startswith(definition.IMPLICIT_PREFIX):
            return coll == definition.implicit_collection(self._mspid)
        config = _config(self._channel.ledger, ns, coll)
        return config is not None and _satisfies(self._channel, config, self._signed)

    def block_to_live(self, ns: str, coll: str) -> int:
        """How many blocks values live; 0 for ever."""
        return block_to_live(self._channel.ledger, ns, coll)


def block_to_live(ledger: Ledger, ns: str, coll: str) -> int:
    """How many blocks a collection's values live; 0 for ever, also where it is not defined."""
    config = _config(ledger, ns, coll)
    return 0 if config is None else config.block_to_live


def may_read(channel: Channel, block: int, ns: str, coll: str, client: SignedData) -> bool:
    """Whether a client may have what a block wrote to a collection.

    As the collection was defined before the block: a later member does not get older values
    (``collPolicyChecker.CheckCollectionPolicy``).

    Raises:
        FastledgerError: The collection was not defined then.
    """
    if coll.startswith(definition.IMPLICIT_PREFIX):
        return True
    config = _named(_configs(channel.ledger, ns, block), coll)
    if config is None:
        raise FastledgerError(
            f"no collection config was found for collection {coll} for chaincode {ns}"
        )
    return not config.member_only_read or _satisfies(channel, config, client)


def _satisfies(channel: Channel, config: Collection, who: SignedData) -> bool:
    policy = config.member_orgs_policy.signature_policy.SerializeToString()
    try:
        channel.bundle.evaluate_envelope(policy, [who])
    except PolicyUnsatisfied:
        return False
    return True


def _config(ledger: Ledger, ns: str, coll: str) -> Collection | None:
    return _named(_configs(ledger, ns, ledger.height), coll)


def _named(package: collection_pb2.CollectionConfigPackage | None, name: str) -> Collection | None:
    configs = package.config if package is not None else ()
    found = (config.static_collection_config for config in configs)
    return next((config for config in found if config.name == name), None)


def _configs(
    ledger: Ledger, name: str, block: int
) -> collection_pb2.CollectionConfigPackage | None:
    """The newest collections that blocks before this one wrote, of whichever lifecycle."""
    field = serializer.field_key(definition.NAMESPACES, name, "Collections")
    found = [
        (version, encoded if lifecycle == "lscc" else serializer.decode_bytes(encoded))
        for lifecycle, key in ((definition.NAMESPACE, field), ("lscc", name + COLLECTIONS_SUFFIX))
        for version, encoded in _before(ledger, lifecycle, key, block)
    ]
    return collection_pb2.CollectionConfigPackage.FromString(max(found)[1]) if found else None


def _before(ledger: Ledger, ns: str, key: str, block: int) -> Iterator[tuple[Height, bytes]]:
    """The last value that blocks before this one wrote under a key, if any."""
    now = ledger.get(ns, key)
    if now is not None and now.version.block < block:
        yield now.version, now.value
    elif now is not None:
        for entry in ledger.history(ns, key):
            if entry.version.block < block:
                yield entry.version, entry.value
                return
