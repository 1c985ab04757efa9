# SPDX-License-Identifier: Apache-2.0
"""Work that takes long says that it goes on."""

import asyncio

import pytest

from fastledger.client.progress import while_told
from fastledger.network import words


def test_it_is_told_again_and_again_until_the_work_is_done() -> None:
    async def main() -> None:
        told: list[float] = []
        enough = asyncio.Event()

        def tell(seconds: float) -> None:
            told.append(seconds)
            if len(told) == 3:
                enough.set()

        async def work() -> str:
            await enough.wait()
            return "done"

        assert await while_told(work(), tell, every_s=0.001) == "done"
        assert told == sorted(told)
        assert len(told) >= 3

    asyncio.run(main())


def test_work_that_is_done_at_once_says_nothing() -> None:
    async def work() -> str:
        return "done"

    def tell(seconds: float) -> None:
        raise AssertionError(seconds)

    assert asyncio.run(while_told(work(), tell)) == "done"


def test_its_failure_is_its_own() -> None:
    async def work() -> None:
        raise ValueError("of the work")

    with pytest.raises(ValueError, match="of the work"):
        asyncio.run(while_told(work(), lambda _: None))


def test_who_gives_up_ends_the_work() -> None:
    async def main() -> None:
        ended = asyncio.Event()
        begun = asyncio.Event()

        async def work() -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        waiting = asyncio.create_task(while_told(work(), lambda _: None))
        await begun.wait()
        waiting.cancel()
        await asyncio.wait({waiting})
        assert waiting.cancelled()
        await ended.wait()

    asyncio.run(main())


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (
            (
                "error in simulation: failed to execute transaction ab: could not launch chaincode "
                "ts_1.0:00: chaincode registration failed: the process exited with 1: Error: "
                "Cannot find module './x'; it printed:\nError: Cannot find module './x'\n"
                "    at y {\n}"
            ),
            (
                "chaincode registration failed: the process exited with 1: Error: Cannot find "
                "module './x'"
            ),
        ),
        ("could not launch chaincode basic:1.0: no sandbox here", "no sandbox here"),
        ("could not launch chaincode", ""),
    ],
)
def test_up_explains_a_start_that_failed_by_its_cause(message: str, reason: str) -> None:
    assert words.not_launched(message) == reason
