# SPDX-License-Identifier: Apache-2.0
"""Signature policies written in the language that :mod:`fastledger.policies.dsl` reads."""

from collections.abc import Sequence

from google.protobuf.message import DecodeError

from fastledger.common.errors import InputError
from fastledger.policies.making import ROLES
from fastledger.protos.common.policies_pb2 import SignaturePolicy, SignaturePolicyEnvelope
from fastledger.protos.msp.msp_principal_pb2 import MSPPrincipal, MSPRole

_ROLE_NAMES = {number: name for name, number in ROLES.items()}


def to_string(envelope: SignaturePolicyEnvelope) -> str:
    """Write a policy as text.

    Raises:
        InputError: The language has no words for it: a principal that is no role, say.
    """
    principals = [_principal(principal) for principal in envelope.identities]
    rule = envelope.rule
    if rule.WhichOneof("Type") == "signed_by":
        return f"OR({_rule(rule, principals)})"
    return _rule(rule, principals)


def _rule(rule: SignaturePolicy, principals: Sequence[str]) -> str:
    kind = rule.WhichOneof("Type")
    if kind == "signed_by":
        if not 0 <= rule.signed_by < len(principals):
            raise InputError(
                f"a rule asks for identity {rule.signed_by}, but there are {len(principals)}"
            )
        return principals[rule.signed_by]
    if kind is None or not rule.n_out_of.rules:
        raise InputError("a rule of the policy is empty, for which the language has no words")
    n, inner = rule.n_out_of.n, [_rule(one, principals) for one in rule.n_out_of.rules]
    if n == len(inner):
        return f"AND({', '.join(inner)})"
    if n == 1:
        return f"OR({', '.join(inner)})"
    return f"OutOf({n}, {', '.join(inner)})"


def _principal(principal: MSPPrincipal) -> str:
    if principal.principal_classification != MSPPrincipal.ROLE:
        raise InputError("the policy has a principal that is no role in an MSP")
    try:
        role = MSPRole.FromString(principal.principal)
    except DecodeError as error:
        raise InputError(f"a principal of the policy is no MSPRole: {error}") from error
    if role.role not in _ROLE_NAMES:
        raise InputError(f"the policy asks for role {role.role}, which is unknown")
    return f"'{role.msp_identifier}.{_ROLE_NAMES[role.role]}'"
