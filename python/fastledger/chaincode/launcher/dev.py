# SPDX-License-Identifier: Apache-2.0
"""Dev mode: somebody starts the chaincode by hand, and it dials the peer."""

from fastledger.chaincode.launcher.instance import Instance, Serve, Start
from fastledger.chaincode.package import ChaincodePackage
from fastledger.common.errors import ChaincodeError


class DevLauncher:
    """Launches nothing (core.yaml: ``chaincode.mode: dev``)."""

    def __init__(self, address: str) -> None:
        """Know where chaincodes should dial."""
        self._address = address

    async def build(self, ccid: str, package: ChaincodePackage | None = None) -> Start:
        """Build nothing; who starts it by hand has built it."""
        del package

        async def start(serve: Serve) -> Instance:
            """Say how to start it: had it been started, nobody would ask."""
            del serve
            raise ChaincodeError(
                f"chaincode {ccid} is not running, and in dev mode the peer starts none; start it "
                f"with CORE_CHAINCODE_ID_NAME={ccid} CORE_PEER_ADDRESS={self._address}"
            )

        return start
