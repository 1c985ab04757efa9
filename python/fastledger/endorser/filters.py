# SPDX-License-Identifier: Apache-2.0
"""What a proposal has to pass before the endorser reads it (``core/handlers/auth/filter``).

core.yaml names the filters under ``peer.handlers.authFilters``, in their order.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from google.protobuf.message import DecodeError, Message

from fastledger.common.errors import InputError
from fastledger.endorser.proposal import ProposalFiltered
from fastledger.msp import expires_at
from fastledger.protos.common.common_pb2 import ChannelHeader, Header, SignatureHeader
from fastledger.protos.peer.proposal_pb2 import Proposal, SignedProposal

M = TypeVar("M", bound=Message)

Filter = Callable[[SignedProposal], None]
"""Raises ProposalFiltered to refuse a proposal."""


def filters(entries: Iterable[Mapping[str, Any]], window_s: float) -> tuple[Filter, ...]:
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
        "TimeWindowCheck": lambda signed: check_time(signed, window_s),
    }
    found = []
    for entry in entries:
        name = str(entry.get("name", ""))
        if name not in known or entry.get("library"):
            raise InputError(
                f"peer.handlers.authFilters: {name!r} is not known here; name any of "
                f"{', '.join(known)}"
            )
        chosen = known[name]
        if chosen is not None:
            found.append(chosen)
    return tuple(found)


def check_expiration(signed: SignedProposal) -> None:
    """Refuse a client whose certificate has ended; raises ProposalFiltered."""
    header = _header(signed)
    signature = _parse(SignatureHeader, header.signature_header, "signature header")
    ends = expires_at(signature.creator)
    if ends is not None and time.time() > ends:
        raise ProposalFiltered("proposal client identity expired")


def check_time(signed: SignedProposal, window_s: float) -> None:
    """Refuse a proposal whose time is far from this peer's; raises ProposalFiltered."""
    header = _parse(ChannelHeader, _header(signed).channel_header, "channel header")
    said = header.timestamp.seconds + header.timestamp.nanos / 1e9
    now = time.time()
    if abs(now - said) > window_s:
        raise ProposalFiltered(
            f"request unauthorized due to incorrect timestamp {_rfc3339(header.timestamp.seconds)}"
            f", peer time {_rfc3339(now)}, peer.authentication.timewindow {_duration(window_s)}"
        )


def _header(signed: SignedProposal) -> Header:
    proposal = _parse(Proposal, signed.proposal_bytes, "proposal")
    return _parse(Header, proposal.header, "header")


def _parse(kind: type[M], encoded: bytes, name: str) -> M:
    try:
        return kind.FromString(encoded)
    except DecodeError as error:
        raise ProposalFiltered(
            f"failed parsing {name}: error unmarshalling {kind.DESCRIPTOR.name}: {error}"
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
