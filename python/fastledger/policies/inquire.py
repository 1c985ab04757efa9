# SPDX-License-Identifier: Apache-2.0
"""Who together satisfies signature policies (Fabric: ``common/policies/inquire``).

A policy is satisfied by sets of principals: ``AND('A.peer', OR('B.peer', 'C.peer'))`` by {A, B} and
by {A, C}. Several policies that hold at once are merged: each set of the result satisfies all of
them, and none contains another.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import combinations, islice, product

from google.protobuf.message import DecodeError

from fastledger.common.errors import InputError
from fastledger.protos.common.policies_pb2 import SignaturePolicy, SignaturePolicyEnvelope
from fastledger.protos.msp.identities_pb2 import SerializedIdentity
from fastledger.protos.msp.msp_principal_pb2 import MSPPrincipal, MSPRole, OrganizationUnit

MAX_COMBINATIONS = 10_000
"""Ways to satisfy a policy that are looked at; Fabric leaves out some by chance beyond as many."""

MAX_MERGED = 300
"""Sets that the merging of policies goes on with: it compares each with each."""

MAX_DEPTH = 32
"""How deep a policy may nest."""

_NOBODY = 2**31
"""Index of an identity that no policy has."""


@dataclass(frozen=True, slots=True)
class Principal:
    """A principal that can be compared with others.

    Attributes:
        classification: ``MSPPrincipal.Classification``.
        encoded: The encoded role, organizational unit or identity.
        mspid: Its MSP.
        kind: What it is beside, so that equal kinds are the same: a role, an OU, an identity.
        is_member: Whether every identity of the MSP satisfies it.
    """

    classification: int
    encoded: bytes
    mspid: str
    kind: tuple[object, ...]
    is_member: bool

    @staticmethod
    def of(principal: MSPPrincipal) -> "Principal":
        """Read a principal.

        Raises:
            InputError: It is of a kind that cannot be compared.
        """
        encoded = principal.principal
        match principal.principal_classification:
            case MSPPrincipal.ROLE:
                role = MSPRole.FromString(encoded)
                mspid, kind = role.msp_identifier, ("role", role.role)
                return Principal(0, encoded, mspid, kind, role.role == MSPRole.MEMBER)
            case MSPPrincipal.ORGANIZATION_UNIT:
                unit = OrganizationUnit.FromString(encoded)
                named = ("ou", unit.organizational_unit_identifier, unit.certifiers_identifier)
                return Principal(1, encoded, unit.msp_identifier, named, False)
            case MSPPrincipal.IDENTITY:
                identity = SerializedIdentity.FromString(encoded)
                return Principal(2, encoded, identity.mspid, ("id", identity.id_bytes), False)
        raise InputError("failed creating a comparable principal set")

    def is_a(self, other: "Principal") -> bool:
        """Whether whoever satisfies this principal satisfies the other, too."""
        return self.mspid == other.mspid and (other.is_member or self.kind == other.kind)

    def message(self) -> MSPPrincipal:
        """Return Fabric's message."""
        made = MSPPrincipal(principal=self.encoded)
        made.principal_classification = self.classification  # type: ignore[assignment]
        return made


PrincipalSet = tuple[Principal, ...]
"""Principals of which all have to sign, each as often as it is there."""


def satisfied_by(policy: SignaturePolicyEnvelope) -> list[PrincipalSet]:
    """Return the sets of principals that satisfy a policy; none when it cannot be satisfied.

    Raises:
        InputError: The policy is malformed.
    """
    try:
        principals = [Principal.of(principal) for principal in policy.identities]
    except DecodeError as error:
        raise InputError("failed creating a comparable principal set") from error
    ways = islice(_ways(policy.rule, MAX_DEPTH), MAX_COMBINATIONS)
    try:
        found = [tuple(principals[index] for index in way) for way in ways]
    except IndexError:
        return []
    return [] if not all(found) else found


def _ways(rule: SignaturePolicy, depth: int) -> Iterator[tuple[int, ...]]:
    """Yield the identities, by index, that satisfy a rule."""
    if not depth:
        raise InputError(f"the policy nests deeper than {MAX_DEPTH}")
    kind = rule.WhichOneof("Type")
    if kind == "signed_by":
        yield (rule.signed_by if rule.signed_by >= 0 else _NOBODY,)
    elif kind == "n_out_of" and rule.n_out_of.n > 0:
        for chosen in combinations(rule.n_out_of.rules, rule.n_out_of.n):
            parts = [list(islice(_ways(one, depth - 1), MAX_COMBINATIONS)) for one in chosen]
            for way in product(*parts):
                yield tuple(index for part in way for index in part)
    else:
        yield (_NOBODY,)


def merge(policies: Sequence[Sequence[PrincipalSet]]) -> list[PrincipalSet]:
    """Return the sets that satisfy all of several policies, given those that satisfy each.

    Raises:
        InputError: There is no policy.
    """
    if not policies:
        raise InputError("no principal sets remained after filtering")
    if len(policies) == 1:
        return list(policies[0])
    first, *others = (list(sets[:MAX_MERGED]) for sets in policies)
    return reduce(_merge_two, others, first)


def _merge_two(left: Sequence[PrincipalSet], right: Sequence[PrincipalSet]) -> list[PrincipalSet]:
    """Merge what satisfies two policies.

    Where a set is contained in one of the other policy, the larger one suffices for both. Only what
    is left of both sides after that has to be combined, each with each.
    """
    left_in_right = _contained(left, right)
    merged = [_covering(left[i], right[j]) for i, j in left_in_right]
    left = _without(left, {i for i, _ in left_in_right})
    right_in_left = _contained(right, left)
    merged += [_covering(right[i], left[j]) for i, j in right_in_left]
    rest = _without(right, {j for _, j in left_in_right} | {i for i, _ in right_in_left})
    left = _without(left, {j for _, j in right_in_left})
    merged += [_covering(one, other) for one, other in islice(product(left, rest), MAX_MERGED)]
    return _reduced(merged[:MAX_MERGED])


def _contained(
    inner: Sequence[PrincipalSet], outer: Sequence[PrincipalSet]
) -> list[tuple[int, int]]:
    """Return the pairs of which the first is contained in the second, by index."""
    return [
        (i, j)
        for i, small in enumerate(inner)
        for j, large in enumerate(outer)
        if all(any(one.is_a(wanted) for one in large) for wanted in small)
    ][:MAX_MERGED]


def _without(sets: Sequence[PrincipalSet], indices: set[int]) -> list[PrincipalSet]:
    return [one for index, one in enumerate(sets) if index not in indices]


def _covering(small: PrincipalSet, large: PrincipalSet) -> PrincipalSet:
    """Return the larger set, and what of the smaller one it does not cover, often enough."""
    free = list(large)
    added = []
    for wanted in small:
        cover = next((one for one in free if one.is_a(wanted)), None)
        if cover is None:
            added.append(wanted)
        else:
            free.remove(cover)
    return (*large, *added)


def _reduced(sets: Iterable[PrincipalSet]) -> list[PrincipalSet]:
    """Leave out each set that contains another one; of equal ones the first stays."""
    kept: list[PrincipalSet] = []
    found = list(sets)
    as_sets = [frozenset(one) for one in found]
    for index, mine in enumerate(as_sets):
        contains = any(
            other <= mine and (other != mine or place < index)
            for place, other in enumerate(as_sets)
            if place != index
        )
        if not contains:
            kept.append(found[index])
    return kept
