# SPDX-License-Identifier: Apache-2.0
"""A state larger than memory: throughput, latency, bytes written, and how files grow.

A process that may have only so much memory, its page cache counted (a control group; needs root),
commits a generated channel durably, chunk by chunk. Another process makes the next chunk meanwhile
the first one waits, and keeps it in memory, so that only commits use the disk and are timed. What
is told of each chunk: transactions a second, how long a block took from being handed over, with the
pipeline full, until it was durable, bytes that the process wrote to the disk for each byte of
blocks, page faults that had to read, and the sizes of the files.

    python benches/large.py [--keys N] [--transactions N] [--memory-mb N] [--chunk N]
                            [--endorsements N] [--folder FOLDER] [--keep]

Block files that are full are deleted behind the run, and counted as if they were there: nothing
reads them any more. `--keep` leaves them.

The defaults are 20,000,000 keys, 10,000,000 transactions with one endorsement each and 4,096 MB.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from typing import Any

from replay import scratch

import fastledger
from fastledger import _core
from fastledger.ledger import sources
from fastledger.ledger.kvledger import Ledger
from fastledger.protoutil import varint

CGROUPS = Path("/sys/fs/cgroup")
MEMORY = Path("/dev/shm")
BLOCK_TRANSACTIONS = 500


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure a state that is larger than memory.")
    parser.add_argument("--keys", type=int, default=20_000_000)
    parser.add_argument("--transactions", type=int, default=10_000_000)
    parser.add_argument("--memory-mb", type=int, default=4096)
    parser.add_argument("--chunk", type=int, default=1000, help="blocks that are timed together")
    parser.add_argument("--endorsements", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="where the ledger is made, and kept")
    parser.add_argument("--keep", action="store_true", help="do not delete full block files")
    parser.add_argument("--role", choices=("make", "commit"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    match arguments.role:
        case "make":
            make(json.loads(sys.stdin.readline()))
        case "commit":
            commit(**json.loads(sys.stdin.readline()))
        case _:
            measure(arguments)


def measure(arguments: argparse.Namespace) -> None:
    spec = {
        "keys": arguments.keys,
        "transactions": arguments.transactions,
        "block_transactions": BLOCK_TRANSACTIONS,
        "endorsement_policy": {"required": arguments.endorsements, "organizations": 2},
    }
    with (
        tempfile.TemporaryDirectory(dir=MEMORY) as chunks,
        scratch() as place,
        limited(arguments.memory_mb) as cgroup,
    ):
        folder = arguments.folder or Path(place)
        maker, committer = child("make"), child("commit")
        (cgroup / "cgroup.procs").write_text(str(committer.pid))
        tell(maker, json.dumps({"spec": spec, "chunk": arguments.chunk, "folder": chunks}))
        tell(committer, json.dumps({"folder": str(folder / "ledger"), "keep": arguments.keep}))
        try:
            for made in iter(lambda: answer(maker), None):
                tell(committer, json.dumps(made))
                print(row(answer(committer) or {}, made["measured"]), flush=True)
                Path(made["file"]).unlink()
                tell(maker, "next")
            print(peak(cgroup))
        finally:
            for process in (maker, committer):
                process.kill()
                process.wait()


@contextmanager
def limited(megabytes: int) -> Iterator[Path]:
    """Make a control group whose processes may have so much memory, of version 2 or 1."""
    two = (CGROUPS / "cgroup.controllers").exists()
    parent = CGROUPS if two else CGROUPS / "memory"
    cgroup = parent / f"fastledger-bench-{os.getpid()}"
    limit = "memory.max" if two else "memory.limit_in_bytes"
    try:
        cgroup.mkdir()
        (cgroup / limit).write_text(str(megabytes << 20))
    except OSError as error:
        raise SystemExit(f"memory cannot be limited here, which needs root: {error}") from error
    try:
        yield cgroup
    finally:
        for _ in range(100):
            if not (cgroup / "cgroup.procs").read_text():
                break
            time.sleep(0.05)
        cgroup.rmdir()


def peak(cgroup: Path) -> str:
    for name in ("memory.peak", "memory.max_usage_in_bytes"):
        if (cgroup / name).exists():
            most = int((cgroup / name).read_text()) >> 20
            return f"most memory at once, page cache included: {most} MB"
    return ""


def child(role: str) -> "subprocess.Popen[str]":
    command = [sys.executable, __file__, "--role", role]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def tell(process: "subprocess.Popen[str]", line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def answer(process: "subprocess.Popen[str]") -> dict[str, Any] | None:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"a process ended with {process.wait()}")
    found: dict[str, Any] | None = json.loads(line)
    return found


def make(order: dict[str, Any]) -> None:
    """Write chunk after chunk, each when the one before it was taken."""
    source = _core.Workload(json.dumps(order["spec"]))
    number = 0
    pending = next(source, None)
    while pending is not None:
        file = Path(order["folder"]) / str(number)
        measured = pending[3]
        with file.open("wb") as out:
            for _ in range(order["chunk"]):
                out.write(varint.encode(len(pending[1])) + pending[1])
                pending = next(source, None)
                if pending is None or pending[3] != measured:
                    break
        print(json.dumps({"file": str(file), "measured": measured}), flush=True)
        sys.stdin.readline()
        number += 1
    print("null", flush=True)


def commit(folder: str, keep: bool) -> None:
    """Commit the chunks that are named, and say what each came to."""
    deleted = 0
    with fastledger.open(folder) as ledger:
        for line in sys.stdin:
            with sources.open(Path(json.loads(line)["file"])) as source:
                told = commit_chunk(ledger, source)
            files = sizes(Path(folder))
            files["chains"] += deleted
            if not keep:
                deleted += delete_full(Path(folder) / "chains")
            print(json.dumps(told | {"files": files}), flush=True)


def commit_chunk(ledger: Ledger, source: Iterable[bytes]) -> dict[str, Any]:
    handed_over: deque[float] = deque()
    took: list[float] = []
    transactions = size = 0

    def blocks() -> Iterator[bytes]:
        nonlocal size
        for block in source:
            size += len(block)
            handed_over.append(time.perf_counter())
            yield block

    before, start = used(), time.perf_counter()
    for done in ledger.commit_all(blocks()):
        took.append(1e3 * (time.perf_counter() - handed_over.popleft()))
        transactions += len(done.filter)
    seconds = time.perf_counter() - start
    cuts = quantiles(took, n=100, method="inclusive") if len(took) > 1 else took * 99
    spent = {name: value - before[name] for name, value in used().items()}
    return {
        "height": ledger.height,
        "transactions": transactions,
        "seconds": seconds,
        "block_bytes": size,
        "p50_ms": cuts[49],
        "p99_ms": cuts[98],
    } | spent


def used() -> dict[str, float]:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    io = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return {
        "cpu_s": usage.ru_utime + usage.ru_stime,
        "reads": usage.ru_majflt,
        "written": int(io["write_bytes"]) - int(io["cancelled_write_bytes"]),
        "read": int(io["read_bytes"]),
    }


def sizes(folder: Path) -> dict[str, int]:
    """Bytes on disk, by the folder's parts."""
    found: dict[str, int] = {}
    for file in folder.rglob("*"):
        if file.is_file():
            part = file.relative_to(folder).parts[0]
            found[part] = found.get(part, 0) + file.stat().st_blocks * 512
    return found


def delete_full(chains: Path) -> int:
    """Delete all block files but the last; how many bytes they had on disk."""
    deleted = 0
    for file in sorted(chains.glob("blockfile_*"))[:-1]:
        deleted += file.stat().st_blocks * 512
        file.unlink()
    return deleted


def row(chunk: dict[str, Any], measured: bool) -> str:
    transactions = max(chunk["transactions"], 1)
    files = ", ".join(f"{name} {size / 1e9:.2f}" for name, size in chunk["files"].items())
    return (
        f"{'' if measured else 'set-up '}block {chunk['height']:8,}: "
        f"{transactions / chunk['seconds']:8,.0f} tx/s   p50 {chunk['p50_ms']:6.1f} ms   "
        f"p99 {chunk['p99_ms']:7.1f} ms   CPU {1e6 * chunk['cpu_s'] / transactions:5.1f} µs each   "
        f"written {chunk['written'] / chunk['block_bytes']:.2f} times the blocks   "
        f"faults that read {chunk['reads'] / transactions:.3f} each   GB: {files}"
    )


if __name__ == "__main__":
    main()
