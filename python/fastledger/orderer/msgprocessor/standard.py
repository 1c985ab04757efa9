# SPDX-License-Identifier: Apache-2.0
"""Judges the messages of one channel (Fabric: ``msgprocessor.StandardChannel``)."""

from collections.abc import Callable, Sequence
from typing import Protocol

from fastledger.channelconfig import Bundle
from fastledger.common.errors import FastledgerError, InputError
from fastledger.orderer.blockcutter import Message
from fastledger.orderer.capabilities import check_block_policy, check_capabilities, orderer_of
from fastledger.orderer.consensus.kinds import rules_of
from fastledger.orderer.errors import MaintenanceMode, Rejected
from fastledger.orderer.msgprocessor.batch import PolicyBatch
from fastledger.orderer.msgprocessor.filters import (
    WRITERS,
    check_expiration,
    check_signature,
    check_size,
    knows_expiration,
    max_bytes,
    policy_in_effect,
)
from fastledger.orderer.msgprocessor.maintenance import NORMAL, check_maintenance
from fastledger.orderer.msgprocessor.message import OrdererMessage, decode, open_envelope
from fastledger.protos.common.common_pb2 import HeaderType
from fastledger.protos.common.configtx_pb2 import ConfigEnvelope
from fastledger.protoutil.envelope import signed_envelope
from fastledger.protoutil.signed_data import SignedData
from fastledger.protoutil.signer import Signer


class Channel(Protocol):
    """What judging needs of a channel."""

    @property
    def channel_id(self) -> str:
        """The channel's name."""

    @property
    def bundle(self) -> Bundle:
        """The configuration in effect."""

    def check_supported(self, bundle: Bundle) -> None:
        """Refuse a configuration that this orderer cannot run; raises a FastledgerError."""

    def check_update(self, following: Bundle) -> None:
        """Refuse one that the channel's consenters would not survive; raises InputError."""


class StandardChannel:
    """The rules of a channel's messages."""

    def __init__(self, channel: Channel, signer: Signer, *, check_expirations: bool = True) -> None:
        """Judge by the configuration that ``channel`` has at the moment."""
        self._channel = channel
        self._signer = signer
        self._check_expirations = check_expirations
        self._batch = PolicyBatch()

    async def admit(self, message: OrdererMessage) -> int:
        """Judge a message with others, and return the sequence of the configuration that let it in.

        Raises:
            Rejected: It is not ordered.
        """
        bundle = self._channel.bundle
        self.check_open(bundle)
        signed = self._check_form(bundle, message)
        await self._batch.check(bundle, policy_in_effect(bundle, WRITERS), signed)
        return bundle.sequence

    def admit_now(self, messages: Sequence[Message]) -> tuple[list[bool], int]:
        """Judge messages together, at once; why one is refused `admit` says.

        Returns which are let in, and by the configuration of which sequence.
        """
        bundle = self._channel.bundle
        try:
            self.check_open(bundle)
            admitted = bundle.admitted_envelopes(
                [message.encoded for message in messages],
                policy_in_effect(bundle, WRITERS),
                max_bytes=max_bytes(bundle),
                unexpired=self._check_expirations and knows_expiration(bundle),
            )
        except FastledgerError:
            admitted = [False] * len(messages)
        return admitted, bundle.sequence

    def process_normal(self, message: OrdererMessage) -> None:
        """Judge a message at once; raises as `admit`."""
        self.check_open(self._channel.bundle)
        self.apply_filters(message)

    def process_update(self, message: OrdererMessage) -> tuple[bytes, int]:
        """Turn a CONFIG_UPDATE into an encoded CONFIG envelope, signed by this orderer.

        Returns it with the sequence of the configuration that it was made from.

        Raises:
            Rejected: The update does not hold.
        """
        bundle = self._channel.bundle
        with_context = f"error applying config update to existing channel '{self.channel_id}'"
        try:
            self.apply_filters(message)
        except Rejected as error:
            raise error.within(
                "config update for existing channel did not pass initial checks"
            ) from error
        try:
            encoded = bundle.propose_update(message.encoded)
            following = bundle.apply(encoded)
            check_successor(bundle, following, self._channel.check_update)
        except FastledgerError as error:
            raise Rejected(f"{with_context}: {error}") from error
        config = signed_envelope(
            HeaderType.CONFIG, self.channel_id, encoded, self._signer
        ).SerializeToString()
        self._check_result(bundle, following, config, encoded)
        try:
            self._channel.check_supported(following)
        except FastledgerError as error:
            raise Rejected(f"{with_context}: {error}") from error
        return config, bundle.sequence

    def process_config(self, encoded: bytes) -> tuple[bytes, int]:
        """Make a configuration envelope anew, from the update in it; raises Rejected."""
        envelope = open_envelope(encoded, HeaderType.CONFIG, ConfigEnvelope)
        update = envelope.last_update.SerializeToString()
        return self.process_update(OrdererMessage.parse(update))

    @property
    def channel_id(self) -> str:
        """The channel's name."""
        return self._channel.channel_id

    def check_open(self, bundle: Bundle) -> None:
        """Refuse normal messages in maintenance."""
        orderer = orderer_of(bundle)
        if orderer.state != NORMAL and orderer.capabilities.consensus_type_migration:
            raise MaintenanceMode.because("normal transactions are rejected")

    def apply_filters(self, message: OrdererMessage) -> None:
        """Apply size, expiration and signature, in Fabric's order; raises Rejected."""
        bundle = self._channel.bundle
        check_signature(bundle, self._check_form(bundle, message), WRITERS)

    def _check_form(self, bundle: Bundle, message: OrdererMessage) -> SignedData:
        check_size(bundle, message)
        signed = message.signed_data()
        if self._check_expirations:
            check_expiration(bundle, signed.identity)
        return signed

    def _check_result(
        self, current: Bundle, following: Bundle, config: bytes, encoded: bytes
    ) -> None:
        """Judge what we made: it may be too large, or our own identity not among the writers."""
        try:
            self.apply_filters(OrdererMessage.parse(config))
        except Rejected as error:
            raise error.within(
                "config update for existing channel did not pass final checks"
            ) from error
        try:
            check_maintenance(current, following, decode(ConfigEnvelope, encoded, "config"))
        except Rejected as error:
            raise Rejected(
                "config update for existing channel did not pass maintenance checks: "
                f"config transaction inspection failed: {error}"
            ) from error


def check_successor(
    current: Bundle, following: Bundle, check_update: Callable[[Bundle], None]
) -> None:
    """Refuse a configuration that other orderers could not go on with, or its own consensus.

    ``check_update`` asks the consenters as they are now. Fabric:
    ``ChainSupport.ProposeConfigUpdate``.

    Raises:
        InputError: It may not follow the current one.
    """
    try:
        check_capabilities(following)
        check_block_policy(following)
    except InputError as error:
        raise InputError(f"config update is not compatible: {error}") from error
    try:
        rules_of(current).check_update(current, following)
        check_update(following)
    except InputError as error:
        raise InputError(
            f"consensus metadata update for channel config update is invalid: {error}"
        ) from error
