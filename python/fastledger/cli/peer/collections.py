# SPDX-License-Identifier: Apache-2.0
"""The policies of a chaincode, and ``--collections-config``: its private data, in a JSON file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastledger.common import gojson
from fastledger.common.errors import InputError
from fastledger.common.gojson import Int32, JsonInvalid, Key, UInt64
from fastledger.policies import from_string
from fastledger.protos.peer.collection_pb2 import (
    CollectionConfig,
    CollectionConfigPackage,
    CollectionPolicyConfig,
    StaticCollectionConfig,
)
from fastledger.protos.peer.policy_pb2 import ApplicationPolicy


@dataclass
class _EndorsementPolicy:
    GO = "chaincode.endorsementPolicy"

    channel_config_policy: Annotated[str, Key("channelConfigPolicy")] = ""
    signature_policy: Annotated[str, Key("signaturePolicy")] = ""


@dataclass
class _Collection:
    GO = "chaincode.collectionConfigJson"

    name: str = ""
    policy: str = ""
    required_peer_count: Annotated[Int32 | None, Key("requiredPeerCount")] = None
    max_peer_count: Annotated[Int32 | None, Key("maxPeerCount")] = None
    block_to_live: Annotated[UInt64, Key("blockToLive")] = 0
    member_only_read: Annotated[bool, Key("memberOnlyRead")] = False
    member_only_write: Annotated[bool, Key("memberOnlyWrite")] = False
    endorsement_policy: Annotated[_EndorsementPolicy | None, Key("endorsementPolicy")] = None


def application_policy(signature_policy: str, reference: str) -> bytes:
    """Return the bytes of an ApplicationPolicy; empty when neither is given.

    Raises:
        InputError: Both are given, or the signature policy cannot be read.
    """
    if signature_policy and reference:
        raise InputError('cannot specify both "--signature-policy" and "--channel-config-policy"')
    if signature_policy:
        try:
            envelope = from_string(signature_policy)
        except InputError as error:
            raise InputError(f"invalid signature policy: {signature_policy}: {error}") from error
        return ApplicationPolicy(signature_policy=envelope).SerializeToString()
    if reference:
        return ApplicationPolicy(channel_config_policy_reference=reference).SerializeToString()
    return b""


def collections(file: str) -> CollectionConfigPackage | None:
    """Read the JSON of ``--collections-config``.

    Raises:
        InputError: It cannot be read, or is no list of collections.
    """
    if not file:
        return None
    where = f"invalid collection configuration in file {file}"
    try:
        entries = gojson.unmarshal(Path(file).read_bytes(), list[_Collection])
    except OSError as error:
        raise InputError(f"{where}: could not read file '{file}': {error.strerror}") from error
    except JsonInvalid as error:
        raise InputError(
            f"{where}: could not parse the collection configuration: {error}"
        ) from error
    configs = []
    for number, entry in enumerate(entries, start=1):
        try:
            configs.append(CollectionConfig(static_collection_config=_static(entry)))
        except InputError as error:
            raise InputError(f"{where}: collection {number} ({entry.name!r}): {error}") from error
    return CollectionConfigPackage(config=configs)


def _static(entry: _Collection) -> StaticCollectionConfig:
    try:
        members = from_string(entry.policy)
    except InputError as error:
        raise InputError(f"invalid policy {entry.policy}: {error}") from error
    config = StaticCollectionConfig(
        name=entry.name,
        member_orgs_policy=CollectionPolicyConfig(signature_policy=members),
        required_peer_count=entry.required_peer_count or 0,
        maximum_peer_count=1 if entry.max_peer_count is None else entry.max_peer_count,
        block_to_live=entry.block_to_live,
        member_only_read=entry.member_only_read,
        member_only_write=entry.member_only_write,
    )
    if entry.endorsement_policy is not None:
        given = entry.endorsement_policy
        try:
            encoded = application_policy(given.signature_policy, given.channel_config_policy)
        except InputError as error:
            raise InputError(f"invalid endorsement policy: {error}") from error
        if encoded:
            config.endorsement_policy.ParseFromString(encoded)
    return config
