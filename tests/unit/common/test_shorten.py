# SPDX-License-Identifier: Apache-2.0
"""What is repeated of a text that others have sent."""

import pytest

from fastledger.common.shorten import MAX_NAME, shortened


@pytest.mark.parametrize("text", ["", "mychannel", "a" * MAX_NAME, "é" * (MAX_NAME // 2)])
def test_what_is_short_stays_as_it_is(text: str) -> None:
    assert shortened(text) == text


@pytest.mark.parametrize("letter", ["a", "é", "😀", "\ud800"])
def test_what_is_long_is_cut_between_letters(letter: str) -> None:
    cut = shortened(letter * (5 << 20))
    assert cut.endswith("...")
    assert MAX_NAME - 4 < len(cut.encode()) - 3 <= MAX_NAME
