# SPDX-License-Identifier: Apache-2.0
"""Runs coroutine tests, and makes the stand-ins importable."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
