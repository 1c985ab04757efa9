# SPDX-License-Identifier: Apache-2.0
"""``peer lifecycle chaincode queryapproved`` and ``querycommitted``."""

from typing import Any, Protocol

import click

from fastledger.cli.peer import gojson
from fastledger.cli.peer.cobra import CobraCommand, options
from fastledger.cli.peer.connections import PEER_OPTIONS
from fastledger.cli.peer.lifecycle.ask import ask
from fastledger.cli.peer.settings import OrdererFlags, orderer_options
from fastledger.common.errors import InputError
from fastledger.protos.peer.lifecycle import lifecycle_pb2 as lb

_OPTIONS = options(
    click.option("-C", "--channelID", "channel_id", default="", help="The channel"),
    click.option("-n", "--name", default="", help="Name of the chaincode"),
    PEER_OPTIONS,
    click.option("-O", "--output", default="", help="json shows JSON"),
)


class _Definition(Protocol):
    version: str
    sequence: int
    endorsement_plugin: str
    validation_plugin: str


@click.command(cls=CobraCommand)
@_OPTIONS
@orderer_options
async def querycommitted(
    channel_id: str,
    name: str,
    output: str,
    ordering: OrdererFlags,  # noqa: ARG001
    **values: Any,
) -> None:
    """Show the definitions that a channel has committed."""
    if not channel_id:
        raise InputError("channel name must be specified")
    if not name:
        await _all_committed(channel_id, output, values)
        return
    args = lb.QueryChaincodeDefinitionArgs(name=name)
    payload = await ask(
        "querycommitted", "QueryChaincodeDefinition", args, values, channel_id=channel_id
    )
    result = lb.QueryChaincodeDefinitionResult.FromString(payload)
    if output.lower() == "json":
        click.echo(gojson.dumps(result))
        return
    click.echo(f"Committed chaincode definition for chaincode '{name}' on channel '{channel_id}':")
    approvals = ", ".join(
        f"{org}: {'true' if approved else 'false'}"
        for org, approved in sorted(result.approvals.items())
    )
    click.echo(f"{_definition(result)}, Approvals: [{approvals}]")


async def _all_committed(channel_id: str, output: str, values: dict[str, Any]) -> None:
    args = lb.QueryChaincodeDefinitionsArgs()
    payload = await ask(
        "querycommitted", "QueryChaincodeDefinitions", args, values, channel_id=channel_id
    )
    result = lb.QueryChaincodeDefinitionsResult.FromString(payload)
    if output.lower() == "json":
        click.echo(gojson.dumps(result))
        return
    click.echo(f"Committed chaincode definitions on channel '{channel_id}':")
    for definition in result.chaincode_definitions:
        click.echo(f"Name: {definition.name}, {_definition(definition)}")


def _definition(shown: _Definition) -> str:
    return (
        f"Version: {shown.version}, Sequence: {shown.sequence}, "
        f"Endorsement Plugin: {shown.endorsement_plugin}, "
        f"Validation Plugin: {shown.validation_plugin}"
    )


@click.command(cls=CobraCommand)
@_OPTIONS
@click.option("--sequence", type=int, default=0, help="Which of its definitions")
@orderer_options
async def queryapproved(
    channel_id: str,
    name: str,
    sequence: int,
    output: str,
    ordering: OrdererFlags,  # noqa: ARG001
    **values: Any,
) -> None:
    """Show the definitions that your organization has approved."""
    if not channel_id:
        raise InputError(
            "The required parameter 'channelID' is empty. Rerun the command with -C flag"
        )
    if not name and sequence:
        raise InputError(
            "Specifying parameter 'sequence' is invalid without parameter 'name'. Rerun the "
            "command with -n flag"
        )
    if not name:
        await _all_approved(channel_id, output, values)
        return
    args = lb.QueryApprovedChaincodeDefinitionArgs(name=name, sequence=sequence)
    payload = await ask(
        "queryapproved", "QueryApprovedChaincodeDefinition", args, values, channel_id=channel_id
    )
    result = lb.QueryApprovedChaincodeDefinitionResult.FromString(payload)
    if output.lower() == "json":
        click.echo(gojson.dumps(result))
        return
    click.echo(f"Approved chaincode definition for chaincode '{name}' on channel '{channel_id}':")
    click.echo(
        f"sequence: {result.sequence}, version: {result.version}, "
        f"init-required: {'true' if result.init_required else 'false'}, "
        f"package-id: {result.source.local_package.package_id}, "
        f"endorsement plugin: {result.endorsement_plugin}, "
        f"validation plugin: {result.validation_plugin}"
    )


async def _all_approved(channel_id: str, output: str, values: dict[str, Any]) -> None:
    args = lb.QueryApprovedChaincodeDefinitionsArgs()
    payload = await ask(
        "queryapproved", "QueryApprovedChaincodeDefinitions", args, values, channel_id=channel_id
    )
    result = lb.QueryApprovedChaincodeDefinitionsResult.FromString(payload)
    if output.lower() == "json":
        click.echo(gojson.dumps(result))
        return
    click.echo(f"Approved chaincode definitions on channel '{channel_id}':")
    for definition in result.approved_chaincode_definitions:
        click.echo(
            f"name: {definition.name}, sequence: {definition.sequence}, "
            f"version: {definition.version}, "
            f"init-required: {'true' if definition.init_required else 'false'}, "
            f"package-id: {definition.source.local_package.package_id}, "
            f"endorsement plugin: {definition.endorsement_plugin}, "
            f"validation plugin: {definition.validation_plugin}"
        )
