# SPDX-License-Identifier: Apache-2.0
"""Arguments of several commands: constructor JSON, transient maps, policies, collections."""

from dataclasses import dataclass, field
from typing import Annotated, Any

from fastledger.cli.peer.cobra import UsageFailed
from fastledger.cli.peer.collections import application_policy, collections
from fastledger.common import gojson
from fastledger.common.errors import InputError
from fastledger.common.gojson import JsonInvalid, Key

__all__ = ["application_policy", "chaincode_args", "collections", "transient_map"]

_KEYS = "chaincode parameters must contain the following keys: 'Args' or 'Function' and 'Args'"


@dataclass
class _Input:
    function: Annotated[str, Key("Function")] = ""
    args: Annotated[list[str], Key("Args")] = field(default_factory=list)


def chaincode_args(ctor: str) -> list[bytes]:
    """Return the arguments of ``-c``: ``{"Args":["f","a"]}`` or ``{"Function":"f","Args":[]}``.

    Raises:
        UsageFailed: It lacks what it must have, or is no JSON.
        InputError: What it has is no text.
    """
    if ctor == "{}":
        raise UsageFailed(f"empty JSON {_KEYS}")
    try:
        values = gojson.unmarshal_any(ctor)
    except JsonInvalid as error:
        raise UsageFailed(f"chaincode argument error: {error}") from error
    if not isinstance(values, dict) or not _has_its_keys(values):
        raise UsageFailed(f"non-empty JSON {_KEYS}")
    try:
        given = gojson.unmarshal(ctor, _Input)
    except JsonInvalid as error:
        raise InputError(f"chaincode argument error: {error}") from error
    function = [given.function] if given.function else []
    return [text.encode() for text in function + given.args]


def _has_its_keys(values: dict[str, Any]) -> bool:
    # One letter for each letter, as Go has it.
    keys = {"".join(letter.lower()[0] for letter in key) for key in values}
    return "args" in keys and (len(values) == 1 or (len(values) == 2 and "function" in keys))


def transient_map(text: str) -> dict[str, bytes]:
    """Return ``--transient``: a JSON object of base64 values.

    Raises:
        InputError: It is no such JSON.
    """
    if not text:
        return {}
    try:
        return gojson.unmarshal(text, dict[str, bytes])
    except JsonInvalid as error:
        raise InputError(f"error parsing transient string: {error}") from error
