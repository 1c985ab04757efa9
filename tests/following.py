# SPDX-License-Identifier: Apache-2.0
"""An orderer that follows another one, and what it says of itself."""

import json
from pathlib import Path
from typing import Any

import config_changes as changes
from config_updates import update_of
from consenters import with_timeout
from fastledger.channelconfig import Bundle
from fastledger.client.orderer import Orderer
from fastledger.client.target import Target
from fastledger.comm import ClientTls
from fastledger.common.errors import BroadcastRefused, DeliverEnded
from fastledger.msp import SigningIdentity
from fastledger.network.plan import HOST, Node, Plan
from fastledger.protos.common.common_pb2 import Block, Envelope, HeaderType
from fastledger.protos.common.configtx_pb2 import Config
from fastledger.protoutil.envelope import signed_envelope
from fastledger.protoutil.seek import specified
from fastledger.tools.osnadmin import OsnAdmin
from waiting import until

FORMER = "channel creation request not allowed because the orderer system channel is not defined"
"""What 2.5 says of a channel that it does not serve."""
Answer = tuple[int, Any]


class Story:
    """A consenter, and an orderer that follows it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.source, self.follower = plan.all_orderers[:2]
        self.admins = [
            SigningIdentity.load(Path(msp), mspid) for mspid, msp in changes.administrators(plan)
        ]

    def admin(self, node: Node) -> OsnAdmin:
        tls = node.identity / "tls"
        address = f"{HOST}:{node.side_port}"
        return OsnAdmin(address, tls / "ca.crt", tls / "server.crt", tls / "server.key")

    def answer(self, what: str, *arguments: Any) -> Answer:
        """What the follower's administration answers."""
        answer = getattr(self.admin(self.follower), what)(*arguments)
        try:
            return answer.status, json.loads(answer.body)
        except ValueError:
            return answer.status, answer.body

    def info(self) -> Answer:
        return self.answer("channels", self.plan.channel)

    def height(self, node: Node) -> int:
        body = self.admin(node).channels(self.plan.channel).body
        return int(json.loads(body).get("height", 0))

    def orderer(self, node: Node) -> Target:
        return Target(node.address, ClientTls(node.tls_root.read_bytes()))

    def message(self, name: bytes) -> Envelope:
        return signed_envelope(
            HeaderType.ENDORSER_TRANSACTION, self.plan.channel, name, self.admins[1]
        )

    async def order(self, *names: bytes) -> None:
        for name in names:
            await until(lambda name=name: self.is_taken(name))

    async def is_taken(self, name: bytes) -> bool:
        """Send a message; a real orderer takes none before it has chosen itself as the leader."""
        async with await Orderer.connect(self.orderer(self.source)) as orderer:
            try:
                await orderer.broadcast(self.message(name))
            except BroadcastRefused as error:
                assert "no Raft leader" in str(error)
                return False
        return True

    async def block(self, number: int, node: Node | None = None) -> Block:
        async with await Orderer.connect(self.orderer(node or self.source)) as orderer:
            stream = orderer.blocks(self.plan.channel, self.admins[0])
            try:
                return await stream.get(specified(number))
            finally:
                stream.close()

    def update(self, genesis: bytes) -> Envelope:
        current, following = (
            Config.FromString(Bundle.from_block(genesis).config) for _ in range(2)
        )
        with_timeout(following, "3s")
        return update_of(self.plan.channel, current, following, self.admins)

    async def history(self, genesis: bytes) -> bytes:
        """Six blocks, of which the fourth is a configuration; return that one."""
        await self.order(b"a", b"b")
        async with await Orderer.connect(self.orderer(self.source)) as orderer:
            await orderer.broadcast(self.update(genesis))
        block = await self.block(3)
        await self.order(b"c", b"d")
        return block.SerializeToString()

    async def refusals(self) -> list[str]:
        """What clients are told by an orderer that follows."""
        told = []
        async with await Orderer.connect(self.orderer(self.follower)) as orderer:
            try:
                await orderer.broadcast(self.message(b"x"))
            except BroadcastRefused as error:
                told.append(str(error).replace(FORMER, "channel does not exist"))
        try:
            await self.block(0, self.follower)
        except DeliverEnded as error:
            told.append(error.status)
        return told
