# SPDX-License-Identifier: Apache-2.0
"""What is remembered of what anybody may send: few of them, and none that is large."""

import pytest

from fastledger.ledger.richquery import collation, selector
from fastledger.protoutil import expiration


@pytest.mark.parametrize(
    ("function", "remembered", "small", "large"),
    [
        (
            expiration.expires_at,
            expiration._remembered,
            b"no identity",
            bytes(expiration.MAX_CACHED_BYTES + 1),
        ),
        (selector.split_path, selector._remembered, "a.b", "a." * 1000),
        (collation._text_key, collation._remembered_key, "Ann", "Ann" * 1000),
    ],
    ids=["identities", "paths", "texts"],
)
def test_nothing_large_is_remembered(function, remembered, small, large) -> None:
    remembered.cache_clear()
    first = function(large)
    assert remembered.cache_info().currsize == 0
    assert function(large) == first
    function(small)
    assert remembered.cache_info().currsize == 1
    assert remembered.cache_info().maxsize is not None
