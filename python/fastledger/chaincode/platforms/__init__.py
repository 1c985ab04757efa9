# SPDX-License-Identifier: Apache-2.0
"""How a chaincode of each language is built with local tools, and run.

A build happens outside the sandbox, where there is a network, and must therefore run none of the
package's own code: npm's install scripts are off, pip takes wheels only, cgo is off.
"""

from fastledger.chaincode.package import ChaincodePackage
from fastledger.chaincode.platforms import golang, java, node, python
from fastledger.chaincode.platforms.platform import Platform, Program
from fastledger.common.errors import Unsupported

PLATFORMS: dict[str, Platform] = {
    "python": python.Python(),
    "node": node.Node(),
    "golang": golang.Golang(),
    "java": java.Java(),
}

__all__ = ["PLATFORMS", "Platform", "Program", "platform_of"]


def platform_of(package: ChaincodePackage) -> Platform:
    """Choose the platform by the package's type, or by its files where those are of another.

    Fabric 1.x has no type for Python and deploys nothing without one: such a package says golang.

    Raises:
        Unsupported: No platform runs it.
    """
    platform = PLATFORMS.get(package.type)
    if platform is not None or package.type in ("", "undefined"):
        names = {name for name, _ in package.files()}
        if platform is not None and platform.detect(names):
            return platform
        for candidate in PLATFORMS.values():
            if candidate.detect(names):
                return candidate
    if platform is not None:
        return platform
    raise Unsupported(
        f"chaincode {package.label!r} is of type {package.type!r}; a process can be of type "
        f"{', '.join(sorted(PLATFORMS))}. Run it as a service (ccaas) or give an external builder"
    )
