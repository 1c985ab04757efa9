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

import os
from collections.abc import Mapping

from fastledger._core import ShimPeers
from fastledger.shim.conversation import Conversation
from fastledger.shim.interface import Chaincode
from fastledger.shim.settings import SettingMissing, pem, read_file
from fastledger.shim.workers import Workers, workers


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
        ConnectionError: The peer cannot be reached, or refuses the chaincode; the service cannot
            listen.
    """
    ccid = ccid or env.get("CORE_CHAINCODE_ID_NAME") or env.get("CHAINCODE_ID")
    if not ccid:
        raise SettingMissing("CORE_CHAINCODE_ID_NAME (or CHAINCODE_ID) is not set")
    server_address = server_address or (
        None if peer_address else env.get("CHAINCODE_SERVER_ADDRESS")
    )
    if server_address:
        serve(chaincode, ccid, server_address, env)
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
    roots, cert, key = _peer_tls(env)
    limit = workers()
    conversation = Conversation(chaincode)
    peers = ShimPeers.dial(ccid, address, limit, roots=roots, cert=cert, key=key)
    Workers(peers, conversation.run, limit).run()
    reason = peers.over()
    if reason:
        raise ConnectionError(f"the peer at {address} is gone: {reason}")


def serve(chaincode: Chaincode, ccid: str, address: str, env: Mapping[str, str]) -> None:
    """Serve peers that dial (Fabric: chaincode as a service), until the process is ended."""
    cert, key, roots = _service_tls(env)
    limit = workers()
    conversation = Conversation(chaincode)
    peers = ShimPeers.serve(ccid, address, limit, cert=cert, key=key, client_roots=roots)
    Workers(peers, conversation.run, limit).run()


def _peer_tls(env: Mapping[str, str]) -> tuple[bytes | None, bytes | None, bytes | None]:
    """Read the peer's authorities, and the certificate and key to show."""
    enabled = env.get("CORE_PEER_TLS_ENABLED", "false").lower()
    if enabled not in ("true", "false"):
        raise SettingMissing(f"CORE_PEER_TLS_ENABLED is {enabled!r}, it must be true or false")
    if enabled == "false":
        return None, None, None
    return (
        read_file(env, "CORE_PEER_TLS_ROOTCERT_FILE"),
        pem(env, "CORE_TLS_CLIENT_CERT"),
        pem(env, "CORE_TLS_CLIENT_KEY"),
    )


def _service_tls(env: Mapping[str, str]) -> tuple[bytes | None, bytes | None, bytes | None]:
    """Read the certificate and key to show, and the authorities of peers."""
    if env.get("CHAINCODE_TLS_DISABLED", "true").lower() != "false":
        return None, None, None
    key, cert = read_file(env, "CHAINCODE_TLS_KEY"), read_file(env, "CHAINCODE_TLS_CERT")
    if not env.get("CHAINCODE_CLIENT_CA_CERT"):
        return cert, key, None
    return cert, key, read_file(env, "CHAINCODE_CLIENT_CA_CERT")
