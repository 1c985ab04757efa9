# SPDX-License-Identifier: Apache-2.0
"""The flags that name peers, and the connections of a command that endorses and orders."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import click

from fastledger.cli.peer import connection_profile
from fastledger.cli.peer.cobra import options
from fastledger.cli.peer.connection_profile import Channel, ConnectionProfile
from fastledger.cli.peer.settings import OrdererFlags, Settings
from fastledger.client.endorsement import call
from fastledger.client.orderer import Orderer
from fastledger.client.peer import Peer, commit_everywhere
from fastledger.client.target import Target
from fastledger.common import log
from fastledger.common.codes import code_name
from fastledger.common.errors import FastledgerError, InputError, ProposalRefused, RpcFailed
from fastledger.protos.common.common_pb2 import Envelope, HeaderType

VALID = 0

PEER_OPTIONS = options(
    click.option(
        "--peerAddresses", "peer_addresses", multiple=True, help="The peers to connect to"
    ),
    click.option(
        "--tlsRootCertFiles",
        "tls_root_cert_files",
        multiple=True,
        help="TLS root certificates of these peers, in the same order",
    ),
    click.option(
        "--connectionProfile", "connection_profile", default="", help="Profile to take peers from"
    ),
)


@dataclass(frozen=True, slots=True)
class PeerFlags:
    """The flags that say which peers to ask."""

    peer_addresses: tuple[str, ...] = ()
    tls_root_cert_files: tuple[str, ...] = ()
    connection_profile: str = ""
    target_peer: str = ""

    @staticmethod
    def take(values: dict[str, Any]) -> "PeerFlags":
        """Take the flags out of a command's arguments."""
        names = PeerFlags.__dataclass_fields__
        return PeerFlags(**{name: values.pop(name) for name in names if name in values})

    def targets(
        self, settings: Settings, command: str, channel_id: str = "", *, many: bool = False
    ) -> list[Target]:
        """Return where to connect to.

        Raises:
            InputError: Too many peers, or not as many root certificates as peers.
        """
        addresses, roots = self._addresses(channel_id)
        if not many and len(addresses) > 1:
            raise InputError(
                f"error validating peer connection parameters: '{command}' command can only be "
                f"executed against one peer. received {len(addresses)}"
            )
        if not addresses:
            return [settings.peer()]
        if not settings.command.tls.enabled:
            return [settings.peer(address) for address in addresses]
        if len(roots) != len(addresses):
            raise InputError(
                "error validating peer connection parameters: number of peer addresses "
                f"({len(addresses)}) does not match the number of TLS root cert files "
                f"({len(roots)})"
            )
        return [settings.peer(*pair) for pair in zip(addresses, roots, strict=True)]

    def _addresses(self, channel_id: str) -> tuple[Sequence[str], Sequence[str]]:
        if not self.connection_profile:
            return self.peer_addresses, self.tls_root_cert_files
        profile = connection_profile.load(self.connection_profile)
        if self.target_peer:
            names = [self.target_peer]
        elif not channel_id:
            raise InputError(
                "--targetPeer must be specified for channel-less operation using connection profile"
            )
        else:
            channel = profile.channels.get(channel_id, Channel())
            names = [name for name, peer in channel.peers.items() if peer.endorsing_peer]
            if not channel.peers:
                return self.peer_addresses, self.tls_root_cert_files
        return _of_profile(profile, names)


def _of_profile(profile: ConnectionProfile, names: list[str]) -> tuple[list[str], list[str]]:
    addresses, roots = [], []
    for name in names:
        peer = profile.peers.get(name)
        if peer is None:
            raise InputError(f"peer '{name}' doesn't have associated peer config")
        addresses.append(peer.address)
        roots.append(peer.tls_ca_certs.path)
    return addresses, roots


@asynccontextmanager
async def connected(targets: Sequence[Target], command: str) -> AsyncIterator[list[Peer]]:
    """Connect to peers, and close the connections at the end.

    Raises:
        InputError: One cannot be reached.
    """
    async with AsyncExitStack() as stack:
        try:
            peers = await asyncio.gather(*(Peer.connect(target) for target in targets))
        except FastledgerError as error:
            raise InputError(f"error getting endorser client for {command}: {error}") from error
        for peer in peers:
            await stack.enter_async_context(peer)
        yield peers


@asynccontextmanager
async def ordering_service(
    settings: Settings, flags: OrdererFlags, channel_id: str, peers: Sequence[Peer], logger: str
) -> AsyncIterator[Orderer]:
    """Connect to the orderer of ``-o``, or without it to one that the channel's config names."""
    address = flags.orderer
    if not address:
        address = await _orderer_of_channel(settings, channel_id, peers)
        where = "Retrieved channel (%s) orderer endpoint: %s"
        log.get(logger).info(where, channel_id, address)
    try:
        orderer = await Orderer.connect(settings.orderer(flags, address))
    except FastledgerError as error:
        raise InputError(f"error getting broadcast client: {error}") from error
    async with orderer:
        yield orderer


async def _orderer_of_channel(settings: Settings, channel_id: str, peers: Sequence[Peer]) -> str:
    """Ask cscc for the configuration block: peers of every version answer that."""
    from fastledger.channelconfig import Bundle

    where = f"error getting channel ({channel_id}) orderer endpoint"
    args = [b"GetConfigBlock", channel_id.encode()]
    try:
        block = await call(peers[0], settings.signer, "cscc", args, header_type=HeaderType.CONFIG)
    except RpcFailed as error:
        raise InputError(f"{where}: error endorsing GetConfigBlock: {error}") from error
    except ProposalRefused as error:
        reason = f"error bad proposal response {error.status}: {error.message}"
        raise InputError(f"{where}: {reason}") from error
    addresses = Bundle.from_block(block).orderer_addresses
    if not addresses:
        raise InputError(
            f"no orderer endpoints retrieved for channel {channel_id}, pass orderer endpoint with "
            "-o flag instead"
        )
    return addresses[0]


class NotCommitted(InputError):
    """A transaction was ordered, but is not known to be committed and valid."""


async def submit(
    orderer: Orderer,
    envelope: Envelope,
    peers: Sequence[Peer],
    settings: Settings,
    *,
    channel_id: str,
    tx_id: str,
    wait_s: float | None,
    logger: str,
) -> None:
    """Send a transaction, and wait until the peers have committed it when ``wait_s`` says so.

    Raises:
        FastledgerError: The orderer did not take it.
        NotCommitted: It was not committed in time, or is invalid.
    """
    if wait_s is None:
        await orderer.broadcast(envelope)
        return
    streams = [await peer.filtered_blocks(channel_id, settings.signer) for peer in peers]
    try:
        await orderer.broadcast(envelope)
        commits = await commit_everywhere(streams, tx_id, wait_s)
    except TimeoutError:
        raise NotCommitted("timed out waiting for txid on all peers") from None
    finally:
        for stream in streams:
            stream.cancel()
    for peer, (_, code) in zip(peers, commits, strict=True):
        where = peer.target.address
        status = "txid [%s] committed with status (%s) at %s"
        log.get(logger).info(status, tx_id, code_name(code), where)
    for _, code in commits:
        if code != VALID:
            raise NotCommitted(f"transaction invalidated with status ({code_name(code)})")
