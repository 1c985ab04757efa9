# SPDX-License-Identifier: Apache-2.0
"""How many transactions a second clients may send (``General.Throttling``).

Fabric: ``orderer/common/throttle``. The rate is divided among the clients that are active, and
among their organizations; whoever has used up the share of a second waits for the next one. Clients
are told apart by their TLS certificates, so that there is no limit without mutual TLS.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509

SECOND_S = 1.0
"""How often shares are given out."""

MAX_CLIENTS = 10_000
"""Clients that are remembered; the one that was heard of for longest is forgotten for another."""

CACHED_CERTIFICATES = 1024
"""Certificates that are remembered; clients come back with the same few."""


@dataclass(slots=True)
class _Client:
    """A client's share.

    Attributes:
        began: When its second began.
        used: Transactions since.
        seen: When it was let on last.
    """

    began: float
    seen: float
    used: int = 0


class RateLimiter:
    """A rate for all clients together, in equal shares."""

    def __init__(
        self,
        rate: int,
        inactivity_s: float,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Know no client; ``rate`` is in transactions a second, for all."""
        self._rate = rate
        self._inactivity_s = inactivity_s
        self._clock = clock
        self._sleep = sleep
        self._clients: dict[bytes, _Client] = {}

    async def limit(self, client: bytes) -> None:
        """Return when a client may send another transaction; one a second is always let on."""
        while True:
            now = self._clock()
            state = self._active(client, now)
            if now >= state.began + SECOND_S:
                state.began, state.used = now, 0
            if state.used < max(self._rate // len(self._clients), 1):
                state.used += 1
                state.seen = now
                return
            await self._sleep(state.began + SECOND_S - now)

    def _active(self, client: bytes, now: float) -> _Client:
        state = self._clients.pop(client, None) or _Client(now, now)
        oldest = next(iter(self._clients), None)
        while oldest is not None and (
            now - self._clients[oldest].seen > self._inactivity_s
            or len(self._clients) >= MAX_CLIENTS
        ):
            del self._clients[oldest]
            oldest = next(iter(self._clients), None)
        # The last is who was heard of last.
        self._clients[client] = state
        return state


class Throttle:
    """What a node throttles by: each client, and each organization."""

    def __init__(self, rate: int, inactivity_s: float) -> None:
        """Let ``rate`` transactions a second through."""
        self._clients = RateLimiter(rate, inactivity_s)
        self._organizations = RateLimiter(rate, inactivity_s)

    async def slowed(
        self, requests: AsyncIterable[bytes], certificate: bytes
    ) -> AsyncIterator[bytes]:
        """Yield a stream's requests as fast as whoever has shown a certificate (DER) may send."""
        client, organization = identifiers(certificate)
        async for request in requests:
            await self._clients.limit(client)
            await self._organizations.limit(organization)
            yield request


@lru_cache(CACHED_CERTIFICATES)
def identifiers(certificate: bytes) -> tuple[bytes, bytes]:
    """Return the key identifiers of a certificate's subject and of its issuer."""
    try:
        extensions = x509.load_der_x509_certificate(certificate).extensions
    except ValueError:
        return hashlib.sha256(certificate).digest(), b""
    try:
        subject = extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    except x509.ExtensionNotFound:
        # Cryptogen gives none to whoever is no authority; in Fabric all of those are one client.
        subject = hashlib.sha256(certificate).digest()
    try:
        issuer = extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    except x509.ExtensionNotFound:
        return subject, b""
    return subject, issuer.key_identifier or b""
