# SPDX-License-Identifier: Apache-2.0
"""Chaincode in Go on fabric-chaincode-go."""

from pathlib import Path

from fastledger.chaincode.package import ChaincodePackage
from fastledger.chaincode.platforms.platform import Program, find_tool, run_tool
from fastledger.common.errors import ChaincodeError

_BINARY = "chaincode"


class Golang:
    """Builds a static binary, as Fabric's builder image does."""

    def detect(self, names: set[str]) -> bool:
        """Go files among the sources."""
        return "src/go.mod" in names or any(name.endswith(".go") for name in names)

    async def build(self, package: ChaincodePackage, folder: Path) -> None:
        """``go build``, by modules where there is a go.mod, else in GOPATH mode."""
        go = find_tool("go", "chaincode of type golang needs it")
        source = folder / "src"
        binary = folder / _BINARY
        env = {"CGO_ENABLED": "0"}
        argv = [go, "build", "-trimpath", "-ldflags", "-s -w", "-o", str(binary)]
        if (source / "go.mod").is_file():
            if (source / "vendor").is_dir():
                argv.append("-mod=vendor")
            await run_tool([*argv, "."], source, env)
        elif package.path:
            env |= {"GO111MODULE": "off", "GOPATH": str(folder)}
            await run_tool([*argv, package.path], source, env)
        else:
            raise ChaincodeError(f"{package.label!r} has neither src/go.mod nor a path to build")

    def program(self, package: ChaincodePackage, folder: Path, memory_bytes: int) -> Program:
        """The binary that was built."""
        del package
        # The collector works harder near this, instead of letting the process run into its limit.
        env = {"GOMEMLIMIT": str(memory_bytes * 7 // 8)} if memory_bytes else {}
        return Program(argv=(str(folder / _BINARY), "-peer.address", "{address}"), env=env)
