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
        return Program(
            argv=(java, "-jar", str(folder / "src" / _JAR), "--peerAddress", "{address}"),
            readonly=(Path(java).resolve().parent.parent,),
        )
