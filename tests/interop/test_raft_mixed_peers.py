# SPDX-License-Identifier: Apache-2.0
"""A real peer and ours commit alike what a Raft cluster of both kinds orders."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from deployed import define, first_peers, install, join, service, service_package
from fastledger.chaincode import package as packages
from fastledger.common.codes import TxValidationCode as Code
from fastledger.network.session import Session
from fastledger.protos.common.common_pb2 import HeaderType
from mixed_cluster import STORIES_TAKE_AT_MOST_S, Cluster
from mixed_workload import calls
from raft_network import write_genesis
from real_nodes import Nodes, free_ports, plan_of
from test_mixed_network import compare, definition, submit_all

TRANSACTIONS = 200
FALLS = 4
"""Each kind of leader in each way."""


@pytest.mark.timeout(STORIES_TAKE_AT_MOST_S)
@pytest.mark.parametrize(
    ("real", "version"),
    [
        pytest.param((0, 1), "v3.1.5", id="two of 3.1.5"),
        pytest.param((2,), "v3.1.5", id="one of 3.1.5", marks=pytest.mark.slow),
        pytest.param((0, 1), "v2.5.15", id="two of 2.5.15", marks=pytest.mark.slow),
        pytest.param((2,), "v2.5.15", id="one of 2.5.15"),
    ],
)
def test_both_peers_commit_alike(tmp_path: Path, real: tuple[int, ...], version: str) -> None:
    plan = plan_of(tmp_path, orderers=3, chaincode="mixed", peers=1)
    names = {plan.all_orderers[index].name for index in real}
    # Clients send their transactions to the first orderer, whichever kind that is.
    nodes = Nodes(plan, names | {plan.organizations[1].peers[0].name}, version)
    # A peer gives its clients no filtered block of transactions that it cannot read.
    cluster = Cluster(nodes, message_type=HeaderType.MESSAGE)

    async def walk() -> list[bytes]:
        address = f"127.0.0.1:{free_ports(1)}"
        content = service_package(address)
        package_id = packages.package_id("mixed_1.0", content)
        with service(package_id, address):
            async with Session(plan) as session:
                await join(session)
                await install(session, content)
                await define(session, definition(1, package_id))
                await submit_all(session, calls(seed=6, count=TRANSACTIONS))
            # What the cluster is loaded with meanwhile is no transaction to a peer.
            await cluster.leaders_fall(FALLS)
            async with Session(plan) as session:
                await submit_all(session, calls(seed=7, count=TRANSACTIONS))
                return await compare(session, first_peers(plan))

    try:
        nodes.start()
        cluster.join(write_genesis(plan))
        codes = asyncio.run(walk())
        cluster.check_equal()
    finally:
        nodes.stop()
    found = Counter(code for block in codes for code in block)
    print(len(codes), "blocks", {Code(code).name: count for code, count in found.most_common()})
    assert found[Code.VALID] > TRANSACTIONS / 2
    assert found[Code.MVCC_READ_CONFLICT]
