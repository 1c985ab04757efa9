# SPDX-License-Identifier: Apache-2.0
"""``fastledger osnadmin``: joins orderers to channels, with the flags of Fabric's ``osnadmin``."""

import itertools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click

from fastledger.cli.command import PATH
from fastledger.cli.kingpin import KingpinGroup
from fastledger.common.errors import FastledgerError

_GLOBAL_FLAGS = ("--orderer-address", "--ca-file", "-o", "--client-cert", "--client-key")
"""Flags that may stand before or after the command."""


class _Commands(KingpinGroup):
    """Commands whose errors are those of ``osnadmin``."""

    def fail(self, reason: str) -> NoReturn:
        """Say what is wrong in osnadmin's frame."""
        _refuse(reason.removesuffix(", try --help"))


class _Program(_Commands):
    """The program, whose own flags may stand anywhere."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Bring the program's flags before the command."""
        own: list[str] = []
        rest: list[str] = []
        words = iter(args)
        for word in words:
            if word in _GLOBAL_FLAGS:
                own += [word, *itertools.islice(words, 1)]
            elif word == "--no-status" or word.split("=")[0] in _GLOBAL_FLAGS:
                own.append(word)
            else:
                rest.append(word)
        if "--help" in rest:
            self._help(ctx, rest)
        return super().parse_args(ctx, own + rest)

    def _help(self, ctx: click.Context, words: list[str]) -> NoReturn:
        """Show the help of the command that words name; it needs no address."""
        command: click.Command = self
        for word in words:
            found = command.get_command(ctx, word) if isinstance(command, click.Group) else None
            if found:
                ctx = click.Context(found, parent=ctx, info_name=word)
                command = found
        click.echo(command.get_help(ctx))
        ctx.exit(0)


def _file(*names: str, text: str, required: bool = False) -> Callable[[Any], Any]:
    return click.option(*names, type=PATH, required=required, help=text)


_CHANNEL = click.option("--channelID", "-c", "channel_id", required=True, help="Channel ID")
_SHIFT = click.option(
    "--tlsHandshakeTimeShift",
    "-t",
    "_shift",
    expose_value=False,
    help="Accepted, and not used: the clock of the TLS library cannot be shifted",
)


@dataclass(frozen=True, slots=True)
class _Admin:
    """What the flags before the command say."""

    client: Any
    show_status: bool


@click.group(cls=_Program)
@click.option("--orderer-address", "-o", "address", required=True, help="Admin endpoint of the OSN")
@_file(
    "--ca-file",
    "ca_file",
    text="Path to file containing PEM-encoded TLS CA certificate(s) for the OSN",
)
@_file(
    "--client-cert",
    "client_cert",
    text="Path to file containing PEM-encoded X509 public key to use for mutual TLS "
    "communication with the OSN",
)
@_file(
    "--client-key",
    "client_key",
    text="Path to file containing PEM-encoded private key to use for mutual TLS "
    "communication with the OSN",
)
@click.option(
    "--no-status", is_flag=True, help="Remove the HTTP status message from the command output"
)
@click.pass_context
def osnadmin(
    context: click.Context,
    address: str,
    ca_file: Path | None,
    client_cert: Path | None,
    client_key: Path | None,
    no_status: bool,
) -> None:
    """Orderer Service Node (OSN) administration."""
    from fastledger.tools.osnadmin import OsnAdmin

    client = _parsed(lambda: OsnAdmin(address, ca_file, client_cert, client_key))
    context.obj = _Admin(client, not no_status)


@osnadmin.group(cls=_Commands)
def channel() -> None:
    """Channel actions."""


@channel.command()
@_CHANNEL
@_file(
    "--config-block",
    "-b",
    "block",
    required=True,
    text="Path to the file containing an up-to-date config block for the channel",
)
@click.pass_obj
def join(admin: _Admin, channel_id: str, block: Path) -> None:
    """Join an Ordering Service Node (OSN) to a channel.

    If the channel does not yet exist, it will be created.
    """
    from fastledger.tools.osnadmin import read_block

    encoded = _parsed(lambda: read_block(block, channel_id))
    _show(admin, lambda: admin.client.join(encoded))


@channel.command("list")
@click.option("--channelID", "-c", "channel_id", default="", help="Channel ID")
@click.pass_obj
def list_(admin: _Admin, channel_id: str) -> None:
    """List channel information for an Ordering Service Node (OSN).

    If the channelID flag is set, more detailed information will be provided for that channel.
    """
    _show(admin, lambda: admin.client.channels(channel_id))


@channel.command()
@_CHANNEL
@click.pass_obj
def remove(admin: _Admin, channel_id: str) -> None:
    """Remove a channel from an Ordering Service Node (OSN)."""
    _show(admin, lambda: admin.client.remove(channel_id))


@channel.command()
@_CHANNEL
@_file(
    "--config-update-envelope",
    "-e",
    "envelope",
    required=True,
    text="Path to the file containing an up-to-date config update envelope for the channel",
)
@_SHIFT
@click.pass_obj
def update(admin: _Admin, channel_id: str, envelope: Path) -> None:
    """Update an Ordering Service Node (OSN) to a channel."""
    from fastledger.tools.osnadmin import read_envelope

    encoded = _parsed(lambda: read_envelope(envelope, channel_id))
    _show(admin, lambda: admin.client.update(encoded))


@channel.command()
@_CHANNEL
@click.option(
    "--blockID", "-b", "block_id", required=True, help="Block ID - <newest|oldest|config|(number)>"
)
@_file(
    "--outputfile",
    "-f",
    "output",
    required=True,
    text="Puth to a file.",
)
@_SHIFT
@click.pass_obj
def fetch(admin: _Admin, channel_id: str, block_id: str, output: Path) -> None:
    """Fetch a specified block, writing it to a file."""
    from fastledger.tools.osnadmin import check_block_id

    _parsed(lambda: check_block_id(block_id))
    _show(admin, lambda: admin.client.fetch(channel_id, block_id), output=output)


def _refuse(reason: str) -> NoReturn:
    click.echo(f"osnadmin: error: parsing arguments: {reason}. Try --help", err=True)
    sys.exit(1)


def _parsed(read: Callable[[], Any]) -> Any:
    """Run what Fabric counts as parsing arguments: its errors have their own frame."""
    try:
        return read()
    except (FastledgerError, OSError) as error:
        _refuse(str(error))


def _show(admin: _Admin, call: Callable[[], Any], *, output: Path | None = None) -> None:
    try:
        click.echo(call().format(show_status=admin.show_status, output=output))
    except (FastledgerError, OSError) as error:
        click.echo(f"Error: {error}\n")
        sys.exit(1)
