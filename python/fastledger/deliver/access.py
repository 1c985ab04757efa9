# SPDX-License-Identifier: Apache-2.0
"""Whether a client may read, asked again when the channel's configuration changes.

Fabric: ``deliver.SessionAccessControl``.
"""

import time
from collections.abc import Callable

from fastledger.common.errors import FastledgerError
from fastledger.deliver.request import DeliverRequest
from fastledger.deliver.source import BlockSource

PolicyCheck = Callable[[DeliverRequest], None]
"""Raises a FastledgerError when a client may not read the channel that it names."""


class ClientExpired(FastledgerError):
    """The client's certificate ended while it was served."""


class SessionAccess:
    """One request's right to go on."""

    def __init__(
        self,
        source: BlockSource,
        request: DeliverRequest,
        check: PolicyCheck,
        expires_at: float | None,
    ) -> None:
        """Watch a request; ``expires_at`` is when the client's certificate ends, in Unix time."""
        self._source = source
        self._request = request
        self._check = check
        self._expires_at = expires_at
        self._checked_sequence: int | None = None

    @property
    def stands(self) -> bool:
        """Whether nothing has changed since the client was found to have the right."""
        return not self._expired and self._source.sequence == self._checked_sequence

    @property
    def _expired(self) -> bool:
        return self._expires_at is not None and time.time() > self._expires_at

    def evaluate(self) -> None:
        """Return when the client may read now; raises a FastledgerError that says why not."""
        if self._expires_at is not None and self._expired:
            ago = time.time() - self._expires_at
            raise ClientExpired(f"deliver client identity expired {ago:.0f} s before")
        sequence = self._source.sequence
        if self._checked_sequence is None or sequence > self._checked_sequence:
            self._checked_sequence = sequence
            self._check(self._request)
