# SPDX-License-Identifier: Apache-2.0
"""``peer lifecycle chaincode package`` and ``calculatepackageid``: no peer is asked."""

import json
from pathlib import Path
from typing import Any

import click

from fastledger.chaincode import package as packages
from fastledger.cli.peer.cobra import CobraCommand
from fastledger.cli.peer.connections import PEER_OPTIONS
from fastledger.cli.peer.packaging import source_code
from fastledger.cli.peer.settings import OrdererFlags, load_config, orderer_options
from fastledger.common.errors import InputError


@click.command(cls=CobraCommand)
@click.argument("args", nargs=-1, metavar="[outputfile]")
@click.option("--label", default="", help="Human-readable name of the package")
@click.option("-l", "--lang", default="golang", help="Language of the chaincode")
@click.option("-p", "--path", default="", help="Where its sources are")
@PEER_OPTIONS
@orderer_options
def package(
    args: tuple[str, ...],
    label: str,
    lang: str,
    path: str,
    ordering: OrdererFlags,  # noqa: ARG001
    **peers: Any,  # noqa: ARG001
) -> None:
    """Write a chaincode's package to a file."""
    load_config()
    if len(args) != 1:
        raise InputError("invalid number of args. expected only the output file")
    for value, what in ((path, "chaincode path"), (lang, "chaincode language")):
        if not value:
            raise InputError(f"{what} must be specified")
    if not label:
        raise InputError("package label must be specified")
    try:
        normalized, code = source_code(lang.lower(), path)
    except InputError as error:
        raise InputError(f"error getting chaincode bytes: {error}") from error
    content = packages.assemble(label, lang, code, normalized)
    try:
        Path(args[0]).write_bytes(content)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"error writing chaincode package to {args[0]}: {reason}") from error


@click.command(cls=CobraCommand)
@click.argument("args", nargs=-1, metavar="[packageFile]")
@PEER_OPTIONS
@click.option("-O", "--output", default="", help="json shows JSON")
@orderer_options
def calculatepackageid(
    args: tuple[str, ...],
    output: str,
    ordering: OrdererFlags,  # noqa: ARG001
    **peers: Any,  # noqa: ARG001
) -> None:
    """Show the id that a package will have when it is installed."""
    load_config()
    if len(args) != 1:
        raise InputError("invalid number of args. expected only the packaged chaincode file")
    content = read_package(args[0])
    try:
        label = packages.parse_lifecycle(content).label
    except InputError as error:
        raise InputError(f"could not parse as a chaincode install package: {error}") from error
    package_id = packages.package_id(label, content)
    if output.lower() == "json":
        package_id = json.dumps({"package_id": package_id}, indent="\t")
    click.echo(package_id)


def read_package(file: str) -> bytes:
    """Read a package's file.

    Raises:
        InputError: It cannot be read.
    """
    try:
        return Path(file).read_bytes()
    except OSError as error:
        reason = f"open {file}: {(error.strerror or str(error)).lower()}"
        raise InputError(f"failed to read chaincode package at '{file}': {reason}") from error
