# SPDX-License-Identifier: Apache-2.0
"""Chaincode packages that are installed on the peer, of both lifecycles.

::

    <file system path>/chaincodes/<name>.<version>                    1.x: what was installed, as is
                       lifecycle/chaincodes/<label>.<sha256>.tar.gz   2.0 and later
"""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from google.protobuf.message import DecodeError

from fastledger.chaincode import package as formats
from fastledger.chaincode.package import ChaincodePackage
from fastledger.common.errors import ChaincodeError, FastledgerError, InputError
from fastledger.protos.common import common_pb2
from fastledger.protos.core import ccprovider_pb2
from fastledger.protos.peer import chaincode_pb2, signed_cc_dep_spec_pb2

_CACHED_PACKAGES = 64


class PackageMissing(FastledgerError):
    """A chaincode is not installed on this peer."""


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
        self._legacy.mkdir(parents=True, exist_ok=True)
        self._lifecycle.mkdir(parents=True, exist_ok=True)
        self._read_legacy = lru_cache(_CACHED_PACKAGES)(self._parse_legacy_file)

    # 1.x.

    def install_legacy(self, package: LegacyPackage) -> None:
        """Keep a 1.x package.

        Raises:
            FastledgerError: One of this name and version is installed, be it the same.
        """
        path = self._legacy / f"{package.name}.{package.version}"
        if path.exists():
            raise FastledgerError(
                f"error installing chaincode code {package.name}:{package.version}"
                f"(chaincode {path} exists)"
            )
        _write(path, package.encoded)

    def legacy(self, name: str, version: str) -> LegacyPackage:
        """Find an installed 1.x package.

        Raises:
            PackageMissing: It is not installed.
        """
        path = self._legacy / f"{name}.{version}"
        try:
            return self._read_legacy(path, path.stat().st_mtime_ns)
        except OSError as error:
            raise PackageMissing(
                f"cannot retrieve package for chaincode {name}/{version}, error open {path}: "
                "no such file or directory"
            ) from error

    def all_legacy(self) -> Iterator[LegacyPackage]:
        """Read every installed 1.x package, by file name."""
        for path in sorted(self._legacy.iterdir()):
            try:
                yield self._read_legacy(path, path.stat().st_mtime_ns)
            except (FastledgerError, OSError):
                continue

    def _parse_legacy_file(self, path: Path, _modified: int) -> LegacyPackage:
        return parse_legacy(path.read_bytes())

    # 2.0 and later.

    def install(self, label: str, encoded: bytes) -> str:
        """Keep a package, and return its id.

        Raises:
            FastledgerError: It is installed.
        """
        package_id = formats.package_id(label, encoded)
        path = self._path(package_id)
        if path.exists():
            raise FastledgerError(
                f"chaincode already successfully installed (package ID '{package_id}')"
            )
        _write(path, encoded)
        return package_id

    def load(self, package_id: str) -> bytes:
        """Read an installed package.

        Raises:
            PackageMissing: It is not installed.
        """
        try:
            return self._path(package_id).read_bytes()
        except (OSError, ValueError) as error:
            raise PackageMissing(f"chaincode install package '{package_id}' not found") from error

    def remove(self, package_id: str) -> None:
        """Forget a package that could not be built."""
        self._path(package_id).unlink(missing_ok=True)

    def installed(self) -> list[tuple[str, str]]:
        """Ids and labels of the installed packages, by id."""
        found = []
        for path in sorted(self._lifecycle.glob("*.tar.gz")):
            label, _, digest = path.name.removesuffix(".tar.gz").rpartition(".")
            if label and len(digest) == 64:
                found.append((f"{label}:{digest}", label))
        return found

    def _path(self, package_id: str) -> Path:
        label, _, digest = package_id.partition(":")
        if not digest or "/" in package_id or "\0" in package_id:
            return self._lifecycle / "no-such-package"
        return self._lifecycle / f"{label}.{digest}.tar.gz"

    def code(self, ccid: str) -> ChaincodePackage:
        """Find the code of a chaincode by its id, of either lifecycle.

        Raises:
            PackageMissing: It is not installed.
            InputError: What is installed cannot be read.
        """
        path = self._path(ccid)
        if path.exists():
            return formats.parse(path.read_bytes())
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


def _write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all."""
    partial = path.with_name(f".{path.name}.tmp")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
