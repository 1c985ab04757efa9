# SPDX-License-Identifier: Apache-2.0
"""A network whose disks are damaged, or full: mended by itself, or told where people look."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from damaged import flip_in
from fastledger.network.plan import Node
from live_network import Network
from small_disks import fill, small_disk
from waiting import wait_until

pytestmark = pytest.mark.slow

ROOM_MIB = 24


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    made = Network(tmp_path_factory.mktemp("damage"))
    try:
        made.up()
        made.ok("invoke", "InitLedger")
        yield made
    finally:
        made.run("down", "--clean")


@pytest.fixture
def stopped(network: Network) -> Iterator[Network]:
    """The network while it is down; afterwards it must be well again."""
    network.ok("down")
    yield network
    network.up()
    assert "cannot go on" not in network.ok("status")
    network.ok("invoke", "UpdateAsset", "asset1", "red", "5", "Ann", "100")


def data(node: Node) -> Path:
    return node.folder / "data"


def blocks(node: Node, channel: str = "mychannel") -> Path:
    return next(
        file
        for file in data(node).rglob("blockfile_000000")
        if file.parent.name in (channel, "chains")
    )


def refused(network: Network) -> str:
    done = network.run("up")
    assert done.returncode != 0, done.stdout
    return done.stderr


def test_an_orderer_does_not_give_up_its_last_block(stopped: Network) -> None:
    file = blocks(stopped.plan.orderer)
    whole = file.read_bytes()
    file.write_bytes(whole[:-1])
    said = refused(stopped)
    assert str(file) in said
    assert "copy the channel's block files from another orderer" in said
    stopped.ok("down")
    file.write_bytes(whole)


def test_an_orderer_does_not_forget_a_channel(stopped: Network) -> None:
    folder = blocks(stopped.plan.orderer).parent
    kept = folder.parents[2] / "elsewhere"
    for damage in (folder.rename, lambda _: _emptied(folder, kept)):
        damage(kept)
        assert f"{folder}: the blocks of channel mychannel are gone" in refused(stopped)
        stopped.ok("down")
        shutil.rmtree(folder, ignore_errors=True)
        kept.rename(folder)


def _emptied(folder: Path, kept: Path) -> None:
    folder.rename(kept)
    folder.mkdir()
    (folder / "blockfile_000000").touch()


def test_a_peer_makes_its_state_again(stopped: Network) -> None:
    peer = stopped.plan.organizations[0].peers[0]
    state = next(data(peer).rglob("derived/data.mdb"))
    flip_in(b"asset")(state, random.Random(7))
    stopped.ok("up")
    assert "asset1" in stopped.ok("query", "ReadAsset", "asset1")
    log = (peer.folder / "log").read_text("utf-8")
    assert "state, history and index were made again from the blocks" in log


def test_a_peer_whose_ledger_is_gone_says_so(stopped: Network) -> None:
    peer = stopped.plan.organizations[0].peers[0]
    folder = next(data(peer).rglob("ledgersData/mychannel"))
    kept = data(peer) / "elsewhere"
    folder.rename(kept)
    assert "channel mychannel was joined" in refused(stopped)
    assert "channel mychannel was joined" in stopped.run("status").stdout
    stopped.ok("down")
    kept.rename(folder)


@pytest.mark.parametrize("size", [0.3, 0.5, 0.8])
def test_private_values_that_were_cut_short_do_not_kill_a_peer(
    stopped: Network, size: float
) -> None:
    peer = stopped.plan.organizations[0].peers[0]
    file = next(data(peer).rglob("pvtdata/mychannel/data.mdb"))
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * size)])
    assert f"{file} is damaged" in refused(stopped)
    stopped.ok("down")
    file.write_bytes(whole)


def test_a_changed_block_is_not_delivered(stopped: Network) -> None:
    """Neither by the peer nor by the orderer, which go on with the others."""
    nodes = [stopped.plan.orderer, stopped.plan.organizations[0].peers[0]]
    for node in nodes:
        _replace(blocks(node), b"InitLedger", b"JnitLedger")
    stopped.ok("up")
    shown = stopped.run("blocks")
    assert "JnitLedger" not in shown.stdout
    assert "INTERNAL_SERVER_ERROR" in shown.stderr
    stopped.ok("invoke", "ReadAsset", "asset2")
    status = stopped.run("status")
    assert status.returncode == 1
    file = blocks(nodes[1])
    assert f"cannot go on: channel mychannel: block file {file} is damaged" in status.stdout
    stopped.ok("down")
    for node in nodes:
        _replace(blocks(node), b"JnitLedger", b"InitLedger")


def _replace(file: Path, old: bytes, new: bytes) -> None:
    content = file.read_bytes()
    at = content.rfind(old)
    file.write_bytes(content[:at] + new + content[at + len(old) :])


@pytest.mark.parametrize("kind", ["orderer", "peer"])
def test_a_full_disk_is_told_and_is_over_when_there_is_room(
    network: Network, kind: str, tmp_path: Path
) -> None:
    network.ok("down")
    plan = network.plan
    node = plan.orderer if kind == "orderer" else plan.organizations[1].peers[0]
    with small_disk(data(node), tmp_path, ROOM_MIB):
        network.ok("up")
        filler = data(node) / "filler"
        fill(filler)
        # Taken, or not: it is the orderer's or the peer's to say.
        network.run("invoke", "UpdateAsset", "asset3", "red", "5", "Ann", "100")
        wait_until(lambda: network.run("status").returncode == 1)
        assert "o space left" in network.run("status").stdout
        filler.unlink()
        wait_until(lambda: network.run("status").returncode == 0)
        network.ok("invoke", "UpdateAsset", "asset4", "red", "6", "Ann", "100")
        heights = {line.split(", ")[-1] for line in network.ok("status").splitlines()}
        assert len(heights) == 1
        network.ok("down")
    network.up()
