# SPDX-License-Identifier: Apache-2.0
"""The language of signature policies: ``OR('Org1MSP.admin', AND('Org2MSP.peer', …))``.

Fabric's ``policydsl`` evaluates the text three times: gates become ``outof(n, …)``, then each gate
is handed the list of principals, then the rules are made. What a policy may say, in which order its
principals stand and what its errors show all follow from that, so it is done here as well.
"""

import re
from typing import Any

from fastledger.common.errors import InputError
from fastledger.policies.expression import EvaluationError, evaluate, type_name
from fastledger.policies.making import ROLES, n_out_of, role_principal, signed_by
from fastledger.protos.common.policies_pb2 import SignaturePolicy, SignaturePolicyEnvelope
from fastledger.protos.msp.msp_principal_pb2 import MSPPrincipal

_PRINCIPAL = re.compile(rf"([A-Za-z0-9.-]+)\.({'|'.join(ROLES)})")


def from_string(policy: str) -> SignaturePolicyEnvelope:
    """Read a policy.

    Gates are ``OR``, ``AND`` and ``OutOf(n, …)``, also as ``Or``, ``And``, ``outof`` and ``OUTOF``;
    principals are texts ``MSP.role`` with role admin, member, client, peer or orderer.

    Raises:
        InputError: It is none; the texts are those of Fabric 3.
    """
    gates = dict.fromkeys(("And", "AND"), _and) | dict.fromkeys(("Or", "OR"), _or)
    gates |= dict.fromkeys(("OutOf", "outof", "OUTOF"), _out_of)
    plain = _evaluate(policy, policy, gates, str)
    numbered = _evaluate(policy, plain, {"outof": _numbered}, str)
    making = _Making()
    rule = _evaluate(policy, numbered, {"outof": making.rule, "ID": making}, SignaturePolicy)
    return SignaturePolicyEnvelope(rule=rule, identities=making.principals)


def _evaluate(policy: str, source: str, environment: dict[str, Any], kind: type) -> Any:
    result = evaluate(source, environment)
    if not isinstance(result, kind):
        raise InputError(f"invalid policy string '{policy}'")
    return result


def _out_of(*arguments: Any) -> str:
    if len(arguments) < 2:
        raise EvaluationError(f"expected at least two arguments to NOutOf. Given {len(arguments)}")
    needed, *rules = arguments
    if type(needed) not in (int, float, str):
        raise EvaluationError(f"unexpected type {type_name(needed)}")
    needed = needed if isinstance(needed, str) else int(needed)
    return f"outof({needed}, {', '.join(map(_quoted, rules))})"


def _and(*rules: Any) -> str:
    return _out_of(len(rules), *rules)


def _or(*rules: Any) -> str:
    return _out_of(1, *rules)


def _quoted(rule: Any) -> str:
    """Write a principal as a text again; whatever else a text holds is left to be evaluated."""
    if not isinstance(rule, str):
        raise EvaluationError(f"unexpected type {type_name(rule)}")
    return f"'{rule}'" if _PRINCIPAL.fullmatch(rule) else rule


def _numbered(*arguments: Any) -> str:
    written = (str(int(one)) if type(one) in (int, float) else _quoted(one) for one in arguments)
    return ", ".join(("outof(ID", *written)) + ")"


class _Making:
    """Makes rules, inner ones first, and lists their principals."""

    def __init__(self) -> None:
        self.principals: list[MSPPrincipal] = []

    def rule(self, *arguments: Any) -> SignaturePolicy:
        if len(arguments) < 3:
            raise EvaluationError(f"at least 3 arguments expected, got {len(arguments)}")
        _, needed, *inner = arguments
        if type(needed) not in (int, float):
            raise EvaluationError(f"unrecognized type, expected a number, got {type_name(needed)}")
        if not 0 <= int(needed) <= len(inner) + 1:
            raise EvaluationError(f"invalid t-out-of-n predicate, t {int(needed)}, n {len(inner)}")
        return n_out_of(int(needed), [self._inner(one) for one in inner])

    def _inner(self, one: Any) -> SignaturePolicy:
        if isinstance(one, SignaturePolicy):
            return one
        if not isinstance(one, str):
            raise EvaluationError(
                f"unrecognized type, expected a principal or a policy, got {type_name(one)}"
            )
        found = _PRINCIPAL.fullmatch(one)
        if found is None:
            raise EvaluationError(f"error parsing principal {one}")
        self.principals.append(role_principal(found[1], found[2]))
        return signed_by(len(self.principals) - 1)
