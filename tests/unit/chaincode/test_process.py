# SPDX-License-Identifier: Apache-2.0
"""Chaincode processes: what they can reach, and what it costs when they misbehave."""

import asyncio
import contextlib
import json
import platform
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from fastledger.chaincode import package
from fastledger.chaincode.config import ChaincodeConfig
from fastledger.chaincode.launcher import cgroups, memory, sandbox, seccomp
from fastledger.chaincode.launcher.process import ProcessConfig, ProcessLauncher
from fastledger.chaincode.launcher.sandbox import Kind, ResourceLimits
from fastledger.chaincode.services import EndorsementInfo
from fastledger.chaincode.support import ChaincodeSupport
from fastledger.common.errors import ChaincodeError
from stand_in import PackageLauncherOf, Peer, args, tx

HOSTILE = Path(__file__).with_name("hostile.py")


def _works(kind: Kind) -> bool:
    try:
        sandbox.choose(kind)
    except ChaincodeError:
        return False
    return True


confined = pytest.mark.parametrize(
    "kind",
    [
        pytest.param(
            kind,
            marks=pytest.mark.skipif(not _works(kind), reason=f"needs {kind.value} to work here"),
        )
        for kind in (Kind.BUBBLEWRAP, Kind.NAMESPACES)
    ],
)


def run(
    folder: Path,
    test: Callable[..., Awaitable[None]],
    *,
    kind: Kind = Kind.AUTO,
    timeout_s: float = 10,
    limits: ResourceLimits | None = None,
    files: dict[str, bytes] | None = None,
) -> None:
    """Run a test with ``call(function, ...)`` on the hostile chaincode."""
    if not _works(kind):
        pytest.skip("needs a sandbox that works here")

    async def main() -> None:
        source = files or {"src/hostile.py": HOSTILE.read_bytes()}
        built = package.parse(package.build("hostile", "python", source))
        config = ProcessConfig(
            folder=folder / "builds",
            mspid="Org1MSP",
            sandbox=kind,
            limits=limits or ResourceLimits(),
        )
        peer = Peer({"hostile": EndorsementInfo("1.0", "hostile:1")})
        support = ChaincodeSupport(
            peer,
            PackageLauncherOf(ProcessLauncher(config), built),
            ChaincodeConfig(execute_timeout_s=timeout_s, startup_timeout_s=60, overdue_grace_s=0.2),
        )

        async def call(*arguments: str, who: bytes | None = None):
            context = tx(peer, "hostile", certificate=who)
            return (await support.invoke(context, args(*arguments)))[0]

        try:
            await test(call)
        finally:
            await support.stop()

    asyncio.run(main())


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that other users can get to, unlike pytest's."""
    folder = Path(tempfile.mkdtemp(prefix="fastledger-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@confined
def test_only_the_peer_can_be_reached(open_folder: Path, kind: Kind) -> None:
    secret = open_folder / "peer" / "key.pem"
    secret.parent.mkdir()
    secret.write_text("secret")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = str(listening.getsockname()[1])

        async def test(call) -> None:
            assert (await call("Fine")).payload == b"fine"
            refused = await call("Dial", "127.0.0.1", port)
            # Without a loopback device of its own there is not even that.
            assert refused.message.startswith(("ConnectionRefusedError", "OSError"))
            assert (await call("Dial", "192.0.2.1", "80")).status == 500
            assert (await call("Read", str(secret))).status == 500
            # The chaincode, its sandbox, and nobody else.
            assert int((await call("Processes")).payload) < 6
            names = json.loads((await call("Environment")).payload)
            assert "CORE_CHAINCODE_ID_NAME" in names
            assert not [name for name in names if name.startswith(("PYTEST", "PIP", "AWS"))]

        run(open_folder, test, kind=kind)


@confined
def test_its_own_tmp_is_all_that_can_be_written(tmp_path: Path, kind: Kind) -> None:
    async def test(call) -> None:
        assert (await call("Write", "/tmp/x", "1000")).status == 200
        for path in ("/usr/x", "/x", str(tmp_path / "builds" / "hostile-1" / "x"), "/etc/passwd"):
            assert (await call("Write", path, "1")).status == 500, path
        assert (await call("Read", "/etc/passwd")).status == 500
        too_big = await call("Write", "/tmp/y", str(80 * 1024 * 1024))
        assert too_big.status == 500

    run(tmp_path, test, kind=kind)


def test_a_loop_times_out_and_the_next_transaction_is_served(tmp_path: Path) -> None:
    async def test(call) -> None:
        begin = time.monotonic()
        with pytest.raises(ChaincodeError, match="timeout expired while executing transaction"):
            await call("Loop")
        assert time.monotonic() - begin < 20
        assert (await call("Fine")).payload == b"fine"

    run(tmp_path, test, timeout_s=1.5)


def test_whoever_sleeps_on_all_workers_delays_nobody_else(tmp_path: Path) -> None:
    async def test(call) -> None:
        await call("Fine")
        asleep = [asyncio.ensure_future(call("Sleep", "60", who=b"A")) for _ in range(150)]
        given_up = [asyncio.ensure_future(call("Sleep", "60", who=b"B")) for _ in range(50)]
        await asyncio.sleep(0)
        for one in given_up:
            one.cancel()
        for _ in range(20):
            assert (await call("Fine", who=b"C")).payload == b"fine"
        assert not any(one.done() for one in asleep)
        for one in asleep:
            one.cancel()

    run(tmp_path, test, timeout_s=30)


def test_death_is_one_transactions(tmp_path: Path) -> None:
    async def test(call) -> None:
        for _ in range(2):
            with pytest.raises(ChaincodeError, match="chaincode stream terminated"):
                await call("Die")
            assert (await call("Fine")).payload == b"fine"

    run(tmp_path, test)


def test_memory_is_limited(tmp_path: Path) -> None:
    async def test(call) -> None:
        assert (await call("Eat")).message.startswith("MemoryError")
        assert (await call("Fine")).payload == b"fine"

    run(tmp_path, test, limits=ResourceLimits(memory_bytes=512 * 1024 * 1024))


counted_together = pytest.mark.parametrize(
    "grouped",
    [
        pytest.param(
            True,
            marks=pytest.mark.skipif(
                not cgroups.available(), reason="needs control groups that this user may use"
            ),
        ),
        False,
    ],
    ids=["control groups", "watched"],
)


@counted_together
@pytest.mark.parametrize(
    "attack",
    [("Share", "400"), ("Spread", "8", "60")],
    ids=["shared memory", "many processes"],
)
def test_memory_of_all_processes_is_counted_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, grouped: bool, attack: tuple[str, ...]
) -> None:
    if not grouped:
        monkeypatch.setattr(cgroups, "make", lambda *_: None)
        monkeypatch.setattr(memory, "INTERVAL_S", 0.02)

    async def test(call) -> None:
        # Of several processes the kernel may end the largest alone.
        with contextlib.suppress(ChaincodeError):
            assert int((await call(*attack)).payload) < int(attack[1])
        assert (await call("Fine")).payload == b"fine"

    run(tmp_path, test, timeout_s=60, limits=ResourceLimits(memory_bytes=256 * 1024 * 1024))


@confined
def test_system_calls_are_those_of_a_container(tmp_path: Path, kind: Kind) -> None:
    machine = seccomp._MACHINES[platform.machine()]
    vsock, alg, packet, netlink = 40, 38, 17, 16

    async def test(call) -> None:
        for name, number in (machine.refused | seccomp._EVERYWHERE).items():
            assert (await call("Call", str(number), "0", "0")).payload == b"EPERM", name
        assert (await call("Call", str(seccomp._CLONE3), "0", "0")).payload == b"ENOSYS"
        assert (await call("Call", "1000", "0", "0")).payload == b"ENOSYS"
        new_user = 0x10000000
        assert (await call("Call", str(machine.clone), str(new_user), "0")).payload == b"EPERM"
        for family, protocol in ((vsock, 0), (alg, 0), (packet, 0), (netlink, 9)):
            made = await call("Call", str(machine.socket), str(family), str(protocol))
            assert made.payload == b"EPERM", family

    run(tmp_path, test, kind=kind)


def test_processes_are_limited(tmp_path: Path) -> None:
    async def test(call) -> None:
        assert (await call("Multiply")).message.startswith("RuntimeError: can't start")

    run(tmp_path, test, limits=ResourceLimits(processes=60))


def test_floods_are_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fastledger.chaincode.handler.MAX_TRANSACTION_BYTES", 5_000_000)

    async def test(call) -> None:
        assert "more than" in (await call("Flood", "100000")).message
        assert (await call("Print")).status == 200
        assert (await call("Raise")).message == "KeyError: 'oops'"
        assert (await call("Fine")).payload == b"fine"

    run(tmp_path, test)


TOO_LARGE = 101 * 1024 * 1024


@pytest.mark.parametrize("function", ["Big", "BigError", "BigWrite", "BigEvent", "BigCall"])
def test_what_no_message_holds_is_one_transactions(tmp_path: Path, function: str) -> None:
    """Several at a time, and those of others that are in flight meanwhile."""

    async def test(call) -> None:
        await call("Fine")
        asleep = asyncio.ensure_future(call("Sleep", "3", who=b"other"))
        answers = await asyncio.gather(*(call(function, str(2 * TOO_LARGE)) for _ in range(3)))
        for answer in answers:
            assert answer.status == 500
            assert "fit into a message" in answer.message or "memory" in answer.message.lower()
        assert (await call("Fine")).payload == b"fine"
        assert (await asleep).status == 200

    run(tmp_path, test, timeout_s=60)


def test_large_answers_for_which_there_is_no_memory_are_refused(tmp_path: Path) -> None:
    async def test(call) -> None:
        await call("Fine")
        asleep = asyncio.ensure_future(call("Sleep", "5", who=b"other"))
        large = [call("Big", str(60 * 1024 * 1024)) for _ in range(12)]
        answers = await asyncio.gather(*large)
        assert {answer.status for answer in answers} <= {200, 500}
        assert any(answer.status == 200 for answer in answers)
        assert all("memory" in answer.message.lower() for answer in answers if answer.status == 500)
        assert (await asleep).status == 200
        assert (await call("Fine")).payload == b"fine"

    limits = ResourceLimits(memory_bytes=768 * 1024 * 1024)
    run(tmp_path, test, timeout_s=60, limits=limits)


def test_an_input_that_no_message_holds_is_one_transactions(tmp_path: Path) -> None:
    """A chaincode gets its input twice: once more in the proposal."""

    async def test(call) -> None:
        await call("Fine")
        asleep = asyncio.ensure_future(call("Sleep", "2", who=b"other"))
        with pytest.raises(ChaincodeError, match="fit into a message"):
            await call("Fine", "x" * TOO_LARGE)
        assert (await asleep).status == 200

    run(tmp_path, test, timeout_s=60)


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (b"this is no python", "SyntaxError"),
        (b"import nothing_like_it", "No module named 'nothing_like_it'"),
        (b"x = 1", "has to have one chaincode, it has none"),
    ],
)
def test_code_that_does_not_start_says_why(tmp_path: Path, source: bytes, says: str) -> None:
    async def test(call) -> None:
        with pytest.raises(ChaincodeError) as caught:
            await call("Fine")
        assert "could not launch chaincode hostile:1" in str(caught.value)
        assert says in str(caught.value)

    run(tmp_path, test, files={"src/chaincode.py": source})


def test_the_entry_may_be_told(tmp_path: Path) -> None:
    source = HOSTILE.read_bytes()
    files = {
        "src/pyproject.toml": b'[tool.fastledger]\nchaincode = "inner.code:Hostile"\n',
        "src/inner/__init__.py": b"",
        "src/inner/code.py": source,
        "src/requirements.txt": b"# nothing\nfastledger>=0.1\n",
    }

    async def test(call) -> None:
        assert (await call("Fine")).payload == b"fine"

    run(tmp_path, test, files=files)


@pytest.mark.skipif(not _works(Kind.NAMESPACES), reason="needs namespaces to work here")
def test_tools_off_the_path_of_people_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/local/bin:/usr/bin:/bin")
    assert sandbox._problem.__wrapped__(Kind.NAMESPACES) is None


def test_without_any_sandbox_nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "_problem", lambda kind: f"no {kind.value}")
    with pytest.raises(ChaincodeError, match="Install bubblewrap"):
        sandbox.choose(Kind.AUTO)
    with pytest.raises(ChaincodeError, match="no namespaces"):
        sandbox.choose(Kind.NAMESPACES)


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    def leftovers() -> set[Path]:
        return set(Path("/tmp").glob("fastledger-cc-*"))

    before = leftovers()

    async def test(call) -> None:
        await call("Fine")
        assert len(leftovers()) == len(before) + 1

    run(tmp_path, test)
    assert leftovers() <= before
    assert shutil.which("pgrep") is None or not (
        subprocess.run(
            ["pgrep", "-f", str(tmp_path)], capture_output=True, check=False
        ).stdout.strip()
    )
