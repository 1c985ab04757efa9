# SPDX-License-Identifier: Apache-2.0
"""Which chaincodes a channel has, by whichever lifecycle (``lifecycle/endorsement_info.go``).

A channel with the lifecycle of 2.0 asks it first and lscc's table after it. What is read through a
simulation stands in its read set, as in Fabric's: only the sequence there; the definition itself is
read beside it, again when a block has changed any.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256

from fastledger.chaincode.services import EndorsementInfo
from fastledger.common.errors import DefinitionRefused, FastledgerError
from fastledger.common.topic import Topic
from fastledger.endorser.channel import Channel
from fastledger.endorser.lifecycle import definition as definitions
from fastledger.endorser.lifecycle import serializer
from fastledger.endorser.lifecycle.definition import (
    NAMESPACES,
    PARAMETERS,
    SOURCES,
    ChaincodeDefinition,
    implicit_collection,
    private_name,
)
from fastledger.endorser.packages import PackageStore
from fastledger.endorser.states import PublicState, ViewState
from fastledger.ledger.simulator import TxSimulator
from fastledger.ledger.views import LIFECYCLE, LSCC, StateView
from fastledger.policies import n_out_of_role
from fastledger.protos.core import ccprovider_pb2
from fastledger.protos.peer import collection_pb2

SYSTEM_VERSION = "syscc"
"""Version of system chaincodes from 2.0 on."""

LEGACY_SYSTEM_VERSION = "1.4.12"
"""Version of system chaincodes in channels that 1.x peers may validate: they compare it."""

SYSTEM_CHAINCODES = ("lscc", "cscc", "qscc", "_lifecycle")
COLLECTIONS_SUFFIX = "~collection"

_MAX_CACHED = 1024


@dataclass(frozen=True, slots=True)
class Definition(EndorsementInfo):
    """How a channel defines a chaincode, for endorsing it."""

    plugin: str = "escc"
    sequence: int = 0
    """How many definitions ``_lifecycle`` has had of it."""


class Definitions:
    """Looks chaincodes up for one peer."""

    def __init__(self, packages: PackageStore, mspid: str, *, dev_mode: bool = False) -> None:
        """Look up for a peer of an organization.

        Args:
            packages: What is installed.
            mspid: The peer's organization, whose approval counts here.
            dev_mode: Whether users run chaincodes of the lifecycle that are installed nowhere.
        """
        self._packages = packages
        self._mspid = mspid
        self._dev_mode = dev_mode
        self._cache: dict[tuple[str, str], tuple[int, Definition]] = {}
        self.installed: Topic[None] = Topic()
        """Tells that something was installed."""

    def forget(self) -> None:
        """Look again: something was installed."""
        self._cache.clear()
        self.installed.tell(None)

    def endorsement_info(
        self, channel: Channel | None, name: str, simulator: TxSimulator | None
    ) -> Definition:
        """Find a chaincode's definition.

        Raises:
            PackageMissing: It is defined by lscc and not installed here.
            FastledgerError: It is not defined, or this peer may not run it.
        """
        if name in SYSTEM_CHAINCODES:
            legacy = channel is not None and not channel.has_lifecycle
            version = LEGACY_SYSTEM_VERSION if legacy else SYSTEM_VERSION
            return Definition(version=version, ccid=f"{name}:{version}")
        if channel is None:
            raise DefinitionRefused("could not get channel config for channel ''")
        if simulator is None:
            raise DefinitionRefused(f"chaincode {name} not found")
        if channel.has_lifecycle:
            state = PublicState(simulator, LIFECYCLE)
            sequence = serializer.read_int(NAMESPACES, name, "Sequence", state)
            if sequence:
                return self._approved(channel, name, simulator)
        return self._legacy(name, simulator)

    def approved(self, channel: Channel) -> Iterator[tuple[str, Definition]]:
        """Name the committed chaincodes of a channel that this peer may run."""
        view = channel.ledger.view()
        try:
            prefix = f"{NAMESPACES}/metadata/"
            rows = view.range(LIFECYCLE, prefix, prefix + "\x7f")
            for name in [row[2].decode()[len(prefix) :] for row in rows]:
                with suppress(FastledgerError):
                    yield name, self._find(channel.id, name, view)
        finally:
            view.close()

    def _approved(self, channel: Channel, name: str, simulator: TxSimulator) -> Definition:
        defined = simulator.view.definitions_height
        cached = self._cache.get((channel.id, name))
        if cached is not None and cached[0] == defined:
            return cached[1]
        found = self._find(channel.id, name, simulator.view)
        if len(self._cache) >= _MAX_CACHED:
            self._cache.clear()
        self._cache[channel.id, name] = (defined, found)
        return found

    def _find(self, channel_id: str, name: str, view: StateView) -> Definition:
        found = view.definition(name)
        if found is None or found.lifecycle != LIFECYCLE:
            raise DefinitionRefused(f"chaincode {name} not found")
        state = ViewState(view, LIFECYCLE, implicit_collection(self._mspid))
        committed = ChaincodeDefinition.committed(found)
        own = private_name(name, committed.sequence)
        if serializer.mismatches(NAMESPACES, own, PARAMETERS, committed.parameters(), state):
            raise DefinitionRefused(
                f"chaincode definition for '{name}' at sequence {committed.sequence} on channel "
                f"'{channel_id}' has not yet been approved by this org"
            )
        package_id = self._package(own, state)
        if not package_id:
            if not self._dev_mode:
                raise DefinitionRefused(
                    f"chaincode definition for '{name}' exists, but chaincode is not installed"
                )
            package_id = f"{name}:{found.version}"
        return Definition(
            version=found.version,
            ccid=package_id,
            enforce_init=found.init_required,
            plugin=found.endorsement_plugin,
            sequence=found.sequence,
        )

    def _package(self, name: str, state: ViewState) -> str:
        """Find the installed package that the organization approved, by its id's hash."""
        approved = state.hash(serializer.field_key(SOURCES, name, "PackageID"))
        for package_id, _ in self._packages.installed():
            if sha256(serializer.encode(package_id)).digest() == approved:
                return package_id
        return ""

    def _legacy(self, name: str, simulator: TxSimulator) -> Definition:
        data = read_legacy(name, simulator)
        if data is None:
            raise DefinitionRefused(f"chaincode {name} not found")
        found = Definition(
            version=data.version, ccid=f"{data.name}:{data.version}", plugin=data.escc
        )
        package = self._packages.legacy(data.name, data.version)
        if (package.data, package.id) != (data.data, data.id):
            raise DefinitionRefused(
                "failed security checks: chaincode fingerprint mismatch: the installed package of "
                f"{found.ccid} is not the one that the channel instantiated"
            )
        if package.instantiation_policy not in (None, data.instantiation_policy):
            raise DefinitionRefused(f"Instantiation policy mismatch for cc {found.ccid}")
        return found

    def runs(self, channel: Channel, name: str) -> bool:
        """Whether this peer has a chaincode that a channel defines, by either lifecycle."""
        view = channel.ledger.view()
        try:
            if channel.has_lifecycle:
                with suppress(FastledgerError):
                    self._find(channel.id, name, view)
                    return True
            return self._legacy_version(view, name) is not None
        finally:
            view.close()

    def _legacy_version(self, view: StateView, name: str) -> str | None:
        """The version of a chaincode that lscc defines, if it is installed here."""
        with suppress(FastledgerError):
            found = view.definition(name)
            if found is not None and found.lifecycle == LSCC:
                package = self._packages.legacy(name, found.version)
                return found.version if package.id == found.package_id else None
        return None

    def runnable(self, channel: Channel) -> list[tuple[str, str]]:
        """Names and ids of a channel's chaincodes that are installed here, of both lifecycles."""
        found = [(name, known.ccid) for name, known in self.approved(channel)]
        view = channel.ledger.view()
        try:
            keys = [row[2].decode() for row in view.range(LSCC, "", "")]
            for name in (key for key in keys if not key.endswith(COLLECTIONS_SUFFIX)):
                version = self._legacy_version(view, name)
                if version is not None:
                    found.append((name, f"{name}:{version}"))
        finally:
            view.close()
        return found

    # Collections.

    def collections(
        self, channel: Channel, simulator: TxSimulator, name: str
    ) -> collection_pb2.CollectionConfigPackage | None:
        """All collections of a chaincode, implicit ones too; None when it has none at all."""
        state = PublicState(simulator, LIFECYCLE)
        if name == LIFECYCLE:
            return collection_pb2.CollectionConfigPackage(config=_implicit(channel))
        if channel.has_lifecycle:
            committed = definitions.read_committed(name, state)
            if committed is not None:
                explicit = committed.collections.config
                return collection_pb2.CollectionConfigPackage(
                    config=[*explicit, *_implicit(channel)]
                )
        encoded = simulator.get_state("lscc", name + COLLECTIONS_SUFFIX)
        if encoded is None:
            return None
        return collection_pb2.CollectionConfigPackage.FromString(encoded)

    def collection_names(
        self, channel: Channel, simulator: TxSimulator, name: str
    ) -> set[str] | None:
        """Names of a chaincode's collections."""
        found = self.collections(channel, simulator, name)
        if found is None:
            return None
        return {config.static_collection_config.name for config in found.config}


def read_legacy(name: str, simulator: TxSimulator) -> ccprovider_pb2.ChaincodeData | None:
    """Read a chaincode's entry in lscc's table."""
    encoded = simulator.get_state("lscc", name)
    return None if encoded is None else ccprovider_pb2.ChaincodeData.FromString(encoded)


def _implicit(channel: Channel) -> list[collection_pb2.CollectionConfig]:
    return [
        collection_pb2.CollectionConfig(
            static_collection_config=collection_pb2.StaticCollectionConfig(
                name=implicit_collection(mspid),
                member_orgs_policy=collection_pb2.CollectionPolicyConfig(
                    signature_policy=n_out_of_role(1, "member", [mspid])
                ),
            )
        )
        for mspid in channel.organizations
    ]
