# SPDX-License-Identifier: Apache-2.0
"""Updates of a configuration: a real 3.1.5 orderer and ours take the same, in the same words."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import grpc.aio

import config_changes as changes
from config_changes import Certificates, Change
from config_updates import update_of
from fastledger.channelconfig import Bundle
from fastledger.client.target import Target
from fastledger.comm import ClientTls
from fastledger.msp import SigningIdentity
from fastledger.node.network import deployment, settings
from fastledger.node.network.plan import Plan
from fastledger.protos.common.common_pb2 import Envelope
from fastledger.protos.common.configtx_pb2 import Config
from fastledger.tools.configtxgen.artifacts import genesis_block
from fastledger.tools.configtxgen.load import load_profile
from real_nodes import Nodes, free_ports
from test_refusals import exchange, told, until_elected

SUCCESS = 200

WORDED_OTHERWISE = {
    "channel capability V9": "ours adds that a newer version is needed",
    "garbled BatchSize": "ours says which value",
    "garbled BatchTimeout": "as above",
    "garbled ConsensusType": "as above",
    "garbled Capabilities": "as above",
    "garbled ACLs": "as above",
}
"""Refused by both, for the same reason, in other words."""

_UNKNOWN_AUTHORITY = re.compile(r"(signed by unknown authority) \(possibly because of .*")
_VALIDITY = re.compile(r"(has expired or is not yet valid): current time .*")
_MSP = re.compile(r"(setting up the MSP manager failed|the supplied identity is not valid).*")


def test_orderers_take_the_same_updates(tmp_path: Path) -> None:
    ours = changes.plan_of(tmp_path / "ours", free_ports(18))
    profile = load_profile("ChannelUsingRaft", str(ours.state), {})
    block = genesis_block(profile, ours.channel).SerializeToString()
    theirs = Plan(folder=tmp_path / "theirs", orgs=1, port_base=ours.port_base + 9)
    theirs.folder.mkdir()
    theirs.organizations.symlink_to(ours.organizations)
    settings.write(theirs)
    name = ours.orderer.name
    both = Nodes(ours), Nodes(theirs, {name})
    try:
        for nodes in both:
            nodes.plan.genesis_block.write_bytes(block)
            nodes.start(name)
            deployment.join_orderer(nodes.plan)
        walk = Walk([ours, theirs], block)
        different = asyncio.run(walk.compare(changes.compared(Certificates(ours))))
    finally:
        for nodes in both:
            nodes.stop()
    assert not different, "\n".join(different)
    assert walk.taken > 20
    assert walk.refused > 60


class Walk:
    """Two orderers, each with a channel of its own that has the same name and configuration."""

    def __init__(self, plans: Sequence[Plan], genesis: bytes) -> None:
        self.plans = plans
        self.admins = [
            SigningIdentity.load(Path(folder), mspid)
            for mspid, folder in changes.administrators(plans[0])
        ]
        self.base = Config.FromString(Bundle.from_block(genesis).config)
        self.current = Bundle.from_block(genesis)
        self.taken = self.refused = 0

    async def compare(self, all_changes: Iterator[tuple[str, Change]]) -> list[str]:
        """Send every change to both, undone where it was taken; say where they differ."""
        roots = [ClientTls(plan.orderer.tls_root.read_bytes()) for plan in self.plans]
        channels = [
            await Target(plan.orderer.address, tls).connect("orderer")
            for plan, tls in zip(self.plans, roots, strict=True)
        ]
        await until_elected(channels[1], self.plans[1])
        different = []
        for name, change in all_changes:
            following = Config.FromString(self.current.config)
            change(following)
            update = self._update(following)
            ours, theirs = [await answer(channel, update) for channel in channels]
            if ours != theirs and not (name in WORDED_OTHERWISE and ours[0] == theirs[0]):
                different.append(f"{name}\n  ours   {ours}\n  theirs {theirs}")
            if ours[0] != theirs[0]:
                break  # The two channels are not the same any more.
            if ours[0] == SUCCESS:
                self.taken += 1
                await self._undo(name, update, channels)
            else:
                self.refused += 1
        for channel in channels:
            await channel.close()
        return different

    def _update(self, following: Config) -> Envelope:
        current = Config.FromString(self.current.config)
        return update_of(self.plans[0].channel, current, following, self.admins)

    async def _undo(
        self, name: str, update: Envelope, channels: Sequence[grpc.aio.Channel]
    ) -> None:
        self._apply(update)
        undoing = self._update(self.base)
        for channel in channels:
            assert (await answer(channel, undoing))[0] == SUCCESS, f"undoing {name}"
        self._apply(undoing)

    def _apply(self, update: Envelope) -> None:
        proposed = self.current.propose_update(update.SerializeToString())
        self.current = self.current.apply(proposed)


async def answer(channel: grpc.aio.Channel, update: Envelope) -> tuple[object, str]:
    """An orderer's status, and what it says without what differs from case to case."""
    [(status, info)] = await exchange(channel, "Broadcast", update)
    text = told(str(info))
    for pattern in (_UNKNOWN_AUTHORITY, _VALIDITY, _MSP):
        text = pattern.sub(r"\1", text)
    return status, re.sub(r"127\.0\.0\.1:\d+", "#", text)
