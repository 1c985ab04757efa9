# SPDX-License-Identifier: Apache-2.0
"""Two invocations endorsed on the same state and ordered in one block, one of them in vain.

The recording's commands ran at the same time, and chance decided which came first. Here both are
endorsed before either is sent: however slow the machine is, the order is the recorded one.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from fastledger.cli.peer.settings import OrdererFlags, Settings
from fastledger.client.endorsement import endorse, invocation, transaction
from fastledger.client.orderer import Orderer
from fastledger.client.peer import Peer
from fastledger.common import config
from fastledger.msp import SigningIdentity
from fastledger.protos.peer.chaincode_pb2 import ChaincodeSpec
from transcripts.recording import CHANNEL


async def invoke_together(commands: Sequence[Sequence[str]], environ: Mapping[str, str]) -> None:
    """Do what ``peer chaincode invoke`` commands do, one step of all before the next."""
    read = config.load("core", environ=environ)
    folder, mspid = Path(environ["CORE_PEER_MSPCONFIGPATH"]), environ["CORE_PEER_LOCALMSPID"]
    settings = Settings(read, SigningIdentity.load(folder, mspid))
    envelopes = []
    async with await Peer.connect(settings.peer()) as peer:
        for argv in commands:
            args = [arg.encode() for arg in json.loads(_value(argv, "-c"))["Args"]]
            spec = invocation(_value(argv, "-n"), args, language=ChaincodeSpec.GOLANG)
            endorsed = await endorse([peer], settings.signer, CHANNEL, spec)
            envelopes.append(transaction(endorsed, settings.signer))
    async with await Orderer.connect(settings.orderer(_orderer(commands[0]))) as orderer:
        for envelope in envelopes:
            await orderer.broadcast(envelope)


def _orderer(argv: Sequence[str]) -> OrdererFlags:
    tls = "--tls" in argv
    return OrdererFlags(
        orderer=_value(argv, "-o"), tls=tls, cafile=_value(argv, "--cafile") if tls else ""
    )


def _value(argv: Sequence[str], flag: str) -> str:
    return argv[argv.index(flag) + 1]
