# SPDX-License-Identifier: Apache-2.0
"""Orderers that talk to each other by TLS, as far as the wire goes: what they hear is a list."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import certificates
from certificates import Pair
from fastledger.comm import GrpcServer, TlsConfig
from fastledger.common.errors import FastledgerError
from fastledger.orderer.cluster import (
    Backoff,
    ClusterComm,
    ClusterIdentity,
    ClusterService,
    ClusterSettings,
    OpenedRequest,
    RemoteNode,
)
from fastledger.orderer.cluster.expiration import ExpirationCheck
from fastledger.protos.orderer.cluster_pb2 import ConsensusRequest, StepRequest, SubmitRequest

CHANNEL = "mychannel"
CA = certificates.authority()
QUICK = Backoff(base_s=0.01, most_s=0.05)


@dataclass
class Heard:
    """A channel that hears of others."""

    requests: list[tuple[int, bytes]] = field(default_factory=list)
    refusal: FastledgerError | None = None

    def step_now(self, sender: int, requests: Sequence[OpenedRequest]) -> int:
        return 0

    async def step(self, sender: int, message: bytes) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.requests.append((sender, message))


@dataclass
class Peer:
    """One orderer."""

    number: int
    pair: Pair
    comm: ClusterComm
    server: GrpcServer
    channel: Heard
    unreachable: list[int] = field(default_factory=list)

    def as_others_see(self, pair: Pair | None = None) -> RemoteNode:
        shown = (pair or self.pair).cert
        return RemoteNode.of(self.number, "127.0.0.1", self.server.port, shown, shown)

    def meet(self, *others: RemoteNode) -> None:
        self.comm.configure(CHANNEL, others, CA.cert, lambda to, _: self.unreachable.append(to))


@asynccontextmanager
async def peer(
    number: int,
    pair: Pair | None = None,
    address: str = "127.0.0.1:0",
    settings: ClusterSettings | None = None,
    now: Callable[[], float] | None = None,
) -> AsyncIterator[Peer]:
    pair = pair or certificates.leaf(CA)
    comm = ClusterComm(ClusterIdentity(pair.cert, pair.key), settings, backoff=QUICK)
    server = GrpcServer(address, TlsConfig(pair.cert, pair.key))
    channel = Heard()

    def check(address: str, end: int) -> ExpirationCheck:
        return ExpirationCheck(address, end, 7 * 24 * 3600, **({"now": now} if now else {}))

    service = ClusterService(comm, {CHANNEL: channel}.get, check)
    server.add(service.register)
    await server.start()
    try:
        yield Peer(number, pair, comm, server, channel)
    finally:
        await comm.close()
        await server.stop()


def consensus(payload: bytes, channel: str = CHANNEL) -> bytes:
    request = ConsensusRequest(channel=channel, payload=payload)
    return StepRequest(consensus_request=request).SerializeToString()


def submit(payload: bytes, channel: str = CHANNEL) -> bytes:
    request = SubmitRequest(channel=channel, last_validation_seq=3)
    request.payload.payload = payload
    return StepRequest(submit_request=request).SerializeToString()
