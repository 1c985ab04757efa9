# SPDX-License-Identifier: Apache-2.0
"""The kind etcdraft, as far as it runs here: channels whose one consenter is this orderer."""

from google.protobuf.message import DecodeError

from fastledger._core import Certificate
from fastledger.channelconfig import Orderer
from fastledger.common.errors import IdentityRefused, InputError, Unsupported
from fastledger.orderer.consensus.chain import Chain, Consenter, ConsenterSupport, Relation
from fastledger.orderer.consensus.etcdraft.single import SingleConsenterLog
from fastledger.orderer.consensus.solo.chain import SoloChain
from fastledger.protos.orderer.etcdraft.configuration_pb2 import ConfigMetadata


def consenter(server_certificate: bytes | None) -> Consenter:
    """Return the kind.

    Args:
        server_certificate: Our PEM TLS certificate, by whose key consenters are told apart
            (``crypto.CertificatesWithSamePublicKey``); None where TLS is off, and the one
            consenter must be us.
    """

    def check(channel_id: str, values: Orderer) -> None:
        _check_consenters(channel_id, values.consensus_metadata, server_certificate)

    return Consenter(check, single_consenter_chain)


def single_consenter_chain(support: ConsenterSupport, last_metadata: bytes) -> Chain:
    """Return the chain of one orderer, whose blocks count the places of a raft log."""
    return SoloChain(support, SingleConsenterLog(last_metadata), relation=Relation.CONSENTER)


def _check_consenters(channel_id: str, metadata: bytes, server_certificate: bytes | None) -> None:
    """Refuse an encoded ``etcdraft.ConfigMetadata`` that is not ours alone.

    Raises:
        Unsupported: There are other consenters.
    """
    try:
        consenters = ConfigMetadata.FromString(metadata).consenters
    except DecodeError as error:
        raise Unsupported(f"channel {channel_id}: its etcdraft metadata: {error}") from error
    if len(consenters) != 1:
        raise Unsupported(
            f"channel {channel_id} names {len(consenters)} etcdraft consenters; this orderer runs "
            "channels with one: give the configuration a single consenter"
        )
    one = consenters[0]
    ours = _key(server_certificate) if server_certificate is not None else None
    if ours is not None and ours not in (_key(one.server_tls_cert), _key(one.client_tls_cert)):
        raise Unsupported(
            f"channel {channel_id}: its one etcdraft consenter is {one.host}:{one.port} with "
            "another TLS key than this orderer's; following other orderers is not supported yet"
        )


def _key(pem: bytes) -> bytes | None:
    try:
        return Certificate(pem).public_key
    except (IdentityRefused, InputError):
        return None
