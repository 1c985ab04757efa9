# SPDX-License-Identifier: Apache-2.0
"""Whom a gateway asks, when some refuse, differ or are gone."""

import asyncio
from collections.abc import Mapping, Sequence

from fastledger.gateway.plan import MISMATCH, EndorsementPlan, Endorsers, EndorsingPeer, best_first
from fastledger.protos.peer.proposal_response_pb2 import ProposalResponse


def endorser(name: str, height: int = 1, *, own: bool = False) -> EndorsingPeer:
    return EndorsingPeer(name.encode(), name, name[0], height, own)


def run(
    groups: Mapping[str, str],
    layouts: Sequence[Mapping[str, int]],
    says: Mapping[str, str | None],
    first: str = "",
) -> tuple[str | None, list[str], list[str]]:
    """Collect; return who endorsed, who was asked, and what was noted."""
    asked: list[str] = []
    noted: list[str] = []

    async def ask(one: EndorsingPeer) -> ProposalResponse | None:
        asked.append(one.address)
        await asyncio.sleep(0)
        said = says.get(one.address, "same")
        return None if said is None else answer(one.address, said)

    def answer(name: str, said: str) -> ProposalResponse:
        response = ProposalResponse(payload=said.encode())
        response.endorsement.endorser = name.encode()
        return response

    members = {name: [endorser(each) for each in names.split()] for name, names in groups.items()}
    plan = EndorsementPlan(
        Endorsers(members, layouts), ask, lambda one, text: noted.append(f"{one.address}: {text}")
    )
    if first:
        plan.count(endorser(first), answer(first, "same"))
    found = asyncio.run(plan.collect())
    if found is None:
        return None, asked, noted
    return " ".join(sorted(one.endorsement.endorser.decode() for one in found)), asked, noted


def test_the_first_answer_counts() -> None:
    groups = {"G0": "a1 a2", "G1": "b1 b2"}
    both = [{"G0": 1, "G1": 1}]
    assert run(groups, both, {}, first="a2") == ("a2 b1", ["b1"], [])
    assert run(groups, [{"G0": 1}], {}, first="a1") == ("a1", [], [])


def test_all_that_is_missing_is_asked_at_once() -> None:
    found, asked, _ = run({"G0": "a1", "G1": "b1", "G2": "c1"}, [{"G0": 1, "G1": 1, "G2": 1}], {})
    assert (found, sorted(asked)) == ("a1 b1 c1", ["a1", "b1", "c1"])


def test_who_fails_is_replaced_by_the_next_of_the_group() -> None:
    groups = {"G0": "a1", "G1": "b1 b2 b3"}
    found, asked, _ = run(groups, [{"G0": 1, "G1": 2}], {"b1": None}, first="a1")
    assert (found, sorted(asked)) == ("a1 b2 b3", ["b1", "b2", "b3"])


def test_another_layout_takes_over_with_what_is_there() -> None:
    groups = {"G0": "a1", "G1": "b1", "G2": "c1"}
    layouts = [{"G0": 1, "G1": 1}, {"G0": 1, "G2": 1}]
    found, asked, _ = run(groups, layouts, {"b1": None}, first="a1")
    assert found == "a1 c1"
    assert asked.count("c1") == 1
    assert "a1" not in asked


def test_layouts_with_the_first_answer_come_first() -> None:
    groups = {"G0": "a1", "G1": "b1", "G2": "c1 c2"}
    layouts = [{"G1": 1, "G2": 2}, {"G0": 1, "G1": 1}]
    for _ in range(20):
        assert run(groups, layouts, {}, first="a1")[0] == "a1 b1"


def test_who_answers_something_else_does_not_count() -> None:
    groups = {"G0": "a1", "G1": "b1 b2"}
    found, _, noted = run(groups, [{"G0": 1, "G1": 1}], {"b1": "other"}, first="a1")
    assert (found, noted) == ("a1 b2", [f"b1: {MISMATCH}"])
    found, _, noted = run(groups, [{"G0": 1, "G1": 2}], {"b1": "other"}, first="a1")
    assert (found, noted) == (None, [f"b1: {MISMATCH}"])


def test_nobody_counts_twice() -> None:
    groups = {"G0": "a1", "G1": "a1 b1"}
    assert run(groups, [{"G0": 1, "G1": 1}], {})[0] == "a1 b1"
    assert run({"G0": "a1", "G1": "a1"}, [{"G0": 1, "G1": 1}], {})[0] is None


def test_high_ledgers_come_first_and_the_own_peer_among_equals() -> None:
    one, other, own = endorser("a", 5), endorser("b", 7), endorser("c", 5, own=True)
    assert best_first([one, own, other]) == (other, own, one)
