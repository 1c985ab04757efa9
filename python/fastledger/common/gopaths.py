# SPDX-License-Identifier: Apache-2.0
"""Paths as Go puts them together."""

import os.path
from pathlib import Path


def join(folder: Path, *names: str) -> Path:
    """Join names to a folder; one that begins with a slash stays within it (``filepath.Join``)."""
    return Path(os.path.normpath("/".join((str(folder), *names))))
