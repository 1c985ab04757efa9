# SPDX-License-Identifier: Apache-2.0
"""A channel's way from solo or Kafka to Raft, in the steps that Fabric's documentation orders.

Fabric: ``docs/source/kafka_raft_migration.md`` of 2.5.
"""

from collections.abc import Sequence
from pathlib import Path

from config_updates import update_of
from consenters import consenter_of, genesis_with
from fastledger.network.plan import Plan
from fastledger.protos.common.common_pb2 import Status
from fastledger.protos.common.configtx_pb2 import Config
from fastledger.protos.orderer.configuration_pb2 import BatchSize, ConsensusType, KafkaBrokers
from fastledger.protos.orderer.etcdraft.configuration_pb2 import ConfigMetadata, Options
from raft_network import RaftNetwork
from waiting import until

NORMAL, MAINTENANCE = ConsensusType.STATE_NORMAL, ConsensusType.STATE_MAINTENANCE
_OPTIONS = Options(
    tick_interval="50ms",
    election_tick=10,
    heartbeat_tick=1,
    max_inflight_blocks=5,
    snapshot_interval_size=16 << 20,
)


def network_of(folder: Path, port_base: int, orderers: int, brokers: Sequence[str]) -> RaftNetwork:
    """Orderers of a channel on Kafka; without brokers of one by solo."""
    network = RaftNetwork(folder, port_base, orderers=orderers)

    def write(config: Config) -> None:
        values = config.channel_group.groups["Orderer"].values
        kind = ConsensusType(type="kafka" if brokers else "solo")
        values["ConsensusType"].value = kind.SerializeToString()
        if brokers:
            values["KafkaBrokers"].value = KafkaBrokers(brokers=brokers).SerializeToString()
            values["KafkaBrokers"].mod_policy = "Admins"

    network.genesis = genesis_with(network.plan, write)
    for node in network.plan.all_orderers:
        with (node.folder / "env").open("a", encoding="utf-8") as file:
            file.write("ORDERER_KAFKA_TOPIC_REPLICATIONFACTOR=1\n")
    return network


def raft_of(plan: Plan) -> bytes:
    """The metadata of Raft among all orderers."""
    consenters = [consenter_of(node) for node in plan.all_orderers]
    return ConfigMetadata(consenters=consenters, options=_OPTIONS).SerializeToString()


async def change(
    network: RaftNetwork, number: int = 1, *, batch: int = 0, **fields: str | int | bytes
) -> str:
    """Ask an orderer for another ConsensusType, and batch size; return what it says."""
    bundle = network[number].bundle
    current, following = (Config.FromString(bundle.config) for _ in range(2))
    values = following.channel_group.groups["Orderer"].values
    kind = ConsensusType.FromString(values["ConsensusType"].value)
    for field, value in fields.items():
        setattr(kind, field, value)
    values["ConsensusType"].value = kind.SerializeToString()
    if batch:
        size = BatchSize.FromString(values["BatchSize"].value)
        size.max_message_count = batch
        values["BatchSize"].value = size.SerializeToString()
    update = update_of(network.channel_id, current, following, network.admins)
    response = await network.broadcast(number, update.SerializeToString())
    return response.info or Status.Name(response.status)


async def changed(network: RaftNetwork, **fields: str | int | bytes) -> None:
    """Have a change of the configuration taken, and wait until it is in force everywhere."""
    before = network[1].bundle.sequence

    async def is_taken() -> bool:
        # What nobody acknowledged may be in force all the same.
        moved = network[1].bundle.sequence > before
        return moved or await change(network, **fields) == "SUCCESS"

    await until(is_taken)
    await until(lambda: all(network[number].bundle.sequence > before for number in network.nodes))


async def refused(network: RaftNetwork, kind: str) -> None:
    """Every step that is out of order is refused in Fabric's words, and changes nothing."""
    height, metadata = network[1].height, raft_of(network.plan)
    attempt = f"attempted to change consensus type from {kind} to etcdraft, but"
    leaving = "ConsensusType.State is changing from STATE_NORMAL to STATE_MAINTENANCE"
    only = "more then just the ConsensusType value in the Orderer group"
    for fields, reason in (
        ({"type": "etcdraft", "metadata": metadata}, f"{attempt} current config "),
        (
            {"type": "etcdraft", "metadata": metadata, "state": MAINTENANCE},
            f"attempted to change ConsensusType.Type from {kind} to etcdraft, but {leaving}",
        ),
        (
            {"metadata": metadata, "state": MAINTENANCE},
            f"attempted to change ConsensusType.Metadata, but {leaving}",
        ),
        ({"state": MAINTENANCE, "batch": 7}, only),
    ):
        said = await change(network, **fields)  # type: ignore[arg-type]
        assert reason in said, said
    assert network[1].height == height


async def refused_in_maintenance(network: RaftNetwork, kind: str) -> None:
    """The same in maintenance, where nobody orders."""
    height, metadata = network[1].height, raft_of(network.plan)
    attempt = f"attempted to change consensus type from {kind}"
    leaving = "ConsensusType.State is changing from STATE_MAINTENANCE to STATE_NORMAL"
    for fields, reason in (
        (
            {"type": "etcdraft", "metadata": metadata, "state": NORMAL},
            f"attempted to change ConsensusType.Type from {kind} to etcdraft, but {leaving}",
        ),
        ({"type": "pbft"}, f"{attempt} to pbft, transition not supported"),
        ({"type": "etcdraft"}, "nil Raft config metadata options"),
        (
            {"type": "etcdraft", "metadata": ConfigMetadata(options=_OPTIONS).SerializeToString()},
            "empty consenter set",
        ),
    ):
        said = await change(network, **fields)  # type: ignore[arg-type]
        assert reason in said, said
    response = await network.broadcast(1, network.envelope(b"in maintenance"))
    assert response.status == Status.SERVICE_UNAVAILABLE
    assert response.info == "normal transactions are rejected: maintenance mode"
    assert network[1].height == height


async def restart(network: RaftNetwork) -> None:
    numbers = sorted(network.nodes)
    await network.stop(*numbers)
    await network.start(*numbers)


async def migrate(network: RaftNetwork, kind: str, *, restarts: bool) -> None:
    """Go all steps, each after those that are refused; the orderers are restarted as documented."""
    await refused(network, kind)
    await changed(network, state=MAINTENANCE)
    await refused_in_maintenance(network, kind)
    if restarts:
        await restart(network)
    await changed(network, type="etcdraft", metadata=raft_of(network.plan))
    if restarts:
        await restart(network)
    if len(network.nodes) > 1:
        await network.leader()
    await changed(network, state=NORMAL)
