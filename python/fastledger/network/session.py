# SPDX-License-Identifier: Apache-2.0
"""Connections to a network's nodes, and transactions over them."""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from fastledger.client.endorsement import Endorsement, endorse, invocation, transaction
from fastledger.client.orderer import Orderer
from fastledger.client.peer import FilteredBlocks, Peer, commit_everywhere
from fastledger.client.target import Target
from fastledger.comm import ClientTls
from fastledger.common.errors import ConnectionFailed, FastledgerError, NodeFailed, NotFound
from fastledger.msp import SigningIdentity
from fastledger.network import processes
from fastledger.network.ordering import Ordering
from fastledger.network.plan import Node, Org, Plan
from fastledger.protos.common.common_pb2 import Envelope
from fastledger.protos.peer.chaincode_pb2 import ChaincodeSpec
from fastledger.protos.peer.proposal_response_pb2 import ProposalResponse
from fastledger.protoutil.proposal import Proposed, signed_proposal

COMMIT_TIMEOUT_S = 30.0
RESEND_S = 3.0
"""A transaction of several orderers that is not committed by then is sent once more."""

START_TIMEOUT_S = 30.0
_POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class User:
    """Who asks: a user of an organization."""

    org: Org
    name: str


class Session:
    """One user's connections; use it as a context."""

    def __init__(self, plan: Plan) -> None:
        """Connect to nothing yet."""
        self.plan = plan
        self._peers: dict[str, Peer] = {}
        self._orderers: dict[str, Orderer] = {}
        self._ordering = Ordering(plan.all_orderers)
        self._identities: dict[tuple[int, str], SigningIdentity] = {}

    async def __aenter__(self) -> Self:
        """Use the session."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all connections."""
        for connection in (*self._peers.values(), *self._orderers.values()):
            await connection.close()

    def signer(self, user: User) -> SigningIdentity:
        """Return a user's identity; raises NotFound."""
        return self.identity(user.org, user.name)

    def identity(self, org: Org, user: str) -> SigningIdentity:
        """Return a user of an organization.

        Raises:
            NotFound: It has no such user.
        """
        key = (org.number, user)
        if key not in self._identities:
            folder = org.msp(user)
            if not folder.is_dir():
                users = sorted(
                    path.name.partition("@")[0] for path in (org.folder / "users").iterdir()
                )
                raise NotFound(f"{org.name} has no user {user!r}, it has {', '.join(users)}")
            self._identities[key] = SigningIdentity.load(folder, org.mspid)
        return self._identities[key]

    async def peer(self, node: Node) -> Peer:
        """Return the connection to a peer.

        Raises:
            ConnectionFailed: It does not run, or does not answer.
        """
        if node.name not in self._peers:
            _must_run(node)
            self._peers[node.name] = await Peer.connect(_target(node))
        return self._peers[node.name]

    async def peers(self, nodes: Iterable[Node]) -> list[Peer]:
        """Return the connections to peers."""
        return list(await asyncio.gather(*(self.peer(node) for node in nodes)))

    async def orderer(self, node: Node | None = None) -> Orderer:
        """Return the connection to an orderer, without ``node`` to the first one.

        Raises:
            ConnectionFailed: It does not run, or does not answer.
        """
        node = node or self.plan.orderer
        if node.name not in self._orderers:
            _must_run(node)
            self._orderers[node.name] = await Orderer.connect(_target(node))
        return self._orderers[node.name]

    async def broadcast(self, envelope: Envelope) -> None:
        """Have an envelope ordered, by whichever orderer takes it.

        Raises:
            FastledgerError: It is refused, or none of them takes it.
        """

        async def send(node: Node) -> None:
            await (await self.orderer(node)).broadcast(envelope)

        await self._ordering.send(send)

    async def until_up(self, nodes: Iterable[Node]) -> None:
        """Wait until nodes answer.

        Raises:
            FastledgerError: One has ended, or does not answer in time.
        """
        await asyncio.gather(*(_until_up(node) for node in nodes))

    async def endorse(
        self,
        signer: SigningIdentity,
        nodes: Sequence[Node],
        chaincode: str,
        args: Sequence[bytes],
        *,
        transient: Mapping[str, bytes] | None = None,
    ) -> Endorsement:
        """Have peers endorse an invocation on the network's channel."""
        spec = invocation(chaincode, args, language=ChaincodeSpec.GOLANG)
        peers = await self.peers(nodes)
        return await endorse(peers, signer, self.plan.channel, spec, transient=transient)

    async def ask_each(
        self, signer: SigningIdentity, nodes: Sequence[Node], proposed: Proposed
    ) -> "list[ProposalResponse | FastledgerError]":
        """Have peers endorse a proposal; a peer that refuses, or is gone, answers an error."""
        signed = signed_proposal(proposed.proposal, signer)

        async def ask(node: Node) -> ProposalResponse:
            return await (await self.peer(node)).process_proposal(signed)

        answers = await asyncio.gather(*(ask(node) for node in nodes), return_exceptions=True)
        for answer in answers:
            if isinstance(answer, BaseException) and not isinstance(answer, FastledgerError):
                raise answer
        return [a for a in answers if isinstance(a, ProposalResponse | FastledgerError)]

    async def submit(
        self, signer: SigningIdentity, endorsement: Endorsement, wait_at: Sequence[Node]
    ) -> tuple[int, int]:
        """Order a transaction and wait for its commit; return block number and code."""
        envelope = transaction(endorsement, signer)
        return await self.send(signer, envelope, endorsement.tx_id, wait_at)

    async def send(
        self, signer: SigningIdentity, envelope: Envelope, tx_id: str, wait_at: Sequence[Node]
    ) -> tuple[int, int]:
        """Order an envelope and wait for its commit at all of ``wait_at``.

        Raises:
            FastledgerError: It was not ordered, or not committed everywhere in time.
        """
        peers = await self.peers(wait_at)
        streams = [await peer.filtered_blocks(self.plan.channel, signer) for peer in peers]
        try:
            commits = await self._until_committed(envelope, streams, tx_id)
        except TimeoutError:
            names = ", ".join(node.name for node in wait_at)
            raise NodeFailed(
                f"transaction {tx_id} was ordered, but not all of {names} committed it within "
                f"{COMMIT_TIMEOUT_S:g} s; it may come yet: fastledger status, blocks, logs"
            ) from None
        finally:
            for stream in streams:
                stream.cancel()
        return commits[0]

    async def _until_committed(
        self, envelope: Envelope, streams: list[FilteredBlocks], tx_id: str
    ) -> list[tuple[int, int]]:
        """Send an envelope, and again where orderers may lose it, until all peers have it.

        A leader that dies takes with it what it has not agreed on, and what others have handed to
        it. An envelope that comes twice is valid once.
        """
        committed = asyncio.ensure_future(commit_everywhere(streams, tx_id, COMMIT_TIMEOUT_S))
        again_s = RESEND_S if self.plan.orderers > 1 else COMMIT_TIMEOUT_S
        try:
            while not committed.done():
                await self.broadcast(envelope)
                await asyncio.wait([committed], timeout=again_s)
            return committed.result()
        finally:
            committed.cancel()


def spokesman(org: Org) -> Node:
    """Return the peer that speaks for an organization: its first one that runs."""
    return next((peer for peer in org.peers if processes.running(peer.folder)), org.peers[0])


def _must_run(node: Node) -> None:
    if processes.running(node.folder) is None:
        raise ConnectionFailed(f"{node.name} does not run; fastledger up starts it again")


def _target(node: Node) -> Target:
    return Target(node.address, ClientTls(node.tls_root.read_bytes()))


async def _until_up(node: Node) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        try:
            _, writer = await asyncio.open_connection(node.address.partition(":")[0], node.port)
        except OSError:
            processes.check(node)
            if time.monotonic() > deadline:
                raise ConnectionFailed(
                    f"{node.name} does not serve {node.address} after {START_TIMEOUT_S:g} s; see "
                    f"its log {node.folder / 'log'}"
                ) from None
            await asyncio.sleep(_POLL_S)
        else:
            writer.close()
            return
