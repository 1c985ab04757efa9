# SPDX-License-Identifier: Apache-2.0
"""Transcripts of the real 1.4.12 command, step by step, against our nodes.

Same exit codes and same stdout; every difference that is left is in a table here, with its reason.
The channel that comes out has the real channel's blocks: types, functions, verdicts.
"""

from pathlib import Path

import pytest

from fastledger.protoutil import block as blocks
from fastledger.protoutil import transaction as transactions
from transcript import Transcript

OLDER_TEXT = (
    "1.4 prints absent bytes as null and leaves block 0 without metadata; 3.1 does as we do"
)
NEWER_EXIT = "1.4 ends well after an invalid transaction; 2.5 and later fail, as we do"
NO_DISCOVERY = "service discovery comes with gossip"

EXPLAINED = {
    "006": OLDER_TEXT,
    "007": OLDER_TEXT,
    "008": OLDER_TEXT,
    "081": NEWER_EXIT,
    "108": NEWER_EXIT,
    "116": "another program says its version",
    "118": NO_DISCOVERY,
    "119": NO_DISCOVERY,
    "120": NO_DISCOVERY,
}
"""Steps whose exit code or stdout differs, and why."""

NO_ADMIN = "3.1 says why somebody is no administrator, 1.4 without NodeOUs does not"

OTHER_WORDS = {
    "015": NO_ADMIN,
    "040": NO_ADMIN,
    "064": NO_ADMIN,
    "087": "we say what to start, where 1.4 names a file; the dev mode of 1.4 wants it installed",
}
"""Steps whose error says the same in other words."""

HEIGHT = 16


@pytest.mark.slow
@pytest.mark.parametrize("name", ["v14", "v11", "tls"])
def test_transcript(name: str, open_corpus, tmp_path: Path) -> None:
    corpus = open_corpus(name).folder
    differs, words = {}, {}
    for step in Transcript(corpus, tmp_path, tls=name == "tls").steps():
        if step.real[:2] != step.ours[:2]:
            differs[step.number] = (step.title, step.real, step.ours)
        elif step.real[2].rstrip() != step.ours[2].rstrip():
            words[step.number] = (step.title, step.real[2], step.ours[2])
    # Which of two transfers wins a race decides one balance.
    differs.pop("072", None)
    assert differs.keys() == EXPLAINED.keys(), differs
    assert words.keys() <= OTHER_WORDS.keys(), words
    assert _story(tmp_path / "corpus/mychannel") == _story(corpus / "mychannel")


def _story(folder: Path) -> list[list[tuple[str, str, int]]]:
    """What every block of the peer holds: type, chaincode and verdict of its transactions."""
    story = []
    for number in range(HEIGHT):
        block = blocks.parse((folder / f"peer_{number:03}.block").read_bytes())
        parsed = [transactions.parse(envelope) for envelope in block.envelopes]
        story.append(
            [(tx.type, tx.chaincode, code) for tx, code in zip(parsed, block.codes, strict=True)]
        )
    return story
