# SPDX-License-Identifier: Apache-2.0
"""How long a call that lasts may go on."""

import asyncio
from types import SimpleNamespace

import grpc
import pytest

from fastledger.committer.notifier import Notifier
from fastledger.common.codes import TxValidationCode
from fastledger.common.errors import FastledgerError
from fastledger.deliver import PreparedBlocks
from fastledger.gateway import events, permit
from fastledger.gateway.failure import GatewayFailed
from fastledger.gateway.permit import Permit
from fastledger.gateway.service import Gateway
from fastledger.protos.common.common_pb2 import Block
from fastledger.protos.gateway import gateway_pb2 as pb


class Channel:
    """A channel whose blocks have no transactions."""

    id = "mychannel"

    def __init__(self) -> None:
        self.bundle = SimpleNamespace(sequence=1)
        self.notifier = Notifier(1)
        self.reconfiguration = self.notifier.reconfiguration
        self.await_status = self.notifier.status
        self.wait = self.notifier.wait

    @property
    def height(self) -> int:
        return self.notifier.height

    def status_of(self, tx_id: str) -> None:
        return None

    @property
    def blocks(self) -> PreparedBlocks:
        raise AssertionError("nobody reads it without a right")

    def reconfigure(self) -> None:
        """Commit a configuration, as a peer does."""
        self.bundle.sequence += 1
        self.notifier.tell_configuration()
        self.notifier.tell(self.height, ())


class Peer:
    """A peer that refuses whoever is revoked."""

    mspid, address = "Org1MSP", "peer0:7051"

    def __init__(self) -> None:
        self.only = Channel()
        self.revoked: set[bytes] = set()
        self.checks = 0

    def channel(self, channel_id: str) -> Channel:
        return self.only

    def check(self, resource: str, channel_id: str, signed) -> None:
        self.checks += 1
        if signed.identity in self.revoked:
            raise FastledgerError("the certificate is revoked")


class Aborted(Exception):
    pass


class Call:
    """The context of a servicer."""

    async def abort(self, code, details, trailing_metadata=()):
        raise Aborted(code, details)


def status_request(identity: bytes = b"A", tx_id: str = "tx") -> pb.SignedCommitStatusRequest:
    asked = pb.CommitStatusRequest(transaction_id=tx_id, channel_id="mychannel", identity=identity)
    return pb.SignedCommitStatusRequest(request=asked.SerializeToString())


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_a_wait_for_a_verdict_ends_when_its_client_is_revoked() -> None:
    async def run() -> None:
        peer = Peer()
        gateway = Gateway(peer)
        revoked = asyncio.ensure_future(gateway.CommitStatus(status_request(b"A"), Call()))
        other = asyncio.ensure_future(gateway.CommitStatus(status_request(b"B"), Call()))
        await settle()
        peer.revoked.add(b"A")
        # Nothing is asked again before there is another configuration.
        peer.only.notifier.tell(1, ())
        await settle()
        assert peer.checks == 2
        peer.only.reconfigure()
        with pytest.raises(Aborted) as ended:
            await revoked
        assert ended.value.args == (grpc.StatusCode.PERMISSION_DENIED, "the certificate is revoked")
        peer.only.reconfigure()
        await settle()
        peer.only.notifier.tell(peer.only.height, [("tx", TxValidationCode.VALID)])
        assert (await other).result == 0
        assert not peer.only.notifier.awaits

    asyncio.run(run())


def test_nothing_is_kept_for_whoever_gives_up() -> None:
    async def run() -> None:
        peer = Peer()
        gateway = Gateway(peer)
        waiting = [
            asyncio.ensure_future(gateway.CommitStatus(status_request(tx_id=str(n)), Call()))
            for n in range(20)
        ]
        await settle()
        assert peer.only.notifier.awaits
        for one in waiting:
            one.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        assert not peer.only.notifier.awaits

    asyncio.run(run())


def test_events_end_when_their_client_is_revoked() -> None:
    async def run() -> None:
        peer = Peer()
        asked = pb.ChaincodeEventsRequest(channel_id="mychannel", identity=b"A", chaincode_id="cc")
        request = pb.SignedChaincodeEventsRequest(request=asked.SerializeToString())
        stream = Gateway(peer).ChaincodeEvents(request, Call())
        first = asyncio.ensure_future(anext(stream))
        await settle()
        assert not first.done()
        peer.revoked.add(b"A")
        peer.only.reconfigure()
        with pytest.raises(Aborted) as ended:
            await first
        assert ended.value.args[0] is grpc.StatusCode.PERMISSION_DENIED

    asyncio.run(run())


def test_a_certificate_that_ends_meanwhile_ends_the_call(monkeypatch) -> None:
    async def run() -> None:
        clock = SimpleNamespace(now=100.0)
        monkeypatch.setattr(permit, "time", SimpleNamespace(time=lambda: clock.now))
        monkeypatch.setattr(permit, "expires_at", lambda identity: 100.05)
        channel = Channel()
        going_on = Permit(channel, b"A", lambda: None)
        going_on.evaluate()
        waiting = asyncio.ensure_future(going_on.wait(channel.await_status("tx")))
        await settle()
        clock.now = 200.0
        with pytest.raises(GatewayFailed, match="has expired"):
            await waiting
        # One that had ended before is served, as by Fabric.
        late = Permit(channel, b"A", lambda: None)
        late.evaluate()
        waiting = asyncio.ensure_future(late.wait(channel.await_status("tx")))
        await settle()
        assert not waiting.done()
        waiting.cancel()

    asyncio.run(run())


def test_a_stream_of_old_blocks_is_looked_at_as_well() -> None:
    """Whoever reads the past does not wait, and loses the right all the same."""

    async def run() -> None:
        channel = Channel()
        revoked: list[bool] = []

        def check() -> None:
            if revoked:
                raise FastledgerError("the certificate is revoked")

        going_on = Permit(channel, b"A", check)
        asked = pb.ChaincodeEventsRequest(channel_id="mychannel", chaincode_id="cc")
        asked.start_position.specified.number = 0
        revoked.append(True)
        channel.bundle.sequence += 1
        with pytest.raises(FastledgerError, match="revoked"):
            await anext(events.stream(channel, asked, going_on))

    asyncio.run(run())


def test_a_long_past_without_events_leaves_room_for_others() -> None:
    async def run() -> None:
        empty = Block(metadata={"metadata": [b"", b"", b""]}).SerializeToString()
        read: list[int] = []

        def block(number: int) -> bytes:
            read.append(number)
            return empty

        class Long(Channel):
            blocks = PreparedBlocks(block, lambda: 1000)

        channel = Long()
        channel.notifier.tell(999, ())
        asked = pb.ChaincodeEventsRequest(channel_id="mychannel", chaincode_id="cc")
        asked.start_position.specified.number = 0
        stream = events.stream(channel, asked, Permit(channel, b"A", lambda: None))
        waiting = asyncio.ensure_future(anext(stream))
        for turn in range(1, 20):
            await asyncio.sleep(0)
            assert len(read) <= turn
        while len(read) < 1000:
            assert not waiting.done(), waiting.exception()
            await asyncio.sleep(0)
        waiting.cancel()

    asyncio.run(run())
