# SPDX-License-Identifier: Apache-2.0
"""Which peers together endorse a chaincode (Fabric: ``discovery/endorsement``).

::

    interest: chaincodes that call each other, collections, policies of keys
      │ 1 policies of all of them           │ 2 peers of the channel, alive, members of the
      ▼                                     ▼   collections that are read
    sets of principals that satisfy all   groups: peers by the principal that they satisfy
      │                                     │
      └────────────► layouts ◄──────────────┘   how many of which group, where enough peers
                                                have the chaincodes
"""

from collections import Counter
from collections.abc import Iterable, Sequence

from fastledger.channelconfig import Bundle
from fastledger.common.errors import FastledgerError, InputError, NoEndorsers
from fastledger.common.shorten import shortened
from fastledger.discovery.metadata import Metadata
from fastledger.discovery.support import ChannelMember, Member, Support
from fastledger.policies.inquire import (
    MAX_COMBINATIONS,
    MAX_MERGED,
    Budget,
    Principal,
    PrincipalSet,
    merge,
    satisfied_by,
)
from fastledger.protos.common.policies_pb2 import SignaturePolicyEnvelope
from fastledger.protos.discovery.protocol_pb2 import EndorsementDescriptor, Layout, Peer
from fastledger.protos.gossip.message_pb2 import Properties
from fastledger.protos.msp.msp_principal_pb2 import MSPPrincipal
from fastledger.protos.peer.proposal_response_pb2 import ChaincodeCall, ChaincodeInterest

MAX_KEY_PRINCIPALS = 100_000
"""Principals in the ways to satisfy an interest's policies of keys: some 20 ms of work."""


class EndorsementAnalyzer:
    """Finds endorsers for one peer's clients."""

    def __init__(self, support: Support) -> None:
        """Look at what a peer knows."""
        self._support = support

    def peers_for_endorsement(
        self, channel_id: str, interest: ChaincodeInterest
    ) -> EndorsementDescriptor:
        """Return groups of endorsers, and how many of each suffice.

        Raises:
            FastledgerError: No peers that are known can endorse it.
        """
        bundle = self._bundle(channel_id)
        definitions = self._definitions(channel_id, interest)
        members = self._members(bundle, channel_id, interest, definitions)
        by_id = {member.pki_id: member for member in members}
        alive = [
            member
            for member in self._support.membership.alive()
            if member.endpoint and member.pki_id in by_id
        ]
        sets = _principal_sets(interest, definitions)
        groups = _groups(sets)
        able = {
            principal: [peer for peer in alive if _satisfies(bundle, peer, principal)]
            for principal in groups
        }
        layouts = [_layout(one, groups) for one in sets if _enough(one, able)]
        if not layouts:
            raise NoEndorsers("no peer combination can satisfy the endorsement policy")
        having = {
            principal: [peer for peer in peers if _has(by_id[peer.pki_id], definitions)]
            for principal, peers in able.items()
        }
        layouts = [_layout(one, groups) for one in sets if _enough(one, having)]
        if not layouts:
            raise NoEndorsers("required chaincodes are not installed on sufficient peers")
        descriptor = EndorsementDescriptor(chaincode=interest.chaincodes[0].name, layouts=layouts)
        used = {name for layout in layouts for name in layout.quantities_by_group}
        for principal, name in groups.items():
            if name in used:
                peers = [_peer(peer, by_id[peer.pki_id]) for peer in having[principal]]
                descriptor.endorsers_by_groups[name].peers.extend(peers)
        return descriptor

    def authorized_peers(
        self, channel_id: str, interest: ChaincodeInterest
    ) -> Sequence[ChannelMember]:
        """Return a channel's peers that have chaincodes and may read collections; all for none.

        Raises:
            FastledgerError: There is no such chaincode.
        """
        if not interest.chaincodes:
            return self._support.membership.of_channel(channel_id)
        definitions = self._definitions(channel_id, interest)
        members = self._members(self._bundle(channel_id), channel_id, interest, definitions)
        return [member for member in members if _has(member, definitions)]

    def _bundle(self, channel_id: str) -> Bundle:
        bundle = self._support.bundle(channel_id)
        if bundle is None:
            raise NoEndorsers(f"channel {shortened(channel_id)} doesn't exist")
        return bundle

    def _definitions(self, channel_id: str, interest: ChaincodeInterest) -> list[Metadata]:
        known: dict[tuple[str, ...], Metadata] = {}
        found = []
        for call in interest.chaincodes:
            key = (call.name, *call.collection_names)
            one = known.get(key) or self._support.metadata(
                channel_id, call.name, list(call.collection_names)
            )
            if one is None:
                raise NoEndorsers(
                    f"No metadata was found for chaincode {shortened(call.name)} in channel "
                    f"{shortened(channel_id)}"
                )
            known[key] = one
            found.append(one)
        return found

    def _members(
        self,
        bundle: Bundle,
        channel_id: str,
        interest: ChaincodeInterest,
        definitions: Sequence[Metadata],
    ) -> list[ChannelMember]:
        """The channel's peers that may read the collections that are read."""
        wanted = [
            principals
            for call, definition in zip(interest.chaincodes, definitions, strict=True)
            if not call.no_private_reads
            for principals in _readers(call, definition)
        ]
        return [
            member
            for member in self._support.membership.of_channel(channel_id)
            if all(_satisfies_any(bundle, member.identity, principals) for principals in wanted)
        ]


def _readers(call: ChaincodeCall, definition: Metadata) -> Iterable[list[bytes]]:
    """For each collection of a call, the principals of which each may read it."""
    by_name = {}
    if call.collection_names:
        for config in definition.collections.config:
            collection = config.static_collection_config
            policy = collection.member_orgs_policy.signature_policy
            by_name[collection.name] = [each.SerializeToString() for each in policy.identities]
    for name in call.collection_names:
        if name not in by_name:
            raise NoEndorsers(
                f"collection {shortened(name)} doesn't exist in collection config for chaincode "
                f"{shortened(call.name)}"
            )
        yield by_name[name]


def _principal_sets(
    interest: ChaincodeInterest, definitions: Sequence[Metadata]
) -> list[PrincipalSet]:
    """Return what satisfies the policies of all chaincodes, collections and keys."""
    of_chaincodes: list[SignaturePolicyEnvelope] = []
    for call, definition in zip(interest.chaincodes, definitions, strict=True):
        of_chaincode = _policies(call, definition)
        if call.disregard_namespace_policy:
            if not call.key_policies and len(of_chaincode) == 1:
                raise NoEndorsers(
                    f"requested to disregard chaincode {call.name}'s policy but key and collection "
                    "policies are missing, either disable DisregardNamespacePolicy or specify at "
                    "least one key policy or at least one collection policy"
                )
            of_chaincode = of_chaincode[1:]
        of_chaincodes += of_chaincode
    of_keys = [policy for call in interest.chaincodes for policy in call.key_policies]
    # What is merged looks at some ways of each only.
    alone = len(of_chaincodes) + len(of_keys) == 1
    most = MAX_COMBINATIONS if alone else MAX_MERGED
    policies = _ways(of_chaincodes, "endorsement policy", most, Budget())
    if of_keys:
        # Whoever asks has chosen these.
        budget = Budget(MAX_KEY_PRINCIPALS)
        policies.append(merge(_ways(of_keys, "state based endorsement policy", most, budget)))
    return merge(policies)


def _policies(call: ChaincodeCall, definition: Metadata) -> list[SignaturePolicyEnvelope]:
    """The policies that a call must satisfy: of its collections, or the chaincode's own."""
    own = definition.policy
    if not own.identities or not own.HasField("rule"):
        raise NoEndorsers("policy not found")
    if not definition.collection_policies or not call.collection_names:
        return [own]
    found: list[SignaturePolicyEnvelope] = []
    for name in call.collection_names:
        policy = definition.collection_policies.get(name, own)
        if not policy.identities or not policy.HasField("rule"):
            raise NoEndorsers("policy not found")
        if policy not in found:
            found.append(policy)
    return found


def _ways(
    policies: Sequence[SignaturePolicyEnvelope], what: str, most: int, budget: Budget
) -> list[list[PrincipalSet]]:
    """Return what satisfies each of several policies; the same one again costs nothing."""
    known: dict[bytes, list[PrincipalSet]] = {}
    ways = []
    for policy in policies:
        key = policy.SerializeToString(deterministic=True)
        if key not in known:
            known[key] = satisfied_by(policy, most=most, budget=budget)
        if not known[key]:
            raise NoEndorsers(f"{what} cannot be satisfied")
        ways.append(known[key])
    return ways


def _groups(sets: Sequence[PrincipalSet]) -> dict[Principal, str]:
    """Name each principal, in the order in which they come."""
    principals = dict.fromkeys(principal for one in sets for principal in one)
    return {principal: f"G{index}" for index, principal in enumerate(principals)}


def _layout(principals: PrincipalSet, groups: dict[Principal, str]) -> Layout:
    counted = Counter(groups[principal] for principal in principals)
    return Layout(quantities_by_group=dict(counted))


def _enough(principals: PrincipalSet, peers: dict[Principal, list[Member]]) -> bool:
    return all(len(peers[principal]) >= n for principal, n in Counter(principals).items())


def _satisfies(bundle: Bundle, member: Member, principal: Principal) -> bool:
    return _satisfies_any(bundle, member.identity, [principal.message().SerializeToString()])


def _satisfies_any(bundle: Bundle, identity: bytes, principals: Iterable[bytes]) -> bool:
    for principal in principals:
        try:
            if bundle.satisfies(identity, principal):
                return True
        except (FastledgerError, InputError):
            continue
    return False


def _has(member: ChannelMember, definitions: Iterable[Metadata]) -> bool:
    """Whether a peer says that it has chaincodes, in the versions that the channel has."""
    return all(has_chaincode(member.properties, one.name, one.version) for one in definitions)


def has_chaincode(properties: Properties, name: str, version: str) -> bool:
    """Whether a peer's message about its ledger names a chaincode."""
    return any(each.name == name and each.version == version for each in properties.chaincodes)


def _peer(alive: Member, there: ChannelMember) -> Peer:
    return Peer(identity=alive.identity, membership_info=alive.envelope, state_info=there.envelope)


__all__ = ["EndorsementAnalyzer", "MSPPrincipal", "has_chaincode"]
