# SPDX-License-Identifier: Apache-2.0
"""What chaincodes need of the peer (:class:`fastledger.chaincode.services.Services`)."""

from collections.abc import Mapping
from typing import Protocol

from fastledger.chaincode.context import TransactionContext
from fastledger.chaincode.services import CollectionAccess, EndorsementInfo
from fastledger.channelconfig import ApplicationCapabilities
from fastledger.common import log
from fastledger.common.errors import (
    Defect,
    DefinitionRefused,
    FastledgerError,
    PolicyUnsatisfied,
    said_to_others,
)
from fastledger.endorser import response
from fastledger.endorser.acl import AclProvider
from fastledger.endorser.channel import Channel, Channels
from fastledger.endorser.definitions import Definitions
from fastledger.ledger.history import modifications
from fastledger.ledger.simulator import TxSimulator
from fastledger.protos.peer import (
    chaincode_event_pb2,
    chaincode_pb2,
    collection_pb2,
    proposal_response_pb2,
)
from fastledger.protoutil.unpacked import UnpackedProposal

_logger = log.get("endorser")

Outcome = tuple[proposal_response_pb2.Response, chaincode_event_pb2.ChaincodeEvent | None]


class SystemChaincode(Protocol):
    """A chaincode that is part of the peer."""

    async def invoke(self, context: TransactionContext, args: list[bytes]) -> Outcome:
        """Do what a proposal, or another chaincode, asks."""


class PeerServices:
    """The services of one peer."""

    def __init__(
        self,
        channels: Channels,
        acl: AclProvider,
        definitions: Definitions,
        *,
        keeps_history: bool = True,
    ) -> None:
        """Serve chaincodes.

        Args:
            channels: The peer's channels.
            acl: Who may do what.
            definitions: Which chaincodes there are.
            keeps_history: ``ledger.history.enableHistoryDatabase``.
        """
        self._channels = channels
        self._acl = acl
        self._definitions = definitions
        self._keeps_history = keeps_history
        self._system: dict[str, SystemChaincode] = {}

    def add(self, name: str, chaincode: SystemChaincode) -> None:
        """Add a system chaincode."""
        self._system[name] = chaincode

    @property
    def system_chaincodes(self) -> Mapping[str, SystemChaincode]:
        """System chaincodes by name."""
        return self._system

    def simulate(self, channel: Channel, tx_id: str) -> TxSimulator:
        """Begin a simulation on a channel's newest state."""
        return TxSimulator(
            channel.ledger.view(),
            tx_id,
            private=channel.private,
            collections=lambda sim, ns: self._definitions.collection_names(channel, sim, ns),
            history=(lambda ns, key: modifications(channel.ledger, ns, key))
            if self._keeps_history
            else None,
            indexes=channel.indexes,
        )

    # For chaincodes.

    def endorsement_info(
        self, channel_id: str, name: str, simulator: TxSimulator | None
    ) -> EndorsementInfo:
        """Look a chaincode up; what the peer reads for it is part of the transaction."""
        try:
            channel = self._channels.channel(channel_id)
            return self._definitions.endorsement_info(channel, name, simulator)
        except FastledgerError as error:
            raise DefinitionRefused(
                f"[channel {channel_id}] failed to get chaincode container info for {name}: {error}"
            ) from error

    def check_acl(self, channel_id: str, proposal: UnpackedProposal) -> None:
        """Check that the creator may have a chaincode called by another."""
        self._acl.check("peer/ChaincodeToChaincode", channel_id, proposal.signed_data)

    def is_system_chaincode(self, name: str) -> bool:
        """Whether the chaincode is part of the peer."""
        return name in self._system

    async def invoke_system(
        self, context: TransactionContext, chaincode_input: chaincode_pb2.ChaincodeInput
    ) -> Outcome:
        """Run a system chaincode; how it fails unforeseen says nothing of the peer's insides."""
        chaincode = self._system[context.namespace]
        try:
            return await chaincode.invoke(context, list(chaincode_input.args))
        except (FastledgerError, Defect):
            raise
        except Exception as error:
            _logger.exception("defect in system chaincode %s", context.namespace)
            return response.failure(f"{context.namespace} failed: {said_to_others(error)}"), None

    def new_simulator(self, channel_id: str, tx_id: str) -> TxSimulator | None:
        """Begin a simulation on another channel, which a called chaincode may read."""
        channel = self._channels.channel(channel_id)
        return None if channel is None else self.simulate(channel, tx_id)

    def collection_access(self, context: TransactionContext, collection: str) -> CollectionAccess:
        """Say what the transaction's creator may do with a collection."""
        channel = self._channels.channel(context.channel_id)
        simulator = context.simulator
        if channel is None or simulator is None:
            raise DefinitionRefused(f"channel {context.channel_id} is not on this peer")
        found = self._definitions.collections(channel, simulator, context.namespace)
        config = _named(found, collection)
        if config is None:
            raise DefinitionRefused(
                f"collection {context.channel_id}/{context.namespace}/{collection} could not be "
                "found"
            )
        if not (config.member_only_read or config.member_only_write):
            return CollectionAccess(read=True, write=True)
        is_member = _is_member(channel, config, context.proposal)
        return CollectionAccess(
            read=is_member or not config.member_only_read,
            write=is_member or not config.member_only_write,
        )

    def capabilities(self, channel_id: str) -> ApplicationCapabilities | None:
        """What a channel asks of its peers; None when this one is not on it."""
        channel = self._channels.channel(channel_id)
        return None if channel is None else channel.capabilities


def _named(
    package: collection_pb2.CollectionConfigPackage | None, name: str
) -> collection_pb2.StaticCollectionConfig | None:
    configs = package.config if package is not None else ()
    found = (config.static_collection_config for config in configs)
    return next((config for config in found if config.name == name), None)


def _is_member(
    channel: Channel,
    config: collection_pb2.StaticCollectionConfig,
    proposal: UnpackedProposal | None,
) -> bool:
    if proposal is None:
        return False
    policy = config.member_orgs_policy.signature_policy
    try:
        channel.bundle.evaluate_envelope(policy.SerializeToString(), [proposal.signed_data])
    except PolicyUnsatisfied:
        return False
    return True
