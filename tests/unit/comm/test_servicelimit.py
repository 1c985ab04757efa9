# SPDX-License-Identifier: Apache-2.0
"""A service's calls at a time: Fabric's refusal for one who has them all, room for others."""

import asyncio

import grpc
import pytest

from fastledger.comm import ServiceLimit


class Aborted(Exception):
    pass


class Call:
    async def abort(self, code, details):
        raise Aborted(code, details)


def test_the_limit_is_told_as_fabric_does_and_others_get_in() -> None:
    async def run() -> None:
        limit = ServiceLimit("/p.S", 10)
        release = asyncio.Event()

        async def call(who: bytes) -> str:
            async with limit.call(who, Call()):
                await release.wait()
                return "served"

        held = [asyncio.ensure_future(call(b"A")) for _ in range(10)]
        await asyncio.sleep(0)
        with pytest.raises(Aborted) as refused:
            await call(b"A")
        assert refused.value.args == (
            grpc.StatusCode.UNKNOWN,
            "too many requests for /p.S, exceeding concurrency limit (10)",
        )
        other = asyncio.ensure_future(call(b"B"))
        await asyncio.sleep(0)
        release.set()
        assert await asyncio.gather(*held, other) == ["served"] * 11
        assert await call(b"A") == "served"

    asyncio.run(run())
