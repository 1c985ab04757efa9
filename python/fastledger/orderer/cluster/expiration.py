# SPDX-License-Identifier: Apache-2.0
"""Tells of certificates that end soon, and of those that have.

Fabric: ``cluster.certificateExpirationCheck``, ``crypto.TrackExpiration``.
"""

import datetime as dt
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fastledger._core import Certificate
from fastledger.common import log
from fastledger.common.durations import format_duration

WARNING_INTERVAL_S = 300
"""Between two warnings of one connection."""

_SOON_S = 7 * 24 * 3600
_ENDED = re.compile(r"invalid peer certificate: certificate expired: .*not valid after (\d+).*")

_CURE = (
    "renew it with the same key, which needs no update of a configuration; until then all orderers "
    "can be started with General.TLS.TLSHandshakeTimeShift, or, those with a listener for orderers "
    "alone, General.Cluster.TLSHandshakeTimeShift, for the time since it ended"
)

_logger = log.get("orderer.common.cluster")
_monitor = log.get("certmonitor")


def with_cure(reason: str) -> str:
    """Say when a certificate has ended for which a connection failed, and what to do about it."""

    def told(ended: re.Match[str]) -> str:
        return f"its TLS certificate ended on {_date(int(ended[1]))}: {_CURE}"

    return _ENDED.sub(told, reason)


def has_cure(reason: str) -> bool:
    """Whether a reason is of a certificate that has ended."""
    return _CURE in reason


def tell_of_own(certificates: Mapping[str, bytes], now: float) -> None:
    """Say of this orderer's certificates when they end, and what to do about those that have.

    Args:
        certificates: PEM, by what they are for: ``enrollment``, ``server TLS``, ``client TLS``.
        now: Seconds since 1970.
    """
    for role, pem in certificates.items():
        end = Certificate(pem).not_after
        if end < now:
            # Of TLS: nobody gets so far with another one.
            _monitor.warning(
                "The %s certificate has expired: it ended on %s; %s", role, _date(end), _CURE
            )
            continue
        _monitor.info("The %s certificate will expire on %s", role, _date(end))
        if end - now < _SOON_S:
            days, hours = divmod(int(end - now) // 3600, 24)
            _monitor.warning(
                "The %s certificate expires within %d days and %d hours", role, days, hours
            )


def _date(seconds: int) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%d %H:%M:%S +0000 UTC")


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
