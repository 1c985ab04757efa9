# SPDX-License-Identifier: Apache-2.0
"""An etcdraft channel with one consenter, which needs no votes.

Its blocks carry what a real consenter writes: who the consenters are, and at which place of the
log the block stands. A log that nobody else reads is not kept, the block files are as good; only
its places are counted as in Fabric: one entry adds the consenter, one opens each term, one is each
block (``orderer/consensus/etcdraft``).
"""

from google.protobuf.message import DecodeError

from fastledger._core import Certificate
from fastledger.common.errors import IdentityRefused, InputError, Unsupported
from fastledger.orderer.consensus.chain import ChainSupport
from fastledger.orderer.consensus.solo import SoloChain
from fastledger.protos.orderer.etcdraft.configuration_pb2 import ConfigMetadata
from fastledger.protos.orderer.etcdraft.metadata_pb2 import BlockMetadata

_CONSENTER_ID = 1


class SingleConsenterChain(SoloChain):
    """The chain of a channel whose configuration names one etcdraft consenter."""

    def __init__(self, support: ChainSupport, last_metadata: bytes) -> None:
        """Go on after the ``etcdraft.BlockMetadata`` of the last block, empty for block 0."""
        super().__init__(support)
        last = BlockMetadata.FromString(last_metadata)
        self._index = last.raft_index or 1
        self._id = last.consenter_ids[0] if last.consenter_ids else _CONSENTER_ID
        self._next_id = last.next_consenter_id or _CONSENTER_ID + 1

    def start(self) -> None:
        """Open a term."""
        self._index += 1
        super().start()

    def _metadata(self) -> bytes:
        self._index += 1
        return BlockMetadata(
            consenter_ids=[self._id], next_consenter_id=self._next_id, raft_index=self._index
        ).SerializeToString()


def check_consenters(channel_id: str, metadata: bytes, server_certificate: bytes | None) -> None:
    """Refuse an etcdraft configuration that is not ours alone.

    Args:
        channel_id: For the text.
        metadata: The encoded ``etcdraft.ConfigMetadata``.
        server_certificate: Our PEM TLS certificate, by whose key consenters are told apart
            (``crypto.CertificatesWithSamePublicKey``); None where TLS is off, and the one
            consenter must be us.

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
            "another TLS key than this orderer's; following other orderers is not done"
        )


def _key(pem: bytes) -> bytes | None:
    try:
        return Certificate(pem).public_key
    except (IdentityRefused, InputError):
        return None
