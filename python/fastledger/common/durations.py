# SPDX-License-Identifier: Apache-2.0
"""Durations as Go programs write them: ``1m30s``, ``250ms``."""

import re

_NANOSECOND, _MICROSECOND, _MILLISECOND, _SECOND = 1, 1_000, 1_000_000, 1_000_000_000
_UNITS_NS = {
    "ns": _NANOSECOND,
    "us": _MICROSECOND,
    "µs": _MICROSECOND,
    "μs": _MICROSECOND,
    "ms": _MILLISECOND,
    "s": _SECOND,
    "m": 60 * _SECOND,
    "h": 3600 * _SECOND,
}
_TERM = re.compile(r"(?P<whole>[0-9]*)(?:\.(?P<part>[0-9]*))?(?P<unit>ns|us|µs|μs|ms|s|m|h)")
_LARGEST_NS = (1 << 63) - 1
"""Go counts nanoseconds in 64 bits, so 292 years are the most."""


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
    negative = text[:1] == "-"
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return Duration(0)
    total, place = 0, 0
    while match := _TERM.match(rest, place):
        if not match["whole"] and not match["part"]:
            break
        total += _term_ns(match)
        place = match.end()
    if not place or place != len(rest) or total > _LARGEST_NS + negative:
        raise ValueError(f"{text!r} is not a duration such as 300ms, 30s or 1m30s")
    return Duration(-total if negative else total)


def _term_ns(match: re.Match[str]) -> int:
    unit = _UNITS_NS[match["unit"]]
    # More digits than these are more than 292 years, and less than a nanosecond.
    whole = int(match["whole"][-30:] or "0") if len(match["whole"].lstrip("0")) < 20 else 1 << 64
    part = match["part"] or ""
    digits = 19 if int(part[:19] or "0") <= 1 << 63 else 18
    # Go multiplies as a float here, too, so a nanosecond's part is lost in the same way.
    scale = unit / float(10 ** len(part[:digits]))
    return whole * unit + int(float(int(part[:digits] or "0")) * scale)


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
