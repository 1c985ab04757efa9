# SPDX-License-Identifier: Apache-2.0
"""How much memory a process has taken."""

from pathlib import Path

_STATUS = Path("/proc/self/status")
_PEAK = "VmHWM:"


def peak_mb() -> float:
    """Return the most memory that this process has had, in MiB.

    ``getrusage`` would count what the process that started this one had at that moment, too.
    """
    for line in _STATUS.read_text("ascii", "replace").splitlines():
        if line.startswith(_PEAK):
            return int(line.split()[1]) / 1024
    raise OSError(f"{_STATUS} does not tell the peak ({_PEAK})")
