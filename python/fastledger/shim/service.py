# SPDX-License-Identifier: Apache-2.0
"""A chaincode that peers dial (Fabric: chaincode as a service)."""

import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import grpc

from fastledger.protos.peer.chaincode_shim_pb2 import ChaincodeMessage
from fastledger.protos.peer.chaincode_shim_pb2_grpc import (
    ChaincodeServicer,
    add_ChaincodeServicer_to_server,
)
from fastledger.shim.conversation import (
    Conversation,
    Waiting,
    is_transaction,
    workers,
)
from fastledger.shim.interface import Chaincode
from fastledger.shim.link import QueueLink
from fastledger.shim.memory import MAX_MESSAGE_BYTES
from fastledger.shim.settings import read_file
from fastledger.shim.turns import Turns

_OPTIONS = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
]
_MAX_PEERS = 64
"""Peers that may have dialled a service."""


def serve(chaincode: Chaincode, ccid: str, address: str, env: Mapping[str, str]) -> grpc.Server:
    """Listen for peers.

    Raises:
        SettingMissing: A key or certificate is not given.
        ConnectionError: The address cannot be had.
    """
    server = grpc.server(ThreadPoolExecutor(_MAX_PEERS), options=_OPTIONS)
    add_ChaincodeServicer_to_server(_Service(chaincode, ccid, workers()), server)
    try:
        if env.get("CHAINCODE_TLS_DISABLED", "true").lower() != "false":
            server.add_insecure_port(address)
        else:
            server.add_secure_port(address, _credentials(env))
    except RuntimeError as error:
        raise ConnectionError(f"cannot listen at {address}: {error}") from error
    server.start()
    return server


class _Service(ChaincodeServicer):
    """What a peer dials."""

    def __init__(self, chaincode: Chaincode, ccid: str, limit: int) -> None:
        self._chaincode = chaincode
        self._ccid = ccid
        self._pool = ThreadPoolExecutor(limit)
        # Each peer has its own callers; the workers are for all of them.
        self._turns: Turns[tuple[Conversation, Waiting]] = Turns(limit)

    def Connect(
        self, request_iterator: Iterator[ChaincodeMessage], context: grpc.ServicerContext
    ) -> Iterator[ChaincodeMessage]:
        del context
        link = QueueLink()
        conversation = Conversation(self._chaincode, self._ccid, link)

        def read() -> None:
            try:
                for message in request_iterator:
                    if is_transaction(message):
                        self._turns.put(
                            conversation.caller(message), (conversation, Waiting(message))
                        )
                        self._begin()
                    elif not link.is_answer(message):
                        conversation.receive(message)
            except Exception as error:  # noqa: BLE001 (gRPC raises it bare when the peer is gone)
                print(f"the peer has hung up: {error}", file=sys.stderr)  # noqa: T201
            finally:
                link.finish()

        conversation.register()
        threading.Thread(target=read, daemon=True).start()
        return iter(link.outgoing.get, None)

    def _begin(self) -> None:
        while (turn := self._turns.take()) is not None:
            self._pool.submit(self._run, *turn)

    def _run(self, caller: bytes, work: tuple[Conversation, Waiting]) -> None:
        conversation, waiting = work
        try:
            conversation.run(waiting)
        finally:
            self._turns.done(caller)
            self._begin()


def _credentials(env: Mapping[str, str]) -> grpc.ServerCredentials:
    pair = (read_file(env, "CHAINCODE_TLS_KEY"), read_file(env, "CHAINCODE_TLS_CERT"))
    if not env.get("CHAINCODE_CLIENT_CA_CERT"):
        return grpc.ssl_server_credentials([pair])
    roots = read_file(env, "CHAINCODE_CLIENT_CA_CERT")
    return grpc.ssl_server_credentials([pair], roots, require_client_auth=True)
