# SPDX-License-Identifier: Apache-2.0
"""Judges the messages of a 1.x system channel, and those of channels that are not there.

Fabric 1.4: ``msgprocessor.SystemChannel`` and ``SystemChainFilter``. An update for an unknown
channel asks for a new one: the answer is an ORDERER_TRANSACTION that holds its first configuration.
"""

from typing import Protocol

from fastledger.channelconfig import Bundle
from fastledger.common.errors import FastledgerError, InputError
from fastledger.orderer.capabilities import check_block_policy, check_capabilities, orderer_of
from fastledger.orderer.consensus.kinds import rules_of
from fastledger.orderer.errors import ChannelDoesNotExist, MaintenanceMode, Rejected
from fastledger.orderer.msgprocessor.maintenance import NORMAL
from fastledger.orderer.msgprocessor.message import OrdererMessage, decode, open_envelope
from fastledger.orderer.msgprocessor.standard import Channel, StandardChannel
from fastledger.protos.common.common_pb2 import Envelope, HeaderType
from fastledger.protos.common.configtx_pb2 import ConfigEnvelope
from fastledger.protoutil.envelope import signed_envelope
from fastledger.protoutil.signer import Signer


class ChannelCreator(Protocol):
    """What channel creation needs of the node."""

    @property
    def channels_count(self) -> int:
        """How many channels there are, the system channel included."""


class SystemChannel(StandardChannel):
    """The rules of the system channel."""

    def __init__(
        self,
        channel: Channel,
        signer: Signer,
        creator: ChannelCreator,
        *,
        check_expirations: bool = True,
    ) -> None:
        """Judge by the system channel's configuration."""
        super().__init__(channel, signer, check_expirations=check_expirations)
        self._creator = creator

    async def admit(self, message: OrdererMessage) -> int:
        """Judge a message for the system channel itself."""
        if message.channel_id != self.channel_id:
            raise ChannelDoesNotExist
        return await super().admit(message)

    def process_update(self, message: OrdererMessage) -> tuple[bytes, int]:
        """Update the system channel, or make a channel."""
        name = message.channel_id
        if name == self.channel_id:
            return super().process_update(message)
        bundle = self._channel.bundle
        encoded = self._first_config(bundle, message)
        config = signed_envelope(HeaderType.CONFIG, name, encoded, self._signer).SerializeToString()
        wrapped = signed_envelope(
            HeaderType.ORDERER_TRANSACTION, self.channel_id, config, self._signer
        ).SerializeToString()
        self.apply_filters(OrdererMessage.parse(wrapped))
        self._check_creation(bundle)
        return wrapped, bundle.sequence

    def process_config(self, encoded: bytes) -> tuple[bytes, int]:
        """Make a CONFIG or an ORDERER_TRANSACTION anew."""
        message = OrdererMessage.parse(encoded)
        if message.type != HeaderType.ORDERER_TRANSACTION:
            return super().process_config(encoded)
        envelope = open_envelope(message.data, HeaderType.CONFIG, ConfigEnvelope)
        update = envelope.last_update.SerializeToString()
        return self.process_update(OrdererMessage.parse(update))

    def _first_config(self, bundle: Bundle, message: OrdererMessage) -> bytes:
        try:
            template = bundle.channel_template(message.encoded)
        except FastledgerError as error:
            raise Rejected(str(error)) from error
        try:
            encoded = template.propose_update(message.encoded)
        except FastledgerError as error:
            raise Rejected(
                "error validating channel creation transaction for new channel "
                f"'{message.channel_id}', could not succesfully apply update to "
                f"template configuration: {error}"
            ) from error
        try:
            channel = template.apply(encoded)
        except FastledgerError as error:
            raise Rejected(f"config does not validly parse: {error}") from error
        try:
            check_capabilities(channel)
            check_block_policy(channel)
        except InputError as error:
            raise Rejected(f"config update is not compatible: {error}") from error
        try:
            rules_of(bundle).check_new_channel(bundle, channel)
            self._channel.check_supported(channel)
        except FastledgerError as error:
            raise Rejected(
                f"consensus metadata update for channel creation is invalid: {error}"
            ) from error
        return encoded

    def _check_creation(self, bundle: Bundle) -> None:
        limit = orderer_of(bundle).max_channels
        # The system channel itself does not count.
        if limit and self._creator.channels_count > limit:
            raise Rejected(f"channel creation would exceed maximimum number of channels: {limit}")
        if orderer_of(bundle).state != NORMAL:
            raise MaintenanceMode.because("channel creation is not permitted")


def created_channel(config: bytes) -> bytes | None:
    """Return the CONFIG envelope of the channel that a message makes, None when it makes none."""
    message = OrdererMessage.parse(config)
    if message.type != HeaderType.ORDERER_TRANSACTION:
        return None
    return decode(Envelope, message.data, "Envelope").SerializeToString()
