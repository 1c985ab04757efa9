# SPDX-License-Identifier: Apache-2.0
"""``fastledger configtxlator``."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from fastledger.cli.command import PATH
from fastledger.cli.kingpin import KingpinGroup
from fastledger.common.errors import FastledgerError


@click.group(cls=KingpinGroup)
def configtxlator() -> None:
    """Translate channel configurations and other messages."""


@configtxlator.command()
@click.option("--hostname", default="0.0.0.0", help="Address to listen at.")  # noqa: S104
@click.option("--port", type=int, default=7059, help="Port to listen at.")
@click.option("--CORS", "cors", multiple=True, help="Origin that may call; may be repeated.")
def start(hostname: str, port: int, cors: tuple[str, ...]) -> None:
    """Start the configtxlator REST server."""
    import asyncio

    from fastledger.comm.http import HttpServer
    from fastledger.tools.configtxlator.server import application

    async def serve() -> None:
        try:
            server = HttpServer(f"{hostname}:{port}", application(cors))
            await server.start()
        except FastledgerError as error:
            configtxlator.fail(f"Could not bind to address '{hostname}:{port}': {error}")
        click.echo(f"Serving HTTP requests on {hostname}:{server.port}", err=True)
        try:
            await asyncio.Event().wait()
        finally:
            await server.stop()

    try:
        asyncio.run(serve())
    except KeyboardInterrupt:
        sys.exit(130)


@configtxlator.command("proto_encode")
@click.option("--type", "kind", required=True, help="Type of message, such as common.Config.")
@click.option("--input", "source", type=PATH, default="/dev/stdin", help="The JSON document.")
@click.option("--output", type=PATH, default="/dev/stdout", help="Where the message goes.")
def proto_encode(kind: str, source: Path, output: Path) -> None:
    """Convert a JSON document to protobuf."""
    from fastledger.tools.configtxlator import protolator
    from fastledger.tools.configtxlator.registry import message_type

    def encode() -> bytes:
        message = protolator.from_json(_read(source), message_type(kind))
        return message.SerializeToString(deterministic=True)

    _run("Error decoding: error decoding input", encode, output)


@configtxlator.command("proto_decode")
@click.option("--type", "kind", required=True, help="Type of message, such as common.Config.")
@click.option("--input", "source", type=PATH, default="/dev/stdin", help="The message.")
@click.option("--output", type=PATH, default="/dev/stdout", help="Where the JSON document goes.")
def proto_decode(kind: str, source: Path, output: Path) -> None:
    """Convert a protobuf message to JSON."""
    from fastledger.tools.configtxlator import protolator
    from fastledger.tools.configtxlator.registry import message_type

    def decode() -> bytes:
        return protolator.to_json(_parse(message_type(kind), source)).encode()

    _run("Error decoding: error encoding output", decode, output)


@configtxlator.command("compute_update")
@click.option("--original", type=PATH, required=True, help="The configuration as it is.")
@click.option("--updated", type=PATH, required=True, help="The configuration as it shall be.")
@click.option("--channel_id", required=True, help="The channel that is updated.")
@click.option("--output", type=PATH, default="/dev/stdout", help="Where the update goes.")
def compute_update(original: Path, updated: Path, channel_id: str, output: Path) -> None:
    """Compute the update that leads from one common.Config to another."""
    from fastledger.protos.common.configtx_pb2 import Config
    from fastledger.tools.configtxlator import update

    def compute() -> bytes:
        configs = [_parse(Config, path) for path in (original, updated)]
        computed = update.compute_update(channel_id, *configs)
        return computed.SerializeToString(deterministic=True)

    _run("Error computing update: error computing config update", compute, output)


@configtxlator.command()
def version() -> None:
    """Show version information."""
    from fastledger.tools.version import version_info

    click.echo(version_info("configtxlator"))


def _run(problem: str, work: Callable[[], bytes], output: Path) -> None:
    try:
        result = work()
    except FastledgerError as error:
        configtxlator.fail(f"{problem}: {error}")
    if str(output) == "/dev/stdout":
        # Not opened by its name, because that would write over what is already in a file.
        sys.stdout.buffer.write(result)
    else:
        try:
            output.write_bytes(result)
        except OSError as error:
            configtxlator.fail(f"open {output}: {error.strerror}, try --help")


def _read(path: Path) -> bytes:
    if str(path) == "/dev/stdin":
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except FileNotFoundError:
        configtxlator.fail(f"open {path}: no such file or directory, try --help")
    except OSError as error:
        configtxlator.fail(f"open {path}: {error.strerror}, try --help")


def _parse(kind: Any, path: Path) -> Any:
    from google.protobuf.message import DecodeError

    from fastledger.common.errors import InputError

    try:
        return kind.FromString(_read(path))
    except DecodeError as error:
        raise InputError(f"error unmarshalling: {path}: {error}") from error
