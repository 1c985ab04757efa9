# SPDX-License-Identifier: Apache-2.0
"""One configuration of a channel, and everything that is decided by it."""

import time
from collections.abc import Mapping, Sequence
from functools import cached_property

from google.protobuf.message import DecodeError

from fastledger._core import (
    Application,
    Certificate,
    ChannelConfig,
    Identity,
    Orderer,
    Organization,
    Proposal,
    StateView,
)
from fastledger.channelconfig.conversion import signature_policy
from fastledger.common.errors import ConfigRefused
from fastledger.protos.common.common_pb2 import Envelope, Payload
from fastledger.protos.common.configtx_pb2 import Config, ConfigUpdate, ConfigUpdateEnvelope
from fastledger.protos.common.policies_pb2 import SignaturePolicyEnvelope
from fastledger.protos.peer.policy_pb2 import ApplicationPolicy
from fastledger.protoutil.signed_data import SignedData


class Bundle:
    """A channel's configuration (``channelconfig.Bundle``). It never changes; updates make others.

    Example:
        >>> bundle = Bundle.from_block(genesis)  # doctest: +SKIP
        >>> bundle.evaluate("/Channel/Writers", [SignedData(message, creator, signature)])
        ... # doctest: +SKIP
    """

    def __init__(self, core: ChannelConfig) -> None:
        """Use :meth:`from_block` or :meth:`from_config`."""
        self._core = core

    @classmethod
    def from_block(cls, block: bytes) -> "Bundle":
        """Read an encoded configuration block.

        Raises:
            ConfigRefused: It is none, or Fabric would refuse the configuration.
            Unsupported: It asks for a capability that is unknown here.
        """
        return cls(ChannelConfig.from_block(block))

    @classmethod
    def from_config(cls, channel_id: str, config: bytes) -> "Bundle":
        """Read an encoded ``common.Config``; raises as :meth:`from_block`."""
        return cls(ChannelConfig.from_config(channel_id, config))

    @property
    def channel_id(self) -> str:
        """The channel's name."""
        return self._core.channel_id

    @property
    def sequence(self) -> int:
        """How many updates led to this configuration."""
        return self._core.sequence

    @cached_property
    def config(self) -> bytes:
        """The encoded ``common.Config``, deterministic."""
        return self._core.config

    # Who may do what.

    def has_policy(self, path: str) -> bool:
        """Whether there is a policy of this path, such as ``/Channel/Application/Writers``."""
        return self._core.has_policy(path)

    def evaluate(self, path: str, signed: Sequence[SignedData]) -> None:
        """Return if those who signed satisfy a policy; bad signatures count for nobody.

        Raises:
            PolicyUnsatisfied: They do not; its text is Fabric's.
            NotFound: There is no such policy.
        """
        self._core.evaluate(path, signed)

    def admitted(
        self,
        proposals: Sequence[Proposal],
        policy: str | None,
        *,
        unexpired: bool = False,
        window_s: float | None = None,
    ) -> list[bool]:
        """Say which proposals keep all rules; not which one the others break.

        Args:
            proposals: Their signatures are verified together.
            policy: Path of what a creator has to satisfy; None where every identity may propose.
            unexpired: Whether a creator's certificate must not have ended.
            window_s: How far a proposal's time may be from now; None where it may be any.
        """
        return self._core.admitted(
            proposals, policy, time.time(), unexpired=unexpired, window_s=window_s
        )

    def evaluate_many(
        self, path: str, questions: Sequence[Sequence[SignedData]]
    ) -> list[str | None]:
        """Answer many :meth:`evaluate` at once: None, or the text of what it would raise.

        Raises:
            NotFound: There is no such policy.
        """
        return self._core.evaluate_many(path, questions)

    def admitted_envelopes(
        self, envelopes: Sequence[bytes], policy: str, *, max_bytes: int, unexpired: bool
    ) -> list[bool]:
        """Say which encoded envelopes may be ordered; not why others may not.

        Args:
            envelopes: Their signatures are verified together.
            policy: Path of what a creator has to satisfy.
            max_bytes: Of payload and signature.
            unexpired: Whether a creator's certificate must not have ended.

        Raises:
            NotFound: There is no such policy.
        """
        now = time.time() if unexpired else None
        return self._core.admitted_envelopes(envelopes, policy, max_bytes, now)

    def evaluate_envelope(self, envelope: bytes, signed: Sequence[SignedData]) -> None:
        """Evaluate an encoded ``common.SignaturePolicyEnvelope`` over the channel's MSPs.

        Raises:
            PolicyUnsatisfied: Those who signed do not satisfy it.
            InputError: It is no such policy.
        """
        self._core.evaluate_signature_policy(envelope, signed)

    def evaluate_application_policy(self, policy: bytes, signed: Sequence[SignedData]) -> None:
        """Evaluate an encoded ``protos.ApplicationPolicy``: its own, or one of the channel's.

        Raises:
            PolicyUnsatisfied: Those who signed do not satisfy it.
            NotFound: It names a policy that there is not.
            InputError: It is no such policy.
        """
        self._core.evaluate_application_policy(policy, signed)

    def endorsement_policy(
        self, view: StateView, namespace: str, collection: str = ""
    ) -> bytes | None:
        """Return who must endorse writes to a namespace, or to one of its collections.

        What the committer holds transactions against; a key may have a policy of its own instead.

        Args:
            view: The state that defines the chaincode.
            namespace: The chaincode, ``_lifecycle`` or a system chaincode.
            collection: One of the chaincode's, implicit ones too; empty for its public state.

        Returns:
            The encoded ``protos.ApplicationPolicy``; None where nothing written there can be valid.
        """
        return view.endorsement_policy(self._core, namespace, collection)

    def spelt_out(self, policy: bytes) -> SignaturePolicyEnvelope:
        """Return the signatures that an encoded ``protos.ApplicationPolicy`` asks for.

        Raises:
            NotFound: It names a policy that there is not.
            InputError: It is of a kind that cannot be spelt out.
        """
        decoded = ApplicationPolicy.FromString(policy)
        if decoded.WhichOneof("Type") == "channel_config_policy_reference":
            root = Config.FromString(self.config).channel_group
            return signature_policy(root, decoded.channel_config_policy_reference)
        return decoded.signature_policy

    def identity(self, serialized: bytes) -> Identity:
        """Read an encoded ``msp.SerializedIdentity`` of one of the channel's MSPs.

        Raises:
            IdentityRefused: It is none.
        """
        return self._core.identity(serialized)

    def verify(self, identity: bytes, message: bytes, signature: bytes) -> None:
        """Return if a serialized identity is valid and the signature its own.

        Raises:
            IdentityRefused: It is not.
        """
        read = self._core.identity(identity)
        read.validate()
        read.verify(message, signature)

    def satisfies(self, serialized: bytes, principal: bytes) -> bool:
        """Whether an identity satisfies an encoded ``common.MSPPrincipal``.

        Raises:
            IdentityRefused: The identity cannot be read.
            InputError: The principal cannot be read.
        """
        return self._core.satisfies(serialized, principal)

    def verify_block(self, block: bytes) -> None:
        """Return if the orderers whom the channel asks for have signed an encoded block.

        This must be the configuration in force before the block.

        Raises:
            BlockRefused: They have not.
        """
        self._core.verify_block(block)

    @property
    def msp_ids(self) -> list[str]:
        """Names of all the channel's MSPs, sorted."""
        return self._core.msp_ids

    def tls_cas(self, mspid: str) -> list[bytes]:
        """Return the PEM of the CAs that an organization's TLS certificates come from.

        Raises:
            NotFound: The channel has no such MSP.
        """
        return self._core.tls_cas(mspid)

    def verify_orderer_tls(
        self, certificate: Certificate, *, ignore_expiration: bool = False
    ) -> None:
        """Hold a TLS certificate against the TLS CAs of the orderers' organizations, as of now.

        Raises:
            IdentityRefused: It has no chain to one; its text is Go's, as far as that is known.
        """
        self._core.verify_orderer_tls(
            certificate, int(time.time()), ignore_expiration=ignore_expiration
        )

    # Updates.

    def propose_update(self, update: bytes) -> bytes:
        """Make the configuration that an update asks for (``ProposeConfigUpdate``).

        Args:
            update: The encoded ``common.Envelope`` of type CONFIG_UPDATE.

        Returns:
            The encoded ``common.ConfigEnvelope``. Whether it makes sense, :meth:`apply` says.

        Raises:
            ConfigRefused: The update may not be made; the text is Fabric's.
        """
        proposed = self._core.propose_update(update)
        _refuse_unknown_fields(update)
        return proposed

    def channel_template(self, request: bytes) -> "Bundle":
        """Make of a system channel's configuration what a request for a channel applies to.

        Fabric 1.x and 2.x: ``msgprocessor.DefaultTemplator``.

        Args:
            request: The encoded ``common.Envelope`` of type CONFIG_UPDATE.

        Raises:
            ConfigRefused: The request does not hold, or its consortium does not; the text is
                Fabric's.
        """
        return Bundle(self._core.channel_template(request))

    def apply(self, config_envelope: bytes) -> "Bundle":
        """Return the configuration that a CONFIG transaction's data makes of this one.

        Raises:
            ConfigRefused: It breaks a rule.
            Unsupported: It asks for a capability that is unknown here.
        """
        return Bundle(self._core.apply(config_envelope))

    # What it says.

    @cached_property
    def capabilities(self) -> frozenset[str]:
        """Names of the channel capabilities."""
        return self._core.capabilities

    @cached_property
    def application(self) -> Application | None:
        """The application section; None in a system channel."""
        return self._core.application

    @cached_property
    def orderer(self) -> Orderer | None:
        """The orderer section; None where a peer alone made the configuration."""
        return self._core.orderer

    @cached_property
    def consortiums(self) -> Mapping[str, Mapping[str, Organization]] | None:
        """The organizations of each consortium of a system channel, by MSP; None elsewhere."""
        return self._core.consortiums

    @cached_property
    def orderer_addresses(self) -> tuple[str, ...]:
        """Where the orderers are: their organizations' endpoints, or else the channel's list."""
        return self._core.orderer_addresses


def _refuse_unknown_fields(update: bytes) -> None:
    """Refuse what Fabric's peers would keep in the configuration, and the core would not."""
    try:
        payload = Payload.FromString(Envelope.FromString(update).payload)
        encoded = ConfigUpdateEnvelope.FromString(payload.data).config_update
        decoded = ConfigUpdate.FromString(encoded)
    except DecodeError as error:
        raise ConfigRefused(f"the update cannot be decoded: {error}") from error
    size = decoded.ByteSize()
    decoded.DiscardUnknownFields()
    if decoded.ByteSize() != size:
        raise ConfigRefused("the update has fields that this version of fastledger does not know")
