# SPDX-License-Identifier: Apache-2.0
"""What chaincode execution needs from the rest of the peer, injected so that it knows no peer."""

from dataclasses import dataclass
from typing import Protocol

from fastledger.chaincode.context import TransactionContext
from fastledger.channelconfig import ApplicationCapabilities
from fastledger.ledger.simulator import TxSimulator
from fastledger.protos.peer.chaincode_event_pb2 import ChaincodeEvent
from fastledger.protos.peer.chaincode_pb2 import ChaincodeInput
from fastledger.protos.peer.proposal_response_pb2 import Response
from fastledger.protoutil.unpacked import UnpackedProposal


@dataclass(frozen=True, slots=True)
class EndorsementInfo:
    """How a channel defines a chaincode (Fabric: ``ChaincodeEndorsementInfo``)."""

    version: str
    ccid: str
    """Package id, or in 1.x ``name:version``: what the chaincode registers with."""

    enforce_init: bool = False


@dataclass(frozen=True, slots=True)
class CollectionAccess:
    """What a transaction's creator may do with a collection."""

    read: bool
    write: bool


class Services(Protocol):
    """The peer. What it refuses it raises; the chaincode sees the exception's text."""

    def endorsement_info(
        self, channel_id: str, name: str, simulator: TxSimulator | None
    ) -> EndorsementInfo:
        """Look a chaincode up among the channel's definitions, legacy ones included."""

    def check_acl(self, channel_id: str, proposal: UnpackedProposal) -> None:
        """Check ``peer/ChaincodeToChaincode`` on the called chaincode's channel."""

    def is_system_chaincode(self, name: str) -> bool:
        """Whether the chaincode is part of the peer and may be called by others."""

    async def invoke_system(
        self, context: TransactionContext, chaincode_input: ChaincodeInput
    ) -> tuple[Response, ChaincodeEvent | None]:
        """Run the system chaincode ``context.namespace``."""

    def new_simulator(self, channel_id: str, tx_id: str) -> TxSimulator | None:
        """Begin a simulation on another channel; None when the peer is not on it."""

    def collection_access(self, context: TransactionContext, collection: str) -> CollectionAccess:
        """Say what the creator may do (Fabric: ``RetrieveReadWritePermission``)."""

    def capabilities(self, channel_id: str) -> ApplicationCapabilities | None:
        """What the channel asks of its peers; None when this one is not on it."""
