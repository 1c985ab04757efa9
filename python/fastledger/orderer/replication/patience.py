# SPDX-License-Identifier: Apache-2.0
"""How long to wait before others are asked again (Fabric: ``follower.Options``, General.Cluster).

Each pause is half as long again as the one before, up to ReplicationRetryTimeout; once
ReplicationMaxRetries attempts have failed, up to a minute.
"""

from fastledger.orderer.replication.settings import ReplicationSettings

FIRST_PAUSE_S = 0.05
MAX_PAUSE_S = 60.0
PAUSE_FACTOR = 1.5


class Patience:
    """Counts attempts that brought nothing."""

    def __init__(self, settings: ReplicationSettings) -> None:
        """Begin with none."""
        self._settings = settings
        self.renew()

    def renew(self) -> None:
        """Forget the failures: something came."""
        self.attempts = 0
        self._pause_s = FIRST_PAUSE_S

    @property
    def is_exhausted(self) -> bool:
        """Whether more attempts have failed than should."""
        return self.attempts >= self._settings.max_retries

    def next_pause(self) -> float:
        """Return the seconds to wait after one more attempt."""
        limit_s = MAX_PAUSE_S if self.is_exhausted else self._settings.retry_timeout_s
        pause_s = min(self._pause_s, limit_s)
        self._pause_s = min(self._pause_s * PAUSE_FACTOR, MAX_PAUSE_S)
        self.attempts += 1
        return pause_s
