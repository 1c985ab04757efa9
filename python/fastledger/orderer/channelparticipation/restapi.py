# SPDX-License-Identifier: Apache-2.0
"""``/participation/v1/channels`` (Fabric: ``channelparticipation/restapi.go``).

==================================  ==========================================================
GET    channels                     all channels
POST   channels                     join, with the form's file ``config-block``
PUT    channels                     update, with the form's file ``config-update-envelope``
GET    channels/{name}              one channel
DELETE channels/{name}              remove
GET    channels/{name}/blocks/{id}  a block: newest, oldest, config or a number
==================================  ==========================================================
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, TypeVar

from aiohttp import web
from google.protobuf.message import DecodeError, Message

from fastledger.channelconfig import check_channel_id
from fastledger.comm.http import require_certificate
from fastledger.common import log
from fastledger.common.errors import FastledgerError, InputError, NotFound
from fastledger.orderer.channelparticipation.form import read_file_part
from fastledger.orderer.channelparticipation.validator import (
    validate_block_id,
    validate_join_block,
    validate_update,
)
from fastledger.orderer.multichannel import registrar as channels
from fastledger.orderer.multichannel.registrar import ChannelInfo, Registrar
from fastledger.protos.common.common_pb2 import Block, Envelope

BASE = "/participation/v1/"
CHANNELS = f"{BASE}channels"
MAX_REQUEST_BODY_BYTES = 1024 * 1024
"""``ChannelParticipation.MaxRequestBodySize``."""

_ONE = f"{CHANNELS}/{{channel}}"
_BLOCK = f"{_ONE}/blocks/{{block}}"
_M = TypeVar("_M", bound=Message)
_Serve = Callable[[web.Request], Awaitable[web.Response]]

_logger = log.get("orderer.common.channelparticipation")


class _Failure(FastledgerError):
    """An answer that is not a success."""

    def __init__(self, status: int, text: str, allow: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.allow = allow


_GET, _GET_DELETE, _COLLECTION = "GET", "GET, DELETE", "GET, POST, PUT"
_JOIN_FAILURES: dict[type[FastledgerError], tuple[int, str]] = {
    channels.SystemChannelExists: (405, _GET),
    channels.ChannelAlreadyExists: (405, _GET_DELETE),
    channels.ChannelPendingRemoval: (409, ""),
    channels.ChannelRemovalFailure: (500, ""),
}
_UPDATE_FAILURES: dict[type[FastledgerError], tuple[int, str]] = {
    channels.ChannelPendingRemoval: (409, ""),
    channels.ChannelRemovalFailure: (500, ""),
    channels.ChannelNotExist: (405, ""),
    channels.ChannelNotReady: (403, ""),
}
_REMOVE_FAILURES: dict[type[FastledgerError], tuple[int, str]] = {
    channels.SystemChannelExists: (405, _GET),
    channels.ChannelNotExist: (404, ""),
    channels.ChannelPendingRemoval: (409, ""),
}


class ChannelParticipation:
    """The interface over a registrar."""

    def __init__(
        self,
        registrar: Registrar,
        *,
        enabled: bool = True,
        max_body_bytes: int = MAX_REQUEST_BODY_BYTES,
    ) -> None:
        """Serve a registrar; a disabled interface answers everything with 503."""
        self._registrar = registrar
        self._enabled = enabled
        self._max_body_bytes = max_body_bytes

    def app(self) -> web.Application:
        """Return the application for an HTTP server."""
        app = web.Application()
        for method, path, serve in (
            ("GET", CHANNELS, self._list_all),
            ("POST", CHANNELS, self._join),
            ("PUT", CHANNELS, self._update),
            ("GET", _ONE, self._list_one),
            ("DELETE", _ONE, self._remove),
            ("GET", _BLOCK, self._fetch),
            ("GET", BASE, _redirect),
        ):
            app.router.add_route(method, path, self._guarded(serve))
        for path, allow in ((CHANNELS, _COLLECTION), (_ONE, _GET_DELETE), (_BLOCK, _GET)):
            app.router.add_route("*", path, self._guarded(_not_allowed(allow)))
        return app

    def _guarded(self, serve: _Serve) -> _Serve:
        async def guarded(request: web.Request) -> web.Response:
            require_certificate(request)
            try:
                if not self._enabled:
                    raise _Failure(503, "channel participation API is disabled")
                _check_accept(request)
                return await serve(request)
            except _Failure as failure:
                _logger.debug("%s %s: %s", request.method, request.path, failure)
                headers = {"Allow": failure.allow} if failure.allow else None
                return _json({"error": str(failure)}, failure.status, headers)

        return guarded

    async def _list_all(self, _: web.Request) -> web.Response:
        names = self._registrar.channel_ids()
        system = self._registrar.system_channel
        content = {
            "systemChannel": _short(system) if system else None,
            "channels": [_short(name) for name in names] or None,
        }
        return _json(content, 200, {"Cache-Control": "no-store"})

    async def _list_one(self, request: web.Request) -> web.Response:
        channel_id = _channel_id(request)
        try:
            info = self._registrar.info(channel_id)
        except channels.ChannelNotExist as error:
            raise _Failure(404, str(error)) from error
        return _json(_full(info), 200, {"Cache-Control": "no-store"})

    async def _join(self, request: web.Request) -> web.Response:
        encoded = await read_part(request, "config-block", self._max_body_bytes)
        block = _decode(Block, encoded, "config-block", "a block")
        try:
            bundle = validate_join_block(block)
        except FastledgerError as error:
            raise _Failure(400, f"invalid join block: {error}") from error
        try:
            info = self._registrar.join(bundle, block.SerializeToString())
        except FastledgerError as error:
            _fail("cannot join", error, _JOIN_FAILURES)
        return _created(info)

    async def _update(self, request: web.Request) -> web.Response:
        key = "config-update-envelope"
        encoded = await read_part(request, key, self._max_body_bytes)
        envelope = _decode(Envelope, encoded, key, "an envelope")
        try:
            channel_id, message = validate_update(envelope)
        except FastledgerError as error:
            raise _Failure(400, f"invalid config update envelope: {error}") from error
        try:
            info = await self._registrar.update(channel_id, message)
        except FastledgerError as error:
            _fail("cannot update", error, _UPDATE_FAILURES)
        return _created(info)

    async def _remove(self, request: web.Request) -> web.Response:
        channel_id = _channel_id(request)
        try:
            await self._registrar.remove(channel_id)
        except FastledgerError as error:
            _fail("cannot remove", error, _REMOVE_FAILURES)
        return web.Response(status=204)

    async def _fetch(self, request: web.Request) -> web.Response:
        channel_id = _channel_id(request)
        block_id = request.match_info["block"]
        try:
            validate_block_id(block_id)
        except InputError as error:
            raise _Failure(400, f"invalid block ID: {error}") from error
        try:
            block = self._registrar.fetch(channel_id, block_id)
        except (FastledgerError, OverflowError) as error:
            text = "no such block" if isinstance(error, NotFound | OverflowError) else str(error)
            raise _Failure(404, text) from error
        headers = {"Cache-Control": "no-store", "Content-Type": "application/octet-stream"}
        return web.Response(body=block, headers=headers)


async def read_part(request: web.Request, key: str, limit: int) -> bytes:
    """Return the one file of a form."""
    if not request.headers.get("Content-Type", "").startswith("multipart/form-data"):
        kinds = " ".join(request.headers.getall("Content-Type", []))
        raise _Failure(400, f"unsupported Content-Type: [{kinds}]")
    try:
        return await read_file_part(request, key, limit)
    except InputError as error:
        raise _Failure(400, str(error)) from error


def _decode(kind: type[_M], encoded: bytes, key: str, what: str) -> _M:
    try:
        return kind.FromString(encoded)
    except DecodeError as error:
        text = f"cannot unmarshal file part {key} into {what}: {error}"
        raise _Failure(400, text) from error


def _channel_id(request: web.Request) -> str:
    channel_id = request.match_info["channel"]
    try:
        check_channel_id(channel_id)
    except InputError as error:
        raise _Failure(400, f"invalid channel ID: {error}") from error
    return channel_id


def _fail(
    what: str, error: FastledgerError, failures: dict[type[FastledgerError], tuple[int, str]]
) -> NoReturn:
    status, allow = failures.get(type(error), (400, ""))
    raise _Failure(status, f"{what}: {error}", allow) from error


def _not_allowed(allow: str) -> _Serve:
    async def refuse(request: web.Request) -> web.Response:
        raise _Failure(405, f"invalid request method: {request.method}", allow)

    return refuse


async def _redirect(_: web.Request) -> web.Response:
    return web.Response(status=302, headers={"Location": CHANNELS})


def _check_accept(request: web.Request) -> None:
    accepted = request.headers.get("Accept", "")
    known = ("application/json", "application/*", "*/*")
    if accepted and not any(kind in accepted for kind in known):
        raise _Failure(406, "response Content-Type is application/json only")


def _short(name: str) -> dict[str, str]:
    return {"name": name, "url": f"{CHANNELS}/{name}"}


def _full(info: ChannelInfo) -> dict[str, Any]:
    return {
        **_short(info.name),
        "consensusRelation": info.standing.relation,
        "status": info.standing.status,
        "height": info.height,
    }


def _created(info: ChannelInfo) -> web.Response:
    return _json(_full(info), 201, {"Location": f"{CHANNELS}/{info.name}"})


def _json(content: Any, status: int, headers: dict[str, str] | None = None) -> web.Response:
    """Write JSON as Go's encoder does."""
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    body = f"{text}\n".encode()
    return web.Response(
        body=body, status=status, headers={"Content-Type": "application/json", **(headers or {})}
    )
