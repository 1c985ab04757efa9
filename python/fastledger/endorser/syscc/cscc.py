# SPDX-License-Identifier: Apache-2.0
"""The peer's channels and their configurations (``core/scc/cscc``)."""

from collections.abc import Callable, Mapping

from google.protobuf.message import DecodeError

from fastledger.chaincode.context import TransactionContext
from fastledger.common.errors import FastledgerError, InvocationRefused
from fastledger.endorser import response
from fastledger.endorser.acl import AclProvider
from fastledger.endorser.channel import Channels
from fastledger.endorser.services import Outcome
from fastledger.endorser.syscc.call import proposal_of, signed, text
from fastledger.protos.common import common_pb2, configtx_pb2
from fastledger.protos.peer import proposal_response_pb2, query_pb2, resources_pb2
from fastledger.protoutil.blocks import channel_id_of, last_config_index

Response = proposal_response_pb2.Response

_WITHOUT_ARGUMENT = ("GetChannels", "JoinBySnapshotStatus")


class Cscc:
    """The configuration system chaincode."""

    def __init__(self, channels: Channels, acl: AclProvider) -> None:
        """Configure a peer's channels."""
        self._channels = channels
        self._acl = acl
        self._queries: Mapping[str, Callable[[TransactionContext, str], Response]] = {
            "JoinBySnapshotStatus": self._snapshot_status,
            "GetConfigBlock": self._config_block,
            "GetChannelConfig": self._channel_config,
            "GetConfigTree": self._config_tree,
            "GetChannels": self._list,
        }

    async def invoke(self, context: TransactionContext, args: list[bytes]) -> Outcome:
        """Do one thing."""
        return await self._answer(context, args), None

    async def _answer(self, context: TransactionContext, args: list[bytes]) -> Response:
        if not args:
            return response.failure(f"Incorrect number of arguments, {len(args)}")
        function = text(args[0])
        if function not in _WITHOUT_ARGUMENT and len(args) < 2:
            return response.failure(f"Incorrect number of arguments, {len(args)}")
        called = proposal_of(context).chaincode
        if called != "cscc":
            return response.failure(
                "Rejecting invoke of CSCC from another chaincode, original invocation for "
                f"'{called}'"
            )
        argument = args[1] if len(args) > 1 else b""
        if function == "JoinChain":
            return await self._join(context, argument)
        if function == "JoinChainBySnapshot":
            return await self._join_by_snapshot(context, argument)
        query = self._queries.get(function)
        if query is None:
            return response.failure(f"Requested function {function} not found.")
        return query(context, text(argument))

    async def _join(self, context: TransactionContext, encoded: bytes) -> Response:
        try:
            block = common_pb2.Block.FromString(encoded)
        except DecodeError as error:
            return response.failure(
                f"Failed to reconstruct the genesis block, error unmarshalling Block: {error}"
            )
        try:
            channel_id = channel_id_of(block)
        except (DecodeError, FastledgerError) as error:
            return response.failure(
                f'"JoinChain" request failed to extract channel id from the block due to [{error}]'
            )
        try:
            check_config_block(block)
        except (DecodeError, FastledgerError) as error:
            return response.failure(
                f'"JoinChain" for channelID = {channel_id} failed because of validation of '
                f"configuration block, because of {error}"
            )
        try:
            self._acl.check("cscc/JoinChain", "", signed(context))
        except FastledgerError as error:
            return response.failure(f"access denied for [JoinChain][{channel_id}]: [{error}]")
        try:
            await self._channels.join(encoded)
        except FastledgerError as error:
            return response.failure(str(error))
        return response.success()

    async def _join_by_snapshot(self, context: TransactionContext, folder: bytes) -> Response:
        if not folder:
            return response.failure("Cannot join the channel, no snapshot directory provided")
        try:
            self._acl.check("cscc/JoinChainBySnapshot", "", signed(context))
        except FastledgerError as error:
            return response.failure(f"access denied for [JoinChainBySnapshot]: [{error}]")
        try:
            await self._channels.join_by_snapshot(text(folder))
        except FastledgerError as error:
            return response.failure(str(error))
        return response.success()

    def _snapshot_status(self, context: TransactionContext, _argument: str) -> Response:
        try:
            self._acl.check("cscc/JoinBySnapshotStatus", "", signed(context))
        except FastledgerError as error:
            return response.failure(f"access denied for [JoinBySnapshotStatus]: {error}")
        # Joining is done when it is answered.
        return response.success(query_pb2.JoinBySnapshotStatus().SerializeToString())

    def _config_block(self, context: TransactionContext, channel_id: str) -> Response:
        try:
            self._acl.check("cscc/GetConfigBlock", channel_id, signed(context))
        except FastledgerError as error:
            return response.failure(f"access denied for [GetConfigBlock][{channel_id}]: {error}")
        channel = self._channels.channel(channel_id)
        if channel is None:
            return response.failure(f"Unknown channel ID, {channel_id}")
        newest = common_pb2.Block.FromString(
            channel.ledger.block(channel.ledger.height - 1).encoded
        )
        return response.success(channel.ledger.block(last_config_index(newest)).encoded)

    def _channel_config(self, context: TransactionContext, channel_id: str) -> Response:
        if not channel_id:
            return response.failure("empty channel name provided")
        try:
            self._acl.check("cscc/GetChannelConfig", channel_id, signed(context))
        except FastledgerError as error:
            return response.failure(f"access denied for [GetChannelConfig][{channel_id}]: {error}")
        channel = self._channels.channel(channel_id)
        if channel is None:
            return response.failure(f"unknown channel ID, {channel_id}")
        return response.success(channel.bundle.config)

    def _config_tree(self, context: TransactionContext, channel_id: str) -> Response:
        """Answer the configuration as 1.x wraps it: field 1 of ``protos.ConfigTree``."""
        try:
            self._acl.check("cscc/GetConfigTree", channel_id, signed(context))
        except FastledgerError as error:
            return response.failure(f"access denied for [GetConfigTree][{channel_id}]: {error}")
        channel = self._channels.channel(channel_id)
        if channel is None:
            return response.failure(f"Unknown chain ID, {channel_id}")
        tree = resources_pb2.ConfigTree()
        tree.channel_config.MergeFromString(channel.bundle.config)
        return response.success(tree.SerializeToString(deterministic=True))

    def _list(self, context: TransactionContext, _argument: str) -> Response:
        try:
            self._acl.check("cscc/GetChannels", "", signed(context))
        except FastledgerError as error:
            return response.failure(f"access denied for [GetChannels]: {error}")
        channels = [query_pb2.ChannelInfo(channel_id=one) for one in self._channels.channel_ids()]
        return response.success(
            query_pb2.ChannelQueryResponse(channels=channels).SerializeToString(deterministic=True)
        )


def check_config_block(block: common_pb2.Block) -> None:
    """Check that a block can begin an application channel.

    Raises:
        FastledgerError: It cannot.
    """
    payload = common_pb2.Payload.FromString(
        common_pb2.Envelope.FromString(block.data.data[0]).payload
    )
    header = common_pb2.ChannelHeader.FromString(payload.header.channel_header)
    if header.type != common_pb2.CONFIG:
        known = header.type in common_pb2.HeaderType.values()
        name = common_pb2.HeaderType.Name(header.type) if known else str(header.type)  # type: ignore[arg-type]
        raise InvocationRefused(f"Bad configuration envelope: invalid type {name}, expected CONFIG")
    envelope = configtx_pb2.ConfigEnvelope.FromString(payload.data)
    if not envelope.HasField("config"):
        raise InvocationRefused("Nil config envelope Config")
    if not envelope.config.HasField("channel_group"):
        raise InvocationRefused("Nil channel group")
    groups = envelope.config.channel_group.groups
    if not groups:
        raise InvocationRefused("No channel configuration groups are available")
    if "Application" not in groups:
        raise InvocationRefused(
            "Invalid configuration block, missing Application configuration group"
        )
