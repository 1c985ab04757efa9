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

import random
from collections.abc import Callable, Sequence
from typing import Protocol

from fastledger.gossip.clock import Clock
from fastledger.gossip.effects import Effects, Later, Send
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
        clock: Clock,
        rng: random.Random,
    ) -> None:
        """Pull nothing yet.

        Args:
            kind: Which items.
            frame: Tag and channel of the messages.
            items: What there is.
            settings: Waiting times.
            peers: Those who may have items.
            clock: Says how long others have been asking.
            rng: Chooses whom to ask.
        """
        self._kind = kind
        self._frame = frame
        self._items = items
        self._settings = settings
        self._peers = peers
        self._clock = clock
        self._rng = rng
        self._asked: dict[int, Peer] = {}
        self._owners: dict[bytes, list[int]] = {}
        self._asking: dict[int, tuple[bytes, float]] = {}
        """Who asks, and until when it may, by nonce: the oldest first."""

    def pull(self) -> Effects:
        """Ask some peers, once; nothing while others are being asked."""
        if self._asked:
            return []
        settings, rng = self._settings, self._rng
        peers = self._peers()
        sends = []
        for peer in rng.sample(peers, min(settings.pull_peer_num, len(peers))):
            nonce = rng.getrandbits(64)
            self._asked[nonce] = peer
            hello = GossipHello(nonce=nonce, msg_type=self._kind)
            sends.append(Send(self._envelope(hello=hello), *peer))
        return [*sends, Later(settings.digest_wait_s, self._request)] if sends else []

    def _request(self) -> Effects:
        """Ask for the items that are wanted, each of one of those who have it."""
        wanted: dict[int, list[bytes]] = {}
        for digest, owners in self._owners.items():
            wanted.setdefault(self._rng.choice(owners), []).append(digest)
        self._owners.clear()
        sends = []
        for nonce, digests in wanted.items():
            request = DataRequest(nonce=nonce, digests=digests, msg_type=self._kind)
            sends.append(Send(self._envelope(data_req=request), *self._asked[nonce]))
        if not sends:
            return self._end()
        return [*sends, Later(self._settings.response_wait_s, self._end)]

    def _end(self) -> Effects:
        self._asked.clear()
        return []

    def handle(self, sender: bytes, sealed: Sealed) -> Effects:
        """Take a message of either side.

        Raises:
            MessageRefused: It breaks a rule.
        """
        message = sealed.message
        match sealed.kind:
            case "hello":
                return self._greeted(sender, message.hello.nonce)
            case "data_dig":
                self._offered(sender, message.data_dig)
            case "data_req":
                return self._give(sender, message.data_req)
            case "data_update":
                if self._is_asked(sender, message.data_update.nonce):
                    self._items.take(message.data_update.data)
        return []

    def _greeted(self, sender: bytes, nonce: int) -> Effects:
        now_s = self._clock.monotonic_s()
        self._forget_late(now_s)
        if len(self._asking) >= MAX_NONCES:
            raise MessageRefused(f"{MAX_NONCES} peers are asking already")
        digests = self._items.digests(sender)
        if not digests:
            return []
        self._asking.pop(nonce, None)
        self._asking[nonce] = sender, now_s + self._settings.request_wait_s
        digest = DataDigest(nonce=nonce, digests=digests, msg_type=self._kind)
        return [Send(self._envelope(data_dig=digest), sender)]

    def _forget_late(self, now_s: float) -> None:
        while self._asking:
            nonce, (_, until_s) = next(iter(self._asking.items()))
            if until_s > now_s:
                return
            del self._asking[nonce]

    def _offered(self, sender: bytes, offer: DataDigest) -> None:
        if not self._is_asked(sender, offer.nonce):
            return
        _check_count(offer.digests)
        for digest in offer.digests:
            if self._items.wants(digest) and len(self._owners) < MAX_ITEMS:
                owners = self._owners.setdefault(digest, [])
                if offer.nonce not in owners:
                    owners.append(offer.nonce)

    def _give(self, sender: bytes, request: DataRequest) -> Effects:
        self._forget_late(self._clock.monotonic_s())
        if self._asking.get(request.nonce, (b"", 0))[0] != sender:
            return []
        _check_count(request.digests)
        allowed = set(self._items.digests(sender))
        found = (self._items.item(digest) for digest in request.digests if digest in allowed)
        items = [item for item in found if item is not None]
        if not items:
            return []
        update = DataUpdate(nonce=request.nonce, data=items, msg_type=self._kind)
        return [Send(self._envelope(data_update=update), sender)]

    def _is_asked(self, sender: bytes, nonce: int) -> bool:
        return nonce in self._asked and self._asked[nonce][0] == sender

    def _envelope(self, **content: object) -> Envelope:
        message = GossipMessage(**content)  # type: ignore[arg-type]  # one of the oneof's fields
        message.MergeFrom(self._frame)
        return seal(message).envelope


def _check_count(digests: Sequence[bytes]) -> None:
    if len(digests) > MAX_ITEMS:
        raise MessageRefused(f"a message names more than {MAX_ITEMS} items")
