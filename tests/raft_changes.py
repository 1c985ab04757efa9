# SPDX-License-Identifier: Apache-2.0
"""Changes of who is a consenter of a channel whose orderers run in this process."""

from collections.abc import Sequence
from pathlib import Path

from config_updates import update_of
from consenters import consenter_of, genesis_with, with_consenters, with_snapshots
from fastledger.channelconfig import Bundle
from fastledger.protos.common.common_pb2 import Envelope
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


def update(network: RaftNetwork, number: int, *members: int) -> Envelope | None:
    """Make the update to these consenters of what an orderer has in force; None if it has them."""
    bundle = network[number].bundle
    current, following = (Config.FromString(bundle.config) for _ in range(2))
    with_consenters(following, [consenter_of(network.node(member)) for member in members])
    if following == current:
        return None
    return update_of(network.channel_id, current, following, network.admins)


async def reconfigure(network: RaftNetwork, number: int, *members: int) -> str:
    """Have an orderer take a configuration with these consenters; return what it says."""
    made = update(network, number, *members)
    assert made is not None
    response = await network.broadcast(number, made.SerializeToString())
    return response.info or BroadcastStatus.Name(response.status)


async def accepted(network: RaftNetwork, number: int, *members: int) -> None:
    """Reconfigure, once the leader knows who is there, and wait until that is in force.

    An update that nobody acknowledged may be on its way: that is looked for before each attempt.
    """

    def is_in_force() -> bool:
        return update(network, number, *members) is None

    async def is_taken() -> bool:
        return is_in_force() or await reconfigure(network, number, *members) == "SUCCESS"

    await until(is_taken)
    await until(is_in_force)


def join_later(network: RaftNetwork, number: int, source: int) -> None:
    """Join with the newest configuration block of another."""
    block = network.nodes[source].registrar.fetch(network.channel_id, "config")
    network.nodes[number].registrar.join(Bundle.from_block(block), block)
