# SPDX-License-Identifier: Apache-2.0
"""The commands that were recorded of real 1.4 networks, run against ours.

docs/fabric-differences.md says what is compared, and holds every difference that may be left.
"""

import re
from pathlib import Path

import pytest

from corpora import ROOT, OpenCorpus
from transcripts.walk import Walk

DOCUMENT = ROOT / "docs" / "fabric-differences.md"
CORPORA = ["v14", "v11", "tls"]
STEPS = 163
_ROW = re.compile(r"^\| `(?:(v14|v11|tls) )?([^`]+)` \|", re.MULTILINE)


def documented(corpus: str) -> set[str]:
    """Read the differences that a corpus may have."""
    rows = _ROW.findall(DOCUMENT.read_text("utf-8"))
    return {name for only, name in rows if only in ("", corpus)}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name != "v14")) for name in CORPORA]
)
def test_a_recorded_network_is_ours(name: str, open_corpus: OpenCorpus, tmp_path: Path) -> None:
    walk = Walk(open_corpus(name).folder, tmp_path).run()
    assert walk.steps == STEPS
    known = documented(name)
    unknown = [str(difference) for difference in walk.found if difference.name not in known]
    assert not unknown, "\n".join(unknown)
    assert known == {difference.name for difference in walk.found}
