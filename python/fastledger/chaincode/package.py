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
import posixpath
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import DecodeError

from fastledger.chaincode import gopackage
from fastledger.chaincode.archive import Archive, Entry
from fastledger.chaincode.metadata import METADATA_FILE, PackageMetadata, parse_metadata
from fastledger.common.errors import InputError, told
from fastledger.protos.peer.chaincode_pb2 import ChaincodeDeploymentSpec, ChaincodeSpec

MAX_CODE_BYTES = 512 * 1024 * 1024
"""Unpacked size of a package's code: a bomb of zeros stops here."""

MAX_PACKAGE_BYTES = 512 * 1024 * 1024
"""Unpacked size of a package; what is in it is compressed already, so it hardly shrinks."""

MAX_CODE_ARCHIVE_BYTES = 256 * 1024 * 1024
"""Size of the code's archive, which is held in memory: a message has 100 MiB."""

MAX_METADATA_BYTES = 1024 * 1024
MAX_ARTIFACT_BYTES = 16 * 1024 * 1024
"""Size of one file for the state database: an index has some hundred bytes."""

MAX_DEPTH = 256
"""Folders above a file: whoever removes the tree holds one open for each."""

CODE_FILE = "code.tar.gz"
INDEX_FOLDER = "META-INF/statedb/couchdb"
_ARTIFACTS = "META-INF/statedb/"
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

    def entries(self) -> Iterator[tuple[str, Entry]]:
        """Read the code's files and folders one after the other: path within the code, entry.

        Whoever reads them all knows that the archive is whole, and that nothing in it leads out.

        Raises:
            InputError: The code is no gzipped tar, is damaged or beyond its bounds, or has a path
                that leads out, or what is neither a file nor a folder
                (Fabric: ``externalbuilder.Untar``).
        """
        try:
            for entry in Archive(self.code, MAX_CODE_BYTES):
                yield _inner_path(entry), entry
        except InputError as error:
            raise InputError(f"could not untar source package: {error}") from error

    def files(self) -> Iterator[tuple[str, Entry]]:
        """Read the code's files alone, see :meth:`entries`."""
        return ((path, entry) for path, entry in self.entries() if entry.is_regular)

    def unpack(self, folder: Path) -> None:
        """Write the code's files and folders under a folder.

        Raises:
            InputError: As :meth:`entries`; also when two of them exclude each other, or no file can
                have such a name.
        """
        for path, entry in self.entries():
            what, name = "directory", shown(entry.name)
            try:
                target = folder / path
                if entry.is_folder:
                    target.mkdir(parents=True, exist_ok=True)
                    continue
                target.parent.mkdir(parents=True, exist_ok=True)
                what = "file"
                with target.open("wb") as file:
                    file.writelines(entry.chunks())
                target.chmod(0o755 if entry.mode & 0o111 else 0o644)
            except OSError as error:
                raise InputError(
                    f"could not untar source package: could not create {what} '{name}': "
                    f"{told(error)}"
                ) from error

    def database_artifacts(self) -> dict[str, bytes]:
        """The state database's files under META-INF, by path: CouchDB indexes."""
        return {
            name: entry.read(MAX_ARTIFACT_BYTES)
            for name, entry in self.files()
            if name.startswith(INDEX_FOLDER)
        }


def parse(data: bytes) -> ChaincodePackage:
    """Read a package of either format.

    Raises:
        InputError: It is neither.

    Example:
        >>> parse(build("basic_1.0", "python", {"src/chaincode.py": b""})).label
        'basic_1.0'
    """
    return parse_lifecycle(data) if data[:2] == b"\x1f\x8b" else _deployment_spec(data)


def parse_install(data: bytes) -> ChaincodePackage:
    """Read a lifecycle package whole, its code too, as a peer does that installs it.

    Raises:
        InputError: It is none, or damaged anywhere; the text is Fabric's.
    """
    package = parse_lifecycle(data)
    try:
        for entry in Archive(package.code, MAX_CODE_BYTES):
            if entry.name.startswith(_ARTIFACTS):
                entry.read(MAX_ARTIFACT_BYTES)
    except InputError as error:
        raise InputError(f"error retrieving DB artifacts from code package: {error}") from error
    return package


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
    check_label(label)
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


def parse_lifecycle(data: bytes) -> ChaincodePackage:
    """Read a lifecycle package (Fabric: ``persistence.ParseChaincodePackage``).

    Raises:
        InputError: It is none; the text is Fabric's.
    """
    try:
        archive = Archive(data, MAX_PACKAGE_BYTES)
    except InputError as error:
        raise InputError(f"error reading as gzip stream: {error}") from error
    found: dict[str, bytes] = {}
    metadata = PackageMetadata()
    try:
        for entry in archive:
            _take(entry, found)
            if entry.name == METADATA_FILE:
                metadata = _metadata(found[METADATA_FILE])
    except _Refused:
        raise
    except InputError as error:
        raise InputError(f"error inspecting next tar header: {error}") from error
    if CODE_FILE not in found:
        raise InputError("did not find a code package inside the package")
    if METADATA_FILE not in found:
        raise InputError(f"did not find any package metadata (missing {METADATA_FILE})")
    check_label(metadata.label)
    return ChaincodePackage(
        type=metadata.type.lower(),
        path=metadata.path,
        label=metadata.label,
        code=found[CODE_FILE],
        metadata=found[METADATA_FILE],
    )


class _Refused(InputError):
    """An entry of a package is refused."""


_PARTS = {METADATA_FILE: MAX_METADATA_BYTES, CODE_FILE: MAX_CODE_ARCHIVE_BYTES}


def _take(entry: Entry, found: dict[str, bytes]) -> None:
    """Keep the content of an entry that a package has to have; of two, the last counts."""
    name = shown(entry.name)
    if not entry.is_regular:
        raise _Refused(f"tar entry {name} is not a regular file, type {ord(entry.type)}")
    try:
        if entry.name in _PARTS:
            found[entry.name] = entry.read(_PARTS[entry.name])
            return
        for _ in entry.chunks():
            pass
    except InputError as error:
        raise _Refused(f"could not read {name} from tar: {error}") from error


def _metadata(raw: bytes) -> PackageMetadata:
    try:
        return parse_metadata(raw)
    except InputError as error:
        raise _Refused(str(error)) from error


def check_label(label: str) -> None:
    """See that a label may be one (Fabric: ``persistence.ValidateLabel``).

    Raises:
        InputError: It has characters that no label may have.
    """
    if not _LABEL.fullmatch(label):
        raise InputError(
            f"invalid label '{label}'. Label must be non-empty, can only consist of "
            "alphanumerics, symbols from '.+-_', and can only begin with alphanumerics"
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


def _inner_path(entry: Entry) -> str:
    """Return where an entry goes, ``.`` and ``..`` resolved."""
    name = shown(entry.name)
    path = posixpath.normpath(entry.name) if entry.name else "."
    if path.startswith(("/", "../")) or path == "..":
        raise InputError(f"tar contains the absolute or escaping path '{name}'")
    if not (entry.is_regular or entry.is_folder):
        raise InputError(
            f"invalid file type '{ord(entry.type)}' contained in archive for file '{name}'"
        )
    if path.count("/") >= MAX_DEPTH:
        raise InputError(f"'{name}' lies in more than {MAX_DEPTH} folders")
    return path


def shown(name: str) -> str:
    """A path of an archive for a message: what is no UTF-8 is replaced."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


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
