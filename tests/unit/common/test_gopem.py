# SPDX-License-Identifier: Apache-2.0
"""PEM as Go reads it; what is expected is what Go 1.26's pem.Decode returned."""

import pytest

from fastledger.common.gopem import first_block

BLOCK = b"-----BEGIN A B-----\nYWJj\n-----END A B-----\n"


@pytest.mark.parametrize(
    "text",
    [
        BLOCK,
        BLOCK.strip(),
        b"text before\n" + BLOCK + b"text behind",
        BLOCK.replace(b"\n", b"\r\n"),
        BLOCK.replace(b"YWJj", b"YW\n\nJj"),
        BLOCK.replace(b"YWJj", b" YW Jj\t"),
        BLOCK.replace(b"B-----\n", b"B-----  \n"),
        b"-----BEGIN X-----\n" + BLOCK,
        b"-----BEGIN A B-----\nYW-j\n-----END A B-----\n" + BLOCK,
        BLOCK.replace(b"END A B", b"END A") + BLOCK,
        BLOCK.replace(b"\nYWJj", b"\nName: value\n\nYWJj"),
    ],
)
def test_the_first_whole_block_is_found(text: bytes) -> None:
    block = first_block(text)
    assert block is not None
    assert (block.type, block.data, block.is_encrypted) == ("A B", b"abc", False)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"no pem",
        b" " + BLOCK,
        b"\xef\xbb\xbf" + BLOCK,
        BLOCK.replace(b"\n", b"\n "),
        BLOCK.replace(b"\n-----END A B-----", b""),
        BLOCK.replace(b"END A B-----", b"END A B-----x"),
        BLOCK.replace(b"END A B", b"END B"),
        BLOCK.replace(b"YWJj", b"YWJ"),
    ],
)
def test_what_is_not_whole_is_none(text: bytes) -> None:
    assert first_block(text) is None


def test_headers_say_that_it_is_encrypted() -> None:
    headers = b"\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nYWJj"
    block = first_block(BLOCK.replace(b"\nYWJj", headers))
    assert block is not None
    assert block.is_encrypted
