# SPDX-License-Identifier: Apache-2.0
"""Updates of a configuration: a real 3.1.5 orderer and ours take the same, in the same words."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import grpc.aio
import pytest

import config_changes as changes
from config_changes import Certificates, Change
from config_updates import update_of
from fastledger.channelconfig import Bundle
from fastledger.client.target import Target
from fastledger.comm import ClientTls
from fastledger.msp import SigningIdentity
from fastledger.network import deployment, settings
from fastledger.network.plan import Plan
from fastledger.protos.common.common_pb2 import Envelope, Payload
from fastledger.protos.common.configtx_pb2 import Config, ConfigEnvelope
from fastledger.protoutil.blocks import new_block
from fastledger.tools.configtxgen.artifacts import genesis_block
from fastledger.tools.configtxgen.load import load_profile
from fastledger.tools.osnadmin import Answer, OsnAdmin
from real_nodes import PATIENCE_S, Nodes, free_ports
from refused_envelopes import broadcasts
from test_refusals import exchange, told, until_elected
from waiting import elapse

SUCCESS = 200

WORDED_OTHERWISE = {
    "channel capability V9": "ours adds that a newer version is needed",
    "an unknown group": "Go prints the group in place of its name",
    "no Orderer group": "ours compares with the current configuration first",
    "garbled BatchSize": "ours says which value",
    "garbled BatchTimeout": "as above",
    "garbled ConsensusType": "as above",
    "garbled Capabilities": "as above",
    "garbled ACLs": "as above",
    "BFT with another consenter": "Go prints the whole consenter",
    "a garbled policy": "Go says of which type the policy is",
}
"""Refused by both, for the same reason, in other words."""

JOINED_OTHERWISE = {
    "garbled metadata": "ours says what it was to be",
    "channel capability V9": "ours looks when it reads the block",
    "an unknown group": "Go prints the group in place of its name",
    "a garbled policy": "Go says of which type the policy is",
}
"""As above, of channels."""

UPDATED_OTHERWISE = {
    "update: a value that others may change": "two elements are wrong, and Go looks in no order",
    "update: an unknown value": "as above",
}
"""As above, of updates by an administrator."""

UNANSWERED = {"update: empty", "update: of another channel"}
"""Channels that are not there, after which a real orderer's administration answers nobody."""

FOLLOWED = {
    "expired certificate of nobody",
    "two more consenters",
    "BFT at once",
    "BFT into maintenance",
    "BFT without endpoints",
}
"""Channels of others, which a real orderer follows and ours does not yet."""

NEVER_WRITTEN = {
    "text around the certificate",
    "the same key certified anew",
    "another client certificate",
    "a client certificate for clients",
    "a client certificate for any use",
}
"""A real orderer that is alone takes a certificate in place of its own, and never writes it."""

_NOT_YET = re.compile("but (key is|it is currently) at version")
_UNKNOWN_AUTHORITY = re.compile(r"(signed by unknown authority) \(possibly because of .*")
_VALIDITY = re.compile(r"(has expired or is not yet valid): current time .*")
_MSP = re.compile(r"(setting up the MSP manager failed|the supplied identity is not valid).*")


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Nodes, Nodes]]:
    """Our orderer and a real one, each with the same channel."""
    folder = tmp_path_factory.mktemp("networks")
    ours = changes.plan_of(folder / "ours", free_ports(18))
    theirs = Plan(folder=folder / "theirs", orgs=1, port_base=ours.port_base + 9)
    theirs.folder.mkdir()
    theirs.identities.symlink_to(ours.identities)
    settings.write(theirs)
    name = ours.orderer.name
    profile = load_profile("ChannelUsingRaft", str(ours.state), {})
    block = genesis_block(profile, ours.channel).SerializeToString()
    both = Nodes(ours), Nodes(theirs, {name})
    try:
        for nodes in both:
            nodes.plan.genesis_block.write_bytes(block)
            nodes.start(name)
            deployment.join_orderer(nodes.plan, nodes.plan.orderer)
        yield both
    finally:
        for nodes in both:
            nodes.stop()


def test_orderers_take_the_same_updates(both: tuple[Nodes, Nodes]) -> None:
    ours, theirs = (nodes.plan for nodes in both)
    walk = Walk([ours, theirs], ours.genesis_block.read_bytes())
    different = asyncio.run(walk.compare(changes.compared(Certificates(ours))))
    assert not different, "\n".join(different)
    assert walk.taken > 20
    assert walk.refused > 60


@dataclass
class Side:
    """One of the two orderers, and its channel's configuration."""

    connection: grpc.aio.Channel
    current: Bundle
    admins: Sequence[SigningIdentity]

    def update(self, change: Change) -> Envelope:
        """Make an update of the configuration as it is."""
        current, following = (Config.FromString(self.current.config) for _ in range(2))
        change(following)
        return update_of(self.current.channel_id, current, following, self.admins)

    async def take(self, change: Change) -> tuple[object, str]:
        """Send an update, and go on with what it leads to.

        An orderer says SUCCESS before a configuration is in force; until then others do not apply.
        """
        update = self.update(change)
        async with asyncio.timeout(PATIENCE_S):
            while _NOT_YET.search((said := await answer(self.connection, update))[1]):
                await elapse(0.1, "before the update is sent again")
        if said[0] == SUCCESS:
            proposed = self.current.propose_update(update.SerializeToString())
            self.current = self.current.apply(proposed)
        return said

    async def undo(self, base: Config) -> None:
        """Go back to the configuration of the beginning."""
        said = await self.take(lambda config: config.CopyFrom(base))
        assert said[0] == SUCCESS, said


def test_orderers_join_the_same_channels(both: tuple[Nodes, Nodes]) -> None:
    """With the participation API, which answers with HTTP statuses."""
    plans = [nodes.plan for nodes in both]
    admins = [administration(plan) for plan in plans]
    different, counted = [], Counter[int]()
    everything = dict(changes.compared(Certificates(plans[0])))
    for number, name in enumerate(everything.keys() - FOLLOWED):
        block = genesis_of(plans[0], f"channel{number}", everything[name])
        ours, theirs = [answered(admin.join(block)) for admin in admins]
        counted[ours[0]] += 1
        if ours != theirs and not (name in JOINED_OTHERWISE and ours[0] == theirs[0]):
            different.append(f"{name}\n  ours   {ours}\n  theirs {theirs}")
        for admin in admins:
            admin.remove(f"channel{number}")
    assert not different, "\n".join(different)
    assert counted[201] > 20
    assert counted[400] > 40


def test_orderers_refuse_odd_updates_alike(both: tuple[Nodes, Nodes]) -> None:
    """Those that an administrator sends, too."""
    plans = [nodes.plan for nodes in both]
    admins = [administration(plan) for plan in plans]
    [(mspid, folder), _] = changes.administrators(plans[0])
    signer = SigningIdentity.load(Path(folder), mspid)
    different = []
    for name, envelope in broadcasts(signer):
        if name in UNANSWERED:
            continue
        encoded = envelope.SerializeToString()
        ours, theirs = [answered(admin.update(encoded)) for admin in admins]
        if ours != theirs and not (name in UPDATED_OTHERWISE and ours[0] == theirs[0]):
            different.append(f"{name}\n  ours   {ours}\n  theirs {theirs}")
    assert not different, "\n".join(different)


def administration(plan: Plan) -> OsnAdmin:
    """The administration of an orderer."""
    tls = plan.orderer.identity / "tls"
    place = f"127.0.0.1:{plan.orderer.side_port}"
    return OsnAdmin(place, tls / "ca.crt", tls / "server.crt", tls / "server.key")


def genesis_of(plan: Plan, channel_id: str, change: Change) -> bytes:
    """The first block of another channel, whose configuration is changed."""
    profile = load_profile("ChannelUsingRaft", str(plan.state), {})
    made = genesis_block(profile, channel_id)
    envelope = Envelope.FromString(made.data.data[0])
    payload = Payload.FromString(envelope.payload)
    config = ConfigEnvelope.FromString(payload.data)
    change(config.config)
    payload.data = config.SerializeToString()
    envelope.payload = payload.SerializeToString()
    return new_block(0, b"", [envelope.SerializeToString()]).SerializeToString()


def answered(answer: Answer) -> tuple[int, str]:
    """An HTTP status, and the error that is told."""
    body = json.loads(answer.body) if answer.body else {}
    text = plain(str(body.get("error", "")))
    return answer.status, re.sub(r"channel\d+", "channel", text)


class Walk:
    """Two orderers, each with a channel of its own that has the same name and configuration."""

    def __init__(self, plans: Sequence[Plan], genesis: bytes) -> None:
        self.plans = plans
        self.genesis = Bundle.from_block(genesis)
        self.taken = self.refused = 0

    async def compare(self, all_changes: Iterator[tuple[str, Change]]) -> list[str]:
        """Send every change to both, undone where it was taken; say where they differ."""
        admins = [
            SigningIdentity.load(Path(folder), mspid)
            for mspid, folder in changes.administrators(self.plans[0])
        ]
        sides = []
        for plan in self.plans:
            target = Target(plan.orderer.address, ClientTls(plan.orderer.tls_root.read_bytes()))
            sides.append(Side(await target.connect("orderer"), self.genesis, admins))
        await until_elected(sides[1].connection, self.plans[1])
        different = await self._compare(sides, all_changes)
        for side in sides:
            assert (await side.take(dict(changes.kinds())["into maintenance"]))[0] == SUCCESS
        different += await self._compare(sides, changes.in_maintenance())
        for side in sides:
            await side.connection.close()
        return different

    async def _compare(
        self, sides: Sequence[Side], all_changes: Iterator[tuple[str, Change]]
    ) -> list[str]:
        base = Config.FromString(sides[0].current.config)
        different = []
        for name, change in all_changes:
            before = sides[1].current
            ours, theirs = [await side.take(change) for side in sides]
            if ours != theirs and not (name in WORDED_OTHERWISE and ours[0] == theirs[0]):
                different.append(f"{name}\n  ours   {ours}\n  theirs {theirs}")
            if name in NEVER_WRITTEN:
                sides[1].current = before
            for side, (status, _) in zip(sides, (ours, theirs), strict=True):
                if status == SUCCESS and not (name in NEVER_WRITTEN and side is sides[1]):
                    await side.undo(base)
            self.taken += ours[0] == SUCCESS
            self.refused += ours[0] != SUCCESS
        return different


async def answer(channel: grpc.aio.Channel, update: Envelope) -> tuple[object, str]:
    """An orderer's status, and what it says without what differs from case to case."""
    [(status, info)] = await exchange(channel, "Broadcast", update)
    return status, plain(str(info))


def plain(text: str) -> str:
    """What is said, without what differs from case to case."""
    text = told(text)
    for pattern in (_UNKNOWN_AUTHORITY, _VALIDITY, _MSP):
        text = pattern.sub(r"\1", text)
    return re.sub(r"127\.0\.0\.1:\d+", "#", text)
