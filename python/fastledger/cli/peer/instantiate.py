# SPDX-License-Identifier: Apache-2.0
"""``peer chaincode instantiate`` and ``upgrade``: the 1.x lifecycle."""

from typing import Any

import click

from fastledger.cli.peer.arguments import collections
from fastledger.cli.peer.cobra import CobraCommand, UsageFailed, options
from fastledger.cli.peer.connections import PEER_OPTIONS, PeerFlags, connected, ordering_service
from fastledger.cli.peer.lscc import (
    LOGGER,
    LSCC,
    NAME_OPTIONS,
    POLICY_OPTIONS,
    check_name,
    deployment_spec,
    note_defaults,
)
from fastledger.cli.peer.settings import OrdererFlags, load_settings, orderer_options
from fastledger.client.endorsement import endorse, invocation, transaction
from fastledger.common.errors import FastledgerError, InputError, RpcFailed
from fastledger.policies import from_string
from fastledger.protos.peer.chaincode_pb2 import ChaincodeSpec

_OPTIONS = options(
    click.option("-C", "--channelID", "channel_id", default="", help="The channel"),
    NAME_OPTIONS,
    click.option("-c", "--ctor", default="{}", help='Arguments: {"Args":["init","a","100"]}'),
    click.option("--transient", default="", hidden=True),
    POLICY_OPTIONS,
    PEER_OPTIONS,
)


@click.command(cls=CobraCommand)
@_OPTIONS
@orderer_options
async def instantiate(ordering: OrdererFlags, **values: Any) -> None:
    """Start a chaincode on a channel: define it, and run its Init."""
    await _deploy("instantiate", b"deploy", ordering, values)


@click.command(cls=CobraCommand)
@_OPTIONS
@orderer_options
async def upgrade(ordering: OrdererFlags, **values: Any) -> None:
    """Replace a chaincode on a channel by another version, and run its Init."""
    await _deploy("upgrade", b"upgrade", ordering, values)


async def _deploy(
    command: str, function: bytes, ordering: OrdererFlags, values: dict[str, Any]
) -> None:
    settings = load_settings()
    if not values["channel_id"]:
        raise UsageFailed(
            "The required parameter 'channelID' is empty. Rerun the command with -C flag"
        )
    check_name(values)
    args = _args(function, values)
    channel_id = values["channel_id"]
    targets = PeerFlags.take(values).targets(settings, command, channel_id)
    async with (
        connected(targets, command) as peers,
        ordering_service(settings, ordering, channel_id, peers, LOGGER) as orderer,
    ):
        spec = invocation(LSCC, args, language=ChaincodeSpec.GOLANG)
        try:
            answer = await endorse(peers, settings.signer, channel_id, spec)
        except RpcFailed as error:
            raise InputError(f"error endorsing chaincode: {error}") from error
        try:
            envelope = transaction(answer, settings.signer)
        except FastledgerError as error:
            raise InputError(f"could not assemble transaction, err {error}") from error
        try:
            await orderer.broadcast(envelope)
        except FastledgerError as error:
            raise InputError(f"error sending transaction for {command}: {error}") from error


def _args(function: bytes, values: dict[str, Any]) -> list[bytes]:
    escc, vscc = note_defaults(values["escc"], values["vscc"])
    policy = b""
    if values["policy"]:
        try:
            policy = from_string(values["policy"]).SerializeToString()
        except InputError as error:
            raise UsageFailed(f"invalid policy {values['policy']}") from error
    spec = deployment_spec(values).SerializeToString()
    args = [function, values["channel_id"].encode(), spec, policy, escc.encode(), vscc.encode()]
    package = collections(values["collections_config"])
    if package is not None:
        args.append(package.SerializeToString())
    return args
