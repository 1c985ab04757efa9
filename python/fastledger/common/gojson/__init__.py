# SPDX-License-Identifier: Apache-2.0
"""JSON read as Go's encoding/json reads it, into fields of declared types.

Fabric's commands are written in Go, and the files and arguments of their users are what Go takes:
keys in any letter case, null for "leave it", no number where text is meant, U+FFFD for text that
is no Unicode. Every place that reads JSON of others declares its fields and reads them here.

::

    @dataclass
    class Metadata:
        GO = "persistence.ChaincodePackageMetadata"
        type: Annotated[str, Key("type")] = ""


    gojson.unmarshal(b'{"Type":"golang"}', Metadata).type

A dataclass is a Go struct, ``bytes`` a ``[]byte`` in base64, ``T | None`` a pointer, ``Any`` an
interface. Go's two ways to read are both here: :func:`unmarshal` wants one value and nothing
behind it, :func:`decode` takes the first value and looks no further.
"""

from typing import TypeVar, cast

from fastledger.common.gojson.base64 import Base64Invalid, decode_base64
from fastledger.common.gojson.kinds import Custom, Int32, Int64, Key, UInt64, kind_of
from fastledger.common.gojson.scanner import (
    MAX_NESTING,
    JsonInvalid,
    Number,
    Object,
    read,
    replace_surrogates,
    text_of,
)
from fastledger.common.gojson.trees import float_of, plain, unmarshal_any
from fastledger.common.gojson.writer import marshal, unicode

__all__ = [
    "MAX_NESTING",
    "Base64Invalid",
    "Custom",
    "Int32",
    "Int64",
    "JsonInvalid",
    "Key",
    "Number",
    "Object",
    "UInt64",
    "decode",
    "decode_base64",
    "float_of",
    "marshal",
    "plain",
    "read",
    "replace_surrogates",
    "text_of",
    "unicode",
    "unmarshal",
    "unmarshal_any",
]


_T = TypeVar("_T")


def unmarshal(data: bytes | str, kind: type[_T]) -> _T:
    """Read the one value of a document, as Go's ``json.Unmarshal`` does.

    Args:
        data: The document; text may have the surrogates by which Python keeps odd bytes of a
            command line.
        kind: What it is read into.

    Raises:
        JsonInvalid: It is no JSON, or a value is of another type; in Go's words.
    """
    return cast("_T", kind_of(kind).decode(read(data)))


def decode(data: bytes | str, kind: type[_T]) -> _T:
    """Read the first value of a document, as Go's ``json.Decoder`` does.

    Raises:
        JsonInvalid: As :func:`unmarshal`.
    """
    return cast("_T", kind_of(kind).decode(read(data, first=True)))
