# SPDX-License-Identifier: Apache-2.0
"""What an orderer is among others, made of its settings."""

from collections.abc import Callable
from dataclasses import dataclass

from fastledger.comm import ClientLimits, GrpcServer, ServerLimits, TlsConfig
from fastledger.comm.tls import read_file
from fastledger.node.orderer.cluster import Cluster
from fastledger.node.orderer.config import OrdererConfig
from fastledger.orderer.cluster import Backoff, ClusterComm, ClusterIdentity, ClusterSettings
from fastledger.orderer.consensus.etcdraft.consenter import RaftParts
from fastledger.orderer.consensus.etcdraft.lognotes import LogNotes

_SERVER_CERTIFICATE = "certificate General.Cluster.ServerCertificate"


@dataclass(frozen=True, slots=True)
class ClusterParts:
    """What an orderer has for the others.

    Attributes:
        certificate: PEM by which configurations name it.
        pair: PEM of the certificate and key that it shows when it dials.
        comm: Its streams.
        raft: What its raft channels share.
        time_shift_s: Other orderers' certificates are judged as of so long ago.
    """

    certificate: bytes
    pair: tuple[bytes, bytes]
    comm: ClusterComm
    raft: RaftParts
    time_shift_s: float

    @staticmethod
    def load(settings: OrdererConfig, tls: TlsConfig, identity: bytes) -> "ClusterParts":
        """Read certificates and keys; ``tls`` is ``General.TLS``, the identity signs blocks.

        Raises:
            ConfigInvalid: A file cannot be read, or holds something else.
        """
        general, location = settings.general, settings.location
        cluster, reconnecting = general.cluster, general.reconnecting
        own = cluster.listener.certificate
        certificate = tls.cert if own is None else read_file(own, _SERVER_CERTIFICATE)
        pair = _client_pair(cluster, tls)
        roots = b"".join(read_file(path, "root General.Cluster.RootCAs") for path in cluster.roots)
        # As in Fabric, the listener that is used says how the clock is turned back.
        shift_s = tls.time_shift_s if own is None else cluster.time_shift_s
        replication = cluster.replication
        comm = ClusterComm(
            ClusterIdentity(*pair, roots, shift_s),
            ClusterSettings(cluster.send_buffer, cluster.rpc_timeout_s, replication.dial_timeout_s),
            backoff=Backoff(reconnecting.base_s, reconnecting.most_s),
            limits=ClientLimits(max_message_bytes=general.max_message_bytes),
        )
        notes = LogNotes(location / "etcdraft" / "begun")
        raft = RaftParts(comm, settings.consensus.raft_settings(location), notes, identity)
        return ClusterParts(certificate, pair, comm, raft, shift_s)


def own_server(
    cluster: Cluster, limits: ServerLimits, client_roots: Callable[[], bytes]
) -> GrpcServer | None:
    """Make the server of a listener for orderers alone; None where there is none.

    Raises:
        ConfigInvalid: A file cannot be read, or holds something else.
    """
    listener = cluster.listener
    if listener.certificate is None or listener.key is None:
        return None
    tls = TlsConfig.load(
        listener.certificate,
        listener.key,
        # Before there is a channel no authority is known, and the core wants one: this one, whose
        # key only this orderer has, has certified nobody.
        list(cluster.roots) or [listener.certificate],
        require=True,
        more_roots=True,
        time_shift_s=cluster.time_shift_s,
    )
    return GrpcServer(
        f"{listener.host}:{listener.port}", tls, limits=limits, client_roots=client_roots
    )


def _client_pair(cluster: Cluster, tls: TlsConfig) -> tuple[bytes, bytes]:
    """Return certificate and key that other orderers are shown."""
    certificate, key = cluster.client_certificate, cluster.client_key
    if certificate is None or key is None:
        return tls.cert, tls.key
    return (
        read_file(certificate, "certificate General.Cluster.ClientCertificate"),
        read_file(key, "private key General.Cluster.ClientPrivateKey"),
    )
