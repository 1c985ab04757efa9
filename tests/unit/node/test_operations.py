# SPDX-License-Identifier: Apache-2.0
"""/healthz, /version, /logspec and /metrics, in plain text and with mutual TLS."""

import asyncio
import ssl

import aiohttp

import certificates
from fastledger.comm import TlsConfig
from fastledger.common import log, metrics
from fastledger.node.operations import Operations

CA = certificates.authority()
SERVER = certificates.leaf(CA)
CLIENT = certificates.leaf(CA, "client")


def test_the_endpoint() -> None:
    async def run() -> None:
        operations = Operations("127.0.0.1:0", provider="prometheus")
        await operations.start()
        metrics.gauge("ledger_blockchain_height", "Height.", ["channel"]).labels("c").set(7)
        async with aiohttp.ClientSession(f"http://127.0.0.1:{operations.port}") as session:
            assert (await (await session.get("/healthz")).json())["status"] == "OK"
            operations.add_checker("couchdb", fail)
            sick = await session.get("/healthz")
            assert sick.status == 503
            checks = (await sick.json())["failed_checks"]
            assert checks == [{"component": "couchdb", "reason": "gone"}]
            assert "Version" in await (await session.get("/version")).json()
            text = await (await session.get("/metrics")).text()
            assert 'ledger_blockchain_height{channel="c"} 7.0' in text
            await logspec(session)
        await operations.stop()

    asyncio.run(run())


async def fail() -> None:
    raise RuntimeError("gone")


async def logspec(session: aiohttp.ClientSession) -> None:
    before = log.spec()
    assert (await session.put("/logspec", json={"spec": "msp=error:info"})).status == 204
    assert await (await session.get("/logspec")).json() == {"spec": "msp=error:info"}
    refused = await session.put("/logspec", json={"spec": "loud"})
    assert refused.status == 400
    assert "invalid logging specification" in (await refused.json())["error"]
    for body, error in (
        (b'{"spec":5}', "cannot unmarshal number into Go struct field LogSpec.spec of type string"),
        (b"[" * 20_000, "exceeded max depth"),
        (b"\xff", "invalid character"),
        (b"", "EOF"),
    ):
        headers = {"Content-Type": "application/json; charset=none"}
        refused = await session.put("/logspec", data=body, headers=headers)
        assert refused.status == 400
        assert error in (await refused.json())["error"]
    assert (await session.put("/logspec", data=b'{"SPEC":"msp=warn:info"} x')).status == 204
    assert await (await session.get("/logspec")).json() == {"spec": "msp=warn:info"}
    assert (await session.delete("/logspec")).status == 400
    await session.put("/logspec", json={"spec": before})


def test_only_clients_with_a_certificate_see_more_than_health(tmp_path) -> None:
    (tmp_path / "client.pem").write_bytes(CLIENT.key + CLIENT.cert)
    tls = TlsConfig(SERVER.cert, SERVER.key, CA.cert)

    async def run() -> None:
        operations = Operations("127.0.0.1:0", tls, provider="prometheus")
        await operations.start()
        base = f"https://127.0.0.1:{operations.port}"
        context = ssl.create_default_context(cadata=CA.cert.decode())
        async with aiohttp.ClientSession(base) as session:
            assert (await session.get("/healthz", ssl=context)).status == 200
            assert (await session.get("/metrics", ssl=context)).status == 401
        known = ssl.create_default_context(cadata=CA.cert.decode())
        known.load_cert_chain(tmp_path / "client.pem")
        async with aiohttp.ClientSession(base) as session:
            assert (await session.get("/metrics", ssl=known)).status == 200
        await operations.stop()

    asyncio.run(run())
