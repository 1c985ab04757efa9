# SPDX-License-Identifier: Apache-2.0
"""Hands what the core says to Python's loggers.

The core's threads never wait for Python: what they say goes to a bounded queue, and one thread here
takes it out. Until somebody follows, the core says nothing but its panics, to stderr.
"""

import atexit
import logging
import threading
from pathlib import PurePath

from fastledger._core import log_close, log_level, log_open, log_take

_lock = threading.Lock()
_follower: threading.Thread | None = None


def follow() -> None:
    """Begin to hand the core's log records to the loggers that they name, unless that was begun."""
    global _follower
    with _lock:
        if _follower is None:
            log_open()
            _follower = threading.Thread(target=_hand_on, name="core-log", daemon=True)
            _follower.start()
            atexit.register(_stop)


def set_level(level: int) -> None:
    """Have the core say what is at this level of ``logging``, or louder; panics always."""
    log_level(min(level, logging.ERROR))


def _hand_on() -> None:
    while records := log_take():
        for level, name, text, file, line, created in records:
            logger = logging.getLogger(name)
            if not logger.isEnabledFor(level):
                continue
            module = PurePath(file).stem
            record = logger.makeRecord(name, level, file, line, text, (), None, module)
            record.created, record.msecs = created, created % 1 * 1000
            logger.handle(record)


def _stop() -> None:
    """Hand on what was said last; an interpreter that ends must have no thread in the core."""
    log_close()
    if _follower is not None:
        _follower.join()
