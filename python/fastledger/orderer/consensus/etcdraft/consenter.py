# SPDX-License-Identifier: Apache-2.0
"""The kind etcdraft, as far as it runs here: one consenter, and whoever follows others."""

from collections.abc import Callable, Sequence

from google.protobuf.message import DecodeError

from fastledger._core import Certificate
from fastledger.channelconfig import Orderer
from fastledger.common.errors import IdentityRefused, InputError, Unsupported
from fastledger.orderer.consensus.chain import Chain, Consenter, ConsenterSupport, Relation
from fastledger.orderer.consensus.etcdraft.single import SingleConsenterLog
from fastledger.orderer.consensus.follower.chain import FollowerChain
from fastledger.orderer.consensus.solo.chain import SoloChain
from fastledger.orderer.replication.replication import Replication
from fastledger.protos.orderer.etcdraft import configuration_pb2 as raft
from fastledger.protos.orderer.etcdraft.configuration_pb2 import ConfigMetadata


def consenter(server_certificate: bytes | None, replication: Replication | None) -> Consenter:
    """Return the kind.

    Args:
        server_certificate: Our PEM TLS certificate, by whose key consenters are told apart
            (``crypto.CertificatesWithSamePublicKey``); None where TLS is off, and the one
            consenter must be us.
        replication: How blocks of others are pulled; None where nobody is followed.
    """
    ours = _key(server_certificate) if server_certificate is not None else None

    def is_member(values: Orderer) -> bool:
        consenters = _consenters(values)
        if ours is None:
            return len(consenters) == 1
        return any(
            ours in (_key(one.server_tls_cert), _key(one.client_tls_cert)) for one in consenters
        )

    def check(channel_id: str, values: Orderer) -> None:
        _check_consenters(channel_id, values, is_member, replication)

    def chain(support: ConsenterSupport, last_metadata: bytes) -> Chain:
        if not support.is_onboarding and is_member(support.orderer):
            return single_consenter_chain(support, last_metadata)
        if replication is None:
            raise Unsupported(
                f"channel {support.channel_id}: this orderer has no TLS identity for other "
                "orderers, and cannot follow them"
            )
        return FollowerChain(support, replication.puller(support), is_member)

    return Consenter(check, chain, is_member)


def single_consenter_chain(support: ConsenterSupport, last_metadata: bytes) -> Chain:
    """Return the chain of one orderer, whose blocks count the places of a raft log."""
    return SoloChain(support, SingleConsenterLog(last_metadata), relation=Relation.CONSENTER)


def _check_consenters(
    channel_id: str,
    values: Orderer,
    is_member: Callable[[Orderer], bool],
    replication: Replication | None,
) -> None:
    """Refuse a channel that is neither ours alone nor one to follow; raises Unsupported."""
    try:
        consenters = _consenters(values)
    except DecodeError as error:
        raise Unsupported(f"channel {channel_id}: its etcdraft metadata: {error}") from error
    if not is_member(values):
        if replication is None:
            raise Unsupported(f"channel {channel_id}: none of its consenters is this orderer")
    elif len(consenters) != 1:
        raise Unsupported(
            f"channel {channel_id} names {len(consenters)} etcdraft consenters; this orderer runs "
            "channels with one: give the configuration a single consenter"
        )


def _consenters(values: Orderer) -> Sequence[raft.Consenter]:
    return ConfigMetadata.FromString(values.consensus_metadata).consenters


def _key(pem: bytes) -> bytes | None:
    try:
        return Certificate(pem).public_key
    except (IdentityRefused, InputError):
        return None
