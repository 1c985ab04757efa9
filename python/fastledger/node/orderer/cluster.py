# SPDX-License-Identifier: Apache-2.0
"""What an orderer is among others: ``General.Cluster``, ``General.Backoff`` and ``Consensus``.

With none of the four keys of a listener, other orderers come in at the general one.
"""

from dataclasses import dataclass
from pathlib import Path

from fastledger.common.settings import files, optional_file, seconds, section, text, whole
from fastledger.orderer.consensus.etcdraft.options import RaftSettings
from fastledger.orderer.replication.settings import ReplicationSettings

MAX_PORT = 65_535
_WEEK_S = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Listener:
    """Where other orderers come in, if not where everybody does.

    Raises:
        ValueError: Some of the four keys are set, and some not.
    """

    host: str = text("ListenAddress", "", "Where other orderers come in; with all four keys.")
    port: int = whole("ListenPort", 0, "Its port.", least=0, most=MAX_PORT)
    certificate: Path | None = optional_file(
        "ServerCertificate",
        "What it shows, by which etcdraft configurations name the orderer; TLS.Certificate without "
        "a listener of its own.",
    )
    key: Path | None = optional_file("ServerPrivateKey", "Its key.")

    def __post_init__(self) -> None:
        """Refuse half a listener."""
        given = (bool(self.host), bool(self.port), self.certificate, self.key)
        if any(given) and not all(given):
            raise ValueError(
                "Options: General.Cluster.ListenPort, General.Cluster.ListenAddress, "
                "General.Cluster.ServerCertificate, General.Cluster.ServerPrivateKey, should be "
                "defined altogether."
            )


@dataclass(frozen=True, slots=True)
class Cluster:
    """``General.Cluster``."""

    listener: Listener = section("", Listener)
    replication: ReplicationSettings = section("", ReplicationSettings)
    client_certificate: Path | None = optional_file(
        "ClientCertificate", "What other orderers are shown; TLS.Certificate without it."
    )
    client_key: Path | None = optional_file(
        "ClientPrivateKey", "Its key; TLS.PrivateKey without it."
    )
    roots: tuple[Path, ...] = files(
        "RootCAs", "Trusted in other orderers, beside the CAs of the channels' organizations."
    )
    send_buffer: int = whole(
        "SendBufferSize",
        100,
        "Requests that wait for one orderer: more of consensus are lost, of clients wait.",
        least=1,
        zero=False,
    )
    rpc_timeout_s: float = seconds(
        "RPCTimeout", 7, "A stream on which a request is not sent in that time ends.", zero=False
    )
    time_shift_s: float = seconds(
        "TLSHandshakeTimeShift",
        0,
        "Other orderers' certificates are judged as of so long ago; with a listener of its own.",
    )
    warning_s: float = seconds(
        "CertExpirationWarningThreshold",
        _WEEK_S,
        "How long before its end a certificate of another orderer is warned of.",
        zero=False,
    )


@dataclass(frozen=True, slots=True)
class Reconnecting:
    """``General.Backoff``."""

    base_s: float = seconds(
        "BaseDelay", 0.1, "Pause after another orderer could not be reached.", zero=False
    )
    most_s: float = seconds("MaxDelay", 2, "Longest pause.", zero=False)


@dataclass(frozen=True, slots=True)
class Consensus:
    """``Consensus``: of etcdraft alone."""

    wal_folder: Path | None = optional_file(
        "WALDir", "Where raft logs are; etcdraft/wal in FileLedger.Location without it."
    )
    eviction_suspicion_s: float = seconds(
        "EvictionSuspicion",
        600,
        "Without a leader for so long, a consenter asks others whether it still is one.",
        zero=False,
    )
    tick_interval_s: float = seconds(
        "TickIntervalOverride", 0, "Tick of raft in place of what the channels' configurations say."
    )

    def raft_settings(self, location: Path) -> RaftSettings:
        """Return what channels' chains go by."""
        return RaftSettings(
            self.wal_folder or location / "etcdraft" / "wal",
            self.eviction_suspicion_s,
            self.tick_interval_s,
        )
