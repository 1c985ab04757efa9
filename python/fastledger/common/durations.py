# SPDX-License-Identifier: Apache-2.0
"""Durations and sizes as Go programs write them: ``1m30s``, ``250ms``, ``512 KB``."""

import re

_UNITS_S = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}
_TERM = re.compile(r"([0-9]*\.?[0-9]*)(ns|us|µs|μs|ms|s|m|h)")
_SIZE = re.compile(r"([0-9]+)\s*(?:([kmg])b?)?", re.IGNORECASE)
_SIZE_SHIFT = {"": 0, "k": 10, "m": 20, "g": 30}


def parse_duration(text: str) -> float:
    """Return seconds (Go: ``time.ParseDuration``).

    Raises:
        ValueError: It is not a duration.
    """
    rest = text.strip()
    sign = -1.0 if rest.startswith("-") else 1.0
    rest = rest.lstrip("+-")
    if rest == "0":
        return 0.0
    seconds, place = 0.0, 0
    while match := _TERM.match(rest, place):
        if match[1] in ("", "."):
            break
        seconds += float(match[1]) * _UNITS_S[match[2]]
        place = match.end()
    if not place or place != len(rest):
        raise ValueError(f"{text!r} is not a duration such as 300ms, 30s or 1m30s")
    return sign * seconds


def parse_size(text: str) -> int:
    """Return bytes of ``99 MB``, ``512k`` or ``1024`` (Fabric: ``viperutil``; k is 1,024).

    Raises:
        ValueError: It is not a size.
    """
    match = _SIZE.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a size such as 512 KB, 99 MB or 1048576")
    return int(match[1]) << _SIZE_SHIFT[(match[2] or "").lower()]


def format_duration(seconds: float) -> str:
    """Return a duration as Go prints it: ``3s``, ``1m30s``, ``500ms``."""
    if seconds == 0:
        return "0s"
    if abs(seconds) < 1:
        return f"{seconds * 1000:g}ms"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{rest:g}s"
    if hours or minutes:
        text = f"{minutes}m{text}"
    return f"{hours}h{text}" if hours else text
