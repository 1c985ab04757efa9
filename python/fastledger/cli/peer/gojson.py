# SPDX-License-Identifier: Apache-2.0
"""Messages as Go's encoding/json prints them: what ``--output json`` shows.

Field names are the proto file's, zero values are left out, bytes are base64, maps are sorted, and a
oneof is an object of its Go name.
"""

import base64
from typing import Any

from google.protobuf.message import Message

from fastledger.common import gojson


def dumps(message: Message) -> str:
    """Return the JSON, indented by tabs."""
    return gojson.marshal(_message(message), indent="\t", sort_keys=False)


def _message(message: Message) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for field in message.DESCRIPTOR.fields:
        oneof = field.containing_oneof
        if oneof is None:
            value = _field(message, field)
            if value is not None:
                shown[field.name] = value
        elif _go_name(oneof.name) not in shown:
            chosen = message.WhichOneof(oneof.name)
            shown[_go_name(oneof.name)] = _chosen(message, chosen) if chosen else None
    return shown


def _chosen(message: Message, name: str) -> dict[str, Any]:
    return {_go_name(name): _one(getattr(message, name))}


def _field(message: Message, field: Any) -> Any:
    value = getattr(message, field.name)
    if field.is_repeated:
        if not value:
            return None
        if hasattr(value, "keys"):
            return {str(key): _one(value[key]) for key in sorted(value)}
        return [_one(entry) for entry in value]
    if isinstance(value, Message):
        return _message(value) if message.HasField(field.name) else None
    return _one(value) if value else None


def _one(value: Any) -> Any:
    if isinstance(value, Message):
        return _message(value)
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _go_name(name: str) -> str:
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))
