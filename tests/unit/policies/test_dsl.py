# SPDX-License-Identifier: Apache-2.0
"""The policy language, against what Fabric's own reader made of the same texts."""

import base64
import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from corpora import VECTORS, Corpus
from fastledger.channelconfig import Bundle
from fastledger.common.errors import InputError, PolicyUnsatisfied
from fastledger.policies import from_string, n_out_of_role
from fastledger.policies.expression import MAX_CHARACTERS, MAX_NESTING
from fastledger.protos.common.policies_pb2 import SignaturePolicyEnvelope
from fastledger.protos.msp.msp_principal_pb2 import MSPRole


def cases() -> list[dict[str, Any]]:
    lines = (VECTORS / "policies" / "policydsl.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_texts_are_read_as_fabric_reads_them() -> None:
    read = refused = 0
    for case in cases():
        if "error" in case:
            with pytest.raises(InputError) as raised:
                from_string(case["policy"])
            assert str(raised.value) == case["error"], case["policy"]
            refused += 1
        else:
            ours = from_string(case["policy"]).SerializeToString(deterministic=True)
            assert ours == base64.b64decode(case["envelope"]), case["policy"]
            read += 1
    assert read > 40
    assert refused > 50


def test_inner_principals_stand_before_outer_ones() -> None:
    envelope = from_string("OR('A.member', AND('B.admin', 'C.peer'))")
    named = [MSPRole.FromString(one.principal) for one in envelope.identities]
    assert [one.msp_identifier for one in named] == ["B", "C", "A"]
    assert envelope.rule.n_out_of.rules[0].signed_by == 2


ROLE = st.sampled_from(["admin", "member", "client", "peer", "orderer"])
PRINCIPAL = st.builds("'{}.{}'".format, st.from_regex(r"\A[A-Za-z0-9-]{1,6}\Z"), ROLE)


def gate(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    rules = st.lists(inner, min_size=1, max_size=4)
    word = st.sampled_from(["OR", "AND"])
    plain = st.builds(lambda name, rules: f"{name}({', '.join(rules)})", word, rules)
    counted = st.builds(
        lambda rules, n: f"OutOf({n % (len(rules) + 2)}, {', '.join(rules)})",
        rules,
        st.integers(0, 9),
    )
    return plain | counted


@pytest.fixture(scope="module")
def bundle(small: Corpus) -> Bundle:
    return Bundle.from_block(small.blocks()[0])


@given(text=gate(st.recursive(PRINCIPAL, gate, max_leaves=12)))
def test_what_the_core_writes_reads_as_the_same_policy(bundle: Bundle, text: str) -> None:
    envelope = from_string(f"AND({text}, 'Nobody.member')")
    with pytest.raises(PolicyUnsatisfied) as raised:
        bundle.evaluate_envelope(envelope.SerializeToString(), [])
    written, _, _ = raised.value.details.partition(" is not satisfied by ")
    assume("…" not in written)
    assert from_string(written) == envelope


@given(st.text(max_size=60) | st.text("ORANDoutf()'\".,1 A-+_\\", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        from_string(text)
    except InputError as error:
        assert str(error)


def test_nesting_and_length_have_limits() -> None:
    deepest = "OR(" * MAX_NESTING + "'A.member'" + ")" * MAX_NESTING
    rule = SignaturePolicyEnvelope.FromString(from_string(deepest).SerializeToString()).rule
    for _ in range(MAX_NESTING):
        (rule,) = rule.n_out_of.rules
    assert rule.WhichOneof("Type") == "signed_by"
    with pytest.raises(InputError, match="nests deeper than"):
        from_string(f"OR({deepest})")
    with pytest.raises(InputError, match="characters"):
        from_string("(" * (MAX_CHARACTERS + 1))


def test_roles_of_several_msps() -> None:
    envelope = n_out_of_role(1, "admin", ["Org2MSP", "Org1MSP"])
    assert envelope == from_string("OR('Org1MSP.admin', 'Org2MSP.admin')")
