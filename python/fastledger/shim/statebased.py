# SPDX-License-Identifier: Apache-2.0
"""Endorsement policies of single keys (Fabric: ``pkg/statebased``)."""

from google.protobuf.message import DecodeError

from fastledger.protos.common.policies_pb2 import SignaturePolicy, SignaturePolicyEnvelope
from fastledger.protos.msp.msp_principal_pb2 import MSPPrincipal, MSPRole


class KeyEndorsementPolicy:
    """Every one of some organizations has to endorse.

    Example:
        >>> policy = KeyEndorsementPolicy()
        >>> policy.add_orgs("PEER", "Org2MSP", "Org1MSP")
        >>> KeyEndorsementPolicy(policy.policy()).list_orgs()
        ['Org1MSP', 'Org2MSP']
    """

    def __init__(self, policy: bytes | None = None) -> None:
        """Begin with a policy read from a key, or with none.

        Raises:
            ValueError: The bytes are no policy.
        """
        self._orgs: dict[str, MSPRole.MSPRoleType.ValueType] = {}
        if policy:
            try:
                envelope = SignaturePolicyEnvelope.FromString(policy)
                for principal in envelope.identities:
                    if principal.principal_classification == MSPPrincipal.ROLE:
                        role = MSPRole.FromString(principal.principal)
                        self._orgs[role.msp_identifier] = role.role
            except DecodeError as error:
                raise ValueError(f"no endorsement policy: {error}") from error

    def add_orgs(self, role: str, *mspids: str) -> None:
        """Require these organizations.

        Args:
            role: ``MEMBER`` or ``PEER``.
            mspids: The organizations.

        Raises:
            ValueError: There is no such role.
        """
        if role not in ("MEMBER", "PEER"):
            raise ValueError(f"role type {role} does not exist")
        for mspid in mspids:
            self._orgs[mspid] = MSPRole.MSPRoleType.Value(role)

    def del_orgs(self, *mspids: str) -> None:
        """No longer require these organizations."""
        for mspid in mspids:
            self._orgs.pop(mspid, None)

    def list_orgs(self) -> list[str]:
        """The organizations required, sorted."""
        return sorted(self._orgs)

    def policy(self) -> bytes:
        """Encode it for ``set_state_validation_parameter``."""
        mspids = self.list_orgs()
        envelope = SignaturePolicyEnvelope(
            rule=SignaturePolicy(
                n_out_of=SignaturePolicy.NOutOf(
                    n=len(mspids),
                    rules=[SignaturePolicy(signed_by=place) for place in range(len(mspids))],
                )
            ),
            identities=[
                MSPPrincipal(
                    principal_classification=MSPPrincipal.ROLE,
                    principal=MSPRole(
                        role=self._orgs[mspid], msp_identifier=mspid
                    ).SerializeToString(),
                )
                for mspid in mspids
            ],
        )
        return envelope.SerializeToString(deterministic=True)
