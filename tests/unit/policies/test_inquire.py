# SPDX-License-Identifier: Apache-2.0
"""Sets of principals that satisfy policies; what signatures satisfy is the judge."""

from itertools import chain, combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastledger.common.errors import InputError
from fastledger.policies import from_string, inquire
from fastledger.policies.inquire import PrincipalSet, merge, satisfied_by
from fastledger.protos.common.policies_pb2 import SignaturePolicy, SignaturePolicyEnvelope
from fastledger.protos.msp.msp_principal_pb2 import MSPPrincipal

ORGS = "ABCD"


def sets(text: str) -> list[list[str]]:
    """Name the sets of a policy by their organizations."""
    return [[one.mspid for one in found] for found in satisfied_by(from_string(text))]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (
            "OR(AND('A.member', 'B.member'), 'C.member', AND('A.member', 'D.member'))",
            ["AB", "C", "AD"],
        ),
        ("AND('A.member', 'C.member', OR('B.member', 'D.member'))", ["ACB", "ACD"]),
        ("OR('A.member', OR('B.member', 'C.member'))", ["A", "B", "C"]),
        ("AND('A.member', AND('B.member', 'C.member'), AND('D.member','A.member'))", ["ABCDA"]),
        ("OutOf(2, 'A.peer', 'B.peer', 'C.peer')", ["AB", "AC", "BC"]),
        ("OutOf(2, 'A.peer', 'A.peer')", ["AA"]),
    ],
)
def test_ways_to_satisfy(policy: str, expected: list[str]) -> None:
    assert sorted("".join(one) for one in sets(policy)) == sorted(expected)


@pytest.mark.parametrize(
    "rule",
    [
        SignaturePolicy(),
        SignaturePolicy(signed_by=1),
        SignaturePolicy(signed_by=-1),
        SignaturePolicy(n_out_of=SignaturePolicy.NOutOf(n=0)),
        SignaturePolicy(n_out_of=SignaturePolicy.NOutOf(n=2, rules=[SignaturePolicy(signed_by=0)])),
    ],
    ids=["none", "nobody", "below nobody", "none of none", "two of one"],
)
def test_what_nobody_satisfies(rule: SignaturePolicy) -> None:
    identities = from_string("OR('A.member')").identities
    assert satisfied_by(SignaturePolicyEnvelope(rule=rule, identities=identities)) == []


def test_principals_that_say_nothing() -> None:
    unknown = MSPPrincipal(principal_classification=MSPPrincipal.ANONYMITY)
    policy = SignaturePolicyEnvelope(rule=SignaturePolicy(signed_by=0), identities=[unknown])
    with pytest.raises(InputError):
        satisfied_by(policy)
    broken = MSPPrincipal(principal=b"\xff")
    with pytest.raises(InputError):
        satisfied_by(SignaturePolicyEnvelope(identities=[broken]))


def test_deep_and_wide_policies_cost_little() -> None:
    orgs = ", ".join(f"'{letter}.member'" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    found = satisfied_by(from_string(f"OutOf(13, {orgs})"))
    assert len(found) == inquire.MAX_COMBINATIONS
    assert len(merge([found, found])) <= inquire.MAX_MERGED
    deep = SignaturePolicy(signed_by=0)
    for _ in range(inquire.MAX_DEPTH):
        deep = SignaturePolicy(n_out_of=SignaturePolicy.NOutOf(n=1, rules=[deep]))
    identities = from_string("OR('A.member')").identities
    with pytest.raises(InputError, match="nests deeper"):
        satisfied_by(SignaturePolicyEnvelope(rule=deep, identities=identities))


def n_out_of(n: int, *rules: SignaturePolicy) -> SignaturePolicy:
    return SignaturePolicy(n_out_of=SignaturePolicy.NOutOf(n=n, rules=rules))


LEAF = SignaturePolicy(signed_by=0)
NEVER = n_out_of(2, LEAF)


@pytest.mark.parametrize(
    ("rule", "ways"),
    [
        (n_out_of(20, *[NEVER] * 40), 0),
        (n_out_of(20, *[NEVER] * 20, *[LEAF] * 20), 1),
        (n_out_of(2**31 - 1, LEAF), 0),
        (n_out_of(2, n_out_of(20, *[NEVER] * 40), LEAF, LEAF), 1),
        (n_out_of(20, *[LEAF] * 40), inquire.MAX_COMBINATIONS),
    ],
    ids=["none of many", "one of many", "more than there are", "inside", "many"],
)
def test_policies_with_very_many_combinations_cost_little(rule: SignaturePolicy, ways: int) -> None:
    """Tried one after another, the combinations of 20 of 40 take years."""
    identities = from_string("OR('A.member')").identities
    policy = SignaturePolicyEnvelope(rule=rule, identities=identities)
    assert len(satisfied_by(policy)) == ways


def test_policies_that_cost_too_much_are_refused() -> None:
    identities = from_string("OR('A.member')").identities
    wide = SignaturePolicyEnvelope(rule=n_out_of(200, *[LEAF] * 400), identities=identities)
    with pytest.raises(InputError, match="too many ways"):
        satisfied_by(wide)
    assert len(satisfied_by(wide, most=300)) == 300
    several = inquire.Budget(300 * 200 * 3)
    with pytest.raises(InputError, match="too many ways"):
        for _ in range(4):
            satisfied_by(wide, most=300, budget=several)


def test_many_policies_are_merged() -> None:
    orgs = ", ".join(f"'{letter}.member'" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    found = satisfied_by(from_string(f"OutOf(13, {orgs})"), most=inquire.MAX_MERGED)
    for count in (2, 3, 10, 1000):
        merged = merge([found] * count)
        assert merged
        assert set(merged) <= set(found)


def test_a_member_is_covered_by_any_role() -> None:
    member = satisfied_by(from_string("OR('A.member')"))
    peer = satisfied_by(from_string("OR('A.peer')"))
    admin = satisfied_by(from_string("OR('A.admin')"))
    assert merge([member, peer]) == peer
    assert merge([peer, member]) == peer
    (both,) = merge([peer, admin])
    assert set(both) == {*peer[0], *admin[0]}


def test_nothing_is_merged_of_nothing() -> None:
    with pytest.raises(InputError, match="no principal sets remained"):
        merge([])


def signed(by: str) -> str:
    return f"'{by}.member'"


policies = st.recursive(
    st.sampled_from(ORGS).map(signed),
    lambda below: st.builds(
        lambda rules, share: f"OutOf({1 + share % len(rules)}, {', '.join(rules)})",
        st.lists(below, min_size=1, max_size=3),
        st.integers(0, 2),
    ),
    max_leaves=5,
).map(lambda text: text if "(" in text else f"OR({text})")


def is_satisfied(found: list[PrincipalSet], signers: tuple[str, ...]) -> bool:
    """Whether signers, each counting once, make up one of the sets."""
    return any(
        all(signers.count(one.mspid) >= [x.mspid for x in each].count(one.mspid) for one in each)
        for each in found
    )


@given(st.lists(policies, min_size=1, max_size=3))
def test_merged_sets_satisfy_all_policies_and_only_those(texts: list[str]) -> None:
    each = [satisfied_by(from_string(text)) for text in texts]
    merged = merge(each)
    counts = product(range(3), repeat=len(ORGS))
    for signers in (
        tuple(chain.from_iterable(org * count for org, count in zip(ORGS, times, strict=True)))
        for times in counts
    ):
        wanted = all(is_satisfied(one, signers) for one in each)
        if is_satisfied(merged, signers):
            assert wanted, (texts, signers)
    # With enough signers of everybody, what can be satisfied is.
    if all(each):
        assert merged
    for one, other in combinations(merged if len(each) > 1 else [], 2):
        assert not set(one) <= set(other)
