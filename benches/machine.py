# SPDX-License-Identifier: Apache-2.0
"""What a measurement ran on: figures mean nothing without it."""

import os
import platform
import tempfile
import time
from pathlib import Path
from statistics import median

import fastledger
from fastledger import _core

FEATURES = ("avx2", "bmi2", "adx", "avx512f", "avx512ifma", "avx_ifma", "sha_ni", "asimd", "sha2")
_SYNCS = 20


def describe(place: Path) -> dict[str, str]:
    """Name the processor and what matters of it, memory, system, versions, and the disk's sync."""
    model, flags = _processor()
    return {
        "processor": model,
        "features": ", ".join(feature for feature in FEATURES if feature in flags) or "none known",
        "signatures by": _core.Verifier().engine,
        "cores": f"{len(os.sched_getaffinity(0))} of {os.cpu_count()}",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "a sync of 4 KiB": f"{sync_ms(place):.1f} ms",
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "fastledger": f"{fastledger.__version__}, Python {platform.python_version()}",
    }


def _processor() -> tuple[str, set[str]]:
    model, flags = platform.processor() or "unknown", set()
    for line in Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            model = value.strip()
        elif name.strip() in ("flags", "Features"):
            flags = set(value.split())
    return model, flags


def sync_ms(place: Path) -> float:
    """The median time that a small write takes until it is durable."""
    took = []
    with tempfile.TemporaryFile(dir=place) as file:
        for _ in range(_SYNCS):
            file.write(bytes(4096))
            file.flush()
            start = time.perf_counter()
            os.fsync(file.fileno())
            took.append(1e3 * (time.perf_counter() - start))
    return median(took)
