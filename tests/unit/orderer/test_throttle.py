# SPDX-License-Identifier: Apache-2.0
"""A rate for all clients together, as orderer.yaml's General.Throttling asks for it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

import certificates
from fastledger.orderer import throttle
from fastledger.orderer.throttle import RateLimiter, Throttle, identifiers


class Clock:
    """Time that passes when nobody has anything to do."""

    def __init__(self) -> None:
        self.now = 100.0
        self._sleeping: list[tuple[float, asyncio.Future[None]]] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._sleeping.append((self.now + seconds, woken))
        await woken

    async def pass_by(self, until: float, sleepers: int) -> None:
        """Let time pass, from one who wakes up to the next; so many sleep in between."""
        while True:
            while len(self._sleeping) < sleepers:
                await asyncio.sleep(0)
            due = [one for one in self._sleeping if one[0] <= until]
            if not due:
                break
            self.now = min(when for when, _ in due)
            for one in [one for one in due if one[0] <= self.now]:
                self._sleeping.remove(one)
                if not one[1].done():
                    one[1].set_result(None)
        self.now = until


def served(rate: int, clients: dict[bytes, int], seconds: float) -> Counter[bytes]:
    """Count what clients get through who send as much as they can on so many streams each."""

    async def run() -> Counter[bytes]:
        clock, counted = Clock(), Counter[bytes]()
        limiter = RateLimiter(rate, 5, clock=clock, sleep=clock.sleep)

        async def send(client: bytes) -> None:
            while True:
                await limiter.limit(client)
                counted[client] += 1
                await asyncio.sleep(0)

        tasks = [asyncio.create_task(send(one)) for one, n in clients.items() for _ in range(n)]
        # What came first had more, when the others were not known yet.
        await clock.pass_by(clock.now + 1.5, len(tasks))
        counted.clear()
        await clock.pass_by(clock.now + seconds, len(tasks))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return counted

    return asyncio.run(run())


def test_one_client_may_have_all() -> None:
    assert served(50, {b"A": 1}, 10) == {b"A": 500}


@pytest.mark.parametrize("streams", [1, 20])
def test_each_client_gets_an_equal_share_however_many_streams_it_has(streams: int) -> None:
    assert served(60, {b"A": streams, b"B": 1, b"C": 1}, 10) == {b"A": 200, b"B": 200, b"C": 200}


def test_one_a_second_is_always_let_on() -> None:
    counted = served(2, {b"%d" % n: 1 for n in range(5)}, 10)
    assert set(counted.values()) == {10}


def test_whoever_is_silent_has_no_share() -> None:
    async def run() -> None:
        clock = Clock()
        limiter = RateLimiter(10, 5, clock=clock, sleep=clock.sleep)
        await limiter.limit(b"silent")
        clock.now += 1
        for _ in range(5):
            await limiter.limit(b"A")
        more = asyncio.ensure_future(limiter.limit(b"A"))
        await asyncio.sleep(0)
        assert not more.done()
        await clock.pass_by(clock.now + 1, 0)
        await more
        clock.now += 6
        for _ in range(10):
            await asyncio.wait_for(limiter.limit(b"A"), 10)

    asyncio.run(run())


def test_clients_are_not_remembered_without_bound(monkeypatch) -> None:
    monkeypatch.setattr(throttle, "MAX_CLIENTS", 3)

    async def run() -> None:
        limiter = RateLimiter(10, 1e9)
        for number in range(20):
            await limiter.limit(b"%d" % number)
        assert len(limiter._clients) <= 3

    asyncio.run(run())


def test_a_stream_is_slowed_by_client_and_by_organization(monkeypatch) -> None:
    async def run() -> None:
        waited: list[bytes] = []

        class Limiter:
            async def limit(self, client: bytes) -> None:
                waited.append(client)

        async def requests() -> AsyncIterator[bytes]:
            yield b"1"
            yield b"2"

        pair = certificates.leaf(certificates.authority())
        client, organization = identifiers(pair.der)
        slowed = Throttle(1, 5)
        monkeypatch.setattr(slowed, "_clients", limiter := Limiter())
        monkeypatch.setattr(slowed, "_organizations", limiter)
        assert [one async for one in slowed.slowed(requests(), pair.der)] == [b"1", b"2"]
        assert waited == [client, organization] * 2

    asyncio.run(run())


def test_clients_and_organizations_are_told_apart_by_key_identifiers() -> None:
    issuer = certificates.authority()
    public = issuer.private.public_key()
    of_issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(public)
    of_subject = x509.SubjectKeyIdentifier(b"whoever")
    plain = certificates.leaf(issuer)
    builder = (
        x509.CertificateBuilder()
        .subject_name(plain.certificate.subject)
        .issuer_name(plain.certificate.issuer)
        .public_key(plain.private.public_key())
        .serial_number(1)
        .not_valid_before(plain.certificate.not_valid_before_utc)
        .not_valid_after(plain.certificate.not_valid_after_utc)
        .add_extension(of_subject, critical=False)
        .add_extension(of_issuer, critical=False)
    )
    made = builder.sign(issuer.private, hashes.SHA256()).public_bytes(Encoding.DER)
    assert identifiers(made) == (b"whoever", of_issuer.key_identifier)
    assert identifiers(plain.der)[0] != identifiers(certificates.leaf(issuer).der)[0]
    assert identifiers(b"no certificate")[1] == b""
