# SPDX-License-Identifier: Apache-2.0
"""Fabric's limits on the calls of a service at a time, without its unfairness.

Fabric: ``internal/peer/node/grpc_limiters.go``, with ``peer.limits.concurrency``.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio

from fastledger.common import log
from fastledger.common.share import FairLimit

_logger = log.get("comm.grpc.server")


class ServiceLimit:
    """The calls of one service, by who makes them."""

    def __init__(self, service: str, most: int) -> None:
        """Take ``most`` calls at a time, 0 for no limit; see :class:`FairLimit` for more."""
        self._refusal = f"too many requests for {service}, exceeding concurrency limit ({most})"
        self._limit = FairLimit(most)

    @asynccontextmanager
    async def call(
        self, who: bytes, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> AsyncIterator[None]:
        """Count a call while it is answered; one too many is ended as Fabric's servers do."""
        if not self._limit.enter(who):
            _logger.error("%s", self._refusal)
            await context.abort(grpc.StatusCode.UNKNOWN, self._refusal)
        try:
            yield
        finally:
            self._limit.leave(who)
