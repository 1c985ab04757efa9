# SPDX-License-Identifier: Apache-2.0
"""Tells a full disk from one that fails: a full one is waited for."""

import os
from errno import EDQUOT, ENOSPC
from pathlib import Path

PROBE_BYTES = 1 << 20
"""What a disk takes that is not full, beside what was to be written."""

RETRY_S = 1.0
"""How often a node looks whether a full disk has room again."""

_PROBE = "room"


def is_full(folder: Path, wanted_bytes: int = 0) -> bool:
    """Whether the disk of a folder has no room for so much, or the user's quota is used up.

    What is asked is the disk itself: a file is given the room, and removed again.
    """
    probe = folder / _PROBE
    try:
        with probe.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, wanted_bytes + PROBE_BYTES)
    except OSError as error:
        return error.errno in (ENOSPC, EDQUOT)
    finally:
        probe.unlink(missing_ok=True)
    return False
