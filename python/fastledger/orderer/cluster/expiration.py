# SPDX-License-Identifier: Apache-2.0
"""Warns of certificates that end soon (Fabric: ``cluster.certificateExpirationCheck``)."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from fastledger.common import log
from fastledger.common.durations import format_duration

WARNING_INTERVAL_S = 300
"""Between two warnings of one connection."""

_logger = log.get("orderer.common.cluster")


@dataclass(slots=True)
class ExpirationCheck:
    """One connection's certificate.

    Attributes:
        address: Of whoever has shown it.
        expires_at: When it ends, in seconds since 1970.
        threshold_s: How long before its end to begin with warnings.
        now: Tells the time, in seconds since 1970.
    """

    address: str
    expires_at: int
    threshold_s: float
    now: Callable[[], float] = time.time
    _warned_at: float = field(default=float("-inf"), init=False)

    def warn(self, channel_id: str) -> None:
        """Warn if it is time to, on behalf of a channel."""
        now = self.now()
        left_s = self.expires_at - now
        if left_s > self.threshold_s or now - self._warned_at < WARNING_INTERVAL_S:
            return
        self._warned_at = now
        _logger.warning(
            "Certificate from %s for channel %s expires in less than %s",
            self.address,
            channel_id,
            format_duration(max(0, round(left_s))),
        )
