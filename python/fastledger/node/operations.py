# SPDX-License-Identifier: Apache-2.0
"""The operations endpoint of a node: /healthz, /version, /logspec and /metrics.

Fabric: ``core/operations``.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from fastledger import __version__
from fastledger.comm.http import HttpServer, require_certificate
from fastledger.comm.tls import TlsConfig
from fastledger.common import gojson, log, metrics
from fastledger.common.errors import ConfigInvalid
from fastledger.common.gojson import JsonInvalid
from fastledger.node.operations_config import PeerOperations

MAX_BODY_BYTES = 64 * 1024
"""A logging specification is far shorter."""

Checker = Callable[[], Awaitable[None]]
"""Returns when its component is healthy, raises with the reason otherwise."""

_logger = log.get("operations.runner")


@dataclass
class _LogSpec:
    GO = "httpadmin.LogSpec"

    spec: str = ""


class Operations:
    """The endpoint of one node."""

    def __init__(
        self, address: str, tls: TlsConfig | None = None, *, provider: str = "disabled"
    ) -> None:
        """Prepare the endpoint; ``provider`` is ``prometheus`` or ``disabled``."""
        self._checkers: dict[str, Checker] = {}
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_get("/healthz", self._health)
        app.router.add_get("/version", _version)
        app.router.add_route("*", "/logspec", self._logspec)
        if provider == "prometheus":
            app.router.add_get("/metrics", self._metrics)
        elif provider != "disabled":
            _logger.warning(
                "metrics.provider %s is not supported: metrics are disabled; use prometheus",
                provider,
            )
        self._server = HttpServer(address, app, tls)

    @staticmethod
    def of(settings: PeerOperations) -> "Operations | None":
        """Prepare the endpoint of ``core.yaml`` or ``orderer.yaml``; None without an address."""
        if not settings.address:
            return None
        return Operations(settings.address, settings.tls.load(), provider=settings.provider)

    @property
    def port(self) -> int:
        """The port it listens at, once it was started."""
        return self._server.port

    def add_checker(self, component: str, checker: Checker) -> None:
        """Let /healthz ask a component."""
        self._checkers[component] = checker

    async def start(self) -> None:
        """Listen and serve; raises ConnectionFailed when the address is taken."""
        metrics.gauge("fabric_version", "The active version of Fabric.", ["version"]).labels(
            __version__
        ).set(1)
        await self._server.start()

    async def stop(self) -> None:
        """Stop to serve."""
        await self._server.stop()

    async def _health(self, _: web.Request) -> web.Response:
        failed = []
        for component, checker in self._checkers.items():
            try:
                await checker()
            except Exception as error:  # noqa: BLE001 - whatever is wrong is the answer
                failed.append({"component": component, "reason": str(error)})
        now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        if not failed:
            return web.json_response({"status": "OK", "time": now})
        return web.json_response(
            {"status": "Service Unavailable", "time": now, "failed_checks": failed}, status=503
        )

    async def _logspec(self, request: web.Request) -> web.Response:
        require_certificate(request)
        if request.method == "GET":
            return web.json_response({"spec": log.spec()})
        if request.method != "PUT":
            return _bad(f"invalid request method: {request.method}")
        try:
            log.activate(gojson.decode(await request.read(), _LogSpec).spec)
        except (JsonInvalid, ConfigInvalid) as error:
            return _bad(str(error))
        return web.Response(status=204)

    async def _metrics(self, request: web.Request) -> web.Response:
        require_certificate(request)
        return web.Response(
            body=metrics.exposition(),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )


async def _version(_: web.Request) -> web.Response:
    return web.json_response({"CommitSHA": "fastledger", "Version": __version__})


def _bad(reason: str) -> web.Response:
    return web.json_response({"error": reason}, status=400)
