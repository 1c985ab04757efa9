# SPDX-License-Identifier: Apache-2.0
"""Gzipped tar archives of strangers, read as Go's ``compress/gzip`` and ``archive/tar`` read them.

What Go refuses is refused, with its words, and what it takes is taken: Python's ``tarfile`` ends in
silence at a header it does not understand, and keeps special headers of any size in memory. Nothing
is inflated before somebody asks for it, and every step has a bound.
"""

from fastledger.chaincode.archive.reader import Archive, Entry

__all__ = ["Archive", "Entry"]
