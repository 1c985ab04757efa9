# SPDX-License-Identifier: Apache-2.0
"""Approving, committing and querying definitions (``lifecycle.ExternalFunctions``)."""

from collections.abc import Mapping

from fastledger.common.errors import DefinitionRefused, FastledgerError
from fastledger.endorser.channel import Channel
from fastledger.endorser.lifecycle import serializer
from fastledger.endorser.lifecycle.definition import (
    DEFINITION,
    LOCAL_PACKAGE,
    NAMESPACES,
    PARAMETERS,
    SOURCES,
    ChaincodeDefinition,
    private_name,
    read_definition,
)
from fastledger.endorser.states import PrivateState, PublicState
from fastledger.protos.peer import policy_pb2
from fastledger.protos.peer.lifecycle import lifecycle_pb2

ENDORSEMENT_POLICY = "/Channel/Application/Endorsement"


class NamespaceNotDefined(FastledgerError):
    """A chaincode is not defined: status 404, not 500."""


def set_defaults(channel: Channel, definition: ChaincodeDefinition) -> None:
    """Fill in what a definition leaves open.

    Raises:
        FastledgerError: The channel has no default endorsement policy.
    """
    if not definition.endorsement.endorsement_plugin:
        definition.endorsement.endorsement_plugin = "escc"
    if not definition.validation.validation_plugin:
        definition.validation.validation_plugin = "vscc"
    if definition.validation.validation_parameter:
        return
    if not channel.bundle.has_policy(ENDORSEMENT_POLICY):
        raise DefinitionRefused(
            f"could not set defaults for chaincode definition in channel {channel.id}: policy "
            f"'{ENDORSEMENT_POLICY}' must be defined for channel '{channel.id}' before chaincode "
            "operations can be attempted"
        )
    policy = policy_pb2.ApplicationPolicy(channel_config_policy_reference=ENDORSEMENT_POLICY)
    definition.validation.validation_parameter = policy.SerializeToString(deterministic=True)


def approve(
    channel: Channel,
    name: str,
    definition: ChaincodeDefinition,
    package_id: str,
    public: PublicState,
    own: PrivateState,
) -> None:
    """Approve a definition for an organization (``ApproveChaincodeDefinitionForOrg``).

    Raises:
        FastledgerError: The sequence is not the current or the next one, or nothing would change.
    """
    current = serializer.read_int(NAMESPACES, name, "Sequence", public)
    requested = definition.sequence
    if requested == current == 0:
        raise DefinitionRefused("requested sequence is 0, but first definable sequence number is 1")
    if requested < current:
        raise DefinitionRefused(
            f"currently defined sequence {current} is larger than requested sequence {requested}"
        )
    if requested > current + 1:
        raise DefinitionRefused(
            f"requested sequence {requested} is larger than the next available sequence number "
            f"{current + 1}"
        )
    set_defaults(channel, definition)
    private = private_name(name, requested)
    if requested == current:
        _check_current(name, definition, public)
        if _is_unchanged(private, package_id, definition, own):
            raise DefinitionRefused(
                f"attempted to redefine the current committed sequence ({current}) for namespace "
                f"{name}"
            )
    elif _is_unchanged(private, package_id, definition, own):
        raise DefinitionRefused(
            f"attempted to redefine uncommitted sequence ({requested}) for namespace {name} with "
            "unchanged content"
        )
    serializer.serialize(NAMESPACES, private, PARAMETERS, definition.parameters(), own)
    # An empty id is kept, too: the organization does not run the chaincode.
    serializer.serialize(SOURCES, private, LOCAL_PACKAGE, {"PackageID": package_id}, own)


def _check_current(name: str, definition: ChaincodeDefinition, public: PublicState) -> None:
    sequence = definition.sequence
    if serializer.read_metadata(NAMESPACES, name, public) is None:
        raise DefinitionRefused(
            f"missing metadata for currently committed sequence number ({sequence})"
        )
    serializer.read_int(NAMESPACES, name, "Sequence", public)
    difference = read_definition(name, sequence, public).difference(definition)
    if difference:
        raise DefinitionRefused(
            f"attempted to redefine the current committed sequence ({sequence}) for namespace "
            f"{name} with different parameters: {difference}"
        )


def _is_unchanged(
    private: str, package_id: str, definition: ChaincodeDefinition, own: PrivateState
) -> bool:
    if serializer.read_metadata(NAMESPACES, private, own) is None:
        return False
    if read_definition(private, definition.sequence, own).difference(definition):
        return False
    if serializer.read_metadata(SOURCES, private, own) is None:
        return False
    return serializer.read_string(SOURCES, private, "PackageID", own) == package_id


def approvals(
    name: str, definition: ChaincodeDefinition, states: Mapping[str, PrivateState]
) -> tuple[dict[str, bool], dict[str, list[str]]]:
    """Say which organizations approved a definition, and in what the others' differ."""
    private = private_name(name, definition.sequence)
    approved: dict[str, bool] = {}
    differences: dict[str, list[str]] = {}
    for mspid, state in states.items():
        found = serializer.mismatches(
            NAMESPACES, private, PARAMETERS, definition.parameters(), state
        )
        approved[mspid] = not found
        if found:
            differences[mspid] = found
    return approved, differences


def check_readiness(
    channel: Channel,
    name: str,
    definition: ChaincodeDefinition,
    public: PublicState,
    states: Mapping[str, PrivateState],
) -> tuple[dict[str, bool], dict[str, list[str]]]:
    """Say whether a definition could be committed now (``CheckCommitReadiness``).

    Raises:
        FastledgerError: Its sequence is not the next one.
    """
    current = serializer.read_int(NAMESPACES, name, "Sequence", public)
    if definition.sequence != current + 1:
        raise DefinitionRefused(
            f"requested sequence is {definition.sequence}, but new definition must be sequence "
            f"{current + 1}"
        )
    set_defaults(channel, definition)
    return approvals(name, definition, states)


def commit(name: str, definition: ChaincodeDefinition, public: PublicState) -> None:
    """Write a definition into the public state."""
    serializer.serialize(NAMESPACES, name, DEFINITION, definition.structure(), public)


def query_committed(name: str, public: PublicState) -> ChaincodeDefinition:
    """Read a committed definition.

    Raises:
        NamespaceNotDefined: There is none.
    """
    metadata = serializer.read_metadata(NAMESPACES, name, public)
    if metadata is None:
        raise NamespaceNotDefined(f"namespace {name} is not defined")
    if metadata.datatype != DEFINITION:
        raise DefinitionRefused(
            f"could not deserialize namespace {name} as chaincode: type name mismatch "
            f"'{DEFINITION}' != '{metadata.datatype}'"
        )
    sequence = serializer.read_int(NAMESPACES, name, "Sequence", public)
    return read_definition(name, sequence, public)


def query_approved(
    channel_id: str, name: str, sequence: int, public: PublicState, own: PrivateState
) -> tuple[ChaincodeDefinition, lifecycle_pb2.ChaincodeSource]:
    """Read what an organization approved, by default the newest.

    Raises:
        FastledgerError: Nothing, or not that.
    """
    if not sequence:
        sequence = serializer.read_int(NAMESPACES, name, "Sequence", public)
        following = private_name(name, sequence + 1)
        if serializer.read_metadata(NAMESPACES, following, own) is not None:
            sequence += 1
    private = private_name(name, sequence)
    metadata = serializer.read_metadata(NAMESPACES, private, own)
    if metadata is None:
        raise DefinitionRefused(
            f"could not fetch approved chaincode definition (name: '{name}', sequence: "
            f"'{sequence}') on channel '{channel_id}'"
        )
    return read_approved(private, sequence, metadata.datatype, own)


def read_approved(
    private: str, sequence: int, datatype: str, own: PrivateState
) -> tuple[ChaincodeDefinition, lifecycle_pb2.ChaincodeSource]:
    """Read one approval and where its chaincode comes from."""
    if datatype != PARAMETERS:
        raise DefinitionRefused(f"not a chaincode parameters type: {datatype}")
    definition = read_definition(private, sequence, own)
    metadata = serializer.read_metadata(SOURCES, private, own)
    if metadata is None:
        raise DefinitionRefused(f"could not fetch chaincode-source metadata for {private}")
    if metadata.datatype != LOCAL_PACKAGE:
        raise DefinitionRefused(f"not a chaincode local package type: {metadata.datatype}")
    package_id = serializer.read_string(SOURCES, private, "PackageID", own)
    source = lifecycle_pb2.ChaincodeSource()
    if package_id:
        source.local_package.package_id = package_id
    else:
        source.unavailable.SetInParent()
    return definition, source
