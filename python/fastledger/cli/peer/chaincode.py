# SPDX-License-Identifier: Apache-2.0
"""``peer chaincode invoke`` and ``query``."""

import sys
from collections.abc import Sequence
from typing import Any

import click

from fastledger.cli.peer.arguments import chaincode_args, transient_map
from fastledger.cli.peer.cobra import DURATION, CobraCommand, UsageFailed, options
from fastledger.cli.peer.connections import (
    PEER_OPTIONS,
    NotCommitted,
    PeerFlags,
    connected,
    ordering_service,
    submit,
)
from fastledger.cli.peer.prototext import one_line
from fastledger.cli.peer.settings import OrdererFlags, Settings, load_settings, orderer_options
from fastledger.client.endorsement import Endorsement, endorse, invocation, transaction
from fastledger.client.peer import Peer
from fastledger.common import log
from fastledger.common.errors import FastledgerError, InputError, RpcFailed
from fastledger.protos.peer.chaincode_pb2 import ChaincodeInvocationSpec, ChaincodeSpec
from fastledger.protos.peer.proposal_pb2 import ChaincodeAction
from fastledger.protos.peer.proposal_response_pb2 import ProposalResponsePayload, Response

ERROR_THRESHOLD = 400
"""A chaincode's status from which on no transaction is made."""

LOGGER = "chaincodeCmd"
_logger = log.get(LOGGER)

_CALL_OPTIONS = options(
    click.option("-C", "--channelID", "channel_id", default="", help="The channel"),
    click.option("-n", "--name", default="", help="Name of the chaincode"),
    click.option("-c", "--ctor", default="{}", help='Arguments: {"Args":["function","arg"]}'),
    click.option("-I", "--isInit", "is_init", is_flag=True, help="Invoke the initialization"),
    click.option("--transient", default="", help="JSON object of base64 values, kept private"),
    PEER_OPTIONS,
)

WAIT_OPTIONS = options(
    click.option(
        "--waitForEventTimeout",
        "wait_timeout",
        type=DURATION,
        default=30.0,
        help="But no longer than",
    ),
)


@click.command(cls=CobraCommand)
@_CALL_OPTIONS
@click.option("--waitForEvent", "wait", is_flag=True, help="Wait until all peers committed it")
@WAIT_OPTIONS
@orderer_options
async def invoke(ordering: OrdererFlags, wait: bool, wait_timeout: float, **values: Any) -> None:
    """Have a chaincode's function endorsed, and send the transaction to be ordered."""
    spec = _spec(values)
    channel_id, settings = values["channel_id"], load_settings()
    targets = PeerFlags.take(values).targets(settings, "invoke", channel_id, many=True)
    async with (
        connected(targets, "invoke") as peers,
        ordering_service(settings, ordering, channel_id, peers, LOGGER) as orderer,
    ):
        answer = await _endorse("invoke", peers, settings, spec, values)
        first = answer.responses[0]
        if first.response.status >= ERROR_THRESHOLD:
            raise InputError(
                f"endorsement failure during invoke. response: {one_line(first.response)}"
            )
        try:
            envelope = transaction(answer, settings.signer)
        except FastledgerError as error:
            raise InputError(
                f"could not assemble transaction: {error} - proposal response: {one_line(first)}"
            ) from error
        try:
            await submit(
                orderer,
                envelope,
                peers,
                settings,
                channel_id=channel_id,
                tx_id=answer.tx_id,
                wait_s=wait_timeout if wait else None,
                logger=LOGGER,
            )
        except NotCommitted as error:
            raise InputError(f"{error} - proposal response: <nil>") from error
        except FastledgerError as error:
            raise InputError(
                f"error sending transaction for invoke: {error} - proposal response: "
                f"{one_line(first)}"
            ) from error
    result = one_line(_result(first.payload)).rstrip()
    _logger.info("Chaincode invoke successful. result: %s", result)


@click.command(cls=CobraCommand)
@_CALL_OPTIONS
@click.option("-x", "--hex", "as_hex", is_flag=True, help="Show the answer in hexadecimal")
@click.option("-r", "--raw", is_flag=True, help="Show the answer as a list of bytes")
@orderer_options
async def query(
    ordering: OrdererFlags,  # noqa: ARG001
    as_hex: bool,
    raw: bool,
    **values: Any,
) -> None:
    """Have a peer simulate a chaincode's function, and show what it answers."""
    spec = _spec(values)
    channel_id, settings = values["channel_id"], load_settings()
    targets = PeerFlags.take(values).targets(settings, "query", channel_id)
    async with connected(targets, "query") as peers:
        answer = await _endorse("query", peers, settings, spec, values)
    response = answer.responses[0]
    if not response.HasField("endorsement"):
        raise InputError(
            f"endorsement failure during query. response: {one_line(response.response)}"
        )
    if as_hex and raw:
        raise InputError("options --raw (-r) and --hex (-x) are not compatible")
    show(response.response.payload, as_hex=as_hex, raw=raw)


def show(payload: bytes, *, as_hex: bool = False, raw: bool = False) -> None:
    """Print an answer: as it stands, in hexadecimal, or as Go prints bytes."""
    if raw:
        click.echo(f"[{' '.join(str(byte) for byte in payload)}]")
    elif as_hex:
        click.echo(payload.hex())
    else:
        sys.stdout.buffer.write(payload + b"\n")
        sys.stdout.buffer.flush()


def _spec(values: dict[str, Any]) -> ChaincodeInvocationSpec:
    """Check the flags in the order in which Fabric does."""
    if not values["channel_id"]:
        raise UsageFailed(
            "The required parameter 'channelID' is empty. Rerun the command with -C flag"
        )
    if not values["name"]:
        raise UsageFailed("must supply value for chaincode name parameter")
    return invocation(
        values["name"],
        chaincode_args(values["ctor"]),
        is_init=values["is_init"],
        language=ChaincodeSpec.GOLANG,
    )


async def _endorse(
    command: str,
    peers: Sequence[Peer],
    settings: Settings,
    spec: ChaincodeInvocationSpec,
    values: dict[str, Any],
) -> Endorsement:
    transient = transient_map(values["transient"])
    try:
        return await endorse(
            peers, settings.signer, values["channel_id"], spec, transient=transient
        )
    except RpcFailed as error:
        raise InputError(
            f"error endorsing {command}: {error} - proposal response: <nil>"
        ) from error


def _result(payload: bytes) -> Response:
    """Return the chaincode's response, out of what the peers endorsed."""
    extension = ProposalResponsePayload.FromString(payload).extension
    return ChaincodeAction.FromString(extension).response
