# SPDX-License-Identifier: Apache-2.0
"""``peer chaincode list``: the 1.x lifecycle."""

from typing import Any

import click

from fastledger.cli.peer.cobra import CobraCommand, UsageFailed
from fastledger.cli.peer.connections import PEER_OPTIONS, PeerFlags, connected
from fastledger.cli.peer.lscc import LSCC
from fastledger.cli.peer.settings import OrdererFlags, load_settings, orderer_options
from fastledger.client.endorsement import call
from fastledger.common.errors import InputError, ProposalRefused, RpcFailed
from fastledger.protos.peer.query_pb2 import ChaincodeInfo, ChaincodeQueryResponse


@click.command(cls=CobraCommand, name="list")
@click.option("--installed", is_flag=True, help="Those that are installed on the peer")
@click.option("--instantiated", is_flag=True, help="Those that run on the channel")
@click.option("-C", "--channelID", "channel_id", default="", help="The channel")
@PEER_OPTIONS
@click.option("--targetPeer", "target_peer", default="", help="Peer of the connection profile")
@orderer_options
async def list_chaincodes(
    installed: bool,
    instantiated: bool,
    channel_id: str,
    ordering: OrdererFlags,  # noqa: ARG001
    **values: Any,
) -> None:
    """List the chaincodes on a peer, or on a channel."""
    settings = load_settings()
    targets = PeerFlags.take(values).targets(settings, "list", channel_id)
    if installed == instantiated:
        raise UsageFailed('Must explicitly specify "--installed" or "--instantiated"')
    if instantiated and not channel_id:
        raise UsageFailed(
            "The required parameter 'channelID' is empty. Rerun the command with -C flag"
        )
    function = b"getinstalledchaincodes" if installed else b"getchaincodes"
    async with connected(targets, "list") as peers:
        try:
            payload = await call(
                peers[0],
                settings.signer,
                LSCC,
                [function],
                channel_id="" if installed else channel_id,
            )
        except RpcFailed as error:
            raise InputError(f"error endorsing proposal: {error}") from error
        except ProposalRefused as error:
            raise InputError(f"Bad response: {error.status} - {error.message}") from error
    head = "Get installed chaincodes on peer:"
    click.echo(head if installed else f"Get instantiated chaincodes on channel {channel_id}:")
    for info in ChaincodeQueryResponse.FromString(payload).chaincodes:
        click.echo(_line(info))


def _line(info: ChaincodeInfo) -> str:
    fields = {
        "Name": info.name,
        "Version": info.version,
        "Path": info.path,
        "Input": info.input,
        "Escc": info.escc,
        "Vscc": info.vscc,
        "Id": info.id.hex(),
    }
    return ", ".join(f"{name}: {value}" for name, value in fields.items() if value)
