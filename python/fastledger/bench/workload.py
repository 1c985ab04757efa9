# SPDX-License-Identifier: Apache-2.0
"""Channels made to order, on disk."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from fastledger import _core
from fastledger.protoutil import varint


@dataclass(frozen=True, slots=True)
class Workload:
    """A generated channel: blocks with a length before each, and what a peer must make of them."""

    path: Path
    """The blocks, set-up first; :func:`fastledger.ledger.sources.open` reads them."""

    spec: Mapping[str, Any]
    """The whole specification, defaults included."""

    first_measured: int
    """Number of the first block after the channel's set-up."""

    blocks: int
    """How many blocks there are, set-up included."""

    predicted: Path
    """One line of hexadecimal codes for each block."""

    identities: Sequence["Identity"]
    """Everybody who signs, and the orderer's TLS pair as the last one."""


class Identity(NamedTuple):
    """Somebody of a generated channel; the key protects nothing, it follows from the seed."""

    name: str
    mspid: str
    certificate: str
    """PEM, as the authority's."""

    ca: str
    key: bytes
    """The private number, big-endian."""


def generate(spec: Mapping[str, Any], folder: Path, *, threads: int = 0) -> Workload:
    """Make a channel and write its blocks to `folder`.

    Args:
        spec: What differs from the default specification; ``fastledger bench --help`` lists it.
        folder: An existing folder.
        threads: Threads that sign; 0 takes one per core.

    Raises:
        InputError: A value of the specification is out of range.
    """
    source = _core.Workload(json.dumps(spec), threads=threads)
    path, predicted = folder / "blocks", folder / "predicted"
    first_measured = None
    blocks = 0
    with path.open("wb") as out, predicted.open("w", encoding="ascii") as codes:
        for number, block, prediction, measured in source:
            if measured and first_measured is None:
                first_measured = number
            out.write(varint.encode(len(block)))
            out.write(block)
            codes.write(prediction.hex() + "\n")
            blocks += 1
        # Written back now, not while the disk is being measured.
        out.flush()
        os.fsync(out.fileno())
    whole = json.loads(source.spec)
    first = blocks if first_measured is None else first_measured
    identities = [Identity(*identity) for identity in source.identities]
    return Workload(path, whole, first, blocks, predicted, identities)
