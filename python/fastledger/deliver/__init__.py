# SPDX-License-Identifier: Apache-2.0
"""Streams of blocks to clients that may read them, shared by orderer and peer.

A client sends a signed ``SeekInfo``, gets the blocks it names and a status, and may send another.
A client that closed its side still gets everything that its last request names.

::

    request ──► parsed, in time, bound to TLS ──► channel ──► may read ──► positions
                 BAD_REQUEST                    NOT_FOUND   FORBIDDEN   BAD_REQUEST
                                                                            │
                 SUCCESS ◄── last one sent ◄── block ◄── may still read ◄── wait
                                                          FORBIDDEN     NOT_FOUND, or
                                                                        SERVICE_UNAVAILABLE
"""

from fastledger.deliver.forms import BLOCKS, FILTERED_BLOCKS, Response, ResponseForm
from fastledger.deliver.handler import DeliverHandler
from fastledger.deliver.prepared import PreparedBlocks
from fastledger.deliver.source import BlockSource, Sources

__all__ = [
    "BLOCKS",
    "FILTERED_BLOCKS",
    "BlockSource",
    "DeliverHandler",
    "PreparedBlocks",
    "Response",
    "ResponseForm",
    "Sources",
]
