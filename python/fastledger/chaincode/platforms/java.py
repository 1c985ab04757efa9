# SPDX-License-Identifier: Apache-2.0
"""Chaincode in Java on fabric-chaincode-java, packaged with its jar."""

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
        if not (folder / "src" / _JAR).is_file():
            raise ChaincodeError(
                f"{package.label!r} has no src/{_JAR}, and a process builds no Java; package the "
                "jar, or run the chaincode in Docker or as a service (ccaas)"
            )

    def program(self, package: ChaincodePackage, folder: Path) -> Program:
        """``java -jar``."""
        del package
        java = find_tool("java", "chaincode of type java needs it")
        home = Path(java).resolve().parent.parent
        return Program(
            argv=(java, "-jar", str(folder / "src" / _JAR), "--peerAddress", "{address}"),
            readonly=(home, *_settings(home)),
        )


def _settings(home: Path) -> set[Path]:
    """Where a distribution keeps what Java's home only links to: /etc/java-17-openjdk."""
    links = (path for folder in ("conf", "lib") for path in (home / folder).rglob("*"))
    targets = {path.resolve().parent for path in links if path.is_symlink()}
    return {folder for folder in targets if folder.is_dir()}
