# SPDX-License-Identifier: Apache-2.0
"""Arguments of several commands: constructor JSON, transient maps, policies, collections."""

import base64
import binascii
import json
from pathlib import Path
from typing import Any

from fastledger.cli.peer.cobra import UsageFailed
from fastledger.common.errors import InputError
from fastledger.policies import from_string
from fastledger.protos.peer.collection_pb2 import (
    CollectionConfig,
    CollectionConfigPackage,
    CollectionPolicyConfig,
    StaticCollectionConfig,
)
from fastledger.protos.peer.policy_pb2 import ApplicationPolicy

_KEYS = "chaincode parameters must contain the following keys: 'Args' or 'Function' and 'Args'"


def chaincode_args(ctor: str) -> list[bytes]:
    """Return the arguments of ``-c``: ``{"Args":["f","a"]}`` or ``{"Function":"f","Args":[]}``.

    Raises:
        UsageFailed: It is no such JSON.
    """
    if ctor == "{}":
        raise UsageFailed(f"empty JSON {_KEYS}")
    try:
        values = json.loads(ctor)
    except ValueError as error:
        raise UsageFailed(f"chaincode argument error: {_go_json_error(error, ctor)}") from error
    if not isinstance(values, dict):
        raise UsageFailed(f"non-empty JSON {_KEYS}")
    lower = {key.lower(): value for key, value in values.items()}
    if "args" not in lower or len(values) > 2 or (len(values) == 2 and "function" not in lower):
        raise UsageFailed(f"non-empty JSON {_KEYS}")
    args = lower["args"] or []
    function = lower.get("function") or ""
    if not isinstance(args, list) or not all(isinstance(a, str) for a in [*args, function]):
        raise UsageFailed("chaincode argument error: all of Args must be strings")
    return [text.encode() for text in ([function] if function else []) + args]


def _go_json_error(error: ValueError, text: str) -> str:
    position = getattr(error, "pos", 0)
    return "unexpected end of JSON input" if position >= len(text.rstrip()) else str(error)


def transient_map(text: str) -> dict[str, bytes]:
    """Return ``--transient``: a JSON object of base64 values.

    Raises:
        InputError: It is no such JSON.
    """
    if not text:
        return {}
    try:
        values = json.loads(text)
        return {key: base64.b64decode(value, validate=True) for key, value in values.items()}
    except (ValueError, TypeError, AttributeError, binascii.Error) as error:
        raise InputError(f"error parsing transient string: {error}") from error


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
        entries = json.loads(Path(file).read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{where}: could not read file '{file}': {error.strerror}") from error
    except ValueError as error:
        raise InputError(
            f"{where}: could not parse the collection configuration: {error}"
        ) from None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InputError(f"{where}: it must be a JSON list of objects")
    try:
        return CollectionConfigPackage(config=[_collection(entry) for entry in entries])
    except (TypeError, ValueError, KeyError, InputError) as error:
        raise InputError(f"{where}: {error}") from error


def _collection(entry: dict[str, Any]) -> CollectionConfig:
    config = StaticCollectionConfig(
        name=entry["name"],
        member_orgs_policy=CollectionPolicyConfig(signature_policy=from_string(entry["policy"])),
        required_peer_count=entry.get("requiredPeerCount", 0),
        maximum_peer_count=entry.get("maxPeerCount", 1),
        block_to_live=entry.get("blockToLive", 0),
        member_only_read=entry.get("memberOnlyRead", False),
        member_only_write=entry.get("memberOnlyWrite", False),
    )
    policy = entry.get("endorsementPolicy")
    if policy:
        encoded = application_policy(
            policy.get("signaturePolicy", ""), policy.get("channelConfigPolicy", "")
        )
        config.endorsement_policy.ParseFromString(encoded)
    return CollectionConfig(static_collection_config=config)
