# SPDX-License-Identifier: Apache-2.0
"""A network's files removed, and nothing else."""

import shutil
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

from fastledger.common.errors import InputError
from fastledger.network.inventory import Inventory
from fastledger.network.plan import Plan

_FILES_OF_A_NODE = ("core.yaml", "orderer.yaml", "env", "log", "pid")
_FILES_OF_THE_STATE = ("chaincodes.json", "configtx.yaml", "watch", "inventory.json", ".gitignore")


def clean(plan: Plan) -> list[Path]:
    """Remove the network's ledgers, identities and settings.

    The plan goes last, so that a removal that failed can be tried again.

    Returns:
        The files and folders of others that are left where the network was.

    Raises:
        FastledgerError: Something cannot be removed.
    """
    inventory = Inventory(plan)
    inventory.remove()
    state, nodes, audit = plan.state, plan.state / "nodes", plan.state / "audit"
    homes = [node.folder for node in plan.nodes]
    _each(_remove_tree, [*(home / "data" for home in homes), audit / plan.channel, inventory.new])
    _each(Path.unlink, (home / name for home in homes for name in _FILES_OF_A_NODE))
    _each(Path.unlink, [*state.glob("*.new"), plan.genesis_block])
    _each(Path.unlink, (state / name for name in _FILES_OF_THE_STATE))
    own = [*homes, nodes, audit, state]
    _each(Path.unlink, [state / "network.json"])
    _each(Path.rmdir, (folder for folder in own if folder.is_dir() and not any(folder.iterdir())))
    return [*_left(plan.identities, inventory.folders), *_left(state, own)]


def _each(remove: Callable[[Path], None], paths: Iterable[Path]) -> None:
    for path in paths:
        try:
            remove(path)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise InputError(f"cannot remove {path}: {error.strerror or error}") from error


def _remove_tree(folder: Path) -> None:
    """Remove a folder; of a link that somebody put in its place only the link."""
    if folder.is_symlink():
        folder.unlink()
    else:
        shutil.rmtree(folder)


def _left(folder: Path, own: Collection[Path]) -> Iterator[Path]:
    """Yield what is in a folder and in those folders below it that are the network's own."""
    if not folder.is_dir():
        return
    for entry in sorted(folder.iterdir()):
        if entry in own and not entry.is_symlink():
            yield from _left(entry, own)
        else:
            yield entry
