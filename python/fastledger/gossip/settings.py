# SPDX-License-Identifier: Apache-2.0
"""``peer.gossip`` of core.yaml (Fabric: ``gossip/gossip/config.go``)."""

from dataclasses import dataclass

from fastledger.common.config import Config
from fastledger.common.errors import ConfigInvalid

MAX_PORT = 65_535


@dataclass(frozen=True, slots=True)
class GossipSettings:
    """How a peer gossips; the defaults are Fabric's. Peers of one network may differ in all of it.

    Attributes:
        endpoint: Where peers of the own organization reach this one.
        external_endpoint: Where those of others do; empty hides the peer from them.
        bootstrap: Peers of the own organization to begin with.
        propagate_peer_num: Peers that a message is pushed to; 0 iterations push nothing.
        propagate_iterations: How often a message is pushed.
        burst_size: Messages that are pushed at once.
        burst_latency_s: How long a message may wait for others to be pushed with.
        pull_interval_s: How often members and identities are asked for.
        pull_peer_num: How many peers are asked.
        publish_cert_s: How long after its start a peer's messages bring its identity along.
        publish_state_info_s: How often news of the ledger are told.
        request_state_info_s: How often those of others are asked for.
        digest_wait_s: How long digests are waited for before items are asked for.
        request_wait_s: How long after its greeting a peer may ask for items.
        response_wait_s: How long items are waited for.
        dial_timeout_s: For a connection to stand.
        conn_timeout_s: For each step of the handshake on it.
        send_buffer: Messages that may wait for one peer; more are dropped.
        alive_interval_s: How often a peer says that it lives.
        alive_expiration_s: A peer that says nothing for so long is dead.
        reconnect_interval_s: How often dead peers are tried.
        max_attempts: How often a peer is tried that was never reached.
        expiration_factor: A dead peer is forgotten after so many times its expiration.
    """

    endpoint: str
    external_endpoint: str = ""
    bootstrap: tuple[str, ...] = ()
    propagate_peer_num: int = 3
    propagate_iterations: int = 1
    burst_size: int = 10
    burst_latency_s: float = 0.01
    pull_interval_s: float = 4.0
    pull_peer_num: int = 3
    publish_cert_s: float = 10.0
    publish_state_info_s: float = 4.0
    request_state_info_s: float = 4.0
    digest_wait_s: float = 1.0
    request_wait_s: float = 1.5
    response_wait_s: float = 2.0
    dial_timeout_s: float = 3.0
    conn_timeout_s: float = 2.0
    send_buffer: int = 200
    alive_interval_s: float = 5.0
    alive_expiration_s: float = 25.0
    reconnect_interval_s: float = 25.0
    max_attempts: int = 120
    expiration_factor: int = 20

    @property
    def port(self) -> int:
        """The port of the peer's own endpoint."""
        return int(self.endpoint.rpartition(":")[2])

    def is_own(self, endpoint: str) -> bool:
        """Whether an address is this peer's."""
        own = {self.endpoint, self.external_endpoint}
        own |= {f"127.0.0.1:{self.port}", f"localhost:{self.port}"}
        return endpoint in own


def read_settings(config: Config) -> GossipSettings:
    """Read the settings of a peer.

    Raises:
        ConfigInvalid: One of them is wrong.
    """
    endpoint = config.string("peer.gossip.endpoint") or config.string("peer.address")
    port = endpoint.rpartition(":")[2]
    if not port.isdecimal() or int(port) > MAX_PORT:
        raise ConfigInvalid(
            f"{config.file}: gossip needs peer.address, or peer.gossip.endpoint, as host:port, "
            f"it is {endpoint!r}"
        )
    alive_interval_s = _seconds(config, "aliveTimeInterval", 5)
    expiration_s = _seconds(config, "aliveExpirationTimeout", 5 * alive_interval_s)
    return GossipSettings(
        endpoint=endpoint,
        external_endpoint=config.string("peer.gossip.externalEndpoint"),
        bootstrap=tuple(config.strings("peer.gossip.bootstrap")),
        propagate_peer_num=_count(config, "propagatePeerNum", 3, least=0),
        propagate_iterations=_count(config, "propagateIterations", 1, least=0),
        burst_size=_count(config, "maxPropagationBurstSize", 10),
        burst_latency_s=_seconds(config, "maxPropagationBurstLatency", 0.01),
        pull_interval_s=_seconds(config, "pullInterval", 4),
        pull_peer_num=_count(config, "pullPeerNum", 3, least=0),
        publish_cert_s=_seconds(config, "publishCertPeriod", 10),
        publish_state_info_s=_seconds(config, "publishStateInfoInterval", 4),
        request_state_info_s=_seconds(config, "requestStateInfoInterval", 4),
        digest_wait_s=_seconds(config, "digestWaitTime", 1),
        request_wait_s=_seconds(config, "requestWaitTime", 1.5),
        response_wait_s=_seconds(config, "responseWaitTime", 2),
        dial_timeout_s=_seconds(config, "dialTimeout", 3),
        conn_timeout_s=_seconds(config, "connTimeout", 2),
        send_buffer=_count(config, "sendBuffSize", 200),
        alive_interval_s=alive_interval_s,
        alive_expiration_s=expiration_s,
        reconnect_interval_s=_seconds(config, "reconnectInterval", expiration_s),
        max_attempts=_count(config, "maxConnectionAttempts", 120),
        expiration_factor=_count(config, "msgExpirationFactor", 20),
    )


def _seconds(config: Config, name: str, default_s: float) -> float:
    key = f"peer.gossip.{name}"
    value = config.duration(key, default_s)
    if value <= 0:
        raise config.invalid(key, config.get(key), "longer than nothing")
    return value


def _count(config: Config, name: str, default: int, *, least: int = 1) -> int:
    key = f"peer.gossip.{name}"
    value = config.integer(key, default)
    if value < least:
        raise config.invalid(key, config.get(key), f"at least {least}")
    return value
