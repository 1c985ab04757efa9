# SPDX-License-Identifier: Apache-2.0
"""A client's certificate, as Fabric CA issues them."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "chaincode"))


@pytest.fixture(scope="session")
def client_certificate() -> bytes:
    import stand_in

    return stand_in.client_certificate()
