# SPDX-License-Identifier: Apache-2.0
"""Reasons as the core keeps them become text and JSON."""

import json
from typing import Any

import pytest

from fastledger.common.codes import TxValidationCode
from fastledger.ledger import explanation
from fastledger.ledger.explanation import Explanation
from fastledger.ledger.records import Height
from fastledger.protoutil.certificate import Identity

POLICY = "AND('Org1MSP.peer','Org2MSP.peer')"
KEPT: dict[str, tuple[dict[str, Any], list[str]]] = {
    "rule": ({"text": "the nonce is empty"}, ["the nonce is empty"]),
    "policy": (
        {
            "namespace": "basic",
            "guards": "chaincode basic",
            "policy": POLICY,
            "endorsements": [
                {"msp_id": "Org1MSP", "subject": "peer0", "outcome": "valid"},
                {"msp_id": "", "subject": "", "outcome": "no identity"},
            ],
        },
        [
            f"the endorsement policy of chaincode basic is not satisfied: {POLICY}",
            "endorsed by peer0 (Org1MSP): valid",
            "endorsed by an unreadable certificate (no MSP): no identity",
        ],
    ),
    "read": (
        {
            "key": {"namespace": "basic", "collection": "c", "key": "00ff"},
            "expected": None,
            "found": "7:3",
            "written_in_block_by": None,
        },
        ["it read key '00ff' of basic/c and saw nothing", "the ledger has version 7:3"],
    ),
    "phantom": (
        {
            "namespace": "basic",
            "start_key": "a",
            "end_key": "",
            "difference": "key 'b' is new",
        },
        ["it queried the keys ['a', '') of basic", "key 'b' is new"],
    ),
}


@pytest.mark.parametrize("kind", KEPT)
def test_a_reason_is_told_in_lines_and_as_json(kind: str) -> None:
    fields, lines = KEPT[kind]
    reason = explanation.read_reason(json.dumps({"kind": kind} | fields))
    assert reason is not None
    assert list(reason.lines()) == lines
    why = Explanation(
        tx_id="ab",
        version=Height(7, 4),
        code=TxValidationCode.BAD_RWSET,
        type="ENDORSER_TRANSACTION",
        channel_id="ch",
        timestamp=None,
        creator=Identity("Org1MSP", "User1"),
        chaincode="basic",
        endorsers=(Identity("Org1MSP", "peer0"),),
        policies={"basic": "OR('Org1MSP.peer')"},
        reason=reason,
    )
    assert all(line in str(why) for line in lines)
    assert "submitted by User1 (Org1MSP)" in str(why)
    shown = json.loads(json.dumps(why.to_dict()))
    assert (shown["code"], shown["version"]) == ("BAD_RWSET", "7:4")
    if kind == "read":
        assert (shown["reason"]["expected"], shown["reason"]["found"]) == (None, "7:3")


def test_a_valid_transaction_has_no_reason() -> None:
    assert explanation.read_reason(None) is None
