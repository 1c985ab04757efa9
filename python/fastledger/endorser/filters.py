# SPDX-License-Identifier: Apache-2.0
"""What a proposal has to pass before the endorser reads it (``core/handlers/auth/filter``).

core.yaml names the filters under ``peer.handlers.authFilters``, in their order.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from fastledger.common.errors import InputError
from fastledger.common.settings import text
from fastledger.endorser.proposal import ProposalFiltered
from fastledger.msp import expires_at
from fastledger.protoutil.unpacked import PartUndecodable, UnpackedProposal

T = TypeVar("T")

Filter = Callable[[UnpackedProposal], None]
"""Raises ProposalFiltered to refuse a proposal."""


@dataclass(frozen=True, slots=True)
class AuthFilter:
    """An entry of ``peer.handlers.authFilters``."""

    name: str = text("name", "", "One of those that are known here.")
    library: str = text("library", "", "A Go plugin: not known here.")


@dataclass(frozen=True, slots=True)
class Filters:
    """What a peer's proposals have to pass.

    Attributes:
        checks: In their order.
        unexpired: Whether one of them is :func:`check_expiration`.
        window_s: What one of them gives :func:`check_time`; None where none asks for the time.
    """

    checks: tuple[Filter, ...] = ()
    unexpired: bool = False
    window_s: float | None = None

    def check(self, proposal: UnpackedProposal) -> None:
        """Raise ProposalFiltered for a proposal that does not pass."""
        for check in self.checks:
            check(proposal)


def filters(entries: Iterable[AuthFilter], window_s: float) -> Filters:
    """Return the filters that a configuration names.

    Args:
        entries: ``peer.handlers.authFilters``.
        window_s: ``peer.authentication.timewindow``, seconds.

    Raises:
        InputError: One is not known here, such as a Go plugin.
    """
    known: dict[str, Filter | None] = {
        "DefaultAuth": None,
        "ExpirationCheck": check_expiration,
        "TimeWindowCheck": lambda proposal: check_time(proposal, window_s),
    }
    found: dict[str, Filter] = {}
    for entry in entries:
        if entry.name not in known or entry.library:
            raise InputError(
                f"peer.handlers.authFilters: {entry.name!r} is not known here; name any of "
                f"{', '.join(known)}"
            )
        chosen = known[entry.name]
        if chosen is not None:
            # One that is named twice finds nothing else the second time.
            found[entry.name] = chosen
    return Filters(
        tuple(found.values()),
        unexpired="ExpirationCheck" in found,
        window_s=window_s if "TimeWindowCheck" in found else None,
    )


def check_expiration(proposal: UnpackedProposal) -> None:
    """Refuse a client whose certificate has ended; raises ProposalFiltered."""
    ends = expires_at(_read(lambda: proposal.creator))
    if ends is not None and time.time() > ends:
        raise ProposalFiltered("proposal client identity expired")


def check_time(proposal: UnpackedProposal, window_s: float) -> None:
    """Refuse a proposal whose time is far from this peer's; raises ProposalFiltered."""
    header = _read(lambda: proposal.channel_header)
    said = header.timestamp.seconds + header.timestamp.nanos / 1e9
    now = time.time()
    if abs(now - said) > window_s:
        raise ProposalFiltered(
            f"request unauthorized due to incorrect timestamp {_rfc3339(header.timestamp.seconds)}"
            f", peer time {_rfc3339(now)}, peer.authentication.timewindow {_duration(window_s)}"
        )


_NAMES = {
    "Proposal": "proposal",
    "Header": "header",
    "ChannelHeader": "channel header",
    "SignatureHeader": "signature header",
}


def _read(part: Callable[[], T]) -> T:
    try:
        return part()
    except PartUndecodable as error:
        raise ProposalFiltered(
            f"failed parsing {_NAMES[error.kind]}: error unmarshalling {error.kind}: {error.reason}"
        ) from error


def _rfc3339(seconds: float) -> str:
    try:
        moment = datetime.fromtimestamp(int(seconds), UTC)
    except (OverflowError, ValueError, OSError):
        return f"{seconds:.0f} s after 1970"
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _duration(seconds: float) -> str:
    """Write a duration as Go does, such as 15m0s."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{rest:g}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text
