# SPDX-License-Identifier: Apache-2.0
"""What a network wrote beside its state folder, so that nothing else is removed or overwritten.

The folder ``organizations`` is shared: Fabric's samples keep scripts in it, people their wallets
and the identities of other organizations. The inventory holds the SHA-256 of each file that the
network wrote there. A file with other content is somebody's, whatever its name.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from fastledger.common.errors import InputError
from fastledger.network.plan import Plan

_FILE = "inventory.json"
_NEW = "new"


class Inventory:
    """The files and folders that a network wrote, by their paths below its folder."""

    def __init__(self, plan: Plan) -> None:
        """Read the inventory that the state folder keeps.

        Raises:
            InputError: The file that keeps it is broken.
        """
        self._root = plan.folder
        self._file = plan.state / _FILE
        self.new = plan.state / _NEW
        self._files: dict[str, str] = {}
        self._folders: list[str] = []
        try:
            kept = json.loads(self._file.read_text("utf-8"))
            self._files = cast("dict[str, str]", kept["files"])
            self._folders = cast("list[str]", kept["folders"])
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{self._file}: it does not tell what the network wrote: {error}"
            ) from error

    def workshop(self) -> Path:
        """Return an empty folder in which files are made before `take` moves them."""
        shutil.rmtree(self.new, ignore_errors=True)
        self.new.mkdir(parents=True)
        return self.new

    @property
    def folders(self) -> set[Path]:
        """The folders that the network made."""
        return {self._root / name for name in self._folders}

    def strangers(self, made: Path, place: Path) -> list[Path]:
        """Return the files of others at ``place`` that stand where ``made`` has one."""
        targets = (place / file.relative_to(made) for file in _files(made))
        return [
            target for target in targets if os.path.lexists(target) and not self._is_ours(target)
        ]

    def take(self, made: Path, place: Path) -> list[Path]:
        """Move the files below ``made`` to ``place``; what is somebody else's there stays.

        Returns:
            The files of others that stand where the network would have one.
        """
        others = self.strangers(made, place)
        moves = {file: place / file.relative_to(made) for file in _files(made)}
        moves = {file: target for file, target in moves.items() if target not in others}
        folders = [place, *(place / folder.relative_to(made) for folder in _folders(made))]
        missing = {
            above
            for folder in folders
            for above in (folder, *folder.parents)
            if above.is_relative_to(self._root) and not above.exists()
        }
        # Written down first: what an interrupted command leaves is known to be the network's.
        self._files |= {self._name(target): _digest(file) for file, target in moves.items()}
        self._folders = sorted({*self._folders, *map(self._name, missing)})
        self._save()
        for folder in sorted(missing):
            folder.mkdir(exist_ok=True)
        for file, target in moves.items():
            shutil.move(file, target)
        shutil.rmtree(made)
        return others

    def remove(self) -> None:
        """Remove what the network wrote and nobody changed since, and folders left empty.

        Raises:
            FastledgerError: A file or folder cannot be removed.
        """
        try:
            for name in self._files:
                if self._is_ours(self._root / name):
                    (self._root / name).unlink()
            for name in sorted(self._folders, reverse=True):
                folder = self._root / name
                if folder.is_dir() and not folder.is_symlink() and not any(folder.iterdir()):
                    folder.rmdir()
        except OSError as error:
            raise InputError(f"cannot remove {error.filename}: {error.strerror}") from error

    def _is_ours(self, path: Path) -> bool:
        known = self._files.get(self._name(path))
        return known is not None and path.is_file() and _digest(path) == known

    def _name(self, path: Path) -> str:
        return path.relative_to(self._root).as_posix()

    def _save(self) -> None:
        content = {"folders": self._folders, "files": dict(sorted(self._files.items()))}
        temporary = self._file.with_suffix(".new")
        temporary.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
        temporary.replace(self._file)


def _files(tree: Path) -> Iterator[Path]:
    return (path for path in sorted(tree.rglob("*")) if not path.is_dir())


def _folders(tree: Path) -> Iterator[Path]:
    return (path for path in sorted(tree.rglob("*")) if path.is_dir())


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
