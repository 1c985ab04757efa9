# SPDX-License-Identifier: Apache-2.0
"""Services of a peer beside endorsing: Deliver and Admin."""

from collections.abc import AsyncIterator
from typing import Any, TypeAlias

import grpc
import grpc.aio
from google.protobuf import empty_pb2
from google.protobuf.message import DecodeError

from fastledger.common import log
from fastledger.common.errors import FastledgerError, InputError
from fastledger.deliver import BLOCKS, FILTERED_BLOCKS, DeliverHandler, Response, ResponseForm
from fastledger.deliver.access import PolicyCheck
from fastledger.deliver.request import DeliverRequest
from fastledger.endorser.acl import AclProvider
from fastledger.msp import Msp
from fastledger.protos.common import common_pb2
from fastledger.protos.msp import msp_principal_pb2
from fastledger.protos.peer import admin_pb2, admin_pb2_grpc
from fastledger.protoutil.envelope import signed_data
from fastledger.protoutil.signed_data import SignedData

DELIVER = "protos.Deliver"

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
_logger = log.get("peer")


class PeerDeliver:
    """``protos.Deliver``: blocks, filtered blocks, blocks with private data."""

    def __init__(
        self, handler: DeliverHandler, acl: AclProvider, with_private_data: ResponseForm
    ) -> None:
        """Serve the peer's channels."""
        self._handler = handler
        self._acl = acl
        self._with_private_data = with_private_data

    def register(self, server: grpc.aio.Server) -> None:
        """Add the service to a server."""
        handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            "Deliver": self._method("event/Block", BLOCKS),
            "DeliverFiltered": self._method("event/FilteredBlock", FILTERED_BLOCKS),
            "DeliverWithPrivateData": self._method("event/Block", self._with_private_data),
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(DELIVER, handlers),))

    def _method(self, resource: str, form: ResponseForm) -> "grpc.RpcMethodHandler[bytes, bytes]":
        check = self._check(resource)

        async def serve(
            requests: AsyncIterator[bytes], context: _Context
        ) -> AsyncIterator[Response]:
            try:
                async for response in self._handler.serve(requests, context, check, form):
                    yield response
            except FastledgerError as error:
                await context.abort(grpc.StatusCode.UNKNOWN, str(error))

        return grpc.stream_stream_rpc_method_handler(serve)

    def _check(self, resource: str) -> PolicyCheck:
        def check(request: DeliverRequest) -> None:
            envelope = request.envelope
            signed = SignedData(envelope.payload, request.creator, envelope.signature)
            self._acl.check(resource, request.channel_id, signed)

        return check


class AdminService(admin_pb2_grpc.AdminServicer):
    """``protos.Admin`` of 1.4, for administrators of the peer's organization."""

    def __init__(self, local_msp: Msp) -> None:
        """Obey the administrators of an MSP."""
        self._local = local_msp
        self._initial_spec = log.spec()

    async def GetStatus(
        self, request: common_pb2.Envelope, context: _Context
    ) -> admin_pb2.ServerStatus:
        """Say that the peer runs."""
        await self._authorize(request, context)
        return admin_pb2.ServerStatus(status=admin_pb2.ServerStatus.STARTED)

    StartServer = GetStatus

    async def GetModuleLogLevel(
        self, request: common_pb2.Envelope, context: _Context
    ) -> admin_pb2.LogLevelResponse:
        """Say at which level a logger writes."""
        name = (await self._authorize(request, context)).logReq.log_module
        return admin_pb2.LogLevelResponse(log_module=name, log_level=log.level(name))

    async def SetModuleLogLevel(
        self, request: common_pb2.Envelope, context: _Context
    ) -> admin_pb2.LogLevelResponse:
        """Set the level of a logger on top of the active spec."""
        wanted = (await self._authorize(request, context)).logReq
        await self._activate(f"{log.spec()}:{wanted.log_module}={wanted.log_level}", context)
        return admin_pb2.LogLevelResponse(
            log_module=wanted.log_module, log_level=wanted.log_level.upper()
        )

    async def RevertLogLevels(
        self, request: common_pb2.Envelope, context: _Context
    ) -> empty_pb2.Empty:
        """Go back to the spec that the peer was started with."""
        await self._authorize(request, context)
        log.activate(self._initial_spec)
        return empty_pb2.Empty()

    async def GetLogSpec(
        self, request: common_pb2.Envelope, context: _Context
    ) -> admin_pb2.LogSpecResponse:
        """Say the active logging spec."""
        await self._authorize(request, context)
        return admin_pb2.LogSpecResponse(log_spec=log.spec())

    async def SetLogSpec(
        self, request: common_pb2.Envelope, context: _Context
    ) -> admin_pb2.LogSpecResponse:
        """Set the logging spec."""
        spec = (await self._authorize(request, context)).logSpecReq.log_spec
        try:
            log.activate(spec)
        except FastledgerError as error:
            return admin_pb2.LogSpecResponse(log_spec=spec, error=str(error))
        return admin_pb2.LogSpecResponse(log_spec=spec)

    async def _activate(self, spec: str, context: _Context) -> None:
        try:
            log.activate(spec)
        except FastledgerError as error:
            await context.abort(
                grpc.StatusCode.UNKNOWN, f"error setting log spec to '{spec}': {error}"
            )

    async def _authorize(
        self,
        envelope: common_pb2.Envelope,
        context: _Context,
    ) -> admin_pb2.AdminOperation:
        try:
            return self._open(envelope)
        except (FastledgerError, DecodeError) as error:
            _logger.warning("administration refused: %s", error)
            await context.abort(grpc.StatusCode.UNKNOWN, "access denied")
            raise

    def _open(self, envelope: common_pb2.Envelope) -> admin_pb2.AdminOperation:
        payload = common_pb2.Payload.FromString(envelope.payload)
        header = common_pb2.ChannelHeader.FromString(payload.header.channel_header)
        if header.type != common_pb2.PEER_ADMIN_OPERATION:
            raise InputError(f"invalid header type {header.type}")
        signed = signed_data(envelope)
        self._local.verify(signed.identity, signed.data, signed.signature)
        self._local.check_role(signed.identity, msp_principal_pb2.MSPRole.ADMIN)
        return admin_pb2.AdminOperation.FromString(payload.data)
