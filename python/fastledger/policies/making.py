# SPDX-License-Identifier: Apache-2.0
"""Signature policies made without text (Fabric: ``policydsl_builder.go``)."""

from collections.abc import Iterable

from fastledger.protos.common.policies_pb2 import SignaturePolicy, SignaturePolicyEnvelope
from fastledger.protos.msp.msp_principal_pb2 import MSPPrincipal, MSPRole

ROLES: dict[str, int] = {
    role.lower(): MSPRole.MSPRoleType.Value(role)
    for role in ("ADMIN", "MEMBER", "CLIENT", "PEER", "ORDERER")
}
"""What a role is called after an MSP's name, as in ``Org1MSP.peer``."""


def signed_by(index: int) -> SignaturePolicy:
    """Ask for a signature of the envelope's identity of this index."""
    return SignaturePolicy(signed_by=index)


def n_out_of(n: int, rules: Iterable[SignaturePolicy]) -> SignaturePolicy:
    """Ask for so many of these rules."""
    return SignaturePolicy(n_out_of=SignaturePolicy.NOutOf(n=n, rules=rules))


def role_principal(mspid: str, role: str) -> MSPPrincipal:
    """Name whoever has a role (a key of :data:`ROLES`) in an MSP."""
    of_msp = MSPRole(msp_identifier=mspid)
    of_msp.role = ROLES[role]  # type: ignore[assignment]  # a number of the enum
    return MSPPrincipal(
        principal_classification=MSPPrincipal.ROLE, principal=of_msp.SerializeToString()
    )


def n_out_of_role(n: int, role: str, mspids: Iterable[str]) -> SignaturePolicyEnvelope:
    """Ask for signatures of a role in so many of the MSPs (``SignedByNOutOfGivenRole``).

    Args:
        n: How many; 1 makes Fabric's ``SignedByAnyMember`` and its like.
        role: admin, member, client, peer or orderer.
        mspids: The MSPs; they are sorted.
    """
    ordered = sorted(mspids)
    return SignaturePolicyEnvelope(
        rule=n_out_of(n, map(signed_by, range(len(ordered)))),
        identities=[role_principal(mspid, role) for mspid in ordered],
    )
