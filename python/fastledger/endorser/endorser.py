# SPDX-License-Identifier: Apache-2.0
"""The Endorser service (``core/endorser/endorser.go``).

What is wrong with a proposal itself is told by a gRPC status; what goes wrong from the chaincode's
definition on is told by a response of status 500 without an endorsement.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from fastledger.chaincode.context import TransactionContext
from fastledger.chaincode.services import EndorsementInfo
from fastledger.comm import ServiceLimit, Services
from fastledger.common import log, metrics
from fastledger.common.errors import EndorsementFailed, FastledgerError
from fastledger.endorser import response as responses
from fastledger.endorser.acl import AclProvider
from fastledger.endorser.channel import Channel, Channels
from fastledger.endorser.definitions import Definition, Definitions
from fastledger.endorser.distributor import Distributor
from fastledger.endorser.filters import Filters
from fastledger.endorser.packages import PackageMissing
from fastledger.endorser.proposal import (
    ProposalInvalid,
    access_denied,
    check_parts,
    claimed_mspid,
    validate,
)
from fastledger.endorser.services import PeerServices
from fastledger.ledger.simulator import TxSimulator
from fastledger.msp import Identity, SigningIdentity
from fastledger.protos.peer import chaincode_event_pb2, chaincode_pb2, proposal_response_pb2
from fastledger.protoutil.proposal_response import (
    Answer,
    encoded_payload,
    encoded_response,
    endorsed_answer,
)
from fastledger.protoutil.unpacked import UnpackedProposal, WholeProposal

_logger = log.get("endorser")

NOT_SIMULATED = {"qscc", "cscc"}
"""System chaincodes that read ledgers by themselves and write nothing."""

PROPOSE = "peer/Propose"
"""What a creator has to be allowed to, unless he calls a system chaincode."""

_LEGACY_DEPLOYMENTS = (b"deploy", b"upgrade")

Outcome = tuple[proposal_response_pb2.Response, chaincode_event_pb2.ChaincodeEvent | None]


class Executor(Protocol):
    """Runs chaincodes: :class:`fastledger.chaincode.support.ChaincodeSupport`."""

    async def invoke(
        self,
        context: TransactionContext,
        chaincode_input: chaincode_pb2.ChaincodeInput,
        info: EndorsementInfo | None = None,
    ) -> Outcome:
        """Run the chaincode that the channel defines, in this way, by the context's namespace."""

    async def execute(
        self,
        context: TransactionContext,
        ccid: str,
        chaincode_input: chaincode_pb2.ChaincodeInput,
        is_init: bool = False,
    ) -> Outcome:
        """Run a chaincode by its id."""


class Endorser:
    """Endorses for one peer."""

    def __init__(
        self,
        channels: Channels,
        acl: AclProvider,
        local_identity: Callable[[bytes], Identity],
        definitions: Definitions,
        services: PeerServices,
        executor: Executor,
        distributor: Distributor,
        signer: SigningIdentity,
        filters: Filters | None = None,
    ) -> None:
        """Build an endorser.

        Args:
            channels: The peer's channels.
            acl: Who may propose.
            local_identity: Reads identities of the peer's own MSP.
            definitions: Which chaincodes there are.
            services: What chaincodes get from the peer.
            executor: Runs them.
            distributor: Hands private writes to other peers.
            signer: Endorses.
            filters: Look at each proposal first.
        """
        self._filters = filters or Filters()
        self._channels = channels
        self._acl = acl
        self._local_identity = local_identity
        self._definitions = definitions
        self._services = services
        self._signer = signer
        self._executor = executor
        self._distributor = distributor
        self._received = metrics.counter(
            "endorser_proposals_received", "The number of proposals received."
        )
        self._succeeded = metrics.counter(
            "endorser_successful_proposals", "The number of successful proposals."
        )
        self._invalid = metrics.counter(
            "endorser_proposal_validation_failures",
            "The number of proposals that have failed initial validation.",
        )

    async def process(
        self, proposal: UnpackedProposal, admitted_to: Channel | None = None
    ) -> Answer:
        """Endorse a proposal, or say why not.

        Args:
            proposal: The proposal.
            admitted_to: What :meth:`admit` has said of it, where that was asked.

        Raises:
            ProposalInvalid: The proposal itself is refused.
        """
        self._received.inc()
        channel = admitted_to or self.admit([proposal])[0]
        if channel is None or channel.ledger.has_transaction(proposal.tx_id):
            channel = self._look_through(proposal)
        started = time.perf_counter()
        try:
            answer = await self._endorse(proposal, channel)
        except FastledgerError as error:
            _logger.warning(
                "[%s] failed to invoke chaincode %s: %s",
                proposal.tx_id[:8],
                proposal.chaincode,
                error,
            )
            return responses.refusal(str(error)).SerializeToString()
        _logger.debug(
            "[%s][%s] finished chaincode: %s duration: %dms",
            proposal.channel_id,
            proposal.tx_id[:8],
            proposal.chaincode,
            (time.perf_counter() - started) * 1000,
        )
        return answer

    def admit(self, proposals: Sequence[UnpackedProposal]) -> list[Channel | None]:
        """Look at proposals together: at their signatures, their headers, their creators' rights.

        Returns:
            For each that keeps all rules its channel; None where one has to look for what is wrong.
        """
        alike: dict[tuple[str, bool], list[tuple[int, WholeProposal]]] = {}
        for index, proposal in enumerate(proposals):
            if proposal.whole is not None and proposal.channel_id:
                is_system = self._services.is_system_chaincode(proposal.chaincode)
                group = alike.setdefault((proposal.channel_id, is_system), [])
                group.append((index, proposal.whole))
        found: list[Channel | None] = [None] * len(proposals)
        for (channel_id, is_system), group in alike.items():
            channel = self._channels.channel(channel_id)
            if channel is None:
                continue
            verdicts = channel.bundle.admitted(
                [whole for _, whole in group],
                None if is_system else self._acl.policy(PROPOSE, channel.bundle),
                unexpired=self._filters.unexpired,
                window_s=self._filters.window_s,
            )
            for (index, _), is_admitted in zip(group, verdicts, strict=True):
                found[index] = channel if is_admitted else None
        return found

    def _look_through(self, proposal: UnpackedProposal) -> Channel | None:
        """Check one rule after another; raises a FastledgerError that says which one is broken."""
        try:
            self._filters.check(proposal)
            check_parts(proposal)
            return self._check(proposal)
        except FastledgerError as error:
            self._invalid.inc()
            _logger.warning("proposal refused: %s", error)
            raise

    def _check(self, proposal: UnpackedProposal) -> Channel | None:
        """Check a proposal's headers, its uniqueness, and that its creator may propose."""
        if not proposal.channel_id:
            validate(proposal, self._local_identity, [self._signer.mspid])
            return None
        channel = self._channels.channel(proposal.channel_id)
        if channel is None:
            # As 1.4 does: a stranger does not learn which channels there are.
            raise access_denied(proposal.channel_id, claimed_mspid(proposal.creator))
        try:
            mspids = channel.bundle.msp_ids if channel.has_lifecycle else None
            validate(proposal, channel.bundle.identity, mspids)
        except ProposalInvalid as error:
            if channel.has_lifecycle:
                raise ProposalInvalid(f"error validating proposal: {error}") from error
            raise
        if channel.ledger.has_transaction(proposal.tx_id):
            raise ProposalInvalid(
                f"duplicate transaction found [{proposal.tx_id}]. "
                f"Creator [{proposal.creator.hex()}]"
            )
        if not self._services.is_system_chaincode(proposal.chaincode):
            self._acl.check(PROPOSE, proposal.channel_id, proposal.signed_data)
        return channel

    async def _endorse(self, proposal: UnpackedProposal, channel: Channel | None) -> Answer:
        simulator = None
        if channel is not None and proposal.chaincode not in NOT_SIMULATED:
            simulator = self._services.simulate(channel, proposal.tx_id)
        try:
            return await self._simulate(proposal, channel, simulator)
        finally:
            if simulator is not None:
                simulator.done()

    async def _simulate(
        self,
        proposal: UnpackedProposal,
        channel: Channel | None,
        simulator: TxSimulator | None,
    ) -> Answer:
        definition = self._definition(proposal, channel, simulator)
        context = TransactionContext(
            channel_id=proposal.channel_id,
            tx_id=proposal.tx_id,
            namespace=proposal.chaincode,
            simulator=simulator,
            proposal=proposal,
            creator=proposal.creator,
        )
        modern = channel is None or channel.has_lifecycle
        try:
            answer, event = await self._run(context, proposal.input, definition)
            results = await self._results(proposal, channel, simulator)
        except FastledgerError as error:
            raise EndorsementFailed(
                f"error in simulation: {error}" if modern else str(error)
            ) from error
        failed = answer.status >= responses.ERROR
        # A failure of 1.4 does not say of which version.
        unsaid = failed and (channel is None or not channel.has_lifecycle)
        response = answer.SerializeToString(deterministic=True)
        payload = encoded_payload(
            proposal.hash,
            response,
            results,
            b"" if event is None else event.SerializeToString(deterministic=True),
            proposal.chaincode,
            "" if unsaid else definition.version,
        )
        interest = None
        if modern and simulator is not None:
            interest = responses.interest(simulator, self._services.system_chaincodes)
        if failed:
            answered = encoded_response(response, payload, interest)
        elif channel is None or answer.status >= responses.ERROR_THRESHOLD:
            answered = encoded_response(response, b"")
        else:
            self._succeeded.inc()
            return endorsed_answer(response, payload, self._signer, self._signer.core_key, interest)
        if channel is None:
            self._succeeded.inc()
        return answered

    def _definition(
        self,
        proposal: UnpackedProposal,
        channel: Channel | None,
        simulator: TxSimulator | None,
    ) -> Definition:
        name = proposal.chaincode
        try:
            return self._definitions.endorsement_info(channel, name, simulator)
        except FastledgerError as error:
            if channel is None or channel.has_lifecycle:
                raise EndorsementFailed(
                    f"make sure the chaincode {name} has been successfully defined on channel "
                    f"{proposal.channel_id} and try again: {error}"
                ) from error
            if isinstance(error, PackageMissing):
                raise
            raise EndorsementFailed(
                f"make sure the chaincode {name} has been successfully instantiated and try "
                f"again: {error}"
            ) from error

    async def _run(
        self,
        context: TransactionContext,
        chaincode_input: chaincode_pb2.ChaincodeInput,
        definition: Definition,
    ) -> Outcome:
        answer, event = await self._executor.invoke(context, chaincode_input, definition)
        if answer.status >= responses.ERROR_THRESHOLD:
            return answer, None
        if context.namespace == "lscc" and chaincode_input.args[:1]:
            await self._initialize(context, chaincode_input)
        return answer, event

    async def _initialize(
        self, context: TransactionContext, deployment: chaincode_pb2.ChaincodeInput
    ) -> None:
        """Run Init of what lscc deploys or upgrades, in the same simulation."""
        if deployment.args[0] not in _LEGACY_DEPLOYMENTS or len(deployment.args) < 3:
            return
        spec = chaincode_pb2.ChaincodeDeploymentSpec.FromString(deployment.args[2])
        chaincode = spec.chaincode_spec.chaincode_id
        if self._services.is_system_chaincode(chaincode.name):
            raise EndorsementFailed(
                f"attempting to deploy a system chaincode {chaincode.name}/{context.channel_id}"
            )
        if spec.code_package:
            raise EndorsementFailed("lscc upgrade/deploy should not include a code packages")
        inner = TransactionContext(
            channel_id=context.channel_id,
            tx_id=context.tx_id,
            namespace=chaincode.name,
            simulator=context.simulator,
            proposal=context.proposal,
            creator=context.creator,
        )
        ccid = f"{chaincode.name}:{chaincode.version}"
        await self._executor.execute(inner, ccid, spec.chaincode_spec.input, True)

    async def _results(
        self, proposal: UnpackedProposal, channel: Channel | None, simulator: TxSimulator | None
    ) -> bytes:
        """End the simulation; private writes go to others, and wait here for their commit."""
        if simulator is None or channel is None:
            return b""
        public, private = simulator.results()
        if private is not None:
            if proposal.chaincode == "lscc":
                raise EndorsementFailed("Private data is forbidden to be used in instantiate")
            await self._distributor.distribute(channel, proposal.tx_id, private)
            await channel.private.keep(proposal.tx_id, private)
        return public


class _Asked(NamedTuple):
    proposal: UnpackedProposal
    admitted_to: Channel | None


class EndorserService:
    """The gRPC face of the endorser."""

    def __init__(self, endorser: Endorser, limit: ServiceLimit | None = None) -> None:
        """Serve an endorser, within a limit of calls at a time."""
        self._endorser = endorser
        self._limit = limit or ServiceLimit("/protos.Endorser", 0)

    def register(self, server: Services) -> None:
        """Add the service to a server."""
        server.add_unary("/protos.Endorser/ProcessProposal", self._process, self._read)

    def _read(self, messages: Sequence[bytes]) -> list[_Asked | DecodeError]:
        """Take proposals apart that have come together, and look at them together."""
        unpacked = [_unpacked(message) for message in messages]
        proposals = [one for one in unpacked if isinstance(one, UnpackedProposal)]
        admitted = iter(self._endorser.admit(proposals))
        return [
            _Asked(one, next(admitted)) if isinstance(one, UnpackedProposal) else one
            for one in unpacked
        ]

    async def _process(
        self, asked: _Asked, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> Answer:
        async with self._limit.call(asked.proposal.claimed_creator, context):
            try:
                return await self._endorser.process(asked.proposal, asked.admitted_to)
            except FastledgerError as error:
                await context.abort(grpc.StatusCode.UNKNOWN, str(error))
                raise


def _unpacked(message: bytes) -> UnpackedProposal | DecodeError:
    try:
        return UnpackedProposal(message)
    except DecodeError as error:
        return error
