# SPDX-License-Identifier: Apache-2.0
"""``metadata.json`` of a chaincode package, as Fabric's peer reads it."""

from dataclasses import dataclass

from fastledger.common import gojson
from fastledger.common.errors import InputError
from fastledger.common.gojson import JsonInvalid

METADATA_FILE = "metadata.json"


@dataclass
class PackageMetadata:
    """What a package says of itself; empty where it says nothing."""

    GO = "persistence.ChaincodePackageMetadata"

    type: str = ""
    path: str = ""
    label: str = ""


def parse_metadata(data: bytes) -> PackageMetadata:
    """Read the content of ``metadata.json``.

    Raises:
        InputError: It is no JSON, or a value is no text.
    """
    try:
        return gojson.unmarshal(data, PackageMetadata)
    except JsonInvalid as error:
        raise InputError(f"could not unmarshal {METADATA_FILE} as json: {error}") from error
