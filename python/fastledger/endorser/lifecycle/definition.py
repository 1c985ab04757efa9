# SPDX-License-Identifier: Apache-2.0
"""A chaincode's definition, and how it is written."""

from dataclasses import dataclass

from google.protobuf.message import DecodeError

from fastledger.common.errors import DefinitionRefused
from fastledger.endorser.lifecycle import serializer
from fastledger.endorser.lifecycle.serializer import ReadableState, Structure
from fastledger.ledger import views
from fastledger.protos.peer import collection_pb2
from fastledger.protos.peer.lifecycle import chaincode_definition_pb2

NAMESPACE = views.LIFECYCLE
NAMESPACES = "namespaces"
SOURCES = "chaincode-sources"

DEFINITION = "ChaincodeDefinition"
PARAMETERS = "ChaincodeParameters"
LOCAL_PACKAGE = "ChaincodeLocalPackage"


@dataclass(slots=True)
class ChaincodeDefinition:
    """What a channel agrees on about a chaincode."""

    sequence: int
    endorsement: chaincode_definition_pb2.ChaincodeEndorsementInfo
    validation: chaincode_definition_pb2.ChaincodeValidationInfo
    collections: collection_pb2.CollectionConfigPackage

    @classmethod
    def committed(cls, found: views.ChaincodeDefinition) -> "ChaincodeDefinition":
        """Take over what the core read of the state."""
        return cls(
            found.sequence,
            chaincode_definition_pb2.ChaincodeEndorsementInfo(
                version=found.version,
                init_required=found.init_required,
                endorsement_plugin=found.endorsement_plugin,
            ),
            chaincode_definition_pb2.ChaincodeValidationInfo(
                validation_plugin=found.validation_plugin,
                validation_parameter=found.validation_parameter,
            ),
            collection_pb2.CollectionConfigPackage.FromString(found.collections),
        )

    def parameters(self) -> Structure:
        """What an organization approves."""
        return {
            "EndorsementInfo": self.endorsement.SerializeToString(deterministic=True),
            "ValidationInfo": self.validation.SerializeToString(deterministic=True),
            "Collections": self.collections.SerializeToString(deterministic=True),
        }

    def structure(self) -> Structure:
        """What is committed."""
        return {"Sequence": self.sequence} | dict(self.parameters())

    def difference(self, other: "ChaincodeDefinition") -> str:
        """Say in which parameter another definition differs first; empty for none."""
        mine, its = self.endorsement, other.endorsement
        my_validation, its_validation = self.validation, other.validation
        compared = (
            ("Version", mine.version, its.version),
            ("EndorsementPlugin", mine.endorsement_plugin, its.endorsement_plugin),
            ("InitRequired", _go(mine.init_required), _go(its.init_required)),
            (
                "ValidationPlugin",
                my_validation.validation_plugin,
                its_validation.validation_plugin,
            ),
            (
                "ValidationParameter",
                my_validation.validation_parameter.hex(),
                its_validation.validation_parameter.hex(),
            ),
        )
        for name, expected, passed in compared:
            if expected != passed:
                return f"expected {name} '{expected}' does not match passed {name} '{passed}'"
        return "" if self.collections == other.collections else "Collections do not match"


def _go(value: bool) -> str:
    return "true" if value else "false"


def private_name(name: str, sequence: int) -> str:
    """Name a definition among an organization's approvals."""
    return f"{name}#{sequence}"


def implicit_collection(mspid: str) -> str:
    """Name an organization's implicit collection."""
    return views.IMPLICIT_PREFIX + mspid


def read_committed(name: str, state: ReadableState) -> ChaincodeDefinition | None:
    """Read the definition that the channel agreed on (``ChaincodeDefinitionIfDefined``).

    For simulations, whose reads are part of the transaction; elsewhere a view of the state says it.

    Raises:
        FastledgerError: There is something else of that name.
    """
    metadata = serializer.read_metadata(NAMESPACES, name, state)
    if metadata is None:
        return None
    if metadata.datatype != DEFINITION:
        raise DefinitionRefused(f"not a chaincode type: {metadata.datatype}")
    return read_definition(name, serializer.read_int(NAMESPACES, name, "Sequence", state), state)


def read_definition(name: str, sequence: int, state: ReadableState) -> ChaincodeDefinition:
    """Read the parameters of a definition, committed or approved."""

    def field(title: str) -> bytes:
        return serializer.read_bytes(NAMESPACES, name, title, state)

    try:
        return ChaincodeDefinition(
            sequence,
            chaincode_definition_pb2.ChaincodeEndorsementInfo.FromString(field("EndorsementInfo")),
            chaincode_definition_pb2.ChaincodeValidationInfo.FromString(field("ValidationInfo")),
            collection_pb2.CollectionConfigPackage.FromString(field("Collections")),
        )
    except DecodeError as error:
        raise DefinitionRefused(
            f"could not deserialize chaincode definition for chaincode {name}: {error}"
        ) from error
