# SPDX-License-Identifier: Apache-2.0
"""Reads a form that must hold one file."""

from aiohttp import BodyPartReader, web

from fastledger.comm.http import UNREADABLE_FORM
from fastledger.common.errors import InputError

MAX_PARTS = 16
"""A form has one part; more are counted up to here, to say that there are too many."""


async def read_file_part(request: web.Request, key: str, limit: int) -> bytes:
    """Return the content of the file ``key``.

    Raises:
        InputError: The form is larger than ``limit`` bytes, cannot be read, or has other parts.
    """
    length = request.content_length
    if length is not None and length > limit:
        raise _unreadable("http: request body too large")
    files: dict[str, bytes] = {}
    others = 0
    budget = limit
    try:
        reader = await request.multipart()
        while (part := await reader.next()) is not None and others + len(files) < MAX_PARTS:
            if not isinstance(part, BodyPartReader):
                raise _unreadable("multipart within multipart")
            content = await _read(part, budget)
            budget -= len(content)
            if part.filename is None:
                others += 1
            else:
                files[part.name or ""] = content
    except UNREADABLE_FORM as error:
        raise _unreadable(str(error)) from error
    if key not in files:
        raise InputError(f"form does not contains part key: {key}")
    if len(files) != 1 or others:
        raise InputError("form contains too many parts")
    return files[key]


async def _read(part: BodyPartReader, budget: int) -> bytes:
    content = bytearray()
    while chunk := await part.read_chunk():
        content += chunk
        if len(content) > budget:
            raise _unreadable("multipart: NextPart: http: request body too large")
    return bytes(content)


def _unreadable(reason: str) -> InputError:
    return InputError(f"cannot read form from request body: {reason}")
