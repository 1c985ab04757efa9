# SPDX-License-Identifier: Apache-2.0
"""Tests the core as other processors run it, played by qemu-user.

    python tools/emulated.py

For aarch64, all crates are built, and those tested that qemu gets through in minutes. x86-64 is
tested without AVX-512, and without AVX2 either: what signatures are verified with is what changes.
The instructions of AVX-IFMA, which qemu does not know, the crate's own test plays. Says what it
skips, and what to install.
"""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Machine:
    """A processor, and what is tested on it."""

    target: str
    """Its triple, in rustc's words."""
    qemu: str
    """The command that plays it, and where that one finds the C library."""
    cpu: str
    """Its model, in qemu's words."""
    engine: str
    """What must be chosen there to verify signatures with."""
    crates: Sequence[str]
    tools: Sequence[str] = ()
    """What else is needed, besides Rust's libraries for the target."""
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def runner(self) -> str:
        """What runs a program of this machine."""
        return f"{self.qemu} -cpu {self.cpu}"


ARM = "aarch64-linux-gnu"
AARCH64 = Machine(
    target="aarch64-unknown-linux-gnu",
    qemu=f"qemu-aarch64 -L /usr/{ARM}",
    cpu="max",
    engine="portable",
    crates=("pages", "wire", "crypto", "identity", "mvcc", "ledger"),
    tools=(f"{ARM}-gcc",),
    variables={
        "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER": f"{ARM}-gcc",
        "CC_aarch64_unknown_linux_gnu": f"{ARM}-gcc",
        "PYO3_BUILD_EXTENSION_MODULE": "1",
    },
)
MACHINES = (
    AARCH64,
    *(
        Machine("x86_64-unknown-linux-gnu", "qemu-x86_64", cpu, engine, ("crypto",))
        for cpu, engine in (("Haswell", "avx2"), ("Nehalem", "portable"))
    ),
)


def missing(machine: Machine) -> str | None:
    """Say what is not installed; None if nothing is missing."""
    for tool in (machine.qemu.split()[0], *machine.tools):
        if shutil.which(tool) is None:
            return f"{tool} is not installed (Debian: qemu-user, gcc-{ARM})"
    asked = ["rustc", "--print", "target-libdir", "--target", machine.target]
    libraries = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()
    if not Path(libraries).is_dir():
        return f"Rust's libraries are not installed: rustup target add {machine.target}"
    if not machine.target.startswith(platform.machine()) and not machine.tools:
        return f"{machine.target} is tested where it is the machine's own"
    return None


def cargo(machine: Machine, *arguments: str) -> None:
    """Run cargo for a machine; its tests run in qemu."""
    name = machine.target.upper().replace("-", "_")
    environment = {
        **os.environ,
        **machine.variables,
        f"CARGO_TARGET_{name}_RUNNER": machine.runner,
        "FASTLEDGER_EXPECTED_ENGINE": machine.engine,
    }
    command = [os.environ.get("CARGO", "cargo"), *arguments, "--release", "--locked", "--quiet"]
    # What is built for this machine itself is shared with `make test`.
    target = ["--target", machine.target] if machine.tools else []
    subprocess.run([*command, *target], cwd=ROOT, env=environment, check=True)


def played() -> None:
    """Test the engine for AVX-IFMA with its instructions done in software."""
    print("testing: avx_ifma, its instructions played", flush=True)
    command = [os.environ.get("CARGO", "cargo"), "test", "--release", "--locked", "--quiet"]
    chosen = ["-p", "fastledger-crypto", "--lib", "played", "--", "--include-ignored"]
    # The frames of a signal lie upon those of the code that it interrupts.
    environment = {**os.environ, "RUST_MIN_STACK": str(64 << 20)}
    subprocess.run([*command, *chosen], cwd=ROOT, env=environment, check=True)


def main() -> int:
    """Test on every machine; return 1 if a test failed."""
    failed = 0
    if platform.machine() == "x86_64":
        try:
            played()
        except subprocess.CalledProcessError:
            print("failed: avx_ifma, its instructions played")
            failed = 1
    for machine in MACHINES:
        name = f"{machine.target}, {machine.cpu}"
        if reason := missing(machine):
            print(f"skipped: {name}: {reason}")
            continue
        print(f"testing: {name}: {', '.join(machine.crates)}", flush=True)
        try:
            if machine is AARCH64:
                cargo(machine, "build", "--workspace")
            packages = [word for crate in machine.crates for word in ("-p", f"fastledger-{crate}")]
            cargo(machine, "test", *packages)
        except subprocess.CalledProcessError:
            print(f"failed: {name}")
            failed = 1
    return failed


if __name__ == "__main__":
    sys.exit(main())
