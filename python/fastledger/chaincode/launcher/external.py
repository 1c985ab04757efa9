# SPDX-License-Identifier: Apache-2.0
"""Chaincode as a service: the peer dials it (``protos.Chaincode.Connect``)."""

import asyncio
import functools
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from fastledger import comm
from fastledger.chaincode.launcher.connection import (
    BUILDER_CONFIG,
    CONNECTION_FILE,
    ServerInfo,
    fill_connection,
    parse_connection,
)
from fastledger.chaincode.launcher.instance import Instance, Serve, Start
from fastledger.chaincode.package import ChaincodePackage
from fastledger.chaincode.stream import GrpcStream
from fastledger.comm import ClientTls, GrpcChannel
from fastledger.common.errors import ChaincodeError, ConfigInvalid, ConnectionFailed
from fastledger.protos.peer.chaincode_shim_pb2_grpc import ChaincodeStub

__all__ = ["ExternalLauncher", "ServerInfo", "dial", "parse_connection"]

MAX_CONNECTION_BYTES = 1024 * 1024
"""Of a ``connection.json``, with three certificates in it."""


class ExternalLauncher:
    """Dials services that their packages name."""

    def __init__(self, env: Mapping[str, str] | None = None) -> None:
        """Take the values of placeholders from ``env``, the process's environment when None."""
        self._env = os.environ if env is None else env

    async def build(self, ccid: str, package: ChaincodePackage) -> Start:
        """Read where the service of a package is.

        Raises:
            ChaincodeError: The package does not say where, or cannot be read.
        """
        info = await asyncio.to_thread(self._info, package)
        return functools.partial(dial, ccid, info)

    def _info(self, package: ChaincodePackage) -> ServerInfo:
        with tempfile.TemporaryDirectory(prefix="fastledger-service-") as folder:
            # Nothing else of it is of use, but all of it has to be sound.
            package.unpack(Path(folder))
            for name in (CONNECTION_FILE, f"src/{CONNECTION_FILE}"):
                file = Path(folder, name)
                if file.is_file():
                    return self._read(file, name)
        raise ChaincodeError(f"the package of {package.label!r} has no {CONNECTION_FILE}")

    def _read(self, file: Path, name: str) -> ServerInfo:
        if file.stat().st_size > MAX_CONNECTION_BYTES:
            raise ChaincodeError(f"'{name}' has more than {MAX_CONNECTION_BYTES} bytes")
        return fill_connection(file.read_bytes(), name, self._env.get(BUILDER_CONFIG, ""))


async def dial(ccid: str, info: ServerInfo, serve: Serve) -> Instance:
    """Connect to a chaincode service and converse with it.

    Where nobody listens, it fails at once, as Fabric's (``chaincode/extcc/extcc_handler.go``).

    Raises:
        ChaincodeError: It cannot be reached.
    """
    tls = None
    if info.root_cert is not None:
        pair = info.client_cert or b"", info.client_key or b""
        tls = ClientTls(info.root_cert, *pair, override=info.domain)
    try:
        channel = await comm.dial(info.address, tls, timeout_s=info.dial_timeout_s)
    except (ConnectionFailed, ConfigInvalid) as error:
        raise ChaincodeError(
            f"connection to {ccid} failed: error cannot create connection for {ccid}: error "
            f"creating grpc connection to {info.address}: {error}; start the chaincode there with "
            f"CHAINCODE_ID={ccid}"
        ) from error
    return _Service(ccid, info.address, channel, serve)


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
