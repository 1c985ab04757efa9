# SPDX-License-Identifier: Apache-2.0
"""A consenter that lies: whoever has its key speaks raft to the others, who go on as they were."""

from pathlib import Path

import grpc
import grpc.aio

from cluster_wire import consensus, submit
from consenting import run
from fastledger.comm import ClientTls, dial
from fastledger.orderer.cluster.stream import STEP
from fastledger.protoutil import varint
from raft_network import RaftNetwork, running
from waiting import until

APP, VOTE, SNAP, HEARTBEAT = 3, 5, 7, 8
"""Kinds of messages (etcd's raft.proto)."""

FAR = 1 << 63


def message(to: int, kind: int, sender: int = 3, **fields: int) -> bytes:
    """An encoded ``raftpb.Message``."""
    numbers = {"term": 4, "log_term": 5, "index": 6, "commit": 8}
    values = {1: kind, 2: to, 3: sender} | {numbers[name]: value for name, value in fields.items()}
    return b"".join(bytes([field << 3]) + varint.encode(value) for field, value in values.items())


class Liar:
    """Holds the key of a consenter that is away."""

    def __init__(self, network: RaftNetwork, number: int) -> None:
        self._network = network
        tls = network.plan.all_orderers[number - 1].identity / "tls"
        names = ("ca.crt", "server.crt", "server.key")
        self._tls = ClientTls(*((tls / name).read_bytes() for name in names))

    async def say(self, to: int, *requests: bytes) -> str:
        """Say something on a stream of its own; how that ends, empty if it goes on."""
        address = f"127.0.0.1:{self._network.node(to).port}"
        channel = await dial(address, self._tls)
        try:
            call = channel.stream_stream(STEP)()
            for request in requests:
                await call.write(request)
            await call.done_writing()
            await call.read()
            return ""
        except grpc.aio.AioRpcError as error:
            return error.details() or error.code().name
        finally:
            await channel.close()


def test_the_others_go_on_as_they_were(tmp_path: Path) -> None:
    async def story() -> None:
        network = RaftNetwork(tmp_path, 7920)
        async with running(network):
            leader = await network.leader()
            if leader == 3:
                await network.chain(3).resign()
                leader = await network.leader(other_than=3)
            follower = 3 - leader
            await network.order(leader, b"before")
            await network.level(2)
            await network.stop(3)
            liar, channel = Liar(network, 3), network.channel_id
            term = network.chain(leader)._own().term

            def lie(kind: int, **fields: int) -> bytes:
                return consensus(message(follower, kind, **{"term": term, **fields}), channel)

            as_another = message(follower, VOTE, leader, term=term)
            for request, reason in (
                (consensus(b"\xff", channel), "not an encoded raftpb.Message"),
                (consensus(message(follower, VOTE, term=term), "other"), "doesn't exist"),
                (consensus(as_another, channel), f"consenter 3 sent a message of {leader}"),
                (lie(VOTE, term=FAR - 1), "has a term that no election can have reached"),
                (lie(APP, term=term + 1, index=FAR), "has a number that no cluster counts to"),
                (lie(HEARTBEAT, commit=99), "speaks as the leader of a term that another leads"),
                (lie(SNAP), "speaks as the leader of a term that another leads"),
            ):
                assert reason in await liar.say(follower, request)
            # What Fabric's take without an answer; and a vote, which the leader's lease holds up.
            silent = (
                consensus(message(3, VOTE, term=term), channel),
                submit(b"no envelope"),
                lie(VOTE, term=term + 1),
            )
            for request in silent:
                assert await liar.say(follower, request) == ""
            await network.order(follower, b"after")
            await until(lambda: len(network.contents(follower)) == 2)
            await network.level()
            network.check_equal()
            assert {network.chain(one)._own().term for one in (leader, follower)} == {term}

    run(story())
