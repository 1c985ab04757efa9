# SPDX-License-Identifier: Apache-2.0
"""Builds are believed as far as they are what was built."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from fastledger.chaincode.launcher.builds import MAX_AT_ONCE, Builds, Recipe
from fastledger.common.errors import ChaincodeError

CCID = "l:1"


class Made:
    """A recipe that counts how often it was followed."""

    def __init__(self, code: str = "digest") -> None:
        self.times = 0
        self.recipe = Recipe("tester", code, self._make)

    async def _make(self, folder: Path) -> None:
        self.times += 1
        (folder / "src" / "empty").mkdir(parents=True)
        (folder / "src" / "main.py").write_text("answer = 42\n")
        (folder / "run").write_text("#!/bin/sh\n")
        (folder / "run").chmod(0o755)
        (folder / "link").symlink_to("src/main.py")


def get(folder: Path, made: Made, closed: bool = True) -> Path:
    return asyncio.run(Builds(folder, closed=closed).get(CCID, made.recipe))


def test_a_sound_build_is_made_once(tmp_path: Path) -> None:
    made = Made()
    folder = get(tmp_path, made)
    assert get(tmp_path, made) == folder == tmp_path / "l-1"
    assert made.times == 1
    assert {path.name for path in tmp_path.iterdir()} == {"l-1"}
    info = json.loads((folder / "build-info.json").read_bytes())
    assert (info["builder_name"], info["code"]) == ("tester", "digest")
    assert set(info["files"]) == {"src/main.py", "run", "link"}


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[3] ^= 1
    path.write_bytes(content)


def turn_link(folder: Path) -> None:
    (folder / "link").unlink()
    (folder / "link").symlink_to("/etc/hostname")


def change_info(**changes: object) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        file = folder / "build-info.json"
        file.write_text(json.dumps(json.loads(file.read_bytes()) | changes))

    return change


DAMAGE: dict[str, Callable[[Path], object]] = {
    "a bit flipped": lambda folder: flip(folder / "src/main.py"),
    "a text changed": lambda folder: (folder / "src/main.py").write_text("answer = 43\n"),
    "cut short": lambda folder: (folder / "src/main.py").write_bytes(b""),
    "a file deleted": lambda folder: (folder / "src/main.py").unlink(),
    "a file added": lambda folder: (folder / "src/json.py").write_text("evil = 1\n"),
    "not to be run": lambda folder: (folder / "run").chmod(0o644),
    "a link turned": turn_link,
    "a link deleted": lambda folder: (folder / "link").unlink(),
    "description deleted": lambda folder: (folder / "build-info.json").unlink(),
    "description random": lambda folder: (folder / "build-info.json").write_bytes(b"\x80\xff\x00"),
    "description half": lambda folder: (folder / "build-info.json").write_text('{"builder_name":'),
    "description no object": lambda folder: (folder / "build-info.json").write_text("[1]"),
    "description deep": lambda folder: (folder / "build-info.json").write_text("[" * 100_000),
    "description without files": change_info(files=None),
    "description with odd files": change_info(files=["src/main.py"]),
    "description of other files": change_info(files={}),
    "description of other code": change_info(code=7),
    "description of another builder": change_info(builder_name=None),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_build_is_made_again(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    made = Made()
    folder = get(tmp_path, made)
    damage(folder)
    assert get(tmp_path, made) == folder
    assert made.times == 2
    assert (folder / "src/main.py").read_text() == "answer = 42\n"
    assert not (folder / "src/json.py").exists()
    get(tmp_path, made)
    assert made.times == 2


def test_a_folder_that_is_a_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "l-1").write_text("half a disk")
    made = Made()
    assert (get(tmp_path, made) / "run").is_file()


def test_what_a_builder_writes_when_it_runs_is_no_damage(tmp_path: Path) -> None:
    made = Made()
    (get(tmp_path, made, closed=False) / "seen").write_text("by run")
    get(tmp_path, made, closed=False)
    assert made.times == 1
    flip(tmp_path / "l-1" / "src/main.py")
    get(tmp_path, made, closed=False)
    assert made.times == 2


def test_other_code_is_built_anew(tmp_path: Path) -> None:
    get(tmp_path, Made())
    other = Made("another digest")
    get(tmp_path, other)
    assert other.times == 1


def failing(error: BaseException) -> Callable[[Path], Awaitable[None]]:
    async def make(folder: Path) -> None:
        (folder / "half").write_text("made")
        raise error

    return make


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (ChaincodeError("it does not compile"), "it does not compile"),
        (OSError(28, "No space left on device", "/peer/builds"), "no space left on device$"),
    ],
)
def test_a_build_that_fails_leaves_nothing(tmp_path: Path, error: BaseException, says: str) -> None:
    with pytest.raises(ChaincodeError, match=says):
        asyncio.run(Builds(tmp_path).get(CCID, Recipe("tester", "digest", failing(error))))
    assert not list(tmp_path.iterdir())


def test_a_build_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    ended: list[bool] = []

    async def make(folder: Path) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(folder.is_dir())

    with pytest.raises(ChaincodeError, match=r"building chaincode l:1 \(tester\) took longer than"):
        asyncio.run(Builds(tmp_path, 0.01).get(CCID, Recipe("tester", "digest", make)))
    assert ended == [True]
    assert not list(tmp_path.iterdir())


def test_builds_take_turns_and_what_is_built_does_not_wait(tmp_path: Path) -> None:
    async def main() -> None:
        builds = Builds(tmp_path)
        await builds.get("built:1", Made().recipe)
        begun, go_on = 0, asyncio.Event()
        all_turns = asyncio.Event()

        async def make(folder: Path) -> None:
            nonlocal begun
            begun += 1
            if begun == MAX_AT_ONCE:
                all_turns.set()
            await go_on.wait()

        waiting = [
            asyncio.create_task(builds.get(f"n:{number}", Recipe("tester", "digest", make)))
            for number in range(MAX_AT_ONCE + 2)
        ]
        await all_turns.wait()
        assert await builds.get("built:1", Made().recipe) == tmp_path / "built-1"
        assert begun == MAX_AT_ONCE
        go_on.set()
        await asyncio.gather(*waiting)
        assert begun == MAX_AT_ONCE + 2

    asyncio.run(main())
