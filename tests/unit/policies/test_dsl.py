# SPDX-License-Identifier: Apache-2.0
"""The policy language, against what Fabric's own reader made of the same texts."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpora import VECTORS
from fastledger.common.errors import InputError
from fastledger.policies import from_string, n_out_of_role, to_string
from fastledger.policies.expression import MAX_CHARACTERS, MAX_NESTING
from fastledger.policies.making import n_out_of, role_principal, signed_by
from fastledger.protos.common.policies_pb2 import SignaturePolicy, SignaturePolicyEnvelope
from fastledger.protos.msp.msp_principal_pb2 import MSPPrincipal, MSPRole


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


@given(gate(st.recursive(PRINCIPAL, gate, max_leaves=12)))
def test_what_is_written_reads_as_the_same_policy(text: str) -> None:
    envelope = from_string(text)
    written = to_string(envelope)
    assert from_string(written) == envelope
    assert to_string(from_string(written)) == written


@given(st.text(max_size=60) | st.text("ORANDoutf()'\".,1 A-+_\\", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        from_string(text)
    except InputError as error:
        assert str(error)


def test_nesting_and_length_have_limits() -> None:
    deepest = "OR(" * MAX_NESTING + "'A.member'" + ")" * MAX_NESTING
    encoded = from_string(deepest).SerializeToString()
    assert to_string(SignaturePolicyEnvelope.FromString(encoded)) == "AND(" * MAX_NESTING + (
        "'A.member'" + ")" * MAX_NESTING
    )
    with pytest.raises(InputError, match="nests deeper than"):
        from_string(f"OR({deepest})")
    with pytest.raises(InputError, match="characters"):
        from_string("(" * (MAX_CHARACTERS + 1))


def test_roles_of_several_msps() -> None:
    envelope = n_out_of_role(1, "admin", ["Org2MSP", "Org1MSP"])
    assert to_string(envelope) == "OR('Org1MSP.admin', 'Org2MSP.admin')"
    assert envelope == from_string("OR('Org1MSP.admin', 'Org2MSP.admin')")


def test_what_the_language_cannot_say_is_refused() -> None:
    peer = role_principal("A", "peer")
    single = SignaturePolicyEnvelope(rule=signed_by(0), identities=[peer])
    assert to_string(single) == "OR('A.peer')"
    identity = MSPPrincipal(principal_classification=MSPPrincipal.IDENTITY, principal=b"me")
    unknown = MSPPrincipal(principal=b"\x10\x63")
    for rule, principals, reason in (
        (signed_by(1), [peer], "asks for identity 1, but there are 1"),
        (signed_by(0), [identity], "no role"),
        (signed_by(0), [unknown], "role 99"),
        (signed_by(0), [MSPPrincipal(principal=b"\xff")], "no MSPRole"),
        (n_out_of(1, []), [peer], "empty"),
        (SignaturePolicy(), [], "empty"),
    ):
        with pytest.raises(InputError, match=reason):
            to_string(SignaturePolicyEnvelope(rule=rule, identities=principals))
