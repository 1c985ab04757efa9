# SPDX-License-Identifier: Apache-2.0
"""Where control groups are made, in trees of both versions."""

import subprocess
from pathlib import Path

import pytest

from fastledger.chaincode.launcher import cgroups


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(cgroups, "_MOUNTS", tmp_path / "mounts")
    monkeypatch.setattr(cgroups, "_OWN", tmp_path / "own")
    return tmp_path / "cgroup"


def test_version_2_takes_the_nearest_group_that_hands_its_controllers_on(tree: Path) -> None:
    own = tree / "user.slice/app.slice/shell.scope"
    own.mkdir(parents=True)
    for folder, enabled in ((tree, "cpu memory pids"), (own.parent, "memory pids"), (own, "")):
        (folder / "cgroup.subtree_control").write_text(enabled)
    (tree.parent / "mounts").write_text(f"cgroup2 {tree} cgroup2 rw,nsdelegate 0 0\n")
    (tree.parent / "own").write_text("0::/user.slice/app.slice/shell.scope\n")
    assert list(cgroups._places()) == [(own.parent,), (tree,)]


def test_version_1_has_a_folder_for_each_controller(tree: Path) -> None:
    for name in ("memory/mine", "pids"):
        (tree / name).mkdir(parents=True)
    lines = [f"cgroup {tree}/{name} cgroup rw,{name} 0 0\n" for name in ("memory", "pids")]
    (tree.parent / "mounts").write_text("".join(lines))
    (tree.parent / "own").write_text("4:memory:/mine\n8:pids:/elsewhere\n")
    assert list(cgroups._places()) == [
        (tree / "memory/mine", tree / "pids"),
        (tree / "memory", tree / "pids"),
    ]


def test_without_controllers_there_are_no_groups(tree: Path) -> None:
    tree.mkdir()
    (tree.parent / "mounts").write_text(f"cgroup2 {tree} cgroup2 rw 0 0\nproc /proc proc rw 0 0\n")
    (tree.parent / "own").write_text("0::/\n")
    assert list(cgroups._places()) == []


@pytest.mark.skipif(not cgroups.available(), reason="needs control groups that this user may use")
def test_a_group_ends_with_all_of_its_processes() -> None:
    group = cgroups.make(64 << 20, 16)
    assert group is not None
    sleeper = subprocess.Popen(
        [*group.joining(), "/bin/sh", "-c", "echo in; exec sleep 600"], stdout=subprocess.PIPE
    )
    assert sleeper.stdout is not None
    assert sleeper.stdout.readline() == b"in\n"
    group.remove()
    assert sleeper.wait() == -9
    assert not any(folder.exists() for folder in group.folders)
    sleeper.stdout.close()
