# SPDX-License-Identifier: Apache-2.0
"""``peer node status`` and ``peer logging …``: the Admin service of Fabric 1.4."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeVar

import click
import grpc.aio

from fastledger.cli.peer.cobra import CobraCommand, UsageFailed
from fastledger.cli.peer.prototext import one_line
from fastledger.cli.peer.settings import load_settings
from fastledger.client.target import rpc_failed
from fastledger.common import log
from fastledger.protos.common.common_pb2 import Envelope, HeaderType
from fastledger.protos.peer.admin_pb2 import AdminOperation, LogLevelRequest, LogSpecRequest
from fastledger.protos.peer.admin_pb2_grpc import AdminStub
from fastledger.protoutil.envelope import signed_envelope

if TYPE_CHECKING:
    from fastledger.protos.peer.admin_pb2_grpc import AdminAsyncStub

_LEVELS = {"debug", "info", "warning", "warn", "error", "panic", "fatal", "dpanic"}
_logger = log.get("cli.logging")
_T = TypeVar("_T")


async def _ask(
    method: "Callable[[AdminAsyncStub, Envelope], Awaitable[_T]]", what: AdminOperation
) -> _T:
    settings = load_settings()
    channel = await settings.peer().connect("admin")
    async with channel:
        content = what.SerializeToString()
        request = signed_envelope(HeaderType.PEER_ADMIN_OPERATION, "", content, settings.signer)
        try:
            return await method(AdminStub(channel), request)
        except grpc.aio.AioRpcError as error:
            raise rpc_failed(error) from error


@click.command(cls=CobraCommand)
@click.argument("args", nargs=-1)
async def status(args: tuple[str, ...]) -> None:
    """Say whether the peer runs."""
    if args:
        raise UsageFailed("trailing args detected")
    answer = await _ask(lambda stub, request: stub.GetStatus(request), AdminOperation())
    click.echo(f"{one_line(answer).rstrip()} ")


@click.command(cls=CobraCommand)
@click.argument("args", nargs=-1)
async def getlogspec(args: tuple[str, ...]) -> None:
    """Show the peer's logging specification."""
    if args:
        raise UsageFailed("more than 0 arguments were passed to this command")
    answer = await _ask(lambda stub, request: stub.GetLogSpec(request), AdminOperation())
    _logger.info("Current logging spec: %s", answer.log_spec)


@click.command(cls=CobraCommand)
@click.argument("args", nargs=-1, metavar="<spec>")
async def setlogspec(args: tuple[str, ...]) -> None:
    """Set the peer's logging specification."""
    if len(args) != 1:
        raise UsageFailed("exactly one argument is needed: the logging specification")
    what = AdminOperation(logSpecReq=LogSpecRequest(log_spec=args[0]))
    answer = await _ask(lambda stub, request: stub.SetLogSpec(request), what)
    _logger.info("Current logging spec set to: %s", answer.log_spec)


@click.command(cls=CobraCommand)
@click.argument("args", nargs=-1, metavar="<logger>")
async def getlevel(args: tuple[str, ...]) -> None:
    """Show a logger's level."""
    if len(args) != 1:
        raise UsageFailed("exactly one argument is needed: the logger's name")
    what = AdminOperation(logReq=LogLevelRequest(log_module=args[0]))
    answer = await _ask(lambda stub, request: stub.GetModuleLogLevel(request), what)
    text = "Current log level for logger '%s': %s"
    _logger.info(text, answer.log_module, answer.log_level)


@click.command(cls=CobraCommand)
@click.argument("args", nargs=-1, metavar="<logger> <level>")
async def setlevel(args: tuple[str, ...]) -> None:
    """Set the level of loggers by the beginning of their names."""
    if len(args) != 2:
        raise UsageFailed("two arguments are needed: the logger's name and the level")
    if args[1].lower() not in _LEVELS:
        raise UsageFailed(f"invalid log level provided - {args[1]}")
    what = AdminOperation(logReq=LogLevelRequest(log_module=args[0], log_level=args[1]))
    answer = await _ask(lambda stub, request: stub.SetModuleLogLevel(request), what)
    text = "Log level set for logger name/prefix '%s': %s"
    _logger.info(text, answer.log_module, answer.log_level)


@click.command(cls=CobraCommand)
@click.argument("args", nargs=-1)
async def revertlevels(args: tuple[str, ...]) -> None:
    """Set the levels back to those at the peer's start."""
    if args:
        raise UsageFailed("more than 0 arguments were passed to this command")
    await _ask(lambda stub, request: stub.RevertLogLevels(request), AdminOperation())
    _logger.info("Logging spec reverted to the peer's spec at startup.")
