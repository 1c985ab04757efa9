# SPDX-License-Identifier: Apache-2.0
"""Runs a chaincode: dials the peer, or serves and is dialled.

Which of the two, and everything else, the environment says, with Fabric's variables:

=============================== ==============================================================
CORE_CHAINCODE_ID_NAME          id to register with; also CHAINCODE_ID
CORE_PEER_ADDRESS               the peer: host:port, or unix:path
CORE_PEER_TLS_ENABLED           true or false
CORE_PEER_TLS_ROOTCERT_FILE     whom to trust
CORE_TLS_CLIENT_KEY_FILE, …CERT own key and certificate in PEM; …_PATH: base64 of PEM
CHAINCODE_SERVER_ADDRESS        serve here instead, as a service that peers dial
CHAINCODE_TLS_DISABLED          true unless it says false
CHAINCODE_TLS_KEY, …CERT        the service's key and certificate, files in PEM
CHAINCODE_CLIENT_CA_CERT        whom to take as a peer, a file in PEM
=============================== ==============================================================
"""

import base64
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

import grpc

from fastledger.protos.peer.chaincode_shim_pb2 import ChaincodeMessage
from fastledger.protos.peer.chaincode_shim_pb2_grpc import (
    ChaincodeServicer,
    ChaincodeSupportStub,
    add_ChaincodeServicer_to_server,
)
from fastledger.shim.conversation import Conversation, workers
from fastledger.shim.interface import Chaincode

MAX_MESSAGE_BYTES = 100 * 1024 * 1024
_OPTIONS = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
]
_MAX_PEERS = 64
"""Peers that may have dialled a service."""


class SettingMissing(Exception):
    """The environment lacks what is needed, or says something else."""


def start(
    chaincode: Chaincode,
    *,
    ccid: str | None = None,
    peer_address: str | None = None,
    server_address: str | None = None,
    env: Mapping[str, str] = os.environ,
) -> None:
    """Run a chaincode until the peer hangs up; as a service, until the process is ended.

    Args:
        chaincode: What to run.
        ccid: Id to register with.
        peer_address: Dial the peer there.
        server_address: Serve there.
        env: Where what is not given is looked up.

    Raises:
        SettingMissing: It is in neither.
        ConnectionError: The peer cannot be reached, or refuses the chaincode.
    """
    ccid = ccid or env.get("CORE_CHAINCODE_ID_NAME") or env.get("CHAINCODE_ID")
    if not ccid:
        raise SettingMissing("CORE_CHAINCODE_ID_NAME (or CHAINCODE_ID) is not set")
    server_address = server_address or (
        None if peer_address else env.get("CHAINCODE_SERVER_ADDRESS")
    )
    if server_address:
        serve(chaincode, ccid, server_address, env).wait_for_termination()
        return
    peer_address = peer_address or env.get("CORE_PEER_ADDRESS")
    if not peer_address:
        raise SettingMissing(
            "neither CORE_PEER_ADDRESS, to dial the peer, nor CHAINCODE_SERVER_ADDRESS, to be "
            "dialled, is set"
        )
    dial(chaincode, ccid, peer_address, env)


def dial(chaincode: Chaincode, ccid: str, address: str, env: Mapping[str, str]) -> None:
    """Register with a peer and serve it until it hangs up."""
    outgoing: SimpleQueue[ChaincodeMessage | None] = SimpleQueue()
    with _channel(address, env) as channel, ThreadPoolExecutor(workers()) as pool:
        conversation = Conversation(chaincode, ccid, outgoing.put, pool)
        conversation.register()
        try:
            for message in ChaincodeSupportStub(channel).Register(iter(outgoing.get, None)):
                conversation.receive(message)
        except grpc.RpcError as error:
            raise ConnectionError(
                f"the peer at {address} is gone or cannot be reached: {_details(error)}"
            ) from error
        finally:
            conversation.finish()
            outgoing.put(None)


def serve(chaincode: Chaincode, ccid: str, address: str, env: Mapping[str, str]) -> grpc.Server:
    """Listen for peers.

    Raises:
        SettingMissing: A key or certificate is not given.
        ConnectionError: The address cannot be had.
    """
    pool = ThreadPoolExecutor(workers())
    server = grpc.server(ThreadPoolExecutor(_MAX_PEERS), options=_OPTIONS)
    add_ChaincodeServicer_to_server(_Service(chaincode, ccid, pool), server)
    try:
        if env.get("CHAINCODE_TLS_DISABLED", "true").lower() != "false":
            server.add_insecure_port(address)
        else:
            server.add_secure_port(address, _server_credentials(env))
    except RuntimeError as error:
        raise ConnectionError(f"cannot listen at {address}: {error}") from error
    server.start()
    return server


class _Service(ChaincodeServicer):
    """What a peer dials."""

    def __init__(self, chaincode: Chaincode, ccid: str, pool: ThreadPoolExecutor) -> None:
        self._chaincode = chaincode
        self._ccid = ccid
        self._pool = pool

    def Connect(
        self, request_iterator: Iterator[ChaincodeMessage], context: grpc.ServicerContext
    ) -> Iterator[ChaincodeMessage]:
        del context
        outgoing: SimpleQueue[ChaincodeMessage | None] = SimpleQueue()
        conversation = Conversation(self._chaincode, self._ccid, outgoing.put, self._pool)

        def read() -> None:
            try:
                for message in request_iterator:
                    conversation.receive(message)
            except Exception as error:  # noqa: BLE001 (gRPC raises it bare when the peer is gone)
                print(f"the peer has hung up: {error}", file=sys.stderr)  # noqa: T201
            finally:
                conversation.finish()
                outgoing.put(None)

        conversation.register()
        threading.Thread(target=read, daemon=True).start()
        return iter(outgoing.get, None)


def _details(error: grpc.RpcError) -> object:
    """What gRPC says; the error is a call too, which its type does not tell."""
    details = getattr(error, "details", None)
    return details() if callable(details) else error


def _channel(address: str, env: Mapping[str, str]) -> grpc.Channel:
    enabled = env.get("CORE_PEER_TLS_ENABLED", "false").lower()
    if enabled not in ("true", "false"):
        raise SettingMissing(f"CORE_PEER_TLS_ENABLED is {enabled!r}, it must be true or false")
    if enabled == "false":
        # Without this a path would stand there, which is no authority by RFC 3986.
        local = [("grpc.default_authority", "localhost")] if address.startswith("unix:") else []
        return grpc.insecure_channel(address, options=_OPTIONS + local)
    credentials = grpc.ssl_channel_credentials(
        _file(env, "CORE_PEER_TLS_ROOTCERT_FILE"),
        _pem(env, "CORE_TLS_CLIENT_KEY"),
        _pem(env, "CORE_TLS_CLIENT_CERT"),
    )
    return grpc.secure_channel(address, credentials, options=_OPTIONS)


def _server_credentials(env: Mapping[str, str]) -> grpc.ServerCredentials:
    pair = (_file(env, "CHAINCODE_TLS_KEY"), _file(env, "CHAINCODE_TLS_CERT"))
    if not env.get("CHAINCODE_CLIENT_CA_CERT"):
        return grpc.ssl_server_credentials([pair])
    roots = _file(env, "CHAINCODE_CLIENT_CA_CERT")
    return grpc.ssl_server_credentials([pair], roots, require_client_auth=True)


def _pem(env: Mapping[str, str], name: str) -> bytes | None:
    """Read a key or certificate from its …_FILE, or its …_PATH in base64; None without either."""
    if env.get(f"{name}_FILE"):
        return _file(env, f"{name}_FILE")
    if env.get(f"{name}_PATH"):
        return base64.b64decode(_file(env, f"{name}_PATH"))
    return None


def _file(env: Mapping[str, str], name: str) -> bytes:
    path = env.get(name)
    if not path:
        raise SettingMissing(f"{name} is not set, and TLS needs it")
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise SettingMissing(f"{name}: cannot read {path}: {error.strerror}") from error
