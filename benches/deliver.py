# SPDX-License-Identifier: Apache-2.0
"""The same blocks from our orderer's Deliver service to Fabric's peer and to ours, in turn.

An orderer of ours gets the block files of a real ledger; a peer joins the channel and catches up.
Every run begins with an empty peer. The lines of the peers' logs say when the last block was
committed, and when work on the full ones began: Fabric's peer takes one block after the other, so
it begins when it has committed the block before them (it waits seconds for private data of the
first ones, which nobody has). Ours has several in work at once, so it is timed from its request for
blocks, small ones included. CPU is that of the whole run. At the end the newest block must have the
commit hash that the ledger's own peer found.

    python benches/deliver.py [CORPUS.tar.zst] [--runs N]

Without arguments it takes perf-2of2 from the folder FASTLEDGER_CORPUS (../shared/corpus if it is
not set), with the keys of crypto beside it. Fabric's peer is built as for `make interop`. Where one
of them is missing it measures nothing, and says why.
"""

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import pytest
import zstandard

sys.path.append(str(Path(__file__).parents[1] / "tests"))
sys.path.append(str(Path(__file__).parents[1] / "tests" / "interop"))

import fabric_tools
from corpora import MORE
from fastledger._core import BlockStore
from fastledger.client.endorsement import call
from fastledger.client.peer import Peer
from fastledger.client.target import Target
from fastledger.protos.common.common_pb2 import Block, HeaderType
from fastledger.protoutil import block as blocks
from fastledger.protoutil import varint
from fastledger.protoutil.blocks import channel_id_of
from fastledger.protoutil.seek import NEWEST
from ordering import environment as orderer_environment
from peering import environment as peer_environment
from peering import identity
from real_nodes import clean_environment, free_ports, start, stop, write_core_yaml

FULL = 500
VERSION = "v3.1.5"
KINDS = ("fabric", "fastledger")
PATIENCE_S = 120.0
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_COMMITTED = re.compile(rb"Committed block \[(\d+)\]")
_TIME = re.compile(rb"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}) UTC")
_PULLING = b"pulling blocks from"
_ORDERER = re.compile(rb"127\.0\.0\.1:\d+")


@dataclass
class Source:
    """A ledger to serve: its blocks, the keys of its network, and what a peer must make of it."""

    name: str
    blocks: list[bytes]
    crypto: Path
    commit_hash: bytes

    def __post_init__(self) -> None:
        self.channel = channel_id_of(Block.FromString(self.blocks[0]))
        self.sizes = [len(blocks.parse(block).envelopes) for block in self.blocks]
        self.first_full = self.sizes.index(FULL)

    @property
    def orderer(self) -> Path:
        """The folder of an orderer's MSP and TLS pair."""
        return next(self.crypto.glob("ordererOrganizations/*/orderers/*"))

    def write(self, file: Path) -> None:
        """Write the blocks, each with its length before it."""
        with file.open("wb") as out:
            for block in self.blocks:
                out.write(varint.encode(len(block)))
                out.write(block)

    @property
    def last(self) -> int:
        return len(self.blocks) - 1

    @property
    def transactions(self) -> int:
        return sum(self.sizes[self.first_full :])


@dataclass(frozen=True)
class Orderer:
    """The orderer that serves them."""

    pid: int
    port: int


@dataclass
class Run:
    """One catching up."""

    seconds: float
    peer_cpu_s: float
    orderer_cpu_s: float


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure catching up by Deliver.")
    parser.add_argument("corpus", nargs="?", type=Path, default=_corpus("perf-2of2"))
    parser.add_argument("--runs", type=int, default=5, help="runs of each peer (default 5)")
    arguments = parser.parse_args()
    if missing := lacking(arguments.corpus):
        print(f"skipped: {missing}")
        return
    with tempfile.TemporaryDirectory(prefix="fastledger-bench-") as name:
        compare(Path(name), recorded(arguments.corpus, Path(name)), arguments.runs)


def lacking(corpus: Path | None) -> str:
    """Why a real ledger cannot be served to both kinds of peers; empty where it can."""
    if corpus is None or _corpus("crypto") is None:
        return f"needs perf-2of2 and crypto under {MORE}; FASTLEDGER_CORPUS names the folder"
    return no_fabric()


def no_fabric() -> str:
    """Why there is no peer of Fabric; empty where there is."""
    try:
        fabric_tools.fabric_tool("peer", VERSION)
    except pytest.skip.Exception as reason:
        return str(reason)
    return ""


def recorded(corpus: Path, folder: Path) -> Source:
    """A ledger that a real network made; its own peer's last commit hash is what must come out."""
    place = unpack(corpus, folder)
    files = sorted((place / "blocks_orderer").glob("*.block"))
    expected = json.loads((place / "expected.json").read_text("utf-8"))["blocks"]
    crypto = _corpus("crypto")
    assert crypto is not None
    return Source(
        place.name,
        [file.read_bytes() for file in files],
        unpack(crypto, folder),
        bytes.fromhex(expected[-1]["commit_hash"]),
    )


def compare(folder: Path, source: Source, runs: int) -> None:
    found: dict[str, list[Run]] = {kind: [] for kind in KINDS}
    with served(source, folder / "orderer") as orderer:
        for number in range(runs):
            for kind in KINDS:
                place = folder / f"{kind}-{number}"
                found[kind].append(catch_up(kind, source, place, orderer))
                print(row(kind, source, found[kind][-1]), flush=True)
    pairs = list(zip(found["fabric"], found["fastledger"], strict=True))
    faster = median(fabric.seconds / ours.seconds for fabric, ours in pairs)
    cheaper = median(fabric.peer_cpu_s / ours.peer_cpu_s for fabric, ours in pairs)
    rates = {
        kind: median(source.transactions / run.seconds for run in found[kind]) for kind in KINDS
    }
    print(
        f"medians of {runs} runs: fabric {rates['fabric']:,.0f} tx/s, fastledger "
        f"{rates['fastledger']:,.0f} tx/s; {faster:.1f} times as fast as the run before it, with "
        f"{cheaper:.1f} times less CPU in the peer"
    )


def row(kind: str, source: Source, run: Run) -> str:
    rate = source.transactions / run.seconds
    return (
        f"  {kind:10} {rate:9,.0f} tx/s   {run.seconds:6.2f} s   "
        f"CPU: peer {run.peer_cpu_s:5.2f} s, orderer {run.orderer_cpu_s:5.2f} s"
    )


def unpack(archive: Path, folder: Path) -> Path:
    with zstandard.open(archive, "rb") as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
        tar.extractall(folder, filter="data")
    return folder / archive.name.removesuffix(".tar.zst")


def _corpus(name: str) -> Path | None:
    return next(MORE.rglob(f"{name}.tar.zst"), None)


@contextmanager
def served(source: Source, folder: Path) -> Iterator[Orderer]:
    """Run an orderer that has the blocks."""
    chain = folder / "chains" / source.channel
    chain.parent.mkdir(parents=True)
    store = BlockStore.open(str(chain))
    store.append(source.blocks)
    store.close()
    node = source.orderer
    port = free_ports(1)
    env = orderer_environment(
        source.crypto,
        folder,
        ORDERER_GENERAL_LISTENPORT=str(port),
        ORDERER_GENERAL_LOCALMSPDIR=str(node / "msp"),
        FABRIC_CFG_PATH="",
    )
    process = start([sys.executable, "-m", "fastledger", "orderer", "start"], folder, env)
    try:
        asyncio.run(until_up(port, process))
        yield Orderer(process.pid, port)
    except ConnectionError as error:
        raise SystemExit(f"{error}:\n{(folder / 'log').read_text()[-2000:]}") from error
    finally:
        stop(process)


def catch_up(kind: str, source: Source, folder: Path, orderer: Orderer) -> Run:
    """Start an empty peer, let it join, and wait for the last block."""
    folder.mkdir()
    port = free_ports(4)
    spent_before = cpu_s(orderer.pid)
    process = subprocess.Popen(
        _command(kind),
        cwd=folder,
        env=clean_environment() | _environment(source, folder, port, orderer.port),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        asyncio.run(until_up(port, process))
        asyncio.run(join(source, port))
        seconds = follow(process, source)
        spent = cpu_s(process.pid)
        asyncio.run(check(source, port))
        return Run(
            seconds,
            spent,
            cpu_s(orderer.pid) - spent_before,
        )
    finally:
        stop(process)


def _command(kind: str) -> list[str]:
    if kind == "fabric":
        return [str(fabric_tools.fabric_tool("peer", VERSION)), "node", "start"]
    return [sys.executable, "-m", "fastledger", "peer", "node", "start"]


def _environment(source: Source, folder: Path, port: int, orderer: int) -> dict[str, str]:
    """The same for both: Fabric's core.yaml, with our orderer in the place of the ledger's own."""
    named = _ORDERER.search(source.blocks[0])
    assert named is not None
    override = {"from": named[0].decode(), "to": f"127.0.0.1:{orderer}", "caCertsFile": ""}
    write_core_yaml(folder, deliveryclient={"addressOverrides": [override]})
    address = f"127.0.0.1:{port}"
    more = {
        "FABRIC_CFG_PATH": str(folder),
        "CORE_PEER_ADDRESS": address,
        "CORE_PEER_LISTENADDRESS": address,
        "CORE_PEER_CHAINCODELISTENADDRESS": f"127.0.0.1:{port + 1}",
        "CORE_PEER_GOSSIP_BOOTSTRAP": "",
        "CORE_LEDGER_SNAPSHOTS_ROOTDIR": str(folder / "snapshots"),
    }
    return peer_environment(source.crypto, "org1", "peer0", folder / "data", **more)


async def until_up(port: int, process: "subprocess.Popen[bytes]") -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                if process.poll() is not None:
                    raise ConnectionError("the node has ended") from None
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


async def join(source: Source, port: int) -> None:
    admin = identity(source.crypto, "org1")
    async with await Peer.connect(Target(f"127.0.0.1:{port}")) as peer:
        arguments = [b"JoinChain", source.blocks[0]]
        await call(peer, admin, "cscc", arguments, header_type=HeaderType.CONFIG)


def follow(process: "subprocess.Popen[bytes]", source: Source) -> float:
    """Read the log until the last block; return how long the full ones took."""
    begun: datetime | None = None
    lines = []
    assert process.stderr is not None
    for line in process.stderr:
        lines.append(line)
        committed = _COMMITTED.search(line)
        number = int(committed[1]) if committed else None
        if begun is not None and number == source.last:
            return (logged(line) - begun).total_seconds()
        if begun is None and (_PULLING in line or number == source.first_full - 1):
            begun = logged(line)
    raise SystemExit("the peer ended:\n" + b"".join(lines[-20:]).decode("utf-8", "replace"))


def logged(line: bytes) -> datetime:
    found = _TIME.search(line)
    assert found is not None, line
    return datetime.strptime(found[1].decode(), "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC)


async def check(source: Source, port: int) -> None:
    admin = identity(source.crypto, "org1")
    async with await Peer.connect(Target(f"127.0.0.1:{port}")) as peer:
        block = await peer.blocks(source.channel, admin).get(NEWEST)
    found = blocks.parse(block.SerializeToString())
    if found.number != source.last or found.commit_hash != source.commit_hash:
        raise SystemExit(f"block {found.number} has another commit hash than the ledger's own peer")


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


if __name__ == "__main__":
    main()
