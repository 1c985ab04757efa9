# SPDX-License-Identifier: Apache-2.0
"""The peer as its discovery service sees it (Fabric: ``lifecycle/metadata_provider.go``)."""

from collections.abc import Sequence

from fastledger.channelconfig import Bundle
from fastledger.channelconfig.conversion import signature_policy
from fastledger.common import log
from fastledger.common.errors import FastledgerError
from fastledger.discovery.support import Membership, Metadata
from fastledger.endorser.definitions import COLLECTIONS_SUFFIX
from fastledger.endorser.lifecycle import definition as lifecycle
from fastledger.endorser.published import LIFECYCLE_SEQUENCE
from fastledger.endorser.states import ViewState
from fastledger.msp import Msp
from fastledger.node.peer.channel import PeerChannel
from fastledger.node.peer.channels import PeerChannels
from fastledger.policies import n_out_of_role
from fastledger.protos.common.configtx_pb2 import Config, ConfigGroup
from fastledger.protos.common.policies_pb2 import SignaturePolicyEnvelope
from fastledger.protos.core.ccprovider_pb2 import ChaincodeData
from fastledger.protos.msp.msp_principal_pb2 import MSPRole
from fastledger.protos.peer.collection_pb2 import CollectionConfigPackage
from fastledger.protos.peer.policy_pb2 import ApplicationPolicy
from fastledger.protoutil.signed_data import SignedData

LIFECYCLE_POLICY = "/Channel/Application/LifecycleEndorsement"

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
        view = channel.ledger.view()
        try:
            if chaincode == lifecycle.NAMESPACE:
                return _of_lifecycle(channel) if channel.has_lifecycle else None
            state = ViewState(view, lifecycle.NAMESPACE)
            committed = lifecycle.read_committed(chaincode, state)
            if committed is not None:
                return _of_definition(channel, chaincode, committed, collections)
            entry = view.get("lscc", chaincode)
            packaged = view.get("lscc", chaincode + COLLECTIONS_SUFFIX) if collections else None
        except FastledgerError as error:
            _logger.error("[%s] chaincode %s: %s", channel_id, chaincode, error)
            return None
        finally:
            view.close()
        if entry is None:
            return None
        data = ChaincodeData.FromString(entry.value)
        return Metadata(
            chaincode,
            data.version,
            SignaturePolicyEnvelope.FromString(data.policy),
            collections=CollectionConfigPackage.FromString(packaged.value if packaged else b""),
        )


def _of_lifecycle(channel: PeerChannel) -> Metadata:
    """The lifecycle's own policy, by default the majority of the organizations."""
    orgs = channel.organizations
    if channel.bundle.has_policy(LIFECYCLE_POLICY):
        policy = signature_policy(_root(channel), LIFECYCLE_POLICY)
    else:
        policy = n_out_of_role(len(orgs) // 2 + 1, "member", orgs)
    return Metadata(lifecycle.NAMESPACE, LIFECYCLE_SEQUENCE, policy)


def _of_definition(
    channel: PeerChannel,
    name: str,
    committed: lifecycle.ChaincodeDefinition,
    collections: Sequence[str],
) -> Metadata:
    package = CollectionConfigPackage()
    package.CopyFrom(committed.collections)
    for wanted in dict.fromkeys(collections):
        mspid = wanted.removeprefix(lifecycle.IMPLICIT_PREFIX)
        if mspid != wanted:
            own = n_out_of_role(1, "member", [mspid])
            implicit = package.config.add().static_collection_config
            implicit.name = wanted
            implicit.member_orgs_policy.signature_policy.CopyFrom(own)
            implicit.endorsement_policy.signature_policy.CopyFrom(own)
    policies = {
        config.static_collection_config.name: _spelt_out(
            channel, config.static_collection_config.endorsement_policy
        )
        for config in package.config
        if config.static_collection_config.name in collections
        and config.static_collection_config.HasField("endorsement_policy")
    }
    own_policy = ApplicationPolicy.FromString(committed.validation.validation_parameter)
    sequence = str(committed.sequence)
    return Metadata(name, sequence, _spelt_out(channel, own_policy), policies, package)


def _spelt_out(channel: PeerChannel, policy: ApplicationPolicy) -> SignaturePolicyEnvelope:
    """Return the signatures that a policy asks for, be it its own or one of the channel's."""
    if policy.WhichOneof("Type") == "channel_config_policy_reference":
        return signature_policy(_root(channel), policy.channel_config_policy_reference)
    return policy.signature_policy


def _root(channel: PeerChannel) -> ConfigGroup:
    return Config.FromString(channel.bundle.config).channel_group
