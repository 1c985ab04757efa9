# SPDX-License-Identifier: Apache-2.0
"""Chaincode packages that are installed on the peer, of both lifecycles.

::

    <file system path>/chaincodes/<name>.<version>                    1.x: what was installed, as is
                       lifecycle/chaincodes/<label>.<sha256>.tar.gz   2.0 and later
"""

import asyncio
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from google.protobuf.message import DecodeError

from fastledger.chaincode import package as formats
from fastledger.chaincode.package import ChaincodePackage
from fastledger.common.errors import (
    ChaincodeError,
    FastledgerError,
    InputError,
    InstallFailed,
    told,
)
from fastledger.protos.common import common_pb2
from fastledger.protos.core import ccprovider_pb2
from fastledger.protos.peer import chaincode_pb2, signed_cc_dep_spec_pb2

_CACHED_PACKAGES = 64

MAX_NAME_BYTES = 255
"""Longest name of a file on Linux's file systems (``NAME_MAX``)."""

_SUFFIX = ".tar.gz"
_INSTALLED = re.compile(r"(.+)[.]([0-9a-f]{64})[.]tar[.]gz", re.DOTALL)


class PackageMissing(FastledgerError):
    """A chaincode is not installed on this peer."""


class PackageDamaged(FastledgerError):
    """An installed package is not what was installed."""


@dataclass(frozen=True, slots=True)
class LegacyPackage:
    """An installed ChaincodeDeploymentSpec, or a signed one, with what lscc says of it."""

    encoded: bytes
    """What was installed."""

    spec: chaincode_pb2.ChaincodeDeploymentSpec
    id: bytes
    data: bytes
    """``CDSData`` or ``SignedCDSData``."""

    instantiation_policy: bytes | None
    """None for a package without signatures: the channel's admins may instantiate it."""

    @property
    def name(self) -> str:
        """The chaincode's name."""
        return self.spec.chaincode_spec.chaincode_id.name

    @property
    def version(self) -> str:
        """The chaincode's version."""
        return self.spec.chaincode_spec.chaincode_id.version


def parse_legacy(encoded: bytes) -> LegacyPackage:
    """Read a 1.x package (``ccprovider.GetCCPackage``).

    Raises:
        InputError: It is neither a ChaincodeDeploymentSpec nor a signed one.
    """
    try:
        spec = chaincode_pb2.ChaincodeDeploymentSpec.FromString(encoded)
        if spec.chaincode_spec.chaincode_id.name:
            return _plain(encoded, spec)
        return _signed(encoded)
    except DecodeError:
        pass
    try:
        return _signed(encoded)
    except DecodeError as error:
        raise InputError(f"failed to unmarshal deployment spec from bytes: {error}") from error


def _hashes(spec: chaincode_pb2.ChaincodeDeploymentSpec) -> tuple[bytes, bytes]:
    chaincode = spec.chaincode_spec.chaincode_id
    metadata = (chaincode.name + chaincode.version).encode()
    return sha256(spec.code_package).digest(), sha256(metadata).digest()


def _plain(encoded: bytes, spec: chaincode_pb2.ChaincodeDeploymentSpec) -> LegacyPackage:
    code, metadata = _hashes(spec)
    data = ccprovider_pb2.CDSData(code_hash=code, meta_data_hash=metadata)
    return LegacyPackage(
        encoded, spec, sha256(code + metadata).digest(), data.SerializeToString(), None
    )


def _signed(encoded: bytes) -> LegacyPackage:
    envelope = common_pb2.Envelope.FromString(encoded)
    payload = common_pb2.Payload.FromString(envelope.payload)
    header = common_pb2.ChannelHeader.FromString(payload.header.channel_header)
    if header.type != common_pb2.CHAINCODE_PACKAGE:
        raise InputError(
            "invalid type of envelope for chaincode package: neither a deployment spec nor a "
            "signed one"
        )
    signed = signed_cc_dep_spec_pb2.SignedChaincodeDeploymentSpec.FromString(payload.data)
    spec = chaincode_pb2.ChaincodeDeploymentSpec.FromString(signed.chaincode_deployment_spec)
    code, metadata = _hashes(spec)
    owners = b"".join(owner.endorser for owner in signed.owner_endorsements)
    signatures = sha256(signed.instantiation_policy + owners).digest()
    data = ccprovider_pb2.SignedCDSData(
        code_hash=code, meta_data_hash=metadata, signature_hash=signatures
    )
    return LegacyPackage(
        encoded,
        spec,
        sha256(code + metadata + signatures).digest(),
        data.SerializeToString(),
        signed.instantiation_policy,
    )


class PackageStore:
    """The installed packages of one peer."""

    def __init__(self, folder: Path) -> None:
        """Use ``peer.fileSystemPath``."""
        self._legacy = folder / "chaincodes"
        self._lifecycle = folder / "lifecycle" / "chaincodes"
        for kept in (self._legacy, self._lifecycle):
            kept.mkdir(parents=True, exist_ok=True)
            # Of a peer that died while it wrote.
            for partial in kept.glob(f"{_PARTIAL}*"):
                partial.unlink(missing_ok=True)
        self._read_legacy = lru_cache(_CACHED_PACKAGES)(self._parse_legacy_file)

    # 1.x.

    def install_legacy(self, package: LegacyPackage) -> None:
        """Keep a 1.x package.

        Raises:
            FastledgerError: One of this name and version is installed, be it the same; or it cannot
                be written.
        """
        ccid = f"{package.name}:{package.version}"
        path = self._legacy / f"{package.name}.{package.version}"
        try:
            if path.exists():
                raise InstallFailed(
                    f"error installing chaincode code {ccid}(chaincode {path} exists)"
                )
            _write(path, package.encoded)
        except OSError as error:
            raise InstallFailed(f"error installing chaincode code {ccid}({told(error)})") from error

    def legacy(self, name: str, version: str) -> LegacyPackage:
        """Find an installed 1.x package.

        Raises:
            PackageMissing: It is not installed.
        """
        path = self._legacy / f"{name}.{version}"
        try:
            return self._read_legacy(path, path.stat().st_mtime_ns)
        except (OSError, ValueError) as error:
            raise PackageMissing(
                f"cannot retrieve package for chaincode {name}/{version}, error open {path}: "
                "no such file or directory"
            ) from error

    def all_legacy(self) -> Iterator[LegacyPackage]:
        """Read every installed 1.x package, by file name."""
        for path in sorted(self._legacy.iterdir()):
            if path.name.startswith("."):
                continue
            try:
                yield self._read_legacy(path, path.stat().st_mtime_ns)
            except (FastledgerError, OSError):
                continue

    def _parse_legacy_file(self, path: Path, _modified: int) -> LegacyPackage:
        return parse_legacy(path.read_bytes())

    # 2.0 and later.

    def check_name(self, label: str) -> None:
        """See that a package of this label can be kept.

        Raises:
            FastledgerError: The name of its file would be too long.
        """
        most = MAX_NAME_BYTES - len(f".{'0' * 64}{_SUFFIX}")
        if len(label.encode()) > most:
            raise InstallFailed(
                "could not save cc install package: error writing chaincode install package: file "
                f"name too long: the label has {len(label.encode())} bytes, {most} are possible"
            )

    def install(self, label: str, encoded: bytes) -> str:
        """Keep a package, and return its id.

        A file that is there and is damaged is written again.

        Raises:
            FastledgerError: It cannot be written.
        """
        package_id = formats.package_id(label, encoded)
        try:
            _write(self._path(package_id), encoded)
        except OSError as error:
            raise InstallFailed(
                "could not save cc install package: error writing chaincode install package: "
                f"{told(error)}"
            ) from error
        return package_id

    def is_installed(self, package_id: str) -> bool:
        """Whether a package is there, and is what its name says."""
        try:
            self.load(package_id)
        except FastledgerError:
            return False
        return True

    def load(self, package_id: str) -> bytes:
        """Read an installed package, held against the hash in its name.

        Raises:
            PackageMissing: It is not installed.
            PackageDamaged: The file is not what was installed.
        """
        try:
            encoded = self._path(package_id).read_bytes()
        except (OSError, ValueError) as error:
            raise PackageMissing(f"chaincode install package '{package_id}' not found") from error
        if sha256(encoded).hexdigest() != package_id.partition(":")[2]:
            raise PackageDamaged(
                f"chaincode install package '{package_id}' is damaged on this peer: its file has "
                "another hash; install it again"
            )
        return encoded

    def installed(self) -> list[tuple[str, str]]:
        """Ids and labels of the installed packages, by id."""
        names = (_INSTALLED.fullmatch(path.name) for path in sorted(self._lifecycle.iterdir()))
        return [(f"{name[1]}:{name[2]}", name[1]) for name in names if name is not None]

    def installed_legacy(self) -> list[str]:
        """Ids of the installed 1.x packages: name and version."""
        return [f"{one.name}:{one.version}" for one in self.all_legacy()]

    def _path(self, package_id: str) -> Path:
        label, _, digest = package_id.partition(":")
        if not digest or "/" in package_id or "\0" in package_id:
            return self._lifecycle / "no-such-package"
        return self._lifecycle / f"{label}.{digest}{_SUFFIX}"

    def code(self, ccid: str) -> ChaincodePackage:
        """Find the code of a chaincode by its id, of either lifecycle.

        Raises:
            PackageMissing: It is not installed.
            PackageDamaged: The file is not what was installed.
            InputError: What is installed cannot be read.
        """
        try:
            return formats.parse_lifecycle(self.load(ccid))
        except PackageMissing:
            name, _, version = ccid.partition(":")
            return formats.parse(self.legacy(name, version).spec.SerializeToString())

    async def package(self, ccid: str) -> ChaincodePackage:
        """Find the code of a chaincode for its launcher.

        Raises:
            ChaincodeError: It is not installed.
        """
        try:
            return await asyncio.to_thread(self.code, ccid)
        except FastledgerError as error:
            raise ChaincodeError(str(error)) from error


_PARTIAL = ".ccpackage."
"""How files begin that are being written, as Fabric's do."""


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    with tempfile.NamedTemporaryFile(prefix=_PARTIAL, dir=path.parent, delete=False) as file:
        partial = Path(file.name)
        try:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            partial.chmod(0o644)
            partial.rename(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
