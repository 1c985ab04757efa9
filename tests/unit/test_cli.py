# SPDX-License-Identifier: Apache-2.0
"""The command's arguments, files, texts and exit codes."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import fastledger
from corpora import Corpus
from fastledger.cli.main import main
from fastledger.protos.common.common_pb2 import Block


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def error_line(result: Result) -> str:
    """Return the only line of the error; no error comes with a traceback."""
    lines = [line for line in result.stderr.splitlines() if "note:" not in line]
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("fastledger: ")
    return lines[0]


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "lock.mdb"
    }


def test_validate_a_corpus(small: Corpus, tmp_path: Path) -> None:
    report, state = tmp_path / "report.json", tmp_path / "state.jsonl"
    result = run("validate", small.archive, "--json", report, "--state", state)
    assert result.exit_code == 0, result.stderr
    last = small.verdicts[-1].commit_hash
    assert last is not None
    assert f"last commit hash {last.hex()}" in result.stdout
    for text in ("VALID", "MVCC_READ_CONFLICT", "tx/s", "verify", "mvcc"):
        assert text in result.stdout
    assert result.stderr == ""

    told = json.loads(report.read_text("utf-8"))
    keys = ["channel", "blocks", "transactions", "seconds", "tx_per_s"]
    assert list(told) == keys
    assert told["channel"] == "small"
    assert told["transactions"] == sum(len(verdict.codes) for verdict in small.verdicts)
    assert told["seconds"] > 0
    assert told["tx_per_s"] > 0
    assert [
        (b["number"], b["header_hash"], b["data_hash"], b["commit_hash"], bytes(b["codes"]))
        for b in told["blocks"]
    ] == [
        (
            v.number,
            v.header_hash.hex(),
            v.data_hash.hex(),
            (v.commit_hash or b"").hex(),
            v.codes,
        )
        for v in small.verdicts
    ]
    assert all(ms >= 0 for b in told["blocks"] for ms in b["stage_ms"].values())
    assert state.read_text("utf-8") == (small.folder / "expected_state.jsonl").read_text("utf-8")


def test_validate_keeps_and_continues_a_ledger(small: Corpus, tmp_path: Path) -> None:
    few = tmp_path / "few"
    few.mkdir()
    for path in sorted((small.folder / "blocks_peer").iterdir())[:10]:
        shutil.copy(path, few)
    ledger, report = tmp_path / "ledger", tmp_path / "report.json"
    assert run("validate", few, "--ledger", ledger).exit_code == 0
    result = run("validate", small.folder, "--ledger", ledger, "--json", report, "--workers", 1)
    assert result.exit_code == 0, result.stderr
    assert [b["number"] for b in json.loads(report.read_text("utf-8"))["blocks"]] == [
        *range(10, 84)
    ]
    again = run("validate", small.folder, "--ledger", ledger, "--json", report)
    assert again.exit_code == 0
    assert json.loads(report.read_text("utf-8"))["blocks"] == []


def test_no_commit_leaves_no_trace(small: Corpus, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    result = run("validate", small.folder, "--ledger", ledger, "--no-commit")
    assert result.exit_code == 0, result.stderr
    assert not ledger.exists()

    with fastledger.open(ledger) as opened:
        list(opened.commit_all(small.blocks()[:40]))
    before = files(ledger)
    report = tmp_path / "report.json"
    result = run("validate", small.folder, "--ledger", ledger, "--no-commit", "--json", report)
    assert result.exit_code == 0, result.stderr
    told = json.loads(report.read_text("utf-8"))["blocks"]
    assert [b["number"] for b in told] == [*range(40, 84)]
    assert [bytes(b["codes"]) for b in told] == [v.codes for v in small.verdicts[40:]]
    assert files(ledger) == before


def test_a_differing_verdict_is_exit_code_1(small: Corpus, tmp_path: Path) -> None:
    folder = tmp_path / "blocks"
    shutil.copytree(small.folder / "blocks_peer", folder)
    path = folder / "000005.block"
    block = Block.FromString(path.read_bytes())
    block.metadata.metadata[2] = b"\x0b" + block.metadata.metadata[2][1:]
    path.write_bytes(block.SerializeToString())
    result = run("validate", folder)
    assert result.exit_code == 1
    assert "block 5, transaction 0: the stored verdict is MVCC_READ_CONFLICT" in error_line(result)
    assert "DIFFERS block 5" in result.stdout


def test_a_refused_block_is_exit_code_1_and_what_came_before_stays(
    small: Corpus, tmp_path: Path
) -> None:
    folder, ledger, report = tmp_path / "blocks", tmp_path / "ledger", tmp_path / "report.json"
    shutil.copytree(small.folder / "blocks_peer", folder)
    path = folder / "000020.block"
    content = bytearray(path.read_bytes())
    content[len(content) // 3] ^= 1
    path.write_bytes(content)
    result = run("validate", folder, "--ledger", ledger, "--json", report)
    assert result.exit_code == 1
    assert "block 20 is refused" in error_line(result)
    told = json.loads(report.read_text("utf-8"))
    assert [b["number"] for b in told["blocks"]] == [*range(20)]
    with fastledger.open(ledger, create=False) as opened:
        assert opened.height == 20
        assert opened.last_commit_hash == small.verdicts[19].commit_hash


def test_malformed_entries_have_to_be_allowed(open_corpus: Any) -> None:
    malformed = open_corpus("malformed")
    refused = run("validate", malformed.folder)
    assert refused.exit_code == 1
    assert "is refused" in error_line(refused)
    allowed = run("validate", malformed.folder, "--allow-malformed")
    assert allowed.exit_code == 0, allowed.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["validate", "{tmp}/nothing"],
        ["validate", "{tmp}"],
        ["validate", "{file}"],
        ["validate", "{corpus}", "--json", "{tmp}/no/such/folder.json"],
        ["explain", "{tmp}/nothing", "ab"],
        ["explain", "{tmp}", "ab"],
        ["explain", "{ledger}", "ab"],
        ["inspect", "{tmp}"],
        ["inspect", "{file}"],
        ["inspect", "{ledger}", "--block", "84"],
        ["inspect", "{corpus}", "--block", "84"],
        ["inspect", "{corpus}", "--tx", "ab"],
        ["snapshot", "{tmp}", "{tmp}/out"],
        ["snapshot", "{ledger}", "{corpus}"],
        ["restore", "{tmp}", "{tmp}/new"],
        ["restore", "{snapshot}", "{ledger}"],
        ["rebuild", "{tmp}/nothing"],
    ],
    ids=" ".join,
)
def test_unusable_arguments_are_exit_code_2_in_one_line(
    arguments: list[str], small: Corpus, small_ledger: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no blocks")
    places = {
        "tmp": tmp_path,
        "file": tmp_path / "file",
        "corpus": small.folder,
        "ledger": small_ledger,
        "snapshot": small.folder / "snapshot",
    }
    result = run(*(argument.format(**places) for argument in arguments))
    assert result.exit_code == 2, result.output
    assert error_line(result)
    assert {path.name for path in tmp_path.iterdir()} == {"file"}


def test_wrong_options_are_exit_code_2() -> None:
    assert run("validate", "x", "--workers", "-1").exit_code == 2
    assert run("validate").exit_code == 2
    assert run("inspect", "x", "--block", "1", "--tx", "ab").exit_code == 2
    assert run("nonsense").exit_code == 2


def test_debug_shows_where_an_error_came_from(tmp_path: Path) -> None:
    result = run("validate", tmp_path / "nothing", "--debug")
    assert isinstance(result.exception, fastledger.InputError)


def test_a_torn_end_is_noted(small: Corpus, tmp_path: Path) -> None:
    content = (small.folder / "chains" / "blockfile_000000.zst").read_bytes()
    import zstandard

    raw = zstandard.ZstdDecompressor().stream_reader(content).read()
    (tmp_path / "blockfile_000000").write_bytes(raw[:-100])
    result = run("validate", tmp_path)
    assert result.exit_code == 0, result.stderr
    assert "note: " in result.stderr
    assert "ends inside the block at offset" in result.stderr


def test_explain_every_verdict(small: Corpus, small_ledger: Path) -> None:
    seen: set[str] = set()
    for tx in small.transactions:
        if tx["code_name"] in seen or not tx["txid"]:
            continue
        seen.add(tx["code_name"])
        result = run("explain", small_ledger, tx["txid"])
        assert result.exit_code == 0, result.stderr
        as_json = json.loads(run("explain", small_ledger, tx["txid"], "--json").stdout)
        assert as_json["code"] in result.stdout
        assert (as_json["reason"] is None) == (as_json["code"] == "VALID")
        assert ("why:" in result.stdout) == (as_json["code"] != "VALID")


def test_inspect(small: Corpus, small_ledger: Path) -> None:
    overview = json.loads(run("inspect", small_ledger).stdout)
    assert (overview["channel"], overview["height"]) == ("small", 84)
    for place in (small_ledger, small.folder, small.archive):
        shown = json.loads(run("inspect", place, "--block", 30).stdout)
        assert shown["header"]["header_hash"] == small.verdicts[30].header_hash.hex()
        assert [bytes([fastledger.TxValidationCode[tx["code"]]]) for tx in shown["data"]] == [
            bytes([code]) for code in small.verdicts[30].codes
        ]
    tx = next(tx for tx in small.transactions if tx["code_name"] == "PHANTOM_READ_CONFLICT")
    for place in (small_ledger, small.folder):
        shown = json.loads(run("inspect", place, "--tx", tx["txid"]).stdout)
        assert (shown["block"], shown["index"]) == (tx["block"], tx["index"])
        header = shown["envelope"]["payload"]["header"]["channel_header"]
        assert header["tx_id"] == tx["txid"]
    genesis = run("inspect", small.folder / "genesis.block")
    assert json.loads(genesis.stdout)["header"]["number"] == 0


def test_snapshot_restore_and_rebuild(small: Corpus, small_ledger: Path, tmp_path: Path) -> None:
    out, copy = tmp_path / "snapshot", tmp_path / "copy"
    last = small.verdicts[-1].commit_hash
    assert last is not None
    assert run("snapshot", small_ledger, out).exit_code == 0
    result = run("restore", out, copy)
    assert (result.exit_code, "next block 84" in result.stdout) == (0, True)
    assert run("restore", small.folder / "snapshot", tmp_path / "real").exit_code == 0
    ledger = tmp_path / "ledger"
    shutil.copytree(small_ledger, ledger)
    result = run("rebuild", ledger)
    assert result.exit_code == 0, result.stderr
    assert last.hex() in result.stdout
