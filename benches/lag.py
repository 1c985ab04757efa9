# SPDX-License-Identifier: Apache-2.0
"""How late the event loops of running nodes are, by their own metrics."""

import re
import urllib.request
from dataclasses import dataclass

from fastledger.network.plan import HOST, Node

METRIC = "fastledger_event_loop_lag_seconds"
_BUCKET = re.compile(METRIC + r'_bucket\{le="([^"]+)"\} (\S+)')


@dataclass(frozen=True)
class Lags:
    """Observations up to each bound, in seconds, as Prometheus counts them."""

    counts: dict[float, float]

    @classmethod
    def of(cls, node: Node) -> "Lags":
        """Ask a node's operations endpoint."""
        url = f"http://{HOST}:{node.operations_port}/metrics"
        with urllib.request.urlopen(url, timeout=30) as answer:
            text = answer.read().decode("utf-8")
        return cls({float(bound): float(count) for bound, count in _BUCKET.findall(text)})

    def since(self, before: "Lags") -> "Lags":
        """What was observed in between."""
        return Lags({b: count - before.counts.get(b, 0.0) for b, count in self.counts.items()})

    def quantile_ms(self, share: float) -> float:
        """Milliseconds that this share of the observations does not exceed, within a bucket."""
        wanted = share * max(self.counts.values(), default=0.0)
        lower = below = 0.0
        for bound, count in sorted(self.counts.items()):
            if count >= wanted and count > below:
                within = (wanted - below) / (count - below)
                return 1e3 * (lower if bound == float("inf") else lower + within * (bound - lower))
            lower, below = bound, count
        return 1e3 * lower

    def __str__(self) -> str:
        """Median, 99th percentile, and bound of the bucket with the largest, in milliseconds."""
        median, late, latest = map(self.quantile_ms, (0.5, 0.99, 1.0))
        return f"{median:.1f}/{late:.1f}/{latest:.0f}"
