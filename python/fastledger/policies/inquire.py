# SPDX-License-Identifier: Apache-2.0
"""Who together satisfies signature policies (Fabric: ``common/policies/inquire``).

A policy is satisfied by sets of principals: ``AND('A.peer', OR('B.peer', 'C.peer'))`` by {A, B} and
by {A, C}. Several policies that hold at once are merged: each set of the result satisfies all of
them, and none contains another.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from itertools import chain, combinations, islice, product, starmap
from operator import or_

from google.protobuf.message import DecodeError

from fastledger.common.errors import InputError
from fastledger.protos.common.policies_pb2 import SignaturePolicy, SignaturePolicyEnvelope
from fastledger.protos.msp.identities_pb2 import SerializedIdentity
from fastledger.protos.msp.msp_principal_pb2 import MSPPrincipal, MSPRole, OrganizationUnit

MAX_COMBINATIONS = 10_000
"""Ways to satisfy a policy that are looked at; Fabric leaves out some by chance beyond as many."""

MAX_PRINCIPALS = 1_000_000
"""Principals in all those ways together, and in the ways of the policies inside of a policy."""

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


class Budget:
    """Principals that may still be looked at, for policies that somebody else has chosen."""

    def __init__(self, principals: int = MAX_PRINCIPALS) -> None:
        """Begin with all of them."""
        self._left = principals

    def spend(self, principals: int) -> None:
        """Look at some.

        Raises:
            InputError: There were too many.
        """
        self._left -= principals
        if self._left < 0:
            raise InputError("the policy can be satisfied in too many ways")


def satisfied_by(
    policy: SignaturePolicyEnvelope, *, most: int = MAX_COMBINATIONS, budget: Budget | None = None
) -> list[PrincipalSet]:
    """Return the sets of principals that satisfy a policy; none when it cannot be satisfied.

    Args:
        policy: The policy.
        most: How many sets are looked for.
        budget: What several policies share; one of its own when None.

    Raises:
        InputError: The policy is malformed, or costs more than the budget.
    """
    try:
        principals = [Principal.of(principal) for principal in policy.identities]
    except DecodeError as error:
        raise InputError("failed creating a comparable principal set") from error
    ways = _ways(policy.rule, MAX_DEPTH, most, budget or Budget())
    try:
        found = [tuple(principals[index] for index in way) for way in ways]
    except IndexError:
        return []
    return [] if not all(found) else found


def _ways(rule: SignaturePolicy, depth: int, most: int, budget: Budget) -> list[tuple[int, ...]]:
    """Return the identities, by index, that satisfy a rule."""
    if not depth:
        raise InputError(f"the policy nests deeper than {MAX_DEPTH}")
    budget.spend(1)
    kind = rule.WhichOneof("Type")
    if kind == "signed_by":
        return [(rule.signed_by if rule.signed_by >= 0 else _NOBODY,)]
    if kind != "n_out_of" or rule.n_out_of.n <= 0:
        return [(_NOBODY,)]
    # What nobody can satisfy is part of no combination, of which there may be very many.
    each = [_ways(one, depth - 1, most, budget) for one in rule.n_out_of.rules]
    parts = [ways for ways in each if ways]
    if rule.n_out_of.n > len(parts):
        return []
    combined = (product(*chosen) for chosen in combinations(parts, rule.n_out_of.n))
    found = []
    for way in islice(chain.from_iterable(combined), most):
        found.append(tuple(chain.from_iterable(way)))
        budget.spend(len(found[-1]))
    return found


def merge(policies: Sequence[Sequence[PrincipalSet]]) -> list[PrincipalSet]:
    """Return the sets that satisfy all of several policies, given those that satisfy each.

    The more policies there are, the fewer sets of each are looked at.

    Raises:
        InputError: There is no policy.
    """
    if not policies:
        raise InputError("no principal sets remained after filtering")
    if len(policies) == 1:
        return list(policies[0])
    most = max(MAX_MERGED // (len(policies) // 2), 1)
    first, *others = (list(sets[:most]) for sets in policies)
    return reduce(partial(_merge_two, most), others, first)


def _merge_two(
    most: int, left: Sequence[PrincipalSet], right: Sequence[PrincipalSet]
) -> list[PrincipalSet]:
    """Merge what satisfies two policies.

    Where a set is contained in one of the other policy, the larger one suffices for both. Only what
    is left of both sides after that has to be combined, each with each.
    """
    bits = _Bits([*left, *right])
    left_in_right = bits.contained(left, right, most)
    without = _without(left, {i for i, _ in left_in_right})
    right_in_left = bits.contained(right, without, most)
    rest = _without(right, {j for _, j in left_in_right} | {i for i, _ in right_in_left})
    merged = chain(
        (_covering(left[i], right[j]) for i, j in left_in_right),
        (_covering(right[i], without[j]) for i, j in right_in_left),
        starmap(_covering, product(_without(without, {j for _, j in right_in_left}), rest)),
    )
    return bits.reduced(list(islice(merged, most)))


class _Bits:
    """Principals as bits of numbers: thousands of sets are compared with each other."""

    def __init__(self, sets: Iterable[PrincipalSet]) -> None:
        """Give each principal of some sets a bit."""
        known = dict.fromkeys(chain.from_iterable(sets))
        self._bits = {principal: 1 << index for index, principal in enumerate(known)}
        self._members: dict[str, int] = {}
        self._kinds: dict[tuple[str, tuple[object, ...]], int] = {}
        for one, bit in self._bits.items():
            if one.is_member:
                self._members[one.mspid] = self._members.get(one.mspid, 0) | bit
            kind = one.mspid, one.kind
            self._kinds[kind] = self._kinds.get(kind, 0) | bit

    def _are(self, principals: PrincipalSet) -> int:
        return reduce(or_, (self._bits[one] for one in principals), 0)

    def _satisfy(self, principals: PrincipalSet) -> int:
        """All that somebody among these principals satisfies (:meth:`Principal.is_a`)."""
        bits = 0
        for one in principals:
            bits |= self._members.get(one.mspid, 0) | self._kinds[one.mspid, one.kind]
        return bits

    def contained(
        self, inner: Sequence[PrincipalSet], outer: Sequence[PrincipalSet], most: int
    ) -> list[tuple[int, int]]:
        """Return the pairs of which the first is contained in the second, by index."""
        wanted = [self._are(one) for one in inner]
        missing = [~self._satisfy(one) for one in outer]
        pairs = (
            (i, j)
            for i, small in enumerate(wanted)
            for j, lacks in enumerate(missing)
            if not small & lacks
        )
        return list(islice(pairs, most))

    def reduced(self, sets: Sequence[PrincipalSet]) -> list[PrincipalSet]:
        """Leave out each set that contains another one; of equal ones the first stays."""
        bits = [self._are(one) for one in sets]
        return [
            sets[index]
            for index, mine in enumerate(bits)
            if not any(
                not other & ~mine and (other != mine or place < index)
                for place, other in enumerate(bits)
                if place != index
            )
        ]


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
