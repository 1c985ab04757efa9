# SPDX-License-Identifier: Apache-2.0
"""Requests for blocks of a Deliver service (Fabric: ``protoutil`` and ``orderer.SeekInfo``)."""

from fastledger.protos.common.common_pb2 import Envelope, HeaderType
from fastledger.protos.orderer.ab_pb2 import (
    SeekInfo,
    SeekNewest,
    SeekOldest,
    SeekPosition,
    SeekSpecified,
)
from fastledger.protoutil.envelope import signed_envelope
from fastledger.protoutil.signer import Signer

NEWEST = SeekPosition(newest=SeekNewest())
OLDEST = SeekPosition(oldest=SeekOldest())


def specified(number: int) -> SeekPosition:
    """Return the position of a block."""
    return SeekPosition(specified=SeekSpecified(number=number))


NO_END = specified(2**64 - 1)
"""Where a stream stops that goes on for ever."""


def seek(
    start: SeekPosition,
    stop: SeekPosition,
    channel_id: str,
    signer: Signer,
    certificate_hash: bytes,
    *,
    best_effort: bool = False,
) -> Envelope:
    """Ask for the blocks between two positions, and wait for those that are not there yet.

    Args:
        start: The first block.
        stop: The last one.
        channel_id: The channel.
        signer: Who asks.
        certificate_hash: SHA-256 of the client's TLS certificate, empty without.
        best_effort: Whether to be served by an orderer whose consensus has lost its leader, too.
    """
    info = SeekInfo(start=start, stop=stop, behavior=SeekInfo.BLOCK_UNTIL_READY)
    if best_effort:
        info.error_response = SeekInfo.BEST_EFFORT
    return signed_envelope(
        HeaderType.DELIVER_SEEK_INFO,
        channel_id,
        info.SerializeToString(),
        signer,
        tls_cert_hash=certificate_hash,
    )
