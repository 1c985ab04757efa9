# SPDX-License-Identifier: Apache-2.0
"""``peer lifecycle chaincode install``, ``queryinstalled`` and ``getinstalledpackage``."""

from pathlib import Path
from typing import Any

import click

from fastledger.cli.peer import gojson
from fastledger.cli.peer.cobra import CobraCommand, options
from fastledger.cli.peer.connections import PEER_OPTIONS
from fastledger.cli.peer.lifecycle.ask import LOGGER, ask
from fastledger.cli.peer.lifecycle.package import read_package
from fastledger.cli.peer.prototext import one_line
from fastledger.cli.peer.settings import OrdererFlags, orderer_options
from fastledger.client.progress import while_told
from fastledger.common import log
from fastledger.common.errors import InputError
from fastledger.protos.peer.lifecycle import lifecycle_pb2 as lb
from fastledger.protos.peer.proposal_response_pb2 import Response

_logger = log.get(LOGGER)

_ONE_PEER = options(
    PEER_OPTIONS,
    click.option("--targetPeer", "target_peer", default="", help="Peer of the connection profile"),
)


def tell_building(seconds: float) -> None:
    """Say what a peer does that has not answered to an install yet."""
    _logger.info("The peer builds the chaincode: %.0f s so far", seconds)


@click.command(cls=CobraCommand)
@click.argument("args", nargs=-1, metavar="[packageFile]")
@_ONE_PEER
@orderer_options
async def install(
    args: tuple[str, ...],
    ordering: OrdererFlags,  # noqa: ARG001
    **values: Any,
) -> None:
    """Give a package to a peer."""
    if not args or not args[0]:
        raise InputError("chaincode install package must be provided")
    payload = await while_told(
        ask(
            "install",
            "InstallChaincode",
            lb.InstallChaincodeArgs(chaincode_install_package=read_package(args[0])),
            values,
            failed="chaincode install failed",
            unreachable="failed to endorse chaincode install",
        ),
        tell_building,
    )
    shown = one_line(Response(status=200, payload=payload))
    _logger.info("Installed remotely: response:<%s>", shown)
    result = lb.InstallChaincodeResult.FromString(payload)
    _logger.info("Chaincode code package identifier: %s", result.package_id)


@click.command(cls=CobraCommand)
@_ONE_PEER
@click.option("-O", "--output", default="", help="json shows JSON")
@orderer_options
async def queryinstalled(
    output: str,
    ordering: OrdererFlags,  # noqa: ARG001
    **values: Any,
) -> None:
    """List the packages on a peer."""
    payload = await ask(
        "queryinstalled", "QueryInstalledChaincodes", lb.QueryInstalledChaincodesArgs(), values
    )
    result = lb.QueryInstalledChaincodesResult.FromString(payload)
    if output.lower() == "json":
        click.echo(gojson.dumps(result))
        return
    click.echo("Installed chaincodes on peer:")
    for chaincode in result.installed_chaincodes:
        click.echo(f"Package ID: {chaincode.package_id}, Label: {chaincode.label}")


@click.command(cls=CobraCommand)
@_ONE_PEER
@click.option("--package-id", default="", help="The package's id")
@click.option("--output-directory", default="", help="Where to write it")
@orderer_options
async def getinstalledpackage(
    package_id: str,
    output_directory: str,
    ordering: OrdererFlags,  # noqa: ARG001
    **values: Any,
) -> None:
    """Fetch a package from a peer, into a file."""
    if not package_id:
        raise InputError(
            "The required parameter 'package-id' is empty. Rerun the command with --package-id flag"
        )
    payload = await ask(
        "getinstalledpackage",
        "GetInstalledChaincodePackage",
        lb.GetInstalledChaincodePackageArgs(package_id=package_id),
        values,
        failed="proposal failed",
    )
    result = lb.GetInstalledChaincodePackageResult.FromString(payload)
    file = Path(output_directory) / f"{package_id}.tar.gz"
    file.write_bytes(result.chaincode_install_package)
