# SPDX-License-Identifier: Apache-2.0
"""Raft clusters whose TLS certificates have ended, and what turns the clock back for them."""

from pathlib import Path

import pytest

from consenters import consenter_of, genesis_with, with_consenters, with_snapshots
from consenting import run
from fastledger.protos.common.common_pb2 import Status
from fastledger.protos.common.configtx_pb2 import Config
from node_certificates import end, turn_back_clock
from raft_network import RaftNetwork, running
from waiting import until

SNAPSHOTS_BYTES = 10_000
OWN_LISTENER = 50
"""How far the ports of listeners for orderers alone are from the others."""


def listen_apart(network: RaftNetwork) -> None:
    """Have orderers come in at listeners of their own, which check their certificates."""
    for node in network.plan.all_orderers:
        tls = node.identity / "tls"
        settings = {
            "LISTENADDRESS": "127.0.0.1",
            "LISTENPORT": node.port + OWN_LISTENER,
            "SERVERCERTIFICATE": tls / "server.crt",
            "SERVERPRIVATEKEY": tls / "server.key",
        }
        with (node.folder / "env").open("a", encoding="utf-8") as file:
            file.writelines(f"ORDERER_GENERAL_CLUSTER_{key}={it}\n" for key, it in settings.items())


@pytest.mark.parametrize("section", ["TLS", "CLUSTER"])
def test_a_cluster_whose_certificates_have_ended(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, section: str
) -> None:
    apart = OWN_LISTENER if section == "CLUSTER" else 0
    network = RaftNetwork(tmp_path, 7980)

    def write(config: Config) -> None:
        consenters = [consenter_of(node) for node in network.plan.all_orderers]
        for one in consenters:
            one.port += apart
        with_consenters(config, consenters)
        with_snapshots(config, SNAPSHOTS_BYTES)

    network.genesis = genesis_with(network.plan, write)
    if apart:
        listen_apart(network)

    async def story() -> None:
        async with running(network):
            await network.order(await network.leader(), b"before")
            await network.level(2)
        ended = [end(network.plan, node) for node in network.plan.all_orderers]
        caplog.clear()
        async with running(network):
            for number, node in enumerate(network.plan.all_orderers, 1):
                said = (
                    f"Failed to send StepRequest to {number}, because: no connection to "
                    f"127.0.0.1:{node.port + apart}: its TLS certificate ended on "
                    f"{ended[number - 1]:%Y-%m-%d %H:%M:%S} +0000 UTC: renew it with the same key"
                )
                await until(lambda said=said: said in caplog.text)
            assert f"General.{section.title() if apart else section}.TLSHandshake" in caplog.text
            assert caplog.text.count("The server TLS certificate has expired: it ended on") == 3
            response = await network.broadcast(1, network.envelope(b"meanwhile"))
            assert response.status == Status.SERVICE_UNAVAILABLE
        for node in network.plan.all_orderers:
            turn_back_clock(node, section)
        async with running(network, 1, 2):
            leader = await network.leader()
            for number in range(20):
                await network.order(leader, b"%d" % number * 2000)
                await network.level(number + 3)
            # The third has to pull blocks: the log of before is gone.
            await network.start(3)
            await network.leader()
            await network.level(22)
            await network.order(3, b"after")
            await until(lambda: b"after" in network.contents(3))
            await network.level(23)
            network.check_equal()

    run(story())
