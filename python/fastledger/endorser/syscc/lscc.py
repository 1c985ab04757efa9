# SPDX-License-Identifier: Apache-2.0
"""The chaincode lifecycle of 1.x (``core/scc/lscc``): its state is namespace ``lscc``."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping

from google.protobuf.message import DecodeError

from fastledger.chaincode.context import TransactionContext
from fastledger.common.errors import (
    FastledgerError,
    InputError,
    InvocationRefused,
    PolicyUnsatisfied,
)
from fastledger.endorser import response
from fastledger.endorser.acl import AclProvider
from fastledger.endorser.channel import Channel, Channels
from fastledger.endorser.definitions import (
    COLLECTIONS_SUFFIX,
    SYSTEM_CHAINCODES,
    Definitions,
    read_legacy,
)
from fastledger.endorser.installer import Installer
from fastledger.endorser.packages import (
    LegacyPackage,
    PackageMissing,
    PackageStore,
    parse_legacy,
)
from fastledger.endorser.services import Outcome
from fastledger.endorser.syscc.call import signed, simulator_of, text
from fastledger.endorser.syscc.collections import check_legacy
from fastledger.ledger.simulator import TxSimulator
from fastledger.policies import n_out_of_role
from fastledger.protos.core import ccprovider_pb2
from fastledger.protos.peer import chaincode_event_pb2, chaincode_pb2, query_pb2
from fastledger.protos.peer import proposal_response_pb2 as pb
from fastledger.protoutil.signed_data import SignedData

NAME = re.compile(r"[a-zA-Z0-9]+([-_][a-zA-Z0-9]+)*")
VERSION = re.compile(r"[A-Za-z0-9_.+-]+")

_RESERVED = (*SYSTEM_CHAINCODES, "escc", "vscc")
_QUERIES = {
    "getid": "lscc/ChaincodeExists",
    "ChaincodeExists": "lscc/ChaincodeExists",
    "getdepspec": "lscc/GetDeploymentSpec",
    "GetDeploymentSpec": "lscc/GetDeploymentSpec",
    "getccdata": "lscc/GetChaincodeData",
    "GetChaincodeData": "lscc/GetChaincodeData",
}


class Lscc:
    """The lifecycle system chaincode of 1.x."""

    def __init__(
        self,
        channels: Channels,
        acl: AclProvider,
        packages: PackageStore,
        definitions: Definitions,
        installer: Installer,
    ) -> None:
        """Serve a peer with its packages."""
        self._channels = channels
        self._acl = acl
        self._packages = packages
        self._definitions = definitions
        self._installer = installer
        self._functions: Mapping[
            str, Callable[[TransactionContext, str, list[bytes]], Awaitable[Outcome]]
        ] = {
            "install": self._install,
            "deploy": self._deploy,
            "upgrade": self._deploy,
            "getchaincodes": self._instantiated,
            "GetChaincodes": self._instantiated,
            "getinstalledchaincodes": self._installed,
            "GetInstalledChaincodes": self._installed,
            "GetCollectionsConfig": self._collections,
            "getcollectionsconfig": self._collections,
        } | dict.fromkeys(_QUERIES, self._query)

    async def invoke(self, context: TransactionContext, args: list[bytes]) -> Outcome:
        """Do one thing."""
        if not args:
            return _wrong_count(args), None
        name = text(args[0])
        function = self._functions.get(name)
        if function is None:
            return response.failure(f"invalid function to lscc: {name}"), None
        try:
            return await function(context, name, args)
        except FastledgerError as error:
            return response.failure(str(error)), None

    async def _install(
        self, context: TransactionContext, function: str, args: list[bytes]
    ) -> Outcome:
        if len(args) < 2:
            return _wrong_count(args), None
        self._check("lscc/Install", "", context, f"access denied for [{function}]")
        try:
            package = await asyncio.to_thread(parse_legacy, args[1])
        except InputError as error:
            raise InvocationRefused(
                "could not unmarshal chaincode package to CDS or SignedCDS"
            ) from error
        _check_name(package.name)
        _check_version(package.version)
        if package.name in _RESERVED:
            raise InvocationRefused(
                f"cannot install: {package.name} is the name of a system chaincode"
            )
        await self._installer.install_legacy(package)
        return response.success(b"OK"), None

    async def _deploy(
        self, context: TransactionContext, function: str, args: list[bytes]
    ) -> Outcome:
        if len(args) < 3:
            return _wrong_count(args), None
        channel = self._channel(text(args[1]))
        if channel.has_lifecycle:
            raise InvocationRefused(
                f"Channel '{channel.id}' has been migrated to the new lifecycle, LSCC is now "
                "read-only"
            )
        if not channel.capabilities.private_channel_data and len(args) > 6:
            raise InvocationRefused(
                "as V1_2 or later capability is not enabled, private channel collections and data "
                "are not available"
            )
        if len(args) > 7:
            return _wrong_count(args), None
        try:
            spec = chaincode_pb2.ChaincodeDeploymentSpec.FromString(args[2])
        except DecodeError as error:
            raise InvocationRefused(
                f"error unmarshalling ChaincodeDeploymentSpec: {error}"
            ) from error
        given = dict(enumerate(args))
        policy = given.get(3) or n_out_of_role(
            1, "member", channel.organizations
        ).SerializeToString(deterministic=True)
        data = self._prepare(channel, spec)
        data.escc = text(given.get(4) or b"escc")
        data.vscc = text(given.get(5) or b"vscc")
        data.policy = policy
        simulator = simulator_of(context)
        if function == "deploy":
            self._instantiate(channel, context, simulator, data)
        else:
            self._upgrade(channel, context, simulator, data)
        if 6 in given and args[6]:
            check_legacy(args[6], data.name, data.version, channel)
            simulator.set_state("lscc", data.name + COLLECTIONS_SUFFIX, args[6])
        event = None
        if function == "upgrade":
            payload = chaincode_pb2.LifecycleEvent(chaincode_name=data.name).SerializeToString(
                deterministic=True
            )
            event = chaincode_event_pb2.ChaincodeEvent(
                chaincode_id="lscc", tx_id=context.tx_id, event_name="upgrade", payload=payload
            )
        return response.success(data.SerializeToString(deterministic=True)), event

    def _prepare(
        self, channel: Channel, spec: chaincode_pb2.ChaincodeDeploymentSpec
    ) -> ccprovider_pb2.ChaincodeData:
        chaincode = spec.chaincode_spec.chaincode_id
        _check_name(chaincode.name)
        _check_version(chaincode.version)
        try:
            package = self._packages.legacy(chaincode.name, chaincode.version)
        except PackageMissing as error:
            raise InvocationRefused(
                f"cannot get package for chaincode ({chaincode.name}:{chaincode.version})"
            ) from error
        return ccprovider_pb2.ChaincodeData(
            name=package.name,
            version=package.version,
            data=package.data,
            id=package.id,
            instantiation_policy=_instantiation_policy(package, channel),
        )

    def _instantiate(
        self,
        channel: Channel,
        context: TransactionContext,
        simulator: TxSimulator,
        data: ccprovider_pb2.ChaincodeData,
    ) -> None:
        if simulator.get_state("lscc", data.name) is not None:
            raise InvocationRefused(f"chaincode with name '{data.name}' already exists")
        _check_instantiation(channel, data.instantiation_policy, signed(context))
        simulator.set_state("lscc", data.name, data.SerializeToString(deterministic=True))

    def _upgrade(
        self,
        channel: Channel,
        context: TransactionContext,
        simulator: TxSimulator,
        data: ccprovider_pb2.ChaincodeData,
    ) -> None:
        current = read_legacy(data.name, simulator)
        if current is None:
            raise InvocationRefused(f"could not find chaincode with name '{data.name}'")
        if current.version == data.version:
            raise InvocationRefused(f"version already exists for chaincode with name '{data.name}'")
        if not current.instantiation_policy:
            raise InvocationRefused("instantiation policy missing")
        creator = signed(context)
        _check_instantiation(channel, current.instantiation_policy, creator)
        _check_instantiation(channel, data.instantiation_policy, creator)
        simulator.set_state("lscc", data.name, data.SerializeToString(deterministic=True))

    async def _query(
        self, context: TransactionContext, function: str, args: list[bytes]
    ) -> Outcome:
        if len(args) != 3:
            return _wrong_count(args), None
        channel_id, name = text(args[1]), text(args[2])
        resource = _QUERIES[function]
        self._check(resource, channel_id, context, f"access denied for [{function}][{channel_id}]")
        simulator = simulator_of(context)
        encoded = simulator.get_state("lscc", name)
        if encoded is None:
            raise InvocationRefused(f"could not find chaincode with name '{name}'")
        data = ccprovider_pb2.ChaincodeData.FromString(encoded)
        if resource == "lscc/ChaincodeExists":
            return response.success(data.name.encode()), None
        if resource == "lscc/GetChaincodeData":
            return response.success(encoded), None
        try:
            package = self._packages.legacy(data.name, data.version)
        except PackageMissing as error:
            raise InvocationRefused(f"invalid deployment spec: {error}") from error
        return response.success(package.spec.SerializeToString(deterministic=True)), None

    async def _instantiated(
        self, context: TransactionContext, function: str, args: list[bytes]
    ) -> Outcome:
        if len(args) != 1:
            return _wrong_count(args), None
        channel_id = context.channel_id
        denied = f"access denied for [{function}][{channel_id}]"
        self._check("lscc/GetInstantiatedChaincodes", channel_id, context, denied)
        found = query_pb2.ChaincodeQueryResponse()
        for key, value in simulator_of(context).get_range("lscc", "", ""):
            if COLLECTIONS_SUFFIX in key:
                continue
            data = ccprovider_pb2.ChaincodeData.FromString(value)
            info = found.chaincodes.add(
                name=data.name, version=data.version, escc=data.escc, vscc=data.vscc
            )
            try:
                package = self._packages.legacy(data.name, data.version)
            except FastledgerError:
                # Of what is not installed here, no more is known.
                continue
            info.path = package.spec.chaincode_spec.chaincode_id.path
        return response.success(found.SerializeToString(deterministic=True)), None

    async def _installed(
        self, context: TransactionContext, function: str, args: list[bytes]
    ) -> Outcome:
        if len(args) != 1:
            return _wrong_count(args), None
        self._check("lscc/GetInstalledChaincodes", "", context, f"access denied for [{function}]")
        found = query_pb2.ChaincodeQueryResponse()
        for package in self._packages.all_legacy():
            found.chaincodes.add(
                name=package.name,
                version=package.version,
                path=package.spec.chaincode_spec.chaincode_id.path,
                id=package.id,
            )
        return response.success(found.SerializeToString(deterministic=True)), None

    async def _collections(
        self, context: TransactionContext, function: str, args: list[bytes]
    ) -> Outcome:
        if len(args) != 2:
            return _wrong_count(args), None
        denied = f"access denied for [{function}]"
        self._check("lscc/GetCollectionsConfig", context.channel_id, context, denied)
        name = text(args[1])
        found = simulator_of(context).get_state("lscc", name + COLLECTIONS_SUFFIX)
        if not found:
            raise InvocationRefused(f"collections config not defined for chaincode {name}")
        return response.success(found), None

    def _channel(self, channel_id: str) -> Channel:
        if not channel_id:
            raise InvocationRefused("invalid channel name: ")
        channel = self._channels.channel(channel_id)
        if channel is None:
            raise InvocationRefused(f"invalid channel name: {channel_id}")
        return channel

    def _check(
        self, resource: str, channel_id: str, context: TransactionContext, denied: str
    ) -> None:
        try:
            self._acl.check(resource, channel_id, signed(context))
        except FastledgerError as error:
            raise InvocationRefused(f"{denied}: {error}") from error


def _instantiation_policy(package: LegacyPackage, channel: Channel) -> bytes:
    if package.instantiation_policy is not None:
        return package.instantiation_policy
    return n_out_of_role(1, "admin", channel.organizations).SerializeToString(deterministic=True)


def _check_instantiation(channel: Channel, policy: bytes, creator: SignedData) -> None:
    try:
        channel.bundle.evaluate_envelope(policy, [creator])
    except PolicyUnsatisfied as error:
        raise InvocationRefused(
            "instantiation policy violation: signature set did not satisfy policy"
        ) from error


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise InvocationRefused(
            f"invalid chaincode name '{name}'. Names must start with an alphanumeric character and "
            "can only consist of alphanumerics, '_', and '-'"
        )


def _check_version(version: str) -> None:
    if not VERSION.fullmatch(version):
        raise InvocationRefused(
            f"invalid chaincode version '{version}'. Versions must not be empty and can only "
            "consist of alphanumerics, '_',  '-', '+', and '.'"
        )


def _wrong_count(args: list[bytes]) -> pb.Response:
    return response.failure(f"invalid number of arguments to lscc: {len(args)}")
