# SPDX-License-Identifier: Apache-2.0
"""What is remembered of what anybody may send: few of them, and none that is large."""

import pytest

from fastledger.ledger.richquery import collation, selector


@pytest.mark.parametrize(
    ("function", "remembered", "small", "large"),
    [
        (selector.split_path, selector._remembered, "a.b", "a." * 1000),
        (collation._text_key, collation._remembered_key, "Ann", "Ann" * 1000),
    ],
    ids=["paths", "texts"],
)
def test_nothing_large_is_remembered(function, remembered, small, large) -> None:
    remembered.cache_clear()
    first = function(large)
    assert remembered.cache_info().currsize == 0
    assert function(large) == first
    function(small)
    assert remembered.cache_info().currsize == 1
    assert remembered.cache_info().maxsize is not None
