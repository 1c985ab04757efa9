# SPDX-License-Identifier: Apache-2.0
"""Getting what others have and oneself has not (Fabric: ``gossip/gossip/algo/pull.go``).

::

    one who wants                          one who has
    Hello(nonce) ─────────────────────────►
                 ◄───────────────────────── DataDigest(nonce, ids)   those that the other may know
    … digest_wait_s: for answers of all …
    DataRequest(nonce, ids) ──────────────► within request_wait_s of Hello
                 ◄───────────────────────── DataUpdate(nonce, items)
    … response_wait_s …                     what comes later, or was not asked for, is dropped
"""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Protocol

from fastledger.gossip.connection import Connection
from fastledger.gossip.messages import MessageRefused, Sealed, seal
from fastledger.gossip.settings import GossipSettings
from fastledger.protos.gossip.message_pb2 import (
    DataDigest,
    DataRequest,
    DataUpdate,
    Envelope,
    GossipHello,
    GossipMessage,
    PullMsgType,
)

MAX_NONCES = 1_000
"""Peers that may be in the middle of asking."""

MAX_ITEMS = 10_000
"""Items that a message may name."""

Peer = tuple[bytes, str]
"""A peer's PKI-ID, and where to dial it."""


class Items(Protocol):
    """What is pulled."""

    def digests(self, asking: bytes) -> Sequence[bytes]:
        """Name the items that a peer may have."""

    def wants(self, digest: bytes) -> bool:
        """Whether an item is not there yet."""

    def item(self, digest: bytes) -> Envelope | None:
        """Return an item."""

    def take(self, items: Sequence[Envelope]) -> None:
        """Keep items.

        Raises:
            MessageRefused: One of them breaks a rule.
        """


class Pull:
    """Pulls one kind of items, and gives them."""

    def __init__(
        self,
        kind: "PullMsgType.ValueType",
        frame: GossipMessage,
        items: Items,
        settings: GossipSettings,
        peers: Callable[[], Sequence[Peer]],
        send: Callable[[Envelope, bytes, str], None],
        reply: Callable[[Connection, Envelope], None],
    ) -> None:
        """Pull nothing yet.

        Args:
            kind: Which items.
            frame: Tag and channel of the messages.
            items: What there is.
            settings: Waiting times.
            peers: Those who may have items.
            send: Sends to a peer.
            reply: Sends over a connection.
        """
        self._kind = kind
        self._frame = frame
        self._items = items
        self._settings = settings
        self._peers = peers
        self._send = send
        self._reply = reply
        self._asked: dict[int, Peer] = {}
        self._owners: dict[bytes, list[int]] = {}
        self._asking: dict[int, bytes] = {}

    async def pull(self) -> None:
        """Ask some peers, once."""
        settings = self._settings
        peers = self._peers()
        for peer in random.sample(peers, min(settings.pull_peer_num, len(peers))):
            nonce = random.getrandbits(64)
            self._asked[nonce] = peer
            hello = GossipHello(nonce=nonce, msg_type=self._kind)
            self._send(self._envelope(hello=hello), *peer)
        if not self._asked:
            return
        await asyncio.sleep(settings.digest_wait_s)
        wanted: dict[int, list[bytes]] = {}
        for digest, owners in self._owners.items():
            wanted.setdefault(random.choice(owners), []).append(digest)  # noqa: S311
        for nonce, digests in wanted.items():
            request = DataRequest(nonce=nonce, digests=digests, msg_type=self._kind)
            self._send(self._envelope(data_req=request), *self._asked[nonce])
        self._owners.clear()
        if wanted:
            await asyncio.sleep(settings.response_wait_s)
        self._asked.clear()

    def handle(self, connection: Connection, sealed: Sealed) -> None:
        """Take a message of either side.

        Raises:
            MessageRefused: It breaks a rule.
        """
        message = sealed.message
        match sealed.kind:
            case "hello":
                self._greeted(connection, message.hello.nonce)
            case "data_dig":
                self._offered(connection, message.data_dig)
            case "data_req":
                self._give(connection, message.data_req)
            case "data_update":
                if self._is_asked(connection, message.data_update.nonce):
                    self._items.take(message.data_update.data)

    def _greeted(self, connection: Connection, nonce: int) -> None:
        if len(self._asking) >= MAX_NONCES:
            raise MessageRefused(f"{MAX_NONCES} peers are asking already")
        digests = self._items.digests(connection.pki_id)
        if not digests:
            return
        self._asking[nonce] = connection.pki_id
        loop = asyncio.get_running_loop()
        loop.call_later(self._settings.request_wait_s, self._asking.pop, nonce, None)
        digest = DataDigest(nonce=nonce, digests=digests, msg_type=self._kind)
        self._reply(connection, self._envelope(data_dig=digest))

    def _offered(self, connection: Connection, offer: DataDigest) -> None:
        if not self._is_asked(connection, offer.nonce):
            return
        _check_count(offer.digests)
        for digest in offer.digests:
            if self._items.wants(digest) and len(self._owners) < MAX_ITEMS:
                owners = self._owners.setdefault(digest, [])
                if offer.nonce not in owners:
                    owners.append(offer.nonce)

    def _give(self, connection: Connection, request: DataRequest) -> None:
        if self._asking.get(request.nonce) != connection.pki_id:
            return
        _check_count(request.digests)
        allowed = set(self._items.digests(connection.pki_id))
        found = (self._items.item(digest) for digest in request.digests if digest in allowed)
        items = [item for item in found if item is not None]
        if items:
            update = DataUpdate(nonce=request.nonce, data=items, msg_type=self._kind)
            self._reply(connection, self._envelope(data_update=update))

    def _is_asked(self, connection: Connection, nonce: int) -> bool:
        return nonce in self._asked and self._asked[nonce][0] == connection.pki_id

    def _envelope(self, **content: object) -> Envelope:
        message = GossipMessage(**content)  # type: ignore[arg-type]  # one of the oneof's fields
        message.MergeFrom(self._frame)
        return seal(message).envelope


def _check_count(digests: Sequence[bytes]) -> None:
    if len(digests) > MAX_ITEMS:
        raise MessageRefused(f"a message names more than {MAX_ITEMS} items")
