# SPDX-License-Identifier: Apache-2.0
"""Whatever is done to a block, it is judged or refused; nothing crashes and nothing is written."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fastledger
from corpora import Corpus, OpenCorpus
from fastledger.ledger import sources
from fastledger.protos.common.common_pb2 import Block
from fastledger.protoutil import transaction
from fastledger.protoutil.inspect import block_to_dict

settings.register_profile("fast", deadline=None, max_examples=400)
settings.register_profile("slow", deadline=None, max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))
QUIET = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

START = 20
"""Blocks that are committed first; the next ones are the mutants' originals."""


@pytest.fixture(scope="module")
def ledger(
    open_corpus: OpenCorpus, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[fastledger.Ledger]:
    path = tmp_path_factory.mktemp("mutants") / "ledger"
    blocks = open_corpus("bypass").blocks("orderer")
    with fastledger.open(path, verify_block_signatures=False, allow_malformed=True) as opened:
        list(opened.commit_all(blocks[:START]))
        yield opened


@st.composite
def damages(draw: st.DrawFn) -> list[tuple[float, str, bytes]]:
    """Edits of a byte string: place (a fraction), kind, bytes."""
    edit = st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.sampled_from(["overwrite", "insert", "delete", "repeat", "cut"]),
        st.binary(min_size=1, max_size=9),
    )
    return draw(st.lists(edit, min_size=1, max_size=4))


def damaged(data: bytes, edits: list[tuple[float, str, bytes]]) -> bytes:
    for fraction, kind, content in edits:
        place, size = int(fraction * len(data)), len(content)
        if kind == "overwrite":
            data = data[:place] + content + data[place + size :]
        elif kind == "insert":
            data = data[:place] + content + data[place:]
        elif kind == "delete":
            data = data[:place] + data[place + size :]
        elif kind == "repeat":
            data = data[:place] + data[place : place + size] * 2 + data[place + size :]
        else:
            data = data[:place]
    return data


def judge(ledger: fastledger.Ledger, encoded: bytes) -> fastledger.Commit | None:
    height, last = ledger.height, ledger.last_commit_hash
    try:
        verdict = ledger.validate(encoded)
    except (fastledger.BlockRefused, fastledger.InputError) as refusal:
        assert str(refusal)
        verdict = None
    assert (ledger.height, ledger.last_commit_hash) == (height, last)
    return verdict


@QUIET
@given(edits=damages())
def test_damaged_blocks(ledger: fastledger.Ledger, open_corpus: OpenCorpus, edits: list) -> None:
    judge(ledger, damaged(open_corpus("bypass").blocks("orderer")[START], edits))


@QUIET
@given(data=st.binary(max_size=300))
def test_any_bytes(ledger: fastledger.Ledger, data: bytes) -> None:
    assert judge(ledger, data) is None


@QUIET
@given(edits=damages(), which=st.integers(0, 400))
def test_damaged_transactions_in_a_sound_block(
    ledger: fastledger.Ledger, open_corpus: OpenCorpus, edits: list, which: int
) -> None:
    corpus = open_corpus("bypass")
    envelopes = [
        envelope
        for encoded in corpus.blocks("orderer")[START:]
        for envelope in Block.FromString(encoded).data.data
    ]
    block = Block.FromString(corpus.blocks("orderer")[START])
    mutant = damaged(envelopes[which % len(envelopes)], edits)
    del block.data.data[:]
    block.data.data.extend([envelopes[0], mutant, envelopes[1]])
    block.header.data_hash = hashlib.sha256(b"".join(block.data.data)).digest()
    verdict = judge(ledger, block.SerializeToString())
    if verdict is not None:
        assert len(verdict.codes) == 3
    transaction.parse(mutant)
    block_to_dict(block.SerializeToString())


@QUIET
@given(edits=damages())
def test_damaged_block_files(small: Corpus, edits: list) -> None:
    raw = (small.folder / "chains" / "blockfile_000000.zst").read_bytes()
    import zstandard

    content = zstandard.ZstdDecompressor().stream_reader(raw).read()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "blockfile_000000"
        path.write_bytes(damaged(content, edits))
        with sources.open(path) as source:
            blocks = iter(source)
            try:
                count = sum(1 for _ in blocks)
            except fastledger.InputError as error:
                assert str(path) in str(error)
            else:
                assert count <= len(small.verdicts) + len(edits)
