# SPDX-License-Identifier: Apache-2.0
"""A build is shared, has a time of its own, and outlives whoever asked for it."""

import asyncio
import io
import tarfile
from collections.abc import Awaitable, Callable

import pytest

from fastledger.chaincode import package
from fastledger.chaincode.config import ChaincodeConfig
from fastledger.chaincode.launcher.external import ExternalLauncher
from fastledger.chaincode.services import EndorsementInfo
from fastledger.chaincode.support import ChaincodeSupport
from fastledger.common.errors import ChaincodeError, InputError
from stand_in import Peer, args, tx

CCID = "basic:1.0"


class Slow:
    """A launcher that builds until it is let go on, and cannot start what it built."""

    def __init__(self) -> None:
        self.builds: list[tuple[str, package.ChaincodePackage | None]] = []
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.failure = ""

    async def build(self, ccid, package=None):
        self.builds.append((ccid, package))
        self.begun.set()
        await self.go_on.wait()
        if self.failure:
            raise ChaincodeError(self.failure)
        return self._start

    async def _start(self, serve):
        raise ChaincodeError("it was built")


def run(test: Callable[[ChaincodeSupport, Slow, list[object]], Awaitable[None]]) -> None:
    async def main() -> None:
        unheard: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, told: unheard.append(told))
        launcher = Slow()
        peer = Peer({"basic": EndorsementInfo("1.0", CCID)})
        support = ChaincodeSupport(peer, launcher, ChaincodeConfig())
        try:
            await test(support, launcher, unheard)
        finally:
            await support.stop()
        assert not unheard

    asyncio.run(main())


def test_many_callers_and_an_install_share_one_build() -> None:
    async def test(support: ChaincodeSupport, launcher: Slow, unheard: list[object]) -> None:
        peer = Peer({"basic": EndorsementInfo("1.0", CCID)})
        given = package.parse(package.build("basic", "python", {}))
        waiting = [asyncio.create_task(support.build(CCID, given))]
        await launcher.begun.wait()
        waiting += [
            asyncio.create_task(support.invoke(tx(peer), args("Anything"))) for _ in range(3)
        ]
        await asyncio.sleep(0)
        launcher.go_on.set()
        built, *launched = await asyncio.gather(*waiting, return_exceptions=True)
        assert launcher.builds == [(CCID, given)]
        assert callable(built)
        for told in launched:
            assert "could not launch chaincode basic:1.0: it was built" in str(told)

    run(test)


def test_a_failed_build_says_that_it_was_one() -> None:
    async def test(support: ChaincodeSupport, launcher: Slow, unheard: list[object]) -> None:
        launcher.failure = "go build failed: undefined: nope"
        launcher.go_on.set()
        with pytest.raises(
            ChaincodeError, match=r"^could not launch chaincode basic:1\.0: error bu"
        ):
            await support.launch(CCID)
        launcher.failure = ""
        with pytest.raises(ChaincodeError, match="it was built"):
            await support.launch(CCID)
        assert len(launcher.builds) == 2

    run(test)


def test_a_build_does_not_count_as_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(support: ChaincodeSupport, launcher: Slow, unheard: list[object]) -> None:
        timeouts: list[bool] = []
        timeout = asyncio.timeout

        def seen(seconds: float) -> asyncio.Timeout:
            timeouts.append(launcher.go_on.is_set())
            return timeout(seconds)

        monkeypatch.setattr(asyncio, "timeout", seen)
        waiting = asyncio.create_task(support.launch(CCID))
        await launcher.begun.wait()
        assert timeouts == []
        launcher.go_on.set()
        with pytest.raises(ChaincodeError, match="it was built"):
            await waiting
        assert timeouts == [True]

    run(test)


def test_a_launch_that_fails_after_its_callers_have_gone_is_no_defect() -> None:
    async def test(support: ChaincodeSupport, launcher: Slow, unheard: list[object]) -> None:
        callers = [asyncio.create_task(support.launch(CCID)) for _ in range(2)]
        await launcher.begun.wait()
        for caller in callers:
            caller.cancel()
        await asyncio.wait(callers)
        launcher.failure = "nobody hears this"
        launcher.go_on.set()
        while support._launches or support._builds:
            await asyncio.sleep(0)

    run(test)


async def _no_serve(stream: object, expected_ccid: str | None = None) -> None:
    del stream, expected_ccid


def test_a_service_where_nobody_listens_fails_at_once() -> None:
    # The test does not end within an hour if it waits.
    connection = b'{"address":"127.0.0.1:1","dial_timeout":"1h"}'
    read = package.parse(package.build("s", "ccaas", {"connection.json": connection}))

    async def main() -> None:
        start = await ExternalLauncher({}).build("s:1", read)
        await start(_no_serve)

    with pytest.raises(
        ChaincodeError, match=r"dial tcp 127\.0\.0\.1:1: connect: connection refused"
    ):
        asyncio.run(main())


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"a": b""}, "has no connection.json"),
        ({"connection.json": b"{"}, "malformed chaincode info"),
        ({"connection.json": b"{}"}, "chaincode address not provided"),
        ({"connection.json": b" " * (2 << 20)}, "has more than 1048576 bytes"),
        ({"connection.json": b'{"address":"h:1"}', "../out": b""}, "absolute or escaping path"),
        ({"a": b"", "a/connection.json": b""}, "could not create"),
        ({"connection.json": b'{"address":"h:1"}', "n" * 256: b""}, "file name too long"),
        ({"d/" * 300 + "connection.json": b""}, "lies in more than 256 folders"),
    ],
)
def test_a_service_that_cannot_be_dialled_is_not_built(files: dict[str, bytes], says: str) -> None:
    content = package.assemble("s", "ccaas", _archive(files))

    async def main() -> None:
        await ExternalLauncher({}).build("s:1", package.parse(content))

    with pytest.raises((ChaincodeError, InputError), match=says):
        asyncio.run(main())


def _archive(files: dict[str, bytes]) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return plain.getvalue()
