# SPDX-License-Identifier: Apache-2.0
"""``connection.json``: where a chaincode that is a service listens, and how to dial it.

An external builder leaves the file for the peer (Fabric: ``ChaincodeServerUserData``). A ``ccaas``
package holds it as it was written; Fabric's ccaas builder fills in what stands in braces, such as
``{{.peername}}``, from the JSON of ``CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG`` and hands it on.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastledger.common import gojson, gotemplate
from fastledger.common.durations import parse_duration
from fastledger.common.errors import ChaincodeError, InputError
from fastledger.common.gojson import Custom, JsonInvalid

CONNECTION_FILE = "connection.json"
BUILDER_CONFIG = "CHAINCODE_AS_A_SERVICE_BUILDER_CONFIG"
DEFAULT_DIAL_TIMEOUT_S = 3.0

_NANOSECOND_S = 1e-9
_MOST_NANOSECONDS = float(1 << 63)
_PLACEHOLDER = re.compile(r"\{\{\s*((?:\.[A-Za-z0-9_]+)+)\s*\}\}")


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """Where a chaincode listens."""

    address: str
    dial_timeout_s: float = DEFAULT_DIAL_TIMEOUT_S
    domain: str = ""
    """Server name to expect instead of the address's host."""

    root_cert: bytes | None = None
    """None without TLS."""

    client_cert: bytes | None = None
    client_key: bytes | None = None


def _duration(value: Any) -> float:
    """Seconds of a Go duration ("10s", "1m30s"), or of a number of nanoseconds."""
    if isinstance(value, float):
        # Go's conversion on amd64: what a Duration cannot hold is its least one.
        nanoseconds = (
            value if -_MOST_NANOSECONDS <= value < _MOST_NANOSECONDS else -_MOST_NANOSECONDS
        )
        return nanoseconds * _NANOSECOND_S
    if not isinstance(value, str):
        raise JsonInvalid("invalid duration")
    try:
        return parse_duration(value)
    except ValueError as error:
        raise JsonInvalid(str(error)) from error


@dataclass
class _ServerUserData:
    GO = "externalbuilder.ChaincodeServerUserData"

    address: str = ""
    domain: str = ""
    dial_timeout: Annotated[float, Custom(_duration)] = 0.0
    tls_required: bool = False
    client_auth_required: bool = False
    client_key: str = ""
    client_cert: str = ""
    root_cert: str = ""


@dataclass
class _Template:
    """What Fabric's ccaas builder reads of the file; its texts may have placeholders."""

    GO = "main.connection"

    address: str = ""
    dial_timeout: str = ""
    tls_required: bool = False
    client_auth_required: bool = False
    root_cert: str = ""
    client_key: str = ""
    client_cert: str = ""


@dataclass
class _Domain:
    GO = "main.connection"

    domain: str = ""


def parse_connection(data: bytes, where: str) -> ServerInfo:
    """Read a ``connection.json`` that is for the peer.

    Args:
        data: The file's content.
        where: What the file is called in errors.

    Raises:
        ChaincodeError: It is malformed, or lacks what it says is needed.
    """
    return _checked(_read(data, _ServerUserData, where), where)


def fill_connection(data: bytes, where: str, config: str) -> ServerInfo:
    """Read the ``connection.json`` of a ``ccaas`` package and fill its placeholders.

    Args:
        data: The file's content.
        where: What the file is called in errors.
        config: JSON of the placeholders' values; empty if there are none.

    Raises:
        ChaincodeError: As :func:`parse_connection`, or a placeholder has no value.
    """
    given = _read(data, _Template, where)
    try:
        values = gojson.unmarshal(config, dict[str, Any]) if config else {}
    except JsonInvalid as error:
        raise ChaincodeError(f"{BUILDER_CONFIG} is not usable: {error}") from error

    def fill(name: str, text: str) -> str:
        return _filled(text, values, f"{name} in '{where}'")

    filled = _ServerUserData(
        address=fill("address", given.address),
        dial_timeout=_timeout(fill("dial_timeout", given.dial_timeout), where),
        tls_required=given.tls_required,
        # Fabric's builder drops the domain; who writes one means it.
        domain=fill("domain", _read(data, _Domain, where).domain),
    )
    if given.tls_required:
        filled.client_auth_required = given.client_auth_required
        for name in ("root_cert", "client_key", "client_cert"):
            setattr(filled, name, fill(name, getattr(given, name)))
    return _checked(filled, where)


def _read(data: bytes, kind: type[Any], where: str) -> Any:
    try:
        return gojson.unmarshal(data, kind)
    except JsonInvalid as error:
        raise ChaincodeError(f"malformed chaincode info at '{where}': {error}") from error


def _timeout(text: str, where: str) -> float:
    try:
        return _duration(text) if text else 0.0
    except JsonInvalid as error:
        raise ChaincodeError(
            f"malformed chaincode info at '{where}': dial_timeout: {error}"
        ) from error


def _checked(given: _ServerUserData, where: str) -> ServerInfo:
    needed = [("address", given.address)]
    if given.tls_required and given.client_auth_required:
        needed += [("tls key", given.client_key), ("tls cert", given.client_cert)]
    if given.tls_required:
        needed.append(("tls root cert", given.root_cert))
    for what, value in needed:
        if not value:
            raise ChaincodeError(f"chaincode {what} not provided in '{where}'")
    mutual = given.tls_required and given.client_auth_required
    return ServerInfo(
        address=given.address,
        dial_timeout_s=given.dial_timeout or DEFAULT_DIAL_TIMEOUT_S,
        domain=given.domain,
        root_cert=given.root_cert.encode() if given.tls_required else None,
        client_cert=given.client_cert.encode() if mutual else None,
        client_key=given.client_key.encode() if mutual else None,
    )


def _filled(text: str, values: Mapping[str, Any], where: str) -> str:
    def value(match: re.Match[str]) -> str:
        found: Any = values
        for name in match.group(1)[1:].split("."):
            if not isinstance(found, dict) or name not in found:
                raise ChaincodeError(
                    f"{where} asks for {match.group(0)}, which {BUILDER_CONFIG} does not have"
                )
            found = found[name]
        show = _SHOWN.get(type(found))
        if show is None:
            raise ChaincodeError(
                f"{where} asks for {match.group(0)}, which is no text, number or truth value "
                f"in {BUILDER_CONFIG}"
            )
        return show(found)

    if "{{" not in _PLACEHOLDER.sub("", text):
        return _PLACEHOLDER.sub(value, text)
    # More than names: functions, conditions. These see the texts and numbers of the first level.
    fields = {key: _SHOWN[type(one)](one) for key, one in values.items() if type(one) in _FIELDS}
    try:
        return gotemplate.fill(text, BUILDER_CONFIG, fields)
    except InputError as error:
        raise ChaincodeError(f"{where}: {error}") from error


def _number(value: float) -> str:
    """A number as Go's templates print it."""
    exponential = value != 0 and not 1e-4 <= abs(value) < 1e21
    if not exponential:
        return f"{value:.17f}".rstrip("0").rstrip(".") if value % 1 else f"{value:.0f}"
    digits, _, power = f"{value!r}".partition("e")
    return f"{digits}e{int(power):+03d}"


_FIELDS = (str, float)
_SHOWN: dict[type, Callable[[Any], str]] = {
    str: str,
    float: _number,
    bool: lambda value: "true" if value else "false",
}
