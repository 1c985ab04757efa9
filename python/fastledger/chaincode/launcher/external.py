# SPDX-License-Identifier: Apache-2.0
"""Chaincode as a service: the peer dials it (``protos.Chaincode.Connect``)."""

import asyncio
import os
from collections.abc import Mapping

from fastledger import comm
from fastledger.chaincode.launcher.connection import (
    BUILDER_CONFIG,
    CONNECTION_FILE,
    ServerInfo,
    fill_connection,
)
from fastledger.chaincode.launcher.instance import Instance, Serve
from fastledger.chaincode.package import ChaincodePackage
from fastledger.chaincode.stream import GrpcStream
from fastledger.comm import ClientTls, GrpcChannel
from fastledger.common.errors import ChaincodeError, ConfigInvalid, ConnectionFailed
from fastledger.protos.peer.chaincode_shim_pb2_grpc import ChaincodeStub

_RETRY_S = 0.1


class ExternalLauncher:
    """Dials services that their packages name."""

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        """Take the values of placeholders from ``env``, the process's environment when None."""
        self._env = os.environ if env is None else env

    async def start(self, ccid: str, package: ChaincodePackage, serve: Serve) -> Instance:
        """Dial the service of a package.

        Raises:
            ChaincodeError: The package does not say where, or nobody answers there.
        """
        for name, _, content in package.files():
            if name.removeprefix("src/") == CONNECTION_FILE:
                config = self._env.get(BUILDER_CONFIG, "")
                return await dial(ccid, fill_connection(content, name, config), serve)
        raise ChaincodeError(f"the package of {package.label!r} has no {CONNECTION_FILE}")


async def dial(ccid: str, info: ServerInfo, serve: Serve) -> Instance:
    """Connect to a chaincode service and converse with it.

    Raises:
        ChaincodeError: It cannot be reached.
    """
    try:
        async with asyncio.timeout(info.dial_timeout_s):
            channel = await _until_connected(info)
    except TimeoutError as error:
        raise ChaincodeError(
            f"connection to {ccid} failed: nobody answers at {info.address} within "
            f"{info.dial_timeout_s:g} s; start the chaincode there with CHAINCODE_ID={ccid}"
        ) from error
    except ConfigInvalid as error:
        raise ChaincodeError(f"connection to {ccid} failed: {error}") from error
    return _Service(ccid, info.address, channel, serve)


async def _until_connected(info: ServerInfo) -> GrpcChannel:
    tls = None
    if info.root_cert is not None:
        pair = info.client_cert or b"", info.client_key or b""
        tls = ClientTls(info.root_cert, *pair, override=info.domain)
    while True:
        try:
            return await comm.dial(info.address, tls, timeout_s=info.dial_timeout_s)
        except ConnectionFailed:
            # The service may be starting.
            await asyncio.sleep(_RETRY_S)


class _Service:
    """A connection that the peer dialled."""

    def __init__(self, ccid: str, address: str, channel: GrpcChannel, serve: Serve) -> None:
        self._address = address
        self._channel = channel
        call = ChaincodeStub(channel).Connect()
        self._serving = asyncio.ensure_future(serve(GrpcStream(call), ccid))

    async def wait(self) -> str:
        await asyncio.wait({self._serving})
        return f"the connection to {self._address} ended"

    async def stop(self) -> None:
        self._serving.cancel()
        await asyncio.wait({self._serving})
        await self._channel.close()
