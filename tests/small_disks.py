# SPDX-License-Identifier: Apache-2.0
"""Disks with little room: a file system of a test's own, which takes the right to mount one."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, elsewhere: Path, room_mib: int) -> Iterator[None]:
    """Have a folder's content on a disk of its own, for as long as it is entered."""
    kept = elsewhere / "kept"
    shutil.copytree(folder, kept)
    if not _mount(folder, f"size={room_mib}m"):
        pytest.skip("needs the right to mount a file system")
    shutil.copytree(kept, folder, dirs_exist_ok=True)
    try:
        yield
    finally:
        shutil.rmtree(kept)
        shutil.copytree(folder, kept)
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        shutil.rmtree(folder)
        shutil.copytree(kept, folder)


def enlarge(folder: Path, room_mib: int) -> None:
    """Give such a disk another size."""
    assert _mount(folder, f"remount,size={room_mib}m")


def fill(filler: Path) -> None:
    """Let a file take all the room that there is."""
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    os.sync()


def _mount(folder: Path, options: str) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
    return not subprocess.run(command, check=False, capture_output=True).returncode
