# SPDX-License-Identifier: Apache-2.0
"""Chaincode packages: the lifecycle's ``tar.gz`` and the 1.x ChaincodeDeploymentSpec.

A lifecycle package is a gzipped tar of ``metadata.json`` and ``code.tar.gz``; its id is
``label:sha256 of the package``. The code is a gzipped tar too, with the sources under ``src/`` and
what the ledger should know under ``META-INF/``.
"""

import gzip
import hashlib
import io
import json
import re
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from google.protobuf.message import DecodeError

from fastledger.chaincode import gopackage
from fastledger.chaincode.metadata import METADATA_FILE, parse_metadata
from fastledger.common.errors import InputError
from fastledger.protos.peer.chaincode_pb2 import ChaincodeDeploymentSpec, ChaincodeSpec

MAX_CODE_BYTES = 512 * 1024 * 1024
"""Unpacked size of a package's code: a bomb of zeros stops here."""

MAX_CODE_FILES = 50_000
MAX_METADATA_BYTES = 1024 * 1024

CODE_FILE = "code.tar.gz"
INDEX_FOLDER = "META-INF/statedb/couchdb"
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")


@dataclass(frozen=True, slots=True)
class ChaincodePackage:
    """A chaincode's code and what is said about it."""

    type: str
    """Lower case: golang, node, java, python, ccaas, external, …"""

    path: str
    label: str
    code: bytes
    """Gzipped tar."""

    metadata: bytes
    """``metadata.json`` as it was packaged; external builders get it."""

    @property
    def digest(self) -> str:
        """SHA-256 of the code: in 1.x one name and version may come with other code later."""
        return hashlib.sha256(self.code).hexdigest()

    def files(self) -> Iterator[tuple[str, tarfile.TarInfo, bytes]]:
        """Read the code's regular files: path, entry, content.

        Raises:
            InputError: The code is no gzipped tar, is too large, or has a path that leads out.
        """
        total = 0
        for count, (entry, content) in enumerate(_entries(self.code, "code")):
            total += len(content)
            if total > MAX_CODE_BYTES or count >= MAX_CODE_FILES:
                raise InputError(
                    f"the code of {self.label!r} has more than {MAX_CODE_FILES} files or "
                    f"{MAX_CODE_BYTES} bytes"
                )
            yield _safe_path(entry.name), entry, content

    def unpack(self, folder: Path) -> None:
        """Write the code's files under a folder.

        Raises:
            InputError: As :meth:`files`.
        """
        for name, entry, content in self.files():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            target.chmod(0o755 if entry.mode & 0o111 else 0o644)

    def database_artifacts(self) -> dict[str, bytes]:
        """The state database's files under META-INF, by path: CouchDB indexes."""
        return {name: content for name, _, content in self.files() if name.startswith(INDEX_FOLDER)}


def parse(data: bytes) -> ChaincodePackage:
    """Read a package of either format.

    Raises:
        InputError: It is neither.

    Example:
        >>> parse(build("basic_1.0", "python", {"src/chaincode.py": b""})).label
        'basic_1.0'
    """
    return _lifecycle(data) if data[:2] == b"\x1f\x8b" else _deployment_spec(data)


def package_id(label: str, data: bytes) -> str:
    """Name a lifecycle package as Fabric does."""
    return f"{label}:{hashlib.sha256(data).hexdigest()}"


def build(label: str, kind: str, files: dict[str, bytes], path: str = "") -> bytes:
    """Make a lifecycle package; equal files make equal bytes.

    Args:
        label: Its human name.
        kind: Type of the chaincode.
        files: Contents by path within the code: ``src/…`` and ``META-INF/…``.
        path: Where the source came from, or for Go the package to build.

    Raises:
        InputError: The label has characters that no label may have.
    """
    return assemble(label, kind, tar_gz(files), path)


def assemble(label: str, kind: str, code: bytes, path: str = "") -> bytes:
    """Make a lifecycle package of code that is a gzipped tar already.

    Raises:
        InputError: As :func:`build`.
    """
    if not _LABEL.fullmatch(label):
        raise InputError(
            f"invalid label {label!r}. Label must be non-empty, can only consist of "
            "alphanumerics, symbols from '.+-_', and can only begin with alphanumerics"
        )
    metadata = json.dumps({"path": path, "type": kind, "label": label}, separators=(",", ":"))
    return gopackage.tar_gz({METADATA_FILE: metadata.encode(), CODE_FILE: code}, owner=0)


def build_from(folder: Path, label: str, kind: str, path: str = "") -> bytes:
    """Make a lifecycle package of a source folder, leaving out what is hidden or derived."""
    files = {}
    for file in sorted(folder.rglob("*")):
        relative = file.relative_to(folder)
        if file.is_file() and not any(_left_out(part) for part in relative.parts):
            inside = relative.parts[0] == "META-INF"
            name = relative.as_posix() if inside else f"src/{relative.as_posix()}"
            files[name] = file.read_bytes()
    return build(label, kind, files, path)


def _left_out(part: str) -> bool:
    return part.startswith(".") or part in ("node_modules", "__pycache__")


def _lifecycle(data: bytes) -> ChaincodePackage:
    found: dict[str, bytes] = {}
    for entry, content in _entries(data, "package"):
        if entry.name in (METADATA_FILE, CODE_FILE):
            found[entry.name] = content
    for name in (METADATA_FILE, CODE_FILE):
        if name not in found:
            raise InputError(f"did not find file '{name}' in package")
    raw = found[METADATA_FILE]
    if len(raw) > MAX_METADATA_BYTES:
        raise InputError(f"{METADATA_FILE} has {len(raw)} bytes, {MAX_METADATA_BYTES} are allowed")
    metadata = parse_metadata(raw)
    if not _LABEL.fullmatch(metadata.label):
        raise InputError(f"the package's label {metadata.label!r} is not valid")
    return ChaincodePackage(
        type=metadata.type.lower(),
        path=metadata.path,
        label=metadata.label,
        code=found[CODE_FILE],
        metadata=raw,
    )


def _deployment_spec(data: bytes) -> ChaincodePackage:
    try:
        spec = ChaincodeDeploymentSpec.FromString(data)
    except DecodeError as error:
        raise InputError(
            "neither a lifecycle package (tar.gz) nor a ChaincodeDeploymentSpec"
        ) from error
    chaincode = spec.chaincode_spec
    try:
        kind = ChaincodeSpec.Type.Name(chaincode.type)
    except ValueError:
        kind = str(chaincode.type)
    name = chaincode.chaincode_id.name
    metadata = {"type": kind, "path": chaincode.chaincode_id.path, "label": name}
    return ChaincodePackage(
        type=kind.lower(),
        path=chaincode.chaincode_id.path,
        label=name,
        code=spec.code_package,
        metadata=json.dumps(metadata, separators=(",", ":")).encode(),
    )


def _entries(data: bytes, what: str) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
            left = MAX_CODE_BYTES
            for entry in archive:
                # The size is checked before the content is inflated.
                left -= entry.size
                if left < 0:
                    raise InputError(f"the {what} unpacks to more than {MAX_CODE_BYTES} bytes")
                file = archive.extractfile(entry) if entry.isreg() else None
                if file is not None:
                    yield entry, file.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise InputError(f"the {what} is no gzipped tar: {error}") from error


def _safe_path(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise InputError(f"illegal file detected in payload: {name!r}")
    return path.as_posix()


def tar_gz(files: dict[str, bytes]) -> bytes:
    """Return a gzipped tar of contents by path; equal files make equal bytes."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = 0o100644
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(plain.getvalue(), mtime=0)
