# SPDX-License-Identifier: Apache-2.0
"""How fast a channel's raft goes: the options of its configuration, and the node's settings."""

from dataclasses import dataclass, replace
from pathlib import Path

from fastledger._core import duration_ns
from fastledger.channelconfig import Orderer
from fastledger.common.errors import InputError
from fastledger.protos.orderer.etcdraft.configuration_pb2 import ConfigMetadata

DEFAULT_SNAPSHOT_INTERVAL_BYTES = 16 << 20
"""Where a configuration says 0 (Fabric: ``etcdraft.DefaultSnapshotIntervalSize``)."""


@dataclass(frozen=True, slots=True)
class RaftSettings:
    """``Consensus`` of orderer.yaml.

    Attributes:
        wal_folder: Logs are in ``<wal_folder>/<channel>``.
        eviction_suspicion_s: A consenter without a leader for so long asks whether it is one.
        tick_interval_s: In place of what the configurations say; 0 for that.
    """

    wal_folder: Path
    eviction_suspicion_s: float = 600.0
    tick_interval_s: float = 0.0


@dataclass(frozen=True, slots=True)
class RaftOptions:
    """``etcdraft.Options`` of a configuration; all but the last are those of the chain's start.

    Attributes:
        tick_s: Seconds of a tick.
        election_tick: Ticks without a leader before somebody stands for election; up to twice that.
        heartbeat_tick: Ticks between a leader's signs of life.
        max_inflight_blocks: Blocks proposed and not agreed on before messages wait.
        max_message_bytes: Of entries in one message (Fabric: ``MaxSizePerMsg``).
        snapshot_interval_bytes: Bytes of blocks between snapshots.
    """

    tick_s: float
    election_tick: int
    heartbeat_tick: int
    max_inflight_blocks: int
    max_message_bytes: int
    snapshot_interval_bytes: int

    @property
    def election_timeout_s(self) -> float:
        """Seconds without a leader before the first may stand for election."""
        return self.tick_s * self.election_tick

    @staticmethod
    def read(values: Orderer, settings: RaftSettings) -> "RaftOptions":
        """Read the options of a configuration that the kind's rules have let in.

        Raises:
            InputError: There are none.
        """
        metadata = ConfigMetadata.FromString(values.consensus_metadata)
        if not metadata.HasField("options"):
            raise InputError("etcdraft options have not been provided")
        options = metadata.options
        tick_s = settings.tick_interval_s or duration_ns(options.tick_interval) / 1e9
        return RaftOptions(
            tick_s,
            options.election_tick,
            options.heartbeat_tick,
            options.max_inflight_blocks,
            values.batch_size.preferred_max_bytes,
            options.snapshot_interval_size or DEFAULT_SNAPSHOT_INTERVAL_BYTES,
        )

    def with_snapshots_of(self, values: Orderer) -> "RaftOptions":
        """Return the same with a later configuration's snapshots, which count at once."""
        options = ConfigMetadata.FromString(values.consensus_metadata).options
        if not options.snapshot_interval_size:
            return self
        return replace(self, snapshot_interval_bytes=options.snapshot_interval_size)
