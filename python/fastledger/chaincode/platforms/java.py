# SPDX-License-Identifier: Apache-2.0
"""Chaincode in Java on fabric-chaincode-java, packaged with its jar."""

import asyncio
import zipfile
import zlib
from pathlib import Path

from fastledger.chaincode.package import ChaincodePackage
from fastledger.chaincode.platforms.platform import Program, find_tool
from fastledger.common.errors import ChaincodeError

_JAR = "chaincode.jar"


class Java:
    """Runs a jar that was built before it was packaged."""

    def detect(self, names: set[str]) -> bool:
        """A build file, or the jar, at the top of the sources."""
        return any(f"src/{name}" in names for name in ("build.gradle", "pom.xml", _JAR))

    async def build(self, package: ChaincodePackage, folder: Path) -> None:
        """Look for the jar: Gradle and Maven run the package's own code, so nothing is built."""
        jar = folder / "src" / _JAR
        if not jar.is_file():
            raise ChaincodeError(
                f"{package.label!r} has no src/{_JAR}, and a process builds no Java; package the "
                "jar, or run the chaincode in Docker or as a service (ccaas)"
            )
        await asyncio.to_thread(_check, jar)

    def program(self, package: ChaincodePackage, folder: Path, memory_bytes: int) -> Program:
        """``java -jar``, told how much memory there is: it would take the machine's for its own."""
        del package
        java = find_tool("java", "chaincode of type java needs it")
        home = Path(java).resolve().parent.parent
        # As in a container of that size: a quarter of it is the largest heap.
        memory = (f"-XX:MaxRAM={memory_bytes}",) if memory_bytes else ()
        jar = str(folder / "src" / _JAR)
        return Program(
            argv=(java, *memory, "-jar", jar, "--peerAddress", "{address}"),
            readonly=(home, *_settings(home)),
        )


def _check(jar: Path) -> None:
    """See that ``java -jar`` finds a main class in a jar.

    Raises:
        ChaincodeError: It is no jar, or names none.
    """
    try:
        with zipfile.ZipFile(jar) as archive:
            if archive.getinfo(_MANIFEST).file_size > _MAX_MANIFEST_BYTES:
                raise ChaincodeError(f"src/{_JAR}: {_MANIFEST} is too large")
            manifest = archive.read(_MANIFEST)
    except KeyError:
        manifest = b""
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, OSError, EOFError) as error:
        raise ChaincodeError(f"src/{_JAR} is no jar: {error}") from error
    names = (line.partition(b":")[0].strip().lower() for line in manifest.splitlines())
    if b"main-class" not in names:
        raise ChaincodeError(
            f"src/{_JAR} names no Main-Class in its manifest; package the jar that has the shim "
            "and everything else in it (Gradle's shadowJar, Maven's shade plugin)"
        )


_MANIFEST = "META-INF/MANIFEST.MF"
_MAX_MANIFEST_BYTES = 1024 * 1024
"""A signed jar lists its files there."""


def _settings(home: Path) -> set[Path]:
    """Where a distribution keeps what Java's home only links to: /etc/java-17-openjdk."""
    links = (path for folder in ("conf", "lib") for path in (home / folder).rglob("*"))
    targets = {path.resolve().parent for path in links if path.is_symlink()}
    return {folder for folder in targets if folder.is_dir()}
