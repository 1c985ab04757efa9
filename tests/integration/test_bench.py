# SPDX-License-Identifier: Apache-2.0
"""The harness: what it makes is judged as it predicts, and what it reports is what it measured."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from corpora import ROOT
from fastledger.bench import harness
from fastledger.bench.workload import generate
from fastledger.cli.main import main
from fastledger.common.errors import InputError

SMALL = {"transactions": 600, "block_transactions": 20, "keys": 100}


def test_a_workload_is_judged_as_it_predicts(tmp_path: Path) -> None:
    spec = SMALL | {"bad_creator_signature_share": 0.2, "stale_read_share": 0.2}
    workload = generate(spec, tmp_path)
    codes = {
        code
        for line in workload.predicted.read_text("ascii").split()
        for code in bytes.fromhex(line)
    }
    assert {0, 4, 11} <= codes
    run = harness.run(workload, tmp_path / "ledger")
    assert run.transactions + 20 * len(range(600 // 20 // 5)) == 600
    assert run.series[-1].transactions == run.transactions
    assert set(run.latency_ms) == {"p50", "p90", "p99", "max"}


def test_a_wrong_prediction_is_noticed(tmp_path: Path) -> None:
    workload = generate(SMALL, tmp_path)
    lines = workload.predicted.read_text("ascii").split()
    lines[-1] = "0b" * (len(lines[-1]) // 2)
    workload.predicted.write_text("\n".join(lines) + "\n", "ascii")
    with pytest.raises(harness.WrongVerdict, match="but 11 was predicted"):
        harness.run(workload, tmp_path / "ledger")


def test_the_same_seed_makes_the_same_channel(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    assert (
        generate(SMALL, one, threads=1).path.read_bytes()
        == generate(SMALL, two, threads=2).path.read_bytes()
    )


def test_a_value_out_of_range_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="keys is 0"):
        generate({"keys": 0}, tmp_path)


def test_the_command_writes_its_reports(tmp_path: Path) -> None:
    arguments = ["bench", "--transactions", "400", "--block", "20", "--keys", "100", "--runs", "1"]
    result = CliRunner().invoke(main, [*arguments, "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    figures = json.loads((tmp_path / "bench.json").read_text("utf-8"))
    assert figures["spec"]["keys"] == 100
    assert figures["runs"][0]["transactions"] > 0
    page = (tmp_path / "bench.html").read_text("utf-8")
    assert page.count("Plotly.newPlot(") == 3


def test_without_plotly_the_figures_are_written_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fastledger.cli.bench.find_spec", lambda _: None)
    arguments = ["bench", "--transactions", "400", "--block", "20", "--keys", "100", "--runs", "1"]
    result = CliRunner().invoke(main, [*arguments, "--out", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "pip install 'fastledger[report]'" in result.output
    assert [path.name for path in tmp_path.glob("bench.*")] == ["bench.json"]


def test_without_real_ledgers_replays_are_of_a_generated_channel(tmp_path: Path) -> None:
    command = [str(ROOT / "benches" / "replay.py"), "--runs", "1", "--transactions", "2000"]
    done = subprocess.run(
        [sys.executable, *command],
        env=os.environ | {"FASTLEDGER_CORPUS": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert f"no perf-*.tar.zst under {tmp_path}" in done.stdout
    assert re.search(r"parallel +[\d,]+ tx/s", done.stdout)
