# SPDX-License-Identifier: Apache-2.0
"""The system chaincode ``_lifecycle`` (``lifecycle/scc.go``): a message in, a message out."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError, Message

from fastledger.chaincode.context import TransactionContext
from fastledger.common.errors import FastledgerError, InvocationRefused
from fastledger.endorser import response
from fastledger.endorser.acl import AclProvider
from fastledger.endorser.channel import Channel, Channels
from fastledger.endorser.definitions import Definitions, read_legacy
from fastledger.endorser.installer import Installer
from fastledger.endorser.lifecycle import functions, serializer
from fastledger.endorser.lifecycle.definition import (
    DEFINITION,
    NAMESPACE,
    NAMESPACES,
    ChaincodeDefinition,
    implicit_collection,
    read_committed,
)
from fastledger.endorser.packages import PackageMissing, PackageStore
from fastledger.endorser.services import Outcome
from fastledger.endorser.states import PrivateState, PublicState
from fastledger.endorser.syscc import collections
from fastledger.endorser.syscc.call import signed, simulator_of, text
from fastledger.protos.peer import collection_pb2
from fastledger.protos.peer.lifecycle import chaincode_definition_pb2
from fastledger.protos.peer.lifecycle import lifecycle_pb2 as pb

NAME = re.compile(r"[a-zA-Z0-9]+([-_][a-zA-Z0-9]+)*")
VERSION = re.compile(r"[A-Za-z0-9_.+-]+")
_RESERVED = ("cscc", "escc", "lscc", "qscc", "vscc")


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call."""

    context: TransactionContext
    channel: Channel | None

    @property
    def on(self) -> Channel:
        """The channel that is meant."""
        if self.channel is None:
            raise InvocationRefused("no application config for channel ''")
        return self.channel

    @property
    def public(self) -> PublicState:
        """The committed definitions."""
        return PublicState(simulator_of(self.context), NAMESPACE)

    def approvals(self, mspid: str) -> PrivateState:
        """An organization's approvals."""
        return PrivateState(simulator_of(self.context), NAMESPACE, implicit_collection(mspid))

    def all_approvals(self) -> dict[str, PrivateState]:
        """Every organization's approvals."""
        return {mspid: self.approvals(mspid) for mspid in self.on.organizations}


class LifecycleScc:
    """The lifecycle of 2.0 and later on one peer."""

    def __init__(
        self,
        channels: Channels,
        acl: AclProvider,
        packages: PackageStore,
        definitions: Definitions,
        mspid: str,
        installer: Installer,
    ) -> None:
        """Serve the peer of an organization."""
        self._channels = channels
        self._acl = acl
        self._packages = packages
        self._definitions = definitions
        self._mspid = mspid
        self._installer = installer
        self._functions: dict[str, tuple[type[Message], Callable[..., Awaitable[Message]]]] = {
            "InstallChaincode": (pb.InstallChaincodeArgs, self._install),
            "QueryInstalledChaincode": (pb.QueryInstalledChaincodeArgs, self._query_installed),
            "QueryInstalledChaincodes": (pb.QueryInstalledChaincodesArgs, self._list_installed),
            "GetInstalledChaincodePackage": (pb.GetInstalledChaincodePackageArgs, self._package),
            "ApproveChaincodeDefinitionForMyOrg": (
                pb.ApproveChaincodeDefinitionForMyOrgArgs,
                self._approve,
            ),
            "QueryApprovedChaincodeDefinition": (
                pb.QueryApprovedChaincodeDefinitionArgs,
                self._query_approved,
            ),
            "QueryApprovedChaincodeDefinitions": (
                pb.QueryApprovedChaincodeDefinitionsArgs,
                self._list_approved,
            ),
            "CheckCommitReadiness": (pb.CheckCommitReadinessArgs, self._check_readiness),
            "CommitChaincodeDefinition": (pb.CommitChaincodeDefinitionArgs, self._commit),
            "QueryChaincodeDefinition": (pb.QueryChaincodeDefinitionArgs, self._query_committed),
            "QueryChaincodeDefinitions": (pb.QueryChaincodeDefinitionsArgs, self._list_committed),
        }

    async def invoke(self, context: TransactionContext, args: list[bytes]) -> Outcome:
        """Do one thing."""
        if not args:
            return response.failure("lifecycle scc must be invoked with arguments"), None
        if len(args) != 2:
            return response.failure(
                f"lifecycle scc operations require exactly two arguments but received {len(args)}"
            ), None
        channel = self._channels.channel(context.channel_id) if context.channel_id else None
        if channel is not None and not channel.has_lifecycle:
            return response.failure(
                f"cannot use new lifecycle for channel '{channel.id}' as it does not have the "
                "required capabilities enabled"
            ), None
        name = text(args[0])
        try:
            self._acl.check(f"{NAMESPACE}/{name}", context.channel_id, signed(context))
        except FastledgerError as error:
            return response.failure(
                f"Failed to authorize invocation due to failed ACL check: {error}"
            ), None
        try:
            answer = await self._dispatch(Invocation(context, channel), name, args[1])
        except functions.NamespaceNotDefined as error:
            return response.failure(str(error), 404), None
        except (FastledgerError, DecodeError) as error:
            return response.failure(
                f"failed to invoke backing implementation of '{name}': {error}"
            ), None
        return response.success(answer.SerializeToString(deterministic=True)), None

    async def _dispatch(self, invocation: Invocation, name: str, argument: bytes) -> Message:
        found = self._functions.get(name)
        if found is None:
            raise InvocationRefused(f"receiver *lifecycle.Invocation.{name} does not exist")
        kind, function = found
        try:
            message = kind.FromString(argument)
        except DecodeError as error:
            raise InvocationRefused(
                f"could not decode input arg for *lifecycle.Invocation.{name}: {error}"
            ) from error
        return await function(invocation, message)

    # What is installed.

    async def _install(self, _: Invocation, args: pb.InstallChaincodeArgs) -> Message:
        package_id, label = await self._installer.install(args.chaincode_install_package)
        return pb.InstallChaincodeResult(label=label, package_id=package_id)

    async def _query_installed(
        self, _: Invocation, args: pb.QueryInstalledChaincodeArgs
    ) -> Message:
        for package_id, label in self._packages.installed():
            if package_id == args.package_id:
                result = pb.QueryInstalledChaincodeResult(package_id=package_id, label=label)
                for channel_id, name, version in self._references(package_id):
                    result.references[channel_id].chaincodes.add(name=name, version=version)
                return result
        raise PackageMissing(f"could not find chaincode with package id '{args.package_id}'")

    async def _list_installed(self, _: Invocation, __: Message) -> Message:
        result = pb.QueryInstalledChaincodesResult()
        for package_id, label in self._packages.installed():
            one = result.installed_chaincodes.add(package_id=package_id, label=label)
            for channel_id, name, version in self._references(package_id):
                one.references[channel_id].chaincodes.add(name=name, version=version)
        return result

    def _references(self, package_id: str) -> list[tuple[str, str, str]]:
        """Channels, names and versions that a package is committed and approved for."""
        found = []
        for channel_id in self._channels.channel_ids():
            channel = self._channels.channel(channel_id)
            if channel is not None and channel.has_lifecycle:
                for name, definition in self._definitions.approved(channel):
                    if definition.ccid == package_id:
                        found.append((channel_id, name, definition.version))
        return found

    async def _package(self, _: Invocation, args: pb.GetInstalledChaincodePackageArgs) -> Message:
        try:
            content = await asyncio.to_thread(self._packages.load, args.package_id)
        except PackageMissing as error:
            raise PackageMissing(f"could not load cc install package: {error}") from error
        return pb.GetInstalledChaincodePackageResult(chaincode_install_package=content)

    # What is approved.

    async def _approve(
        self, invocation: Invocation, args: pb.ApproveChaincodeDefinitionForMyOrgArgs
    ) -> Message:
        self._check(invocation, args.name, args.version, args.collections)
        functions.approve(
            invocation.on,
            args.name,
            _definition(args),
            args.source.local_package.package_id,
            invocation.public,
            invocation.approvals(self._mspid),
        )
        return pb.ApproveChaincodeDefinitionForMyOrgResult()

    async def _query_approved(
        self, invocation: Invocation, args: pb.QueryApprovedChaincodeDefinitionArgs
    ) -> Message:
        definition, source = functions.query_approved(
            invocation.on.id,
            args.name,
            args.sequence,
            invocation.public,
            invocation.approvals(self._mspid),
        )
        return pb.QueryApprovedChaincodeDefinitionResult(**_fields(definition), source=source)

    async def _list_approved(self, invocation: Invocation, _: Message) -> Message:
        own = invocation.approvals(self._mspid)
        result = pb.QueryApprovedChaincodeDefinitionsResult()
        for private, metadata in serializer.read_all_metadata(NAMESPACES, own).items():
            name, _hash, sequence = private.partition("#")
            if not sequence.isdigit():
                raise InvocationRefused(f"invalid private name format: {private}")
            definition, source = functions.read_approved(
                private, int(sequence), metadata.datatype, own
            )
            result.approved_chaincode_definitions.add(
                name=name, **_fields(definition), source=source
            )
        return result

    # What is committed.

    async def _check_readiness(
        self, invocation: Invocation, args: pb.CheckCommitReadinessArgs
    ) -> Message:
        approved, differences = functions.check_readiness(
            invocation.on,
            args.name,
            _definition(args),
            invocation.public,
            invocation.all_approvals(),
        )
        result = pb.CheckCommitReadinessResult(approvals=approved)
        for mspid, items in differences.items():
            result.mismatches[mspid].items.extend(items)
        return result

    async def _commit(
        self, invocation: Invocation, args: pb.CommitChaincodeDefinitionArgs
    ) -> Message:
        self._check(invocation, args.name, args.version, args.collections)
        if self._mspid not in invocation.on.organizations:
            raise InvocationRefused(
                "impossibly, this peer's org is processing requests for a channel it is not a "
                "member of"
            )
        definition = _definition(args)
        approved, _ = functions.check_readiness(
            invocation.on, args.name, definition, invocation.public, invocation.all_approvals()
        )
        functions.commit(args.name, definition, invocation.public)
        if not approved[self._mspid]:
            raise InvocationRefused(
                f"chaincode definition not agreed to by this org ({self._mspid})"
            )
        return pb.CommitChaincodeDefinitionResult()

    async def _query_committed(
        self, invocation: Invocation, args: pb.QueryChaincodeDefinitionArgs
    ) -> Message:
        definition = functions.query_committed(args.name, invocation.public)
        approved, _ = functions.approvals(args.name, definition, invocation.all_approvals())
        return pb.QueryChaincodeDefinitionResult(**_fields(definition), approvals=approved)

    async def _list_committed(self, invocation: Invocation, _: Message) -> Message:
        public = invocation.public
        result = pb.QueryChaincodeDefinitionsResult()
        for name, metadata in serializer.read_all_metadata(NAMESPACES, public).items():
            if metadata.datatype == DEFINITION:
                definition = functions.query_committed(name, public)
                result.chaincode_definitions.add(name=name, **_fields(definition))
        return result

    def _check(
        self,
        invocation: Invocation,
        name: str,
        version: str,
        package: collection_pb2.CollectionConfigPackage,
    ) -> None:
        try:
            _check_names(name, version)
            collections.check(package, self._committed(invocation, name), invocation.on)
        except FastledgerError as error:
            raise InvocationRefused(f"error validating chaincode definition: {error}") from error

    def _committed(
        self, invocation: Invocation, name: str
    ) -> collection_pb2.CollectionConfigPackage | None:
        """Collections of the committed definition, whichever lifecycle made it."""
        committed = read_committed(name, invocation.public)
        if committed is not None:
            return committed.collections
        simulator = simulator_of(invocation.context)
        if read_legacy(name, simulator) is None:
            return None
        encoded = simulator.get_state("lscc", f"{name}~collection")
        if encoded is None:
            return None
        return collection_pb2.CollectionConfigPackage.FromString(encoded)


def _check_names(name: str, version: str) -> None:
    if not NAME.fullmatch(name):
        raise InvocationRefused(
            f"invalid chaincode name '{name}'. Names can only consist of alphanumerics, '_', and "
            "'-' and can only begin with alphanumerics"
        )
    if name in _RESERVED:
        raise InvocationRefused(f"chaincode name '{name}' is the name of a system chaincode")
    if not VERSION.fullmatch(version):
        raise InvocationRefused(
            f"invalid chaincode version '{version}'. Versions can only consist of alphanumerics, "
            "'_', '-', '+', and '.'"
        )


def _definition(args: Any) -> ChaincodeDefinition:
    """Read the definition out of any of the messages that have its fields."""
    return ChaincodeDefinition(
        args.sequence,
        chaincode_definition_pb2.ChaincodeEndorsementInfo(
            version=args.version,
            init_required=args.init_required,
            endorsement_plugin=args.endorsement_plugin,
        ),
        chaincode_definition_pb2.ChaincodeValidationInfo(
            validation_plugin=args.validation_plugin,
            validation_parameter=args.validation_parameter,
        ),
        collection_pb2.CollectionConfigPackage(config=args.collections.config),
    )


def _fields(definition: ChaincodeDefinition) -> dict[str, Any]:
    """Spread a definition over the fields that every answer has."""
    return {
        "sequence": definition.sequence,
        "version": definition.endorsement.version,
        "endorsement_plugin": definition.endorsement.endorsement_plugin,
        "validation_plugin": definition.validation.validation_plugin,
        "validation_parameter": definition.validation.validation_parameter,
        "init_required": definition.endorsement.init_required,
        "collections": definition.collections,
    }
