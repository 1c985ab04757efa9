# SPDX-License-Identifier: Apache-2.0
"""What fits into a message, and into the process's memory.

All transactions of a chaincode share its process, and protobuf's and the core's allocations end
that when they fail. So whoever sends much says so before, and fails alone where there is no room.
"""

import resource
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

MAX_MESSAGE_BYTES = 100 * 1024 * 1024
"""Largest message on a chaincode's stream, as everywhere in Fabric."""

FRAME_BYTES = 64 * 1024
"""What a message may have beside its payload: ids, names, what protobuf puts before each."""

LARGE_BYTES = 1024 * 1024
"""Below this, nothing is counted: 64 transactions at a time fill no process with so little."""

_COPIES = 4
"""How often something is in memory while it is sent, beside itself: encoded, in the message around
it, with that encoded again, framed."""

_RESERVE_BYTES = 128 * 1024 * 1024
"""Left to everything that is too small to be counted."""

_PATIENCE_S = 0.1
"""How long one who finds no room waits for it. They wait one after the other, so that those behind
have what those before them gave up: not all fail because all of them hold something."""

_POLL_S = 0.005

_STATM = Path("/proc/self/statm")
_DATA_PAGES = 5
_line = threading.Lock()
_lock = threading.Lock()
_reserved = 0


def check_size(size: int, what: str) -> None:
    """Refuse what no message can hold.

    Raises:
        ValueError: It is too large.
    """
    most = MAX_MESSAGE_BYTES - FRAME_BYTES
    if size > most:
        raise ValueError(f"{what} has {size} bytes; at most {most} fit into a message")


def room_for(size: int, what: str) -> AbstractContextManager[None]:
    """Have room for something to be sent, while the block puts it together and sends it.

    Raises:
        ValueError: No message can hold it.
        MemoryError: The process has no memory for it now; raised when the block begins.
    """
    check_size(size, what)
    return _UNCOUNTED if size < LARGE_BYTES else _reserved_room(size, what)


_UNCOUNTED = nullcontext()


@contextmanager
def _reserved_room(size: int, what: str) -> Iterator[None]:
    wanted = _COPIES * size
    with _line:
        deadline = time.monotonic() + _PATIENCE_S
        while not _reserve(wanted):
            if time.monotonic() > deadline:
                raise MemoryError(f"no memory to send {what} of {size} bytes; try again later")
            time.sleep(_POLL_S)
    try:
        yield
    finally:
        _reserve(-wanted)


def _reserve(wanted: int) -> bool:
    """Take so much, or give it back; False where there is not as much."""
    global _reserved
    with _lock:
        if wanted > 0 and wanted + _reserved + _RESERVE_BYTES > _free_bytes():
            return False
        _reserved += wanted
        return True


def _free_bytes() -> float:
    """What the process may still allocate, as its limit counts it."""
    limit, _ = resource.getrlimit(resource.RLIMIT_DATA)
    if limit == resource.RLIM_INFINITY:
        return float("inf")
    try:
        pages = int(_STATM.read_bytes().split()[_DATA_PAGES])
    except OSError:
        # Not Linux, or no /proc: then nothing is known.
        return float("inf")
    return limit - pages * resource.getpagesize()
