# SPDX-License-Identifier: Apache-2.0
"""What a channel defines of a chaincode, as far as endorsing goes (``metadata_provider.go``)."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from fastledger.channelconfig import Bundle
from fastledger.ledger.views import IMPLICIT_PREFIX, LIFECYCLE, LIFECYCLE_SEQUENCE, StateView
from fastledger.policies import n_out_of_role
from fastledger.protos.common.policies_pb2 import SignaturePolicyEnvelope
from fastledger.protos.peer.collection_pb2 import CollectionConfigPackage


@dataclass(frozen=True, slots=True)
class Metadata:
    """A channel's definition of a chaincode.

    Attributes:
        name: Its name.
        version: What peers publish that run it: the sequence, or lscc's version.
        policy: Who endorses; empty where nothing that it writes can be valid.
        collection_policies: Who endorses writes to the collections that were asked for.
        collections: The collections, implicit ones too where they were asked for.
    """

    name: str
    version: str
    policy: SignaturePolicyEnvelope
    collection_policies: dict[str, SignaturePolicyEnvelope] = field(default_factory=dict)
    collections: CollectionConfigPackage = field(default_factory=CollectionConfigPackage)


def read_metadata(
    bundle: Bundle, view: StateView, name: str, collections: Sequence[str]
) -> Metadata | None:
    """Read a chaincode's definition and policies; None where the channel does not define it.

    Args:
        bundle: The channel's configuration.
        view: The channel's state.
        name: The chaincode, or ``_lifecycle``.
        collections: Those whose policies are wanted.

    Raises:
        FastledgerError: The definition cannot be read, or names a policy that there is not.
    """
    policy = bundle.endorsement_policy(view, name)
    defined = view.definition(name)
    if name == LIFECYCLE and policy is not None:
        version, package = LIFECYCLE_SEQUENCE, CollectionConfigPackage()
    elif defined is not None:
        version = str(defined.sequence) if defined.lifecycle == LIFECYCLE else defined.version
        package = CollectionConfigPackage.FromString(defined.collections)
    else:
        return None
    policies = {}
    for collection in dict.fromkeys(collections):
        mspid = collection.removeprefix(IMPLICIT_PREFIX)
        members = n_out_of_role(1, "member", [mspid])
        if mspid != collection:
            implicit = package.config.add().static_collection_config
            implicit.name = collection
            implicit.member_orgs_policy.signature_policy.CopyFrom(members)
        found = bundle.endorsement_policy(view, name, collection)
        if found is not None:
            policies[collection] = bundle.spelt_out(found)
        elif mspid != collection:
            # An organization that the channel does not have: nobody can endorse for it.
            policies[collection] = members
    own = SignaturePolicyEnvelope() if policy is None else bundle.spelt_out(policy)
    return Metadata(name, version, own, policies, package)
