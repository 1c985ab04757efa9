# SPDX-License-Identifier: Apache-2.0
"""Comparisons with other implementations, which have to be fetched and built: `make interop`."""

import os
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("FASTLEDGER_INTEROP"):
        return
    skip = pytest.mark.skip(reason="run by `make interop`: needs other implementations")
    for item in items:
        if item.path.is_relative_to(FOLDER):
            item.add_marker(skip)
