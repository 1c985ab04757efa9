# SPDX-License-Identifier: Apache-2.0
"""Questions to ``_lifecycle``."""

from typing import Any

from google.protobuf.message import Message

from fastledger.cli.peer.connections import PeerFlags, connected
from fastledger.cli.peer.settings import load_settings
from fastledger.client.endorsement import SUCCESS, endorse, invocation
from fastledger.common.errors import InputError, RpcFailed

LIFECYCLE = "_lifecycle"
LOGGER = "cli.lifecycle.chaincode"


async def ask(
    command: str,
    function: str,
    args: Message,
    values: dict[str, Any],
    *,
    channel_id: str = "",
    failed: str = "query failed",
    unreachable: str = "failed to endorse proposal",
) -> bytes:
    """Have one peer answer, and return its answer's payload.

    Raises:
        InputError: The peer cannot be reached, or refused.
    """
    settings = load_settings()
    targets = PeerFlags.take(values).targets(settings, command, channel_id)
    spec = invocation(LIFECYCLE, [function.encode(), args.SerializeToString()])
    async with connected(targets, command) as peers:
        try:
            answer = await endorse(peers, settings.signer, channel_id, spec)
        except RpcFailed as error:
            raise InputError(f"{unreachable}: {error}") from error
    response = answer.responses[0].response
    if response.status != SUCCESS:
        raise InputError(f"{failed} with status: {response.status} - {response.message}")
    return response.payload
