# SPDX-License-Identifier: Apache-2.0
"""Durations as Go programs write them: ``1m30s``, ``250ms``."""

from fastledger._core import duration_ns
from fastledger.common.errors import InputError

_NANOSECOND, _MICROSECOND, _MILLISECOND, _SECOND = 1, 1_000, 1_000_000, 1_000_000_000


class Duration(float):
    """Seconds, which also know exactly how many nanoseconds they are.

    Attributes:
        nanoseconds: The same duration; a float would lose the last of them after 104 days.
    """

    __slots__ = ("nanoseconds",)
    nanoseconds: int

    def __new__(cls, nanoseconds: int) -> "Duration":
        """Make a duration of nanoseconds."""
        made = super().__new__(cls, nanoseconds / _SECOND)
        made.nanoseconds = nanoseconds
        return made

    def __getnewargs__(self) -> tuple[int]:
        """Tell what copies are made of."""
        return (self.nanoseconds,)


def parse_duration(text: str) -> Duration:
    """Return seconds (Go: ``time.ParseDuration``).

    Raises:
        ValueError: It is not a duration, or one of more than 292 years.
    """
    try:
        return Duration(duration_ns(text))
    except InputError as error:
        raise ValueError(f"{text!r} is not a duration such as 300ms, 30s or 1m30s") from error


def format_duration(seconds: float) -> str:
    """Return a duration as Go prints it: ``3s``, ``1m30s``, ``500ms`` (``Duration.String``)."""
    total = seconds.nanoseconds if isinstance(seconds, Duration) else round(seconds * _SECOND)
    sign, rest = ("-", -total) if total < 0 else ("", total)
    if rest == 0:
        return "0s"
    for unit, name in ((_NANOSECOND, "ns"), (_MICROSECOND, "µs"), (_MILLISECOND, "ms")):
        if rest < min(unit * 1000, _SECOND):
            return f"{sign}{_decimal(rest, unit)}{name}"
    minutes, rest = divmod(rest, 60 * _SECOND)
    hours, minutes = divmod(minutes, 60)
    text = f"{_decimal(rest, _SECOND)}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{sign}{hours}h{text}" if hours else f"{sign}{text}"


def _decimal(nanoseconds: int, unit: int) -> str:
    whole, part = divmod(nanoseconds, unit)
    digits = f"{part:0{len(str(unit)) - 1}}".rstrip("0") if part else ""
    return f"{whole}.{digits}" if digits else str(whole)
