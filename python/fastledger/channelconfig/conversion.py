# SPDX-License-Identifier: Apache-2.0
"""Policies of a configuration as signature policies (Fabric: ``common/policies/convert.go``)."""

from google.protobuf.message import DecodeError

from fastledger.common.errors import InputError, NotFound
from fastledger.protos.common.configtx_pb2 import ConfigGroup
from fastledger.protos.common.policies_pb2 import (
    ImplicitMetaPolicy,
    Policy,
    SignaturePolicy,
    SignaturePolicyEnvelope,
)


def signature_policy(root: ConfigGroup, path: str) -> SignaturePolicyEnvelope:
    """Return what a policy asks for, implicit ones spelt out.

    Args:
        root: The configuration's group ``Channel``.
        path: Such as ``/Channel/Application/Endorsement``; a relative one is one of Application's.

    Raises:
        NotFound: There is no such policy.
        InputError: It is of a kind that cannot be spelt out.
    """
    parts = path.split("/")[2:] if path.startswith("/") else ["Application", *path.split("/")]
    *groups, name = parts or [""]
    group = root
    for part in groups:
        if part not in group.groups:
            raise NotFound(f"no policy {path} in the channel's configuration")
        group = group.groups[part]
    if name not in group.policies:
        raise NotFound(f"no policy {path} in the channel's configuration")
    return _converted(group, group.policies[name].policy)


def _converted(group: ConfigGroup, policy: Policy) -> SignaturePolicyEnvelope:
    """Convert a policy; configurations are no deeper than the core allows."""
    try:
        if policy.type == Policy.SIGNATURE:
            return SignaturePolicyEnvelope.FromString(policy.value)
        if policy.type == Policy.IMPLICIT_META:
            return _implicit(group, ImplicitMetaPolicy.FromString(policy.value))
    except DecodeError as error:
        raise InputError(
            f"a policy of the channel's configuration is malformed: {error}"
        ) from error
    raise InputError(f"a policy of type {policy.type} cannot be written as a signature policy")


def _implicit(group: ConfigGroup, meta: ImplicitMetaPolicy) -> SignaturePolicyEnvelope:
    converted = SignaturePolicyEnvelope()
    rules = converted.rule.n_out_of.rules
    for name in sorted(group.groups):
        below = group.groups[name]
        if meta.sub_policy in below.policies:
            part = _converted(below, below.policies[meta.sub_policy].policy)
            rules.append(_moved(part.rule, _merged(converted, part)))
    thresholds = {
        ImplicitMetaPolicy.ANY: 1,
        ImplicitMetaPolicy.ALL: len(group.groups),
        ImplicitMetaPolicy.MAJORITY: len(group.groups) // 2 + 1,
    }
    converted.rule.n_out_of.n = thresholds[meta.rule]
    return converted


def _merged(into: SignaturePolicyEnvelope, part: SignaturePolicyEnvelope) -> list[int]:
    """Add a policy's identities to another's; return the new index of each."""
    places = []
    for identity in part.identities:
        known = list(into.identities)
        if identity not in known:
            into.identities.append(identity)
        places.append(known.index(identity) if identity in known else len(known))
    return places


def _moved(rule: SignaturePolicy, places: list[int]) -> SignaturePolicy:
    """Return a rule about identities that have other indices now."""
    if rule.WhichOneof("Type") == "n_out_of":
        below = [_moved(one, places) for one in rule.n_out_of.rules]
        return SignaturePolicy(n_out_of=SignaturePolicy.NOutOf(n=rule.n_out_of.n, rules=below))
    return SignaturePolicy(signed_by=places[rule.signed_by])
