# SPDX-License-Identifier: Apache-2.0
"""What must be right about a chaincode's collections before a channel may agree on them."""

import re
from collections.abc import Sequence

from google.protobuf.message import DecodeError

from fastledger.common.errors import CollectionsRefused, FastledgerError
from fastledger.endorser.channel import Channel
from fastledger.protos.common import policies_pb2
from fastledger.protos.msp import msp_principal_pb2
from fastledger.protos.peer import collection_pb2

NAME = re.compile(r"[A-Za-z0-9-][A-Za-z0-9_-]*")
"""What Fabric's ``[A-Za-z0-9-]+([A-Za-z0-9_-]+)*`` matches; Python would try all its partitions."""

MAX_COLLECTIONS = 5_000
"""Collections of a chaincode: each costs some microseconds in which a peer does nothing else."""

MAX_POLICY_DEPTH = 64
"""Nesting of a member policy's rules; sound ones have one level."""

Collection = collection_pb2.StaticCollectionConfig


def check_legacy(encoded: bytes, name: str, version: str, channel: Channel) -> None:
    """Check what lscc gets at deploy and upgrade.

    Raises:
        FastledgerError: Something is wrong.
    """
    try:
        package = collection_pb2.CollectionConfigPackage.FromString(encoded)
    except DecodeError as error:
        raise CollectionsRefused(
            f"invalid collection configuration supplied for chaincode {name}:{version}"
        ) from error
    _check_count(package)
    for config in package.config:
        try:
            if not config.HasField("static_collection_config"):
                raise CollectionsRefused("collection configuration is empty")
            _check_members(config.static_collection_config, channel, must_be_known=False)
        except FastledgerError as error:
            raise CollectionsRefused(f"collection member policy check failed: {error}") from error


def check(
    package: collection_pb2.CollectionConfigPackage,
    committed: collection_pb2.CollectionConfigPackage | None,
    channel: Channel,
) -> None:
    """Check the collections of a definition, and that those of the one before go on.

    Raises:
        FastledgerError: Something is wrong.
    """
    _check_count(package)
    proposed = [_static(config) for config in package.config]
    seen: set[str] = set()
    for collection in proposed:
        _check_one(collection, seen, channel)
    if committed is not None and committed.config:
        _check_continues(proposed, [_static(config) for config in committed.config])


def _check_count(package: collection_pb2.CollectionConfigPackage) -> None:
    if len(package.config) > MAX_COLLECTIONS:
        raise CollectionsRefused(
            f"{len(package.config)} collections, a chaincode may have {MAX_COLLECTIONS}"
        )


def _static(config: collection_pb2.CollectionConfig) -> Collection:
    if not config.HasField("static_collection_config"):
        raise CollectionsRefused("collection configuration is empty")
    return config.static_collection_config


def _check_one(collection: Collection, seen: set[str], channel: Channel) -> None:
    name = collection.name
    if not NAME.fullmatch(name):
        raise CollectionsRefused(
            f"invalid collection name '{name}'. Names can only consist of alphanumerics, '_', and "
            "'-' and cannot begin with '_'"
        )
    if name in seen:
        raise CollectionsRefused(
            f"collection-name: {name} -- found duplicate in collection configuration"
        )
    seen.add(name)
    required, most = collection.required_peer_count, collection.maximum_peer_count
    if most < required:
        raise CollectionsRefused(
            f"collection-name: {name} -- maximum peer count ({most}) cannot be less than the "
            f"required peer count ({required})"
        )
    if required < 0:
        raise CollectionsRefused(
            f"collection-name: {name} -- requiredPeerCount ({required}) cannot be less than zero"
        )
    _check_members(collection, channel, must_be_known=True)
    try:
        _check_or(collection.member_orgs_policy.signature_policy.rule, 0)
    except FastledgerError as error:
        raise CollectionsRefused(
            f"collection-name: {name} -- error in member org policy: {error}"
        ) from error


def _check_members(collection: Collection, channel: Channel, *, must_be_known: bool) -> None:
    name = collection.name
    if not collection.HasField("member_orgs_policy"):
        raise CollectionsRefused(f"collection member policy is not set for collection '{name}'")
    if not collection.member_orgs_policy.HasField("signature_policy"):
        raise CollectionsRefused(f"collection member org policy is empty for collection '{name}'")
    for principal in collection.member_orgs_policy.signature_policy.identities:
        kind = principal.principal_classification
        if kind == msp_principal_pb2.MSPPrincipal.ROLE:
            mspid = msp_principal_pb2.MSPRole.FromString(principal.principal).msp_identifier
        elif kind == msp_principal_pb2.MSPPrincipal.ORGANIZATION_UNIT:
            mspid = msp_principal_pb2.OrganizationUnit.FromString(
                principal.principal
            ).msp_identifier
        elif kind == msp_principal_pb2.MSPPrincipal.IDENTITY:
            continue
        else:
            raise CollectionsRefused(
                f"collection-name: {name} -- principal type {kind} is not supported"
            )
        if must_be_known and mspid not in channel.organizations:
            raise CollectionsRefused(
                f"collection-name: {name} -- collection member '{mspid}' is not part of the channel"
            )


def _check_or(rule: policies_pb2.SignaturePolicy, depth: int) -> None:
    if not rule.HasField("n_out_of"):
        return
    if rule.n_out_of.n != 1:
        raise CollectionsRefused(
            f"signature policy is not an OR concatenation, NOutOf {rule.n_out_of.n}"
        )
    if depth >= MAX_POLICY_DEPTH:
        raise CollectionsRefused(f"signature policy is nested deeper than {MAX_POLICY_DEPTH}")
    for inner in rule.n_out_of.rules:
        _check_or(inner, depth + 1)


def _check_continues(proposed: Sequence[Collection], committed: Sequence[Collection]) -> None:
    if not proposed:
        raise CollectionsRefused(
            "the proposed collection config does not contain previously defined collections"
        )
    by_name = {collection.name: collection for collection in proposed}
    for old in committed:
        new = by_name.get(old.name)
        if new is None:
            raise CollectionsRefused(
                f"existing collection [{old.name}] missing in the proposed collection configuration"
            )
        if new.block_to_live != old.block_to_live:
            raise CollectionsRefused(
                f"the BlockToLive in an existing collection [{old.name}] modified. Existing value "
                f"[{old.block_to_live}]"
            )
