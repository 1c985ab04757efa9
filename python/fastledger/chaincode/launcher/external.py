# SPDX-License-Identifier: Apache-2.0
"""Chaincode as a service: the peer dials it (``protos.Chaincode.Connect``).

The package's code holds ``connection.json``; in a ``ccaas`` package it may have placeholders such
as ``{{.peername}}``, filled from ``CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG`` (JSON) as Fabric's
ccaas builder does.
"""

import asyncio
import functools
import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fastledger import comm
from fastledger.chaincode.launcher.instance import Instance, Serve, Start
from fastledger.chaincode.package import ChaincodePackage
from fastledger.chaincode.stream import GrpcStream
from fastledger.comm import ClientTls, GrpcChannel
from fastledger.common.errors import ChaincodeError, ConfigInvalid, ConnectionFailed
from fastledger.protos.peer.chaincode_shim_pb2_grpc import ChaincodeStub

CONNECTION_FILE = "connection.json"
BUILDER_CONFIG = "CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG"
DEFAULT_DIAL_TIMEOUT_S = 3.0
MAX_CONNECTION_BYTES = 1024 * 1024
"""Of a ``connection.json``, with three certificates in it."""

_PLACEHOLDER = re.compile(r"\{\{\s*\.([A-Za-z0-9_]+)\s*\}\}")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """Where a chaincode listens (Fabric: ``ChaincodeServerUserData``)."""

    address: str
    dial_timeout_s: float = DEFAULT_DIAL_TIMEOUT_S
    domain: str = ""
    """Server name to expect instead of the address's host."""

    root_cert: bytes | None = None
    """None without TLS."""

    client_cert: bytes | None = None
    client_key: bytes | None = None


def parse_connection(data: bytes, where: str) -> ServerInfo:
    """Read a ``connection.json``.

    Raises:
        ChaincodeError: It is malformed, or lacks what it says is needed.
    """
    try:
        given = json.loads(data)
    except ValueError as error:
        raise ChaincodeError(f"malformed chaincode info at '{where}': {error}") from error
    if not isinstance(given, dict):
        raise ChaincodeError(f"malformed chaincode info at '{where}': no JSON object")
    if not given.get("address"):
        raise ChaincodeError(f"chaincode address not provided in '{where}'")
    info = ServerInfo(
        address=str(given["address"]),
        dial_timeout_s=_duration(given.get("dial_timeout"), where) or DEFAULT_DIAL_TIMEOUT_S,
        domain=str(given.get("domain", "")),
    )
    return _with_tls(info, given, where) if given.get("tls_required") is True else info


def _with_tls(info: ServerInfo, given: Mapping[str, object], where: str) -> ServerInfo:
    client = given.get("client_auth_required") is True
    needed = [("root_cert", "tls root cert")]
    if client:
        needed += [("client_key", "tls key"), ("client_cert", "tls cert")]
    for name, what in needed:
        if not given.get(name):
            raise ChaincodeError(f"chaincode {what} not provided in '{where}'")
    return ServerInfo(
        address=info.address,
        dial_timeout_s=info.dial_timeout_s,
        domain=info.domain,
        root_cert=str(given["root_cert"]).encode(),
        client_cert=str(given["client_cert"]).encode() if client else None,
        client_key=str(given["client_key"]).encode() if client else None,
    )


def _duration(value: object, where: str) -> float:
    """Seconds of a Go duration ("10s", "1m30s"), or of a number of nanoseconds."""
    if value is None or isinstance(value, bool):
        return 0.0
    if isinstance(value, int | float):
        return value * _UNITS["ns"]
    text = str(value)
    parts = _DURATION.findall(text)
    if "".join(number + unit for number, unit in parts) != text:
        raise ChaincodeError(f"dial_timeout {text!r} in '{where}' is no duration such as 10s")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


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
        text = self._fill(file.read_bytes().decode("utf-8", "replace"))
        return parse_connection(text.encode(), name)

    def _fill(self, text: str) -> str:
        if not _PLACEHOLDER.search(text):
            return text
        try:
            values = json.loads(self._env.get(BUILDER_CONFIG) or "{}")
        except ValueError as error:
            raise ChaincodeError(f"{BUILDER_CONFIG} is no JSON: {error}") from error

        def value(match: re.Match[str]) -> str:
            name = match.group(1)
            if not isinstance(values, dict) or name not in values:
                raise ChaincodeError(
                    f"{CONNECTION_FILE} asks for {match.group(0)}, which {BUILDER_CONFIG} does "
                    "not have"
                )
            return str(values[name])

        return _PLACEHOLDER.sub(value, text)


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
