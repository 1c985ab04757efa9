# SPDX-License-Identifier: Apache-2.0
"""How late a node's event loop comes to what is due.

Everything a node answers waits for its loop, so whatever holds the loop up for long shows here.
"""

import asyncio
import time

from fastledger.common import log, metrics

PERIOD_S = 0.05
"""How often something is due. More often would cost an idle node more than it tells."""

SLOW_S = 1.0
"""A loop that is so late is told of in the log: calls between nodes begin to time out."""

MAX_MISSED = 400
"""What was due while the loop was held up is counted too, but not for longer than 20 s."""

BUCKETS_S = (
    *(0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075),
    *(0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0),
)
_logger = log.get("node")


async def watch() -> None:
    """Observe the running loop's lag for as long as it runs.

    A period that passed while the loop was held up counts as well, with its own lag: otherwise a
    second without any progress would be one late observation among fifty punctual ones.
    """
    lags = metrics.histogram(
        "fastledger_event_loop_lag_seconds",
        "How late the node's event loop came to what was due.",
        buckets=BUCKETS_S,
    )
    due = time.monotonic() + PERIOD_S
    while True:
        await asyncio.sleep(due - time.monotonic())
        lag = time.monotonic() - due
        if lag >= SLOW_S:
            _logger.warning("the event loop was held up for %.1f s", lag)
        missed = min(int(lag / PERIOD_S), MAX_MISSED)
        for periods in range(missed + 1):
            lags.observe(lag - periods * PERIOD_S)
        due += (int(lag / PERIOD_S) + 1) * PERIOD_S
