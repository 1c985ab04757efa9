# SPDX-License-Identifier: Apache-2.0
"""What the core says and counts, for tests that wait for it."""

import logging
import queue
from collections.abc import Iterator
from contextlib import contextmanager

from fastledger import _core

DEADLINE_S = 60


class Heard(logging.Handler):
    """Keeps the records of a logger."""

    def __init__(self) -> None:
        super().__init__()
        self._records: queue.SimpleQueue[logging.LogRecord] = queue.SimpleQueue()

    def emit(self, record: logging.LogRecord) -> None:
        self._records.put(record)

    def until(self, text: str) -> list[logging.LogRecord]:
        """Wait for a record that says something; return it last, after those before it."""
        records = [self._records.get(timeout=DEADLINE_S)]
        while text not in records[-1].getMessage():
            records.append(self._records.get(timeout=DEADLINE_S))
        return records


@contextmanager
def heard(logger: str) -> Iterator[Heard]:
    handler = Heard()
    logging.getLogger(logger).addHandler(handler)
    try:
        yield handler
    finally:
        logging.getLogger(logger).removeHandler(handler)


def counted(name: str, label: str = "") -> int:
    """The value of one of the core's counters."""
    fits = [
        value
        for counter, _, labels, value in _core.counters()
        if counter == name and (not labels or labels[0][1] == label)
    ]
    assert len(fits) == 1, f"{name} {label}"
    return fits[0]
