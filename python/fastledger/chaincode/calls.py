# SPDX-License-Identifier: Apache-2.0
"""Chaincode that calls chaincode (INVOKE_CHAINCODE).

On the caller's channel both write into one simulation. On another channel the callee gets a
simulation of its own, which is thrown away: what it writes never becomes part of a transaction.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace

from google.protobuf.message import DecodeError

from fastledger.chaincode.context import TransactionContext
from fastledger.chaincode.services import Services
from fastledger.common.errors import ChaincodeError
from fastledger.protos.peer.chaincode_pb2 import ChaincodeInput, ChaincodeSpec
from fastledger.protos.peer.chaincode_shim_pb2 import ChaincodeMessage

Callee = Callable[[TransactionContext, ChaincodeInput], Awaitable[ChaincodeMessage]]
"""Runs a chaincode by its name and returns its COMPLETED or ERROR."""


def parse_name(name: str) -> tuple[str, str]:
    """Split ``name:version/channel`` into name and channel; the version is not looked at.

    Example:
        >>> parse_name("basic:1.0/mychannel")
        ('basic', 'mychannel')
    """
    chaincode, _, channel = name.partition("/")
    return chaincode.partition(":")[0], channel


async def call_chaincode(
    caller: TransactionContext, payload: bytes, services: Services, callee: Callee
) -> bytes:
    """Run the chaincode that a ChaincodeSpec names, for the transaction that is in flight.

    Returns:
        The callee's COMPLETED or ERROR, encoded: what the shim expects in its RESPONSE.

    Raises:
        Exception: The creator may not call it there, or it could not be run.
    """
    try:
        spec = ChaincodeSpec.FromString(payload)
    except DecodeError as error:
        raise ChaincodeError(f"unmarshal failed: {error}") from error
    name, channel_id = parse_name(spec.chaincode_id.name)
    channel_id = channel_id or caller.channel_id
    if caller.simulator is None and not services.is_system_chaincode(name):
        raise ChaincodeError("could not get valid transaction")
    _check_access(caller, name, channel_id, services)
    context = replace(caller, namespace=name, channel_id=channel_id, decorations={})
    simulator = None
    if channel_id != caller.channel_id:
        simulator = services.new_simulator(channel_id, caller.tx_id)
        if simulator is None:
            raise ChaincodeError(f"failed to find ledger for channel: {channel_id}")
        context.simulator = simulator
    try:
        answer = await callee(context, spec.input)
    except ChaincodeError as error:
        raise ChaincodeError(f"execute failed: {error}") from error
    finally:
        if simulator is not None:
            simulator.done()
    return answer.SerializeToString()


def _check_access(
    caller: TransactionContext, name: str, channel_id: str, services: Services
) -> None:
    if services.is_system_chaincode(name):
        return
    if caller.proposal is None:
        raise ChaincodeError(f"signed proposal must not be nil from caller [{name}]")
    services.check_acl(channel_id, caller.proposal)
