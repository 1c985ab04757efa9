# SPDX-License-Identifier: Apache-2.0
"""A ledger that a real Fabric network made: validated, tampered with, explained.

`make demo` runs it.
"""

import shlex
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import zstandard

import fastledger

ROOT = Path(__file__).parents[1]
ARCHIVE = ROOT / "tests" / "vectors" / "fabric-3.1" / "small.tar.zst"
BROKEN_BLOCK = 42


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="fastledger-demo-") as folder:
        work = Path(folder)
        say("84 blocks of a real Fabric 3.1 network, with all that can go wrong in them")
        unpack(work)
        run(work, 0, "validate", "small", "--ledger", "ledger")

        say(f"One byte of block {BROKEN_BLOCK} is changed: {break_one_byte(work)}")
        run(work, 1, "validate", "tampered")

        say("Why did the peers find this transaction invalid?")
        run(work, 0, "explain", "ledger", first_conflict(work / "ledger"))


def say(text: str) -> None:
    print(f"\n── {text}\n", flush=True)


def unpack(work: Path) -> None:
    with zstandard.open(ARCHIVE, "rb") as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
        tar.extractall(work, filter="data")


def break_one_byte(work: Path) -> str:
    tampered = work / "tampered"
    (work / "small" / "blocks_peer").rename(tampered)
    path = tampered / f"{BROKEN_BLOCK:06}.block"
    content = bytearray(path.read_bytes())
    place = len(content) // 2
    before, content[place] = content[place], content[place] ^ 0x01
    path.write_bytes(content)
    return f"byte {place} was {before:#04x} and is {content[place]:#04x}"


def first_conflict(path: Path) -> str:
    conflict = fastledger.TxValidationCode.MVCC_READ_CONFLICT
    with fastledger.open(path, create=False) as ledger:
        for number in range(ledger.height):
            place = ledger.block(number).codes.find(conflict)
            if place >= 0:
                return ledger.explain_at(number, place).tx_id
    raise SystemExit("the ledger has no conflict to explain")


def run(work: Path, expected: int, *arguments: str) -> None:
    print("$", shlex.join(["fastledger", *arguments]), flush=True)
    done = subprocess.run([sys.executable, "-m", "fastledger", *arguments], cwd=work, check=False)
    if done.returncode:
        print(f"exit code {done.returncode}", flush=True)
    if done.returncode != expected:
        raise SystemExit(f"the exit code should be {expected}")


if __name__ == "__main__":
    main()
