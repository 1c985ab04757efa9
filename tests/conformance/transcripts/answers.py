# SPDX-License-Identifier: Apache-2.0
"""What a command printed, without what chance and time put into it."""

import base64
import json
import re
from collections.abc import Callable
from typing import Any

from transcripts import canonical
from transcripts.recording import Step

Recorded = Callable[[bytes], bytes]
"""Puts the recorded ports in the place of ours."""

_BY_CHANCE = {
    "LedgerHeight",
    "data_hash",
    "previous_hash",
    "timestamp",
    "tx_id",
    "nonce",
    "signature",
}
_TX_ID = re.compile(r"\b[0-9a-f]{64}\b")
_INFO = re.compile(
    r'{"height":(\d+),"currentBlockHash":"([^"]{44})","previousBlockHash":"([^"]{44})"}'
)


def comparable(step: Step, stdout: str, recorded: Recorded) -> Any:
    """Return what two runs of a step have in common."""
    if step.argv[0] == "discover":
        return _discovered(stdout)
    if step.argv[1].startswith("-inspect"):
        return _json(stdout)
    if step.argv[1:3] == ("channel", "getinfo"):
        return _INFO.sub(r"height \1", stdout)
    if "GetBlockByNumber" in str(step.argv):
        return _of_hex(canonical.block, stdout, recorded)
    if "GetConfigTree" in str(step.argv):
        return _of_hex(canonical.config_tree, stdout, recorded)
    return stdout


def without_ids(step: Step, text: str, recorded: Recorded) -> str:
    """Return a text without transaction ids."""
    return _TX_ID.sub("TXID", text)


def hashes_of(stdout: str) -> tuple[int, bytes, bytes] | None:
    """Return what ``getinfo`` printed: height, the newest block's hash, the one's before."""
    found = _INFO.search(stdout)
    if not found:
        return None
    height, newest, before = found.groups()
    return int(height), base64.b64decode(newest), base64.b64decode(before)


def _of_hex(read: Callable[[bytes], Any], stdout: str, recorded: Recorded) -> Any:
    try:
        encoded = bytes.fromhex(stdout.strip())
    except ValueError:
        return stdout
    return read(recorded(encoded))


def _discovered(stdout: str) -> Any:
    """Put peers in order, and call groups of endorsers by who they are: Go's maps have no order."""
    found = _json(stdout)
    if not isinstance(found, list):
        return found
    for one in found:
        groups = one.pop("EndorsersByGroups", None)
        if groups is not None:
            names = {group: json.dumps(_in_order(peers)) for group, peers in groups.items()}
            layouts = [layout["quantities_by_group"] for layout in one["Layouts"]]
            one["Layouts"] = _in_order(
                [{names[group]: count for group, count in each.items()} for each in layouts]
            )
    return _in_order(found)


def _in_order(found: list[Any]) -> list[Any]:
    return sorted(found, key=lambda one: json.dumps(one, sort_keys=True))


def _json(stdout: str) -> Any:
    try:
        return _steady(json.loads(stdout))
    except ValueError:
        return stdout


def _steady(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _steady(one) for name, one in value.items() if name not in _BY_CHANCE}
    if isinstance(value, list):
        return [_steady(one) for one in value]
    return value
