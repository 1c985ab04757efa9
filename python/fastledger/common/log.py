# SPDX-License-Identifier: Apache-2.0
"""Logging as Fabric's nodes do it (Fabric: ``flogging``).

``FABRIC_LOGGING_SPEC`` is a default level and levels for loggers by prefix of their dotted names::

    info                                  all at INFO
    warning:gossip=debug:endorser,msp=error

Lines go to stderr. ``FABRIC_LOGGING_FORMAT=json`` writes one JSON object a line.
"""

import itertools
import json
import logging
import os
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime

from fastledger.common import corelog
from fastledger.common.errors import ConfigInvalid
from fastledger.common.shorten import shortened

DEFAULT_SPEC = "info"

MAX_MESSAGE_BYTES = 16 * 1024
"""A line says no more: part of it may be what a stranger sent, who must not fill the disk."""

_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "dpanic": logging.CRITICAL,
    "panic": logging.CRITICAL,
    "fatal": logging.CRITICAL + 10,
    # Names of Fabric 1.x.
    "notice": logging.INFO,
    "critical": logging.ERROR,
    "payload": logging.DEBUG,
}
_NAMES = {
    logging.DEBUG: "DEBUG",
    logging.INFO: "INFO",
    logging.WARNING: "WARN",
    logging.ERROR: "ERROR",
    logging.CRITICAL: "PANIC",
    logging.CRITICAL + 10: "FATAL",
}
_COLORS = {"DEBUG": 36, "INFO": 34, "WARN": 33, "ERROR": 31, "PANIC": 35, "FATAL": 35}
_LOGGER_NAME = re.compile(r"[A-Za-z0-9_#:-]+(\.[A-Za-z0-9_#:-]+)*\.?")

_active_spec = DEFAULT_SPEC
_named: set[str] = set()


def get(name: str) -> logging.Logger:
    """Return a logger by Fabric's name for it, such as ``orderer.common.broadcast``."""
    return logging.getLogger(name)


def start(environ: Mapping[str, str] | None = None) -> None:
    """Begin to write lines to stderr, by the environment's spec and format.

    Raises:
        ConfigInvalid: ``FABRIC_LOGGING_SPEC`` cannot be read.
    """
    environ = os.environ if environ is None else environ
    handler = logging.StreamHandler(sys.stderr)
    as_json = environ.get("FABRIC_LOGGING_FORMAT") == "json"
    handler.setFormatter(_JsonFormatter() if as_json else _LineFormatter(sys.stderr.isatty()))
    logging.getLogger().handlers[:] = [handler]
    activate(environ.get("FABRIC_LOGGING_SPEC") or DEFAULT_SPEC)
    corelog.follow()


def activate(spec: str) -> None:
    """Set all levels by a spec, the core's too; what it does not name gets its default.

    Raises:
        ConfigInvalid: The spec cannot be read; the levels stay as they are.
    """
    global _active_spec
    default, named = _parse(spec)
    for name in _named - named.keys():
        logging.getLogger(name).setLevel(logging.NOTSET)
    _named.clear()
    _named.update(named)
    logging.getLogger().setLevel(default)
    for name, level in named.items():
        logging.getLogger(name.rstrip(".")).setLevel(level)
    corelog.set_level(min(default, *named.values()) if named else default)
    _active_spec = _describe(default, named)


def spec() -> str:
    """Return the active spec, as Fabric writes it: loggers by name, the default last."""
    return _active_spec


def level(name: str) -> str:
    """Return the level at which a logger writes: ``INFO``."""
    return _NAMES.get(logging.getLogger(name).getEffectiveLevel(), "INFO")


def _parse(spec: str) -> tuple[int, dict[str, int]]:
    default: int | None = None
    named: dict[str, int] = {}
    for field in spec.split(":"):
        loggers, separator, level = field.rpartition("=")
        number = _LEVELS.get(level.lower())
        if number is None and field:
            raise _invalid(spec, f"'{level}' is no level")
        if not field or number is None:
            default = logging.INFO if default is None else default
        elif not separator:
            default = number
        else:
            for name in loggers.split(","):
                if not _LOGGER_NAME.fullmatch(name):
                    raise _invalid(spec, f"bad logger name '{name}'")
                named[name] = number
    return logging.INFO if default is None else default, named


def _invalid(spec: str, reason: str) -> ConfigInvalid:
    return ConfigInvalid(f"invalid logging specification '{spec}': {reason}")


def _describe(default: int, named: Mapping[str, int]) -> str:
    parts = [f"{name}={_NAMES[number].lower()}" for name, number in sorted(named.items())]
    return ":".join([*parts, _NAMES[default].lower()])


def _message(record: logging.LogRecord) -> str:
    return shortened(record.getMessage(), MAX_MESSAGE_BYTES)


class _LineFormatter(logging.Formatter):
    """``2026-01-02 15:04:05.000 UTC 001f INFO [module] function -> message``."""

    def __init__(self, colored: bool) -> None:
        super().__init__()
        self._colored = colored
        self._number = itertools.count(1)

    def format(self, record: logging.LogRecord) -> str:
        level = _NAMES.get(record.levelno, record.levelname)
        when = datetime.fromtimestamp(record.created, UTC)
        head = (
            f"{when:%Y-%m-%d %H:%M:%S}.{int(record.msecs):03} UTC {next(self._number):04x} {level} "
            f"[{record.name}]"
        )
        if self._colored:
            head = f"\x1b[{_COLORS.get(level, 34)}m{head}\x1b[0m"
        text = f"{head} {record.funcName} -> {_message(record)}"
        if record.exc_info:
            text = f"{text}\n{self.formatException(record.exc_info)}"
        return text


class _JsonFormatter(logging.Formatter):
    """The keys of Fabric's JSON encoding."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "level": _NAMES.get(record.levelno, record.levelname).lower(),
            "ts": record.created,
            "name": record.name,
            "caller": f"{record.filename}:{record.lineno}",
            "msg": _message(record),
        }
        if record.exc_info:
            entry["stacktrace"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)
