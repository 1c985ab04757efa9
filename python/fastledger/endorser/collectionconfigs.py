# SPDX-License-Identifier: Apache-2.0
"""A chaincode's collections, now and at earlier blocks (Fabric: ``core/ledger/confighistory``)."""

from fastledger.common.errors import CollectionsRefused, PolicyUnsatisfied
from fastledger.endorser.channel import Channel
from fastledger.endorser.lifecycle.definition import implicit_collection
from fastledger.ledger.kvledger import Ledger
from fastledger.ledger.views import IMPLICIT_PREFIX
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
        self._block = -1
        self._known: dict[tuple[str, str], bool] = {}
        """What was found out for this block: all its transactions ask the same."""

    @property
    def keeps_invalid(self) -> bool:
        """Whether write sets of invalid transactions are kept, too."""
        return self._channel.capabilities.store_pvt_data_of_invalid_tx

    def is_member(self, ns: str, coll: str, block: int) -> bool:
        """Whether the collection's policy takes the peer for a member, as defined before a block.

        Where that definition is not known any more, the newest one counts.
        """
        if coll.startswith(IMPLICIT_PREFIX):
            return coll == implicit_collection(self._mspid)
        if block != self._block:
            self._block, self._known = block, {}
        if (ns, coll) not in self._known:
            self._known[ns, coll] = self._is_member(ns, coll, block)
        return self._known[ns, coll]

    def block_to_live(self, ns: str, coll: str) -> int:
        """How many blocks values live; 0 for ever."""
        return block_to_live(self._channel.ledger, ns, coll)

    def _is_member(self, ns: str, coll: str, block: int) -> bool:
        ledger = self._channel.ledger
        config = _named(_configs(ledger, ns, block), coll) or newest(ledger, ns, coll)
        return config is not None and satisfies(self._channel, config, self._signed)


def newest(ledger: Ledger, ns: str, coll: str) -> Collection | None:
    """Find a collection as it is defined now; None where it is not, or is an implicit one."""
    return _named(_configs(ledger, ns, ledger.height), coll)


def block_to_live(ledger: Ledger, ns: str, coll: str) -> int:
    """How many blocks a collection's values live; 0 for ever, also where it is not defined."""
    config = newest(ledger, ns, coll)
    return 0 if config is None else config.block_to_live


def satisfies(channel: Channel, config: Collection, who: SignedData) -> bool:
    """Whether a collection's policy takes whoever signed for a member."""
    policy = config.member_orgs_policy.signature_policy.SerializeToString()
    try:
        channel.bundle.evaluate_envelope(policy, [who])
    except PolicyUnsatisfied:
        return False
    return True


def may_read(channel: Channel, block: int, ns: str, coll: str, client: SignedData) -> bool:
    """Whether a client may have what a block wrote to a collection.

    As the collection was defined before the block: a later member does not get older values
    (``collPolicyChecker.CheckCollectionPolicy``).

    Raises:
        FastledgerError: The collection was not defined then.
    """
    if coll.startswith(IMPLICIT_PREFIX):
        return True
    config = _named(_configs(channel.ledger, ns, block), coll)
    if config is None:
        raise CollectionsRefused(
            f"no collection config was found for collection {coll} for chaincode {ns}"
        )
    return not config.member_only_read or satisfies(channel, config, client)


def _named(package: collection_pb2.CollectionConfigPackage | None, name: str) -> Collection | None:
    configs = package.config if package is not None else ()
    found = (config.static_collection_config for config in configs)
    return next((config for config in found if config.name == name), None)


def _configs(
    ledger: Ledger, name: str, block: int
) -> collection_pb2.CollectionConfigPackage | None:
    """The newest collections that blocks before this one wrote, of whichever lifecycle."""
    found = ledger.collections_before(name, block)
    return None if found is None else collection_pb2.CollectionConfigPackage.FromString(found)
