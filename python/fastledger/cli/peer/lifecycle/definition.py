# SPDX-License-Identifier: Apache-2.0
"""``peer lifecycle chaincode approveformyorg``, ``checkcommitreadiness`` and ``commit``."""

from typing import Any, TypeVar

import click
from google.protobuf.message import Message

from fastledger.cli.peer import gojson
from fastledger.cli.peer.arguments import application_policy, collections
from fastledger.cli.peer.cobra import DURATION, CobraCommand, UsageFailed, options
from fastledger.cli.peer.connections import (
    PEER_OPTIONS,
    PeerFlags,
    connected,
    ordering_service,
    submit,
)
from fastledger.cli.peer.lifecycle.ask import LIFECYCLE, LOGGER, ask
from fastledger.cli.peer.settings import OrdererFlags, load_settings, orderer_options
from fastledger.client.endorsement import SUCCESS, endorse, invocation, transaction
from fastledger.common.errors import FastledgerError, InputError, RpcFailed
from fastledger.protos.peer.lifecycle import lifecycle_pb2 as lb

_REQUIRED = {"channelID": "-C", "name": "-n", "version": "-v", "sequence": "--sequence"}
_MISMATCHES = {
    "ChaincodeParameters": "Check the Sequence, ChaincodeName",
    "EndorsementInfo": "Check the Version, InitRequired, EndorsementPlugin",
    "ValidationInfo": "Check the ValidationParameter, ValidationPlugin",
    "Collections": "Check the Collections",
}
_M = TypeVar("_M", bound=Message)

_DEFINITION = options(
    click.option("-C", "--channelID", "channel_id", default="", help="The channel"),
    click.option("-n", "--name", default="", help="Name of the chaincode"),
    click.option("-v", "--version", default="", help="Its version"),
    click.option("--sequence", type=int, default=0, help="How often it was defined, this included"),
    click.option("-E", "--endorsement-plugin", default="", help="Name of the endorsement plugin"),
    click.option("-V", "--validation-plugin", default="", help="Name of the validation plugin"),
    click.option("--signature-policy", default="", help="Endorsement policy, written out"),
    click.option("--channel-config-policy", default="", help="Endorsement policy of the channel"),
    click.option("--init-required", is_flag=True, help="Whether init must be invoked first"),
    click.option("--collections-config", default="", help="JSON file of the collections"),
    PEER_OPTIONS,
)
_WAIT = options(
    click.option(
        "--waitForEvent/--no-waitForEvent",
        "wait",
        default=True,
        help="Wait until all peers committed it",
    ),
    click.option(
        "--waitForEventTimeout",
        "wait_timeout",
        type=DURATION,
        default=30.0,
        help="But no longer than",
    ),
)


@click.command(cls=CobraCommand)
@_DEFINITION
@click.option("--package-id", default="", help="The package that this organization runs")
@_WAIT
@orderer_options
async def approveformyorg(package_id: str, **values: Any) -> None:
    """Approve a chaincode's definition for your organization."""
    args = _definition(lb.ApproveChaincodeDefinitionForMyOrgArgs(), values)
    if package_id:
        args.source.local_package.package_id = package_id
    else:
        args.source.unavailable.SetInParent()
    await _submit("approveformyorg", "ApproveChaincodeDefinitionForMyOrg", args, values)


@click.command(cls=CobraCommand)
@_DEFINITION
@_WAIT
@orderer_options
async def commit(**values: Any) -> None:
    """Commit a chaincode's definition, which enough organizations have approved."""
    args = _definition(lb.CommitChaincodeDefinitionArgs(), values)
    await _submit("commit", "CommitChaincodeDefinition", args, values)


@click.command(cls=CobraCommand)
@_DEFINITION
@click.option("-O", "--output", default="", help="json shows JSON")
@click.option("--inspect", is_flag=True, help="Tell what an organization has approved differently")
@orderer_options
async def checkcommitreadiness(
    output: str,
    inspect: bool,
    ordering: OrdererFlags,  # noqa: ARG001
    **values: Any,
) -> None:
    """Say which organizations have approved a chaincode's definition."""
    args = _definition(lb.CheckCommitReadinessArgs(), values)
    channel_id = values["channel_id"]
    payload = await ask(
        "checkcommitreadiness", "CheckCommitReadiness", args, values, channel_id=channel_id
    )
    result = lb.CheckCommitReadinessResult.FromString(payload)
    if not inspect:
        result.mismatches.clear()
    if output.lower() == "json":
        _describe_mismatches(result)
        click.echo(gojson.dumps(result))
        return
    click.echo(
        f"Chaincode definition for chaincode '{args.name}', version '{args.version}', sequence "
        f"'{args.sequence}' on channel '{channel_id}' approval status by org:"
    )
    for org, approved in sorted(result.approvals.items()):
        items = result.mismatches[org].items if org in result.mismatches else ()
        mismatch = f" (mismatch: [{', '.join(items)}])" if items else ""
        click.echo(f"{org}: {'true' if approved else 'false'}{mismatch}")


def _describe_mismatches(result: lb.CheckCommitReadinessResult) -> None:
    for mismatch in result.mismatches.values():
        for place, item in enumerate(mismatch.items):
            if item in _MISMATCHES:
                mismatch.items[place] = f"{item} ({_MISMATCHES[item]})"


def _definition(args: _M, values: dict[str, Any]) -> _M:
    """Fill in what all three commands say of a definition."""
    policy = application_policy(values.pop("signature_policy"), values.pop("channel_config_policy"))
    package = collections(values.pop("collections_config"))
    fields = {
        "name": values.pop("name"),
        "version": values.pop("version"),
        "sequence": values.pop("sequence"),
    }
    for name, flag in _REQUIRED.items():
        if not (values["channel_id"] if name == "channelID" else fields[name]):
            raise UsageFailed(
                f"The required parameter '{name}' is empty. Rerun the command with {flag} flag"
            )
    fields["endorsement_plugin"] = values.pop("endorsement_plugin")
    fields["validation_plugin"] = values.pop("validation_plugin")
    fields["init_required"] = values.pop("init_required")
    for name, value in fields.items():
        setattr(args, name, value)
    if policy:
        args.validation_parameter = policy  # type: ignore[attr-defined]
    if package is not None:
        args.collections.CopyFrom(package)  # type: ignore[attr-defined]
    return args


async def _submit(command: str, function: str, args: Message, values: dict[str, Any]) -> None:
    settings = load_settings()
    channel_id = values["channel_id"]
    targets = PeerFlags.take(values).targets(settings, command, channel_id, many=True)
    spec = invocation(LIFECYCLE, [function.encode(), args.SerializeToString()])
    async with (
        connected(targets, command) as peers,
        ordering_service(settings, values["ordering"], channel_id, peers, LOGGER) as orderer,
    ):
        try:
            answer = await endorse(peers, settings.signer, channel_id, spec)
        except RpcFailed as error:
            raise InputError(f"failed to endorse proposal: {error}") from error
        first = answer.responses[0].response
        if first.status != SUCCESS:
            raise InputError(f"proposal failed with status: {first.status} - {first.message}")
        try:
            envelope = transaction(answer, settings.signer)
        except FastledgerError as error:
            raise InputError(f"failed to create signed transaction: {error}") from error
        await submit(
            orderer,
            envelope,
            peers,
            settings,
            channel_id=channel_id,
            tx_id=answer.tx_id,
            wait_s=values["wait_timeout"] if values["wait"] else None,
            logger=LOGGER,
        )
