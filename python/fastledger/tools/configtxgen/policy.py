# SPDX-License-Identifier: Apache-2.0
"""The policies of a configuration's groups."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from fastledger.common import log
from fastledger.common.errors import FastledgerError, InputError
from fastledger.policies import from_string
from fastledger.protos.common import policies_pb2
from fastledger.protos.common.configtx_pb2 import ConfigGroup
from fastledger.protos.common.configuration_pb2 import Consenter
from fastledger.protos.common.policies_pb2 import (
    ImplicitMetaPolicy,
    SignaturePolicy,
    SignaturePolicyEnvelope,
)
from fastledger.protos.msp.identities_pb2 import SerializedIdentity
from fastledger.protos.msp.msp_principal_pb2 import MSPPrincipal, MSPRole
from fastledger.tools.configtxgen import profile

logger = log.get("common.tools.configtxgen.encoder")

ADMINS = "Admins"
READERS = "Readers"
WRITERS = "Writers"
BLOCK_VALIDATION = "BlockValidation"

REQUIRED = (ADMINS, READERS, WRITERS)
"""What every group's policies must have among them."""

MadeUp = Mapping[str, policies_pb2.Policy] | None
"""Policies that stand in where a file has none; None where it must have them."""


def add_policies(
    group: ConfigGroup,
    policies: Mapping[str, profile.Policy] | None,
    made_up: MadeUp,
    where: str,
    required: Sequence[str] = REQUIRED,
) -> None:
    """Set a group's policies.

    Args:
        group: Changed in place.
        policies: What the profile says.
        made_up: What stands in where it says nothing.
        where: What errors and warnings call the group.
        required: Which must be there.

    Raises:
        InputError: A policy cannot be read, or one that every group needs is missing.
    """
    if not policies and made_up is not None:
        logger.warning(
            "Default policy emission is deprecated, please include policy specifications for the "
            "%s in configtx.yaml",
            where,
        )
        for name, policy in made_up.items():
            set_policy(group, name, policy)
        return
    if policies is None:
        raise InputError(f"error adding policies to {where}: no policies defined")
    for name in required:
        if name not in policies:
            raise InputError(f"error adding policies to {where}: no {name} policy defined")
    for name, described in policies.items():
        try:
            set_policy(group, name, _parse(described))
        except FastledgerError as error:
            raise InputError(f"error adding policies to {where}: {error}") from error


def set_policy(
    group: ConfigGroup, name: str, policy: policies_pb2.Policy, mod_policy: str = ADMINS
) -> None:
    """Set one policy of a group."""
    group.policies[name].policy.CopyFrom(policy)
    group.policies[name].mod_policy = mod_policy


def _parse(described: profile.Policy) -> policies_pb2.Policy:
    rule = described.rule
    if described.type == "ImplicitMeta":
        try:
            return implicit_meta_from_string(rule)
        except InputError as error:
            raise InputError(f"invalid implicit meta policy rule '{rule}': {error}") from error
    if described.type == "Signature":
        try:
            return signature(from_string(rule))
        except FastledgerError as error:
            raise InputError(f"invalid signature policy rule '{rule}': {error}") from error
    raise InputError(f"unknown policy type: {described.type}")


def implicit_meta_from_string(text: str) -> policies_pb2.Policy:
    """Read ``ANY Readers``, ``ALL …`` or ``MAJORITY …``.

    Raises:
        InputError: It is none of them.
    """
    words = text.split(" ")
    if len(words) != 2:
        raise InputError(f"expected two space separated tokens, but got {len(words)}")
    rule = dict(ImplicitMetaPolicy.Rule.items()).get(words[0])
    if rule is None:
        raise InputError(f"unknown rule type '{words[0]}', expected ALL, ANY, or MAJORITY")
    return implicit_meta(rule, words[1])


def implicit_meta(rule: ImplicitMetaPolicy.Rule.ValueType, sub_policy: str) -> policies_pb2.Policy:
    """Make a policy over the policies of that name in the groups below."""
    meta = ImplicitMetaPolicy(rule=rule, sub_policy=sub_policy)
    return policies_pb2.Policy(
        type=policies_pb2.Policy.IMPLICIT_META, value=meta.SerializeToString()
    )


def signature(envelope: SignaturePolicyEnvelope) -> policies_pb2.Policy:
    """Make a policy of signatures."""
    return policies_pb2.Policy(
        type=policies_pb2.Policy.SIGNATURE, value=envelope.SerializeToString()
    )


def accept_all() -> policies_pb2.Policy:
    """Make the policy that needs nobody."""
    return signature(_out_of(0, []))


@dataclass(frozen=True, slots=True)
class Defaults:
    """The policies that configtxgen made up before Fabric 2.0, where a file has none.

    Attributes:
        are_made_up: Whether they are, as for channels of Fabric 1.x; for others a file must have
            its policies.
    """

    are_made_up: bool

    def of_group(self) -> MadeUp:
        """Return those of a group of groups."""
        if not self.are_made_up:
            return None
        return {
            ADMINS: implicit_meta(ImplicitMetaPolicy.MAJORITY, ADMINS),
            READERS: implicit_meta(ImplicitMetaPolicy.ANY, READERS),
            WRITERS: implicit_meta(ImplicitMetaPolicy.ANY, WRITERS),
        }

    def of_orderer_group(self) -> MadeUp:
        """Return those of the orderers' group."""
        common = self.of_group()
        writers = implicit_meta(ImplicitMetaPolicy.ANY, WRITERS)
        return None if common is None else {**common, BLOCK_VALIDATION: writers}

    def of_organization(self, mspid: str, *, members_are_admins: bool) -> MadeUp:
        """Return those of an organization."""
        if not self.are_made_up:
            return None
        member = _signed_by_role(mspid, MSPRole.MEMBER)
        admin = member if members_are_admins else _signed_by_role(mspid, MSPRole.ADMIN)
        return {ADMINS: admin, READERS: member, WRITERS: member}


def _signed_by_role(mspid: str, role: MSPRole.MSPRoleType.ValueType) -> policies_pb2.Policy:
    principal = MSPPrincipal(
        principal_classification=MSPPrincipal.ROLE,
        principal=MSPRole(msp_identifier=mspid, role=role).SerializeToString(),
    )
    return signature(_out_of(1, [principal]))


def bft_block_validation(consenters: Sequence[Consenter]) -> policies_pb2.Policy:
    """Make the policy that a quorum of consenters meets.

    Of n consenters f = ⌊(n - 1) / 3⌋ may be faulty; ⌈(n + f + 1) / 2⌉ of them are a quorum, as any
    two quorums then share an honest one.
    """
    count = len(consenters)
    faulty = (count - 1) // 3
    quorum = (count + faulty + 2) // 2
    principals = [
        MSPPrincipal(
            principal_classification=MSPPrincipal.IDENTITY,
            principal=SerializedIdentity(
                mspid=consenter.msp_id, id_bytes=consenter.identity
            ).SerializeToString(),
        )
        for consenter in consenters
    ]
    return signature(_out_of(quorum, principals))


def _out_of(count: int, principals: Sequence[MSPPrincipal]) -> SignaturePolicyEnvelope:
    rules = [SignaturePolicy(signed_by=index) for index in range(len(principals))]
    rule = SignaturePolicy(n_out_of=SignaturePolicy.NOutOf(n=count, rules=rules))
    return SignaturePolicyEnvelope(rule=rule, identities=principals)
