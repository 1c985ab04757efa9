# SPDX-License-Identifier: Apache-2.0
"""Which chaincodes are running, and which are being started (Fabric: ``HandlerRegistry``)."""

import asyncio
from typing import Generic, TypeVar

from fastledger.common import log
from fastledger.common.errors import ChaincodeError

_logger = log.get("chaincode")

H = TypeVar("H")


class Registry(Generic[H]):
    """Handlers by chaincode id."""

    def __init__(self, *, allow_unsolicited: bool = False) -> None:
        """Start empty.

        Args:
            allow_unsolicited: Whether a chaincode may register that nobody launched: dev mode.
        """
        self._allow_unsolicited = allow_unsolicited
        self._ready: dict[str, H] = {}
        self._registered: dict[str, H] = {}
        self._launching: dict[str, asyncio.Future[H]] = {}

    def get(self, ccid: str) -> H | None:
        """The handler that takes transactions, if any."""
        return self._ready.get(ccid)

    def expect(self, ccid: str) -> asyncio.Future[H]:
        """Await a chaincode's registration; the future gets its handler."""
        future = self._launching.get(ccid)
        if future is None:
            future = self._launching[ccid] = asyncio.get_running_loop().create_future()
        return future

    def give_up(self, ccid: str) -> None:
        """No longer await it: whoever registers now comes too late."""
        future = self._launching.pop(ccid, None)
        if future is not None:
            future.cancel()

    def register(self, ccid: str, handler: H, *, solicited: bool) -> None:
        """Take a chaincode that says its name.

        Args:
            ccid: The name.
            handler: Its stream's handler.
            solicited: Whether it came by a way that only this chaincode has.

        Raises:
            ChaincodeError: It runs already, or nobody launched it.
        """
        if ccid in self._registered:
            raise ChaincodeError(f"duplicate chaincodeID: {ccid}")
        if not (solicited or ccid in self._launching or self._allow_unsolicited):
            raise ChaincodeError(
                f"peer will not accept external chaincode connection {ccid} (except in dev mode)"
            )
        self._registered[ccid] = handler

    def ready(self, ccid: str, handler: H) -> None:
        """It has been told READY."""
        self._ready[ccid] = handler
        _logger.info("chaincode %s registered", ccid)
        future = self._launching.pop(ccid, None)
        if future is not None and not future.done():
            future.set_result(handler)

    def deregister(self, ccid: str, handler: H) -> None:
        """Forget it, unless another has taken its place."""
        for handlers in (self._registered, self._ready):
            if handlers.get(ccid) is handler:
                del handlers[ccid]
