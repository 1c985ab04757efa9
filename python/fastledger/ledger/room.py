# SPDX-License-Identifier: Apache-2.0
"""Tells a full disk from one that fails: a full one is waited for."""

from errno import EDQUOT, ENOSPC
from pathlib import Path

PROBE_BYTES = 1 << 20
"""What a disk takes that is not full: more than most blocks, so that the next one fits, too."""

RETRY_S = 1.0
"""How often a node looks whether a full disk has room again."""

_PROBE = "room"


def is_full(folder: Path) -> bool:
    """Whether the disk of a folder has no room, or the user's quota is used up.

    What is asked is the disk itself: a file is written and removed again.
    """
    probe = folder / _PROBE
    try:
        probe.write_bytes(b"\0" * PROBE_BYTES)
    except OSError as error:
        return error.errno in (ENOSPC, EDQUOT)
    finally:
        probe.unlink(missing_ok=True)
    return False
