# SPDX-License-Identifier: Apache-2.0
"""Index files of chaincodes that are committed and installed (Fabric: ``cceventmgmt``)."""

from collections.abc import Iterator, Mapping

from fastledger.common.errors import FastledgerError
from fastledger.endorser.channel import Channel
from fastledger.endorser.definitions import Definitions
from fastledger.endorser.packages import PackageStore
from fastledger.protoutil.blocks import EncodedBlock

_LIFECYCLE, _LSCC = b"\x12\x0a_lifecycle", b"\x12\x04lscc"
"""Encoded ``ChaincodeID`` of each lifecycle, as it stands in the header of a call."""


def calls_lifecycle(channel: Channel, block: EncodedBlock) -> bool:
    """Whether a block may change definitions of chaincodes or their collections."""
    return (_LIFECYCLE if channel.has_lifecycle else _LSCC) in block


class IndexFiles:
    """What the packages of one peer say of indexes."""

    def __init__(self, packages: PackageStore, definitions: Definitions) -> None:
        """Look into packages."""
        self._packages = packages
        self._definitions = definitions
        self._known: dict[str, Mapping[str, bytes]] = {}
        self._any: bool | None = None
        definitions.installed.subscribe(self._look_again)

    def of(self, channel: Channel) -> Iterator[tuple[str, Mapping[str, bytes]]]:
        """Yield chaincodes of a channel that have index files, with these by path."""
        if self._exist():
            for name, ccid in self._definitions.runnable(channel):
                files = self._read(ccid)
                if files:
                    yield name, files

    def may_change(self, channel: Channel, block: EncodedBlock) -> bool:
        """Whether a block may bring indexes: it calls the lifecycle, and packages have any."""
        return self._exist() and calls_lifecycle(channel, block)

    def _exist(self) -> bool:
        if self._any is None:
            ids = [package_id for package_id, _ in self._packages.installed()]
            legacy = [f"{one.name}:{one.version}" for one in self._packages.all_legacy()]
            self._any = any(self._read(ccid) for ccid in ids + legacy)
        return self._any

    def _read(self, ccid: str) -> Mapping[str, bytes]:
        """Read a package, whose content never changes; what cannot be read cannot run either."""
        found = self._known.get(ccid)
        if found is None:
            try:
                files = self._packages.code(ccid).database_artifacts()
            except (FastledgerError, OSError):
                files = {}
            found = {path: files[path] for path in files if "/indexes/" in path}
            self._known[ccid] = found
        return found

    def _look_again(self, _installed: None) -> None:
        self._known.clear()
        self._any = None
