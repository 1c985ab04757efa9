# SPDX-License-Identifier: Apache-2.0
"""Fabric's limits on the calls of a service at a time, without its unfairness.

Fabric: ``internal/peer/node/grpc_limiters.go``, with ``peer.limits.concurrency``.
"""

from typing import Any, TypeAlias

import grpc
import grpc.aio

from fastledger.common import log
from fastledger.common.share import FairLimit

_Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
_logger = log.get("comm.grpc.server")


class ServiceLimit:
    """The calls of one service, by who makes them."""

    def __init__(self, service: str, most: int) -> None:
        """Take ``most`` calls at a time, 0 for no limit; see :class:`FairLimit` for more."""
        self._refusal = f"too many requests for {service}, exceeding concurrency limit ({most})"
        self._limit = FairLimit(most)

    def call(self, who: bytes, context: _Context) -> "_Counted":
        """Count a call while it is answered; one too many is ended as Fabric's servers do."""
        return _Counted(self._limit, self._refusal, who, context)


class _Counted:
    """A call that counts. It is a class of its own because each call of a peer makes one."""

    __slots__ = ("_context", "_limit", "_refusal", "_who")

    def __init__(self, limit: FairLimit, refusal: str, who: bytes, context: _Context) -> None:
        self._limit = limit
        self._refusal = refusal
        self._who = who
        self._context = context

    async def __aenter__(self) -> None:
        if not self._limit.enter(self._who):
            _logger.error("%s", self._refusal)
            await self._context.abort(grpc.StatusCode.UNKNOWN, self._refusal)

    async def __aexit__(self, *_: object) -> None:
        self._limit.leave(self._who)
