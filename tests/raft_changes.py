# SPDX-License-Identifier: Apache-2.0
"""Changes of who is a consenter of a channel whose orderers run in this process."""

from collections.abc import Sequence
from pathlib import Path

from config_updates import update_of
from consenters import consenter_of, genesis_with, with_consenters, with_snapshots
from fastledger.channelconfig import Bundle
from fastledger.protos.common.common_pb2 import Status as BroadcastStatus
from fastledger.protos.common.configtx_pb2 import Config
from raft_network import RaftNetwork
from waiting import until


def network_of(
    folder: Path, port_base: int, members: Sequence[int], interval: int = 0
) -> RaftNetwork:
    """Three orderers, of which some are consenters of the channel."""
    network = RaftNetwork(folder, port_base)

    def write(config: Config) -> None:
        with_consenters(config, [consenter_of(network.node(number)) for number in members])
        if interval:
            with_snapshots(config, interval)

    network.genesis = genesis_with(network.plan, write)
    return network


async def reconfigure(network: RaftNetwork, number: int, *members: int) -> str:
    """Have an orderer take a configuration with these consenters; return what it says."""
    bundle = network[number].bundle
    current, following = (Config.FromString(bundle.config) for _ in range(2))
    with_consenters(following, [consenter_of(network.node(member)) for member in members])
    update = update_of(network.channel_id, current, following, network.admins)
    response = await network.broadcast(number, update.SerializeToString())
    return response.info or BroadcastStatus.Name(response.status)


async def accepted(network: RaftNetwork, number: int, *members: int) -> None:
    """Reconfigure, once the leader knows who is there."""

    async def is_taken() -> bool:
        return await reconfigure(network, number, *members) == "SUCCESS"

    await until(is_taken)


def join_later(network: RaftNetwork, number: int, source: int) -> None:
    """Join with the newest configuration block of another."""
    block = network.nodes[source].registrar.fetch(network.channel_id, "config")
    network.nodes[number].registrar.join(Bundle.from_block(block), block)
