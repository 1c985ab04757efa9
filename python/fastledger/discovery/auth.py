# SPDX-License-Identifier: Apache-2.0
"""Who may ask what, remembered (Fabric: ``discovery/authcache.go``)."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from fastledger.common.errors import FastledgerError, QueryRefused
from fastledger.common.settings import flag, fraction, whole
from fastledger.common.shorten import shortened
from fastledger.discovery.support import Support
from fastledger.protoutil.signed_data import SignedData

POLICY = "/Channel/Application/Writers"
"""Whoever may write to a channel may ask about it."""


@dataclass(frozen=True, slots=True)
class AuthSettings:
    """What core.yaml's ``peer.discovery`` says of remembered verdicts."""

    enabled: bool = flag("authCacheEnabled", True, "Remember who may ask what.")
    max_entries: int = whole(
        "authCacheMaxSize", 1000, "Verdicts that are remembered for one channel."
    )
    retention: float = fraction(
        "authCachePurgeRetentionRatio", 0.75, "Which part of them stays when there are too many."
    )


@dataclass(slots=True)
class _Verdicts:
    sequence: int = -1
    known: dict[bytes, FastledgerError | None] = field(default_factory=dict)


class Authorization:
    """Checks requests; the same one again costs no signature."""

    def __init__(self, support: Support, settings: AuthSettings) -> None:
        """Remember nothing yet."""
        self._support = support
        self._settings = settings
        self._channels: dict[str, _Verdicts] = {}

    def check(self, channel_id: str, signed: SignedData) -> None:
        """Return when whoever signed may ask about a channel; about the peer for no channel.

        The channel must exist: what is remembered is bounded by the channels of the peer.

        Raises:
            FastledgerError: He may not.
        """
        bundle = self._support.bundle(channel_id) if channel_id else None
        sequence = bundle.sequence if bundle is not None else 0

        def decide() -> None:
            if not channel_id:
                self._support.check_local(signed)
            elif bundle is None:
                raise QueryRefused(
                    f"policy manager for channel {shortened(channel_id)} doesn't exist"
                )
            else:
                bundle.evaluate(POLICY, [signed])

        if not self._settings.enabled:
            decide()
            return
        verdicts = self._channels.setdefault(channel_id, _Verdicts())
        if verdicts.sequence != sequence:
            verdicts.sequence = sequence
            verdicts.known.clear()
        self._remembered(verdicts, _key(signed), decide)

    def _remembered(self, verdicts: _Verdicts, key: bytes, decide: Callable[[], None]) -> None:
        if key not in verdicts.known:
            self._make_room(verdicts)
            verdicts.known[key] = _verdict(decide)
        refusal = verdicts.known[key]
        if refusal is not None:
            raise refusal

    def _make_room(self, verdicts: _Verdicts) -> None:
        """Forget the oldest verdicts when there are too many."""
        most = self._settings.max_entries
        if len(verdicts.known) < max(most, 1):
            return
        surplus = max(most - int(self._settings.retention * most), 1)
        for old in list(verdicts.known)[:surplus]:
            del verdicts.known[old]


def _verdict(decide: Callable[[], None]) -> FastledgerError | None:
    try:
        decide()
    except FastledgerError as error:
        return error.with_traceback(None)
    return None


def _key(signed: SignedData) -> bytes:
    """Name a request: lengths keep the parts apart."""
    digest = hashlib.sha256()
    for part in signed:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()
