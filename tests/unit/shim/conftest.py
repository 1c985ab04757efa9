# SPDX-License-Identifier: Apache-2.0
"""A client's certificate, as Fabric CA issues them."""

import pytest

import stand_in


@pytest.fixture(scope="session")
def client_certificate() -> bytes:
    return stand_in.client_certificate()
