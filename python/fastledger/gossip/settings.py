# SPDX-License-Identifier: Apache-2.0
"""``peer.gossip`` of core.yaml (Fabric: ``gossip/gossip/config.go``)."""

from dataclasses import dataclass, replace

from fastledger.common.settings import seconds, text, texts, whole

MAX_PORT = 65_535
EXPIRATION = 5
"""A peer is dead after so many of its intervals, where nothing else is said."""


@dataclass(frozen=True, slots=True)
class GossipSettings:
    """How a peer gossips; the defaults are Fabric's. Peers of one network may differ in them."""

    endpoint: str = text(
        "endpoint",
        "",
        "Where peers of the own organization reach this one; peer.address without it.",
    )
    external_endpoint: str = text(
        "externalEndpoint",
        "",
        "Where peers of other organizations do; empty hides the peer from them.",
    )
    bootstrap: tuple[str, ...] = texts("bootstrap", "Peers of the own organization to begin with.")
    propagate_peer_num: int = whole(
        "propagatePeerNum", 3, "Peers that a message is pushed to.", least=0
    )
    propagate_iterations: int = whole(
        "propagateIterations", 1, "How often a message is pushed; 0 pushes nothing.", least=0
    )
    burst_size: int = whole(
        "maxPropagationBurstSize", 10, "Messages that are pushed at once.", least=1
    )
    burst_latency_s: float = seconds(
        "maxPropagationBurstLatency",
        0.01,
        "How long a message may wait for others to be pushed with.",
        zero=False,
    )
    pull_interval_s: float = seconds(
        "pullInterval", 4.0, "How often members and identities are asked for.", zero=False
    )
    pull_peer_num: int = whole("pullPeerNum", 3, "How many peers are asked.", least=0)
    publish_cert_s: float = seconds(
        "publishCertPeriod",
        10.0,
        "How long after its start a peer's messages bring its identity along.",
        zero=False,
    )
    publish_state_info_s: float = seconds(
        "publishStateInfoInterval", 4.0, "How often news of the ledger are told.", zero=False
    )
    request_state_info_s: float = seconds(
        "requestStateInfoInterval", 4.0, "How often those of others are asked for.", zero=False
    )
    digest_wait_s: float = seconds(
        "digestWaitTime",
        1.0,
        "How long digests are waited for before items are asked for.",
        zero=False,
    )
    request_wait_s: float = seconds(
        "requestWaitTime", 1.5, "How long after its greeting a peer may ask for items.", zero=False
    )
    response_wait_s: float = seconds(
        "responseWaitTime", 2.0, "How long items are waited for.", zero=False
    )
    dial_timeout_s: float = seconds("dialTimeout", 3.0, "For a connection to stand.", zero=False)
    conn_timeout_s: float = seconds(
        "connTimeout", 2.0, "For each step of the handshake on it.", zero=False
    )
    send_buffer: int = whole(
        "sendBuffSize", 200, "Messages that may wait for one peer; more are dropped.", least=1
    )
    alive_interval_s: float = seconds(
        "aliveTimeInterval", 5.0, "How often a peer says that it lives.", zero=False
    )
    alive_expiration_s: float = seconds(
        "aliveExpirationTimeout",
        0.0,
        "A peer that says nothing for so long is dead; 0s for five times aliveTimeInterval.",
    )
    reconnect_interval_s: float = seconds(
        "reconnectInterval", 0.0, "How often dead peers are tried; 0s for aliveExpirationTimeout."
    )
    max_attempts: int = whole(
        "maxConnectionAttempts", 120, "How often a peer is tried that was never reached.", least=1
    )
    expiration_factor: int = whole(
        "msgExpirationFactor",
        20,
        "A dead peer is forgotten after so many times its expiration.",
        least=1,
    )

    def __post_init__(self) -> None:
        """Fill in what depends on other settings."""
        if not self.alive_expiration_s:
            object.__setattr__(self, "alive_expiration_s", EXPIRATION * self.alive_interval_s)
        if not self.reconnect_interval_s:
            object.__setattr__(self, "reconnect_interval_s", self.alive_expiration_s)

    @property
    def port(self) -> int:
        """The port of the peer's own endpoint."""
        return int(self.endpoint.rpartition(":")[2])

    def reachable_at(self, address: str) -> "GossipSettings":
        """Return the settings of a peer whose endpoint is its own address if nothing else is said.

        Raises:
            ValueError: It is not ``host:port``.
        """
        endpoint = self.endpoint or address
        port = endpoint.rpartition(":")[2]
        if not port.isdecimal() or int(port) > MAX_PORT:
            raise ValueError(
                f"gossip needs peer.address, or peer.gossip.endpoint, as host:port, it is "
                f"{endpoint!r}"
            )
        return replace(self, endpoint=endpoint)

    def is_own(self, endpoint: str) -> bool:
        """Whether an address is this peer's."""
        own = {self.endpoint, self.external_endpoint}
        own |= {f"127.0.0.1:{self.port}", f"localhost:{self.port}"}
        return endpoint in own
