# SPDX-License-Identifier: Apache-2.0
"""``configtxlator start``: the translations as a REST service."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from aiohttp import web
from google.protobuf.message import DecodeError

from fastledger.comm.http import UNREADABLE_FORM
from fastledger.common.errors import InputError, NotFound
from fastledger.protos.common.configtx_pb2 import Config
from fastledger.tools.configtxlator import protolator
from fastledger.tools.configtxlator.registry import message_type
from fastledger.tools.configtxlator.update import compute_update

MAX_BODY_BYTES = 100 * 1024 * 1024
"""The largest body that is taken: Fabric's largest message."""

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def application(cors: Sequence[str] = ()) -> web.Application:
    """Build the service.

    Args:
        cors: Origins whose pages may call it; ``*`` stands for all.
    """
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    if cors:
        app.middlewares.append(_cross_origin(frozenset(cors)))
    app.router.add_post("/protolator/encode/{type}", _encode)
    app.router.add_post("/protolator/decode/{type}", _decode)
    app.router.add_post("/configtxlator/compute/update-from-configs", _compute_update)
    return app


async def _decode(request: web.Request) -> web.Response:
    try:
        message = message_type(request.match_info["type"]).FromString(await request.read())
        text = protolator.to_json(message)
    except NotFound as error:
        return _refused(404, f"message type not found: {error}")
    except (InputError, DecodeError) as error:
        return _refused(400, str(error))
    return web.Response(text=text, content_type="application/json")


async def _encode(request: web.Request) -> web.Response:
    try:
        kind = message_type(request.match_info["type"])
        message = protolator.from_json(await request.read(), kind)
    except NotFound as error:
        return _refused(404, f"message type not found: {error}")
    except InputError as error:
        return _refused(400, str(error))
    return _encoded(message)


async def _compute_update(request: web.Request) -> web.Response:
    if request.content_type != "multipart/form-data":
        return _refused(400, "Error with field 'original': not a multipart/form-data request")
    try:
        form = await request.post()
    except UNREADABLE_FORM as error:
        return _refused(400, f"Error with field 'original': error reading field bytes: {error}")
    configs = []
    for name in ("original", "updated"):
        part = form.get(name)
        if not isinstance(part, web.FileField):
            return _refused(400, f"Error with field '{name}': error reading field bytes: no file")
        try:
            configs.append(Config.FromString(part.file.read()))
        except DecodeError as error:
            text = f"Error with field '{name}': error unmarshalling field bytes: {error}"
            return _refused(400, text)
    try:
        update = compute_update(str(form.get("channel", "")), *configs)
    except InputError as error:
        return _refused(400, f"Error computing update: {error}")
    return _encoded(update)


def _encoded(message: Any) -> web.Response:
    body = message.SerializeToString(deterministic=True)
    return web.Response(body=body, content_type="application/octet-stream")


def _refused(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=f"{text}\n")


def _cross_origin(origins: frozenset[str]) -> Any:
    @web.middleware
    async def middleware(request: web.Request, handler: _Handler) -> web.StreamResponse:
        origin = request.headers.get("Origin", "")
        allowed = "*" if "*" in origins else origin if origin in origins else ""
        if request.method == "OPTIONS" and origin:
            response: web.StreamResponse = web.Response()
            response.headers["Access-Control-Allow-Headers"] = "Content-Type"
        else:
            response = await handler(request)
        if origin and allowed:
            response.headers["Access-Control-Allow-Origin"] = allowed
        return response

    return middleware
