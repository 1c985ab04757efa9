# SPDX-License-Identifier: Apache-2.0
"""Ours beside real Fabric, in turns on the same machine: replay, Deliver, queries and submits.

Each round runs Fabric and ours one after the other, everything from its start, so that both see the
same machine; what is told is the median of the rounds, and the median of each round's ratio. A
Fabric peer cannot replay block files: what it does with the same blocks is catch up by Deliver, so
that is what our replay stands beside as well.

    python benches/compare.py [--rounds N] [--seconds N] [--clients 1,64,256] [--transactions N]
                              [--only blocks|network] [--out FOLDER]

Fabric's peer and orderer are built as for `make interop`. Where they cannot be built (without Go),
ours is measured alone, and the report says so. `--out` writes compare.json and compare.html.
"""

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests"))
sys.path.append(str(Path(__file__).parents[1] / "tests" / "interop"))

import comparison
import deliver
import endtoend
import machine
import replay
from comparison import FABRIC, OURS, Comparison, Ledger, Taken
from deliver import Source
from made import generated

from corpora import MORE

THREE_OF_FIVE = {
    "organizations": 5,
    "endorsement_policy": {"required": 3, "organizations": 5},
    "clients_per_organization": 4,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure ours beside Fabric.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each load of a network")
    parser.add_argument("--clients", default="1,64,256")
    parser.add_argument(
        "--transactions", type=int, default=20_000, help="of the generated channel (default 20000)"
    )
    parser.add_argument("--only", choices=("blocks", "network"))
    parser.add_argument("--out", type=Path, help="folder for compare.json and compare.html")
    arguments = parser.parse_args()
    with replay.scratch() as name:
        folder = Path(name)
        found = Comparison(machine.describe(folder), deliver.no_fabric(), arguments.rounds)
        print("\n".join(f"{what}: {value}" for what, value in found.machine.items()))
        if found.without_fabric:
            print(f"ours alone, without Fabric: {found.without_fabric}")
        if arguments.only != "network":
            compare_blocks(found, folder, arguments.transactions)
        if arguments.only != "blocks":
            counts = [int(count) for count in arguments.clients.split(",")]
            compare_networks(found, folder, counts, arguments.seconds)
    print(f"\n{comparison.text(found)}")
    if arguments.out:
        write(found, arguments.out)


def write(found: Comparison, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "compare.json").write_text(json.dumps(asdict(found), indent=2), "utf-8")
    (out / "compare.html").write_text(comparison.document(found), "utf-8")
    print(f"\nreports: {out / 'compare.json'}, {out / 'compare.html'}")


def compare_blocks(found: Comparison, folder: Path, transactions: int) -> None:
    made = generated(THREE_OF_FIVE | {"transactions": transactions}, folder / "made")
    compare_ledger(found, made, folder / "3of5")
    corpus = next(MORE.rglob("perf-2of2.tar.zst"), None)
    reason = deliver.lacking(corpus)
    if corpus is None or reason:
        print(f"perf-2of2 is left out: {reason}")
        return
    (folder / "recorded").mkdir()
    compare_ledger(found, deliver.recorded(corpus, folder / "recorded"), folder / "2of2")


def compare_ledger(found: Comparison, source: Source, folder: Path) -> None:
    """Have Fabric's peer catch up, ours catch up, and ours replay, round by round."""
    print(f"\n{source.name}: {source.transactions:,} transactions")
    folder.mkdir()
    source.write(folder / "blocks")
    kinds = [OURS] if found.without_fabric else [FABRIC, OURS]
    ledger = Ledger(source.name, source.transactions, {kind: Taken() for kind in kinds})
    with deliver.served(source, folder / "orderer") as orderer:
        for number in range(found.rounds):
            for kind in kinds:
                run = deliver.catch_up(kind, source, folder / f"{kind}-{number}", orderer)
                note(
                    f"{kind}, Deliver",
                    ledger.deliver[kind],
                    source.transactions,
                    run.seconds,
                    run.peer_cpu_s,
                )
            played = replay.in_a_process(folder / "blocks", "parallel", 0)
            if played["commit_hash"] != source.commit_hash.hex():
                raise SystemExit(f"{source.name}: the replay ended with another commit hash")
            note(
                f"{OURS}, replay",
                ledger.replay,
                played["transactions"],
                played["seconds"],
                played["cpu_s"],
            )
    found.ledgers.append(ledger)


def note(way: str, taken: Taken, transactions: int, seconds: float, cpu_s: float) -> None:
    taken.tx_per_s.append(transactions / seconds)
    taken.cpu_us_per_tx.append(1e6 * cpu_s / transactions)
    print(
        f"  {way:20} {taken.tx_per_s[-1]:9,.0f} tx/s   CPU {taken.cpu_us_per_tx[-1]:7.1f} µs each",
        flush=True,
    )


def compare_networks(found: Comparison, folder: Path, counts: list[int], seconds: float) -> None:
    kinds = [OURS] if found.without_fabric else [FABRIC, OURS]
    found.network = {kind: [] for kind in kinds}
    for number in range(found.rounds):
        for kind in kinds:
            print(f"\n{kind}, round {number + 1} of {found.rounds}", flush=True)
            place = Path(tempfile.mkdtemp(prefix=f"{kind}-", dir=folder))
            loads = endtoend.measure(kind, place, counts, seconds)
            found.network[kind].append(loads)
            print("\n".join(map(comparison.line, loads)), flush=True)


if __name__ == "__main__":
    main()
