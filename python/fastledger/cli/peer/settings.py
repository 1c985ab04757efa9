# SPDX-License-Identifier: Apache-2.0
"""What a command knows before it does anything: core.yaml, the environment, identity, flags."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from fastledger.cli.peer.cobra import DURATION, options
from fastledger.client.settings import ClientTlsSettings, CommandConfig
from fastledger.client.target import Target
from fastledger.comm.client import DEFAULT_TIMEOUT_S
from fastledger.comm.tls import ClientTls, read_file
from fastledger.common import log
from fastledger.common.config import Config, load
from fastledger.common.errors import ConfigInvalid, FastledgerError, InputError
from fastledger.common.settings import read
from fastledger.msp import SigningIdentity, check_msp_settings

_logger = log.get("main")


@dataclass(frozen=True, slots=True)
class OrdererFlags:
    """The flags that say how to reach the ordering service."""

    orderer: str = ""
    tls: bool = False
    clientauth: bool = False
    cafile: str = ""
    keyfile: str = ""
    certfile: str = ""
    ordererTLSHostnameOverride: str = ""  # noqa: N815 - the flag's name
    connTimeout: float = DEFAULT_TIMEOUT_S  # noqa: N815 - the flag's name
    tlsHandshakeTimeShift: float = 0.0  # noqa: N815 - the flag's name


def orderer_options(function: Any) -> Any:
    """Add the flags of the ordering service; the callback gets one OrdererFlags as ``ordering``."""

    def callback(**values: Any) -> Any:
        names = OrdererFlags.__dataclass_fields__
        ordering = OrdererFlags(**{name: values.pop(name.lower()) for name in names})
        return function(ordering=ordering, **values)

    callback.__doc__ = function.__doc__
    callback.__name__ = function.__name__
    callback.__click_params__ = getattr(function, "__click_params__", [])  # type: ignore[attr-defined]
    return _ORDERER_OPTIONS(callback)


_ORDERER_OPTIONS = options(
    click.option("-o", "--orderer", default="", help="Ordering service endpoint"),
    click.option("--tls", is_flag=True, help="Use TLS with the orderer"),
    click.option("--clientauth", is_flag=True, help="Use mutual TLS with the orderer"),
    click.option("--cafile", default="", help="PEM certificates trusted for the orderer"),
    click.option("--keyfile", default="", help="PEM private key for mutual TLS with the orderer"),
    click.option("--certfile", default="", help="PEM certificate for mutual TLS with the orderer"),
    click.option(
        "--ordererTLSHostnameOverride",
        default="",
        help="Host name to look for in the orderer's certificate",
    ),
    click.option(
        "--connTimeout", type=DURATION, default=DEFAULT_TIMEOUT_S, help="Give up connecting after"
    ),
    click.option("--tlsHandshakeTimeShift", type=DURATION, default=0.0, hidden=True),
)


@dataclass(slots=True)
class Settings:
    """core.yaml with its overrides, and who the user is.

    Attributes:
        config: core.yaml with the environment on top.
        signer: The identity that signs.
    """

    config: Config
    signer: SigningIdentity

    def peer(self, address: str = "", root_file: str = "") -> Target:
        """Return how to reach a peer, without an address that of ``peer.address``."""
        command = self.command
        tls = self._peer_tls(command.tls, address, root_file) if command.tls.enabled else None
        return Target(address or command.address, tls, command.timeout_s)

    @property
    def command(self) -> CommandConfig:
        """What core.yaml says to commands."""
        return read(self.config, CommandConfig)

    def _peer_tls(self, tls: ClientTlsSettings, address: str, root_file: str) -> ClientTls:
        if address and not root_file:
            raise InputError("tls root cert file must be set")
        root = Path(root_file) if root_file else tls.root
        cert = key = b""
        if tls.client_auth_required:
            key = _read_file("peer.tls.clientKey.file", tls.client_key)
            cert = _read_file("peer.tls.clientCert.file", tls.client_cert)
        roots = _read_file("peer.tls.rootcert.file", root)
        return ClientTls(roots, cert, key, tls.server_host_override)

    def orderer(self, flags: OrdererFlags, address: str = "") -> Target:
        """Return how to reach the ordering service, without an address that of ``-o``."""
        tls = None
        if flags.tls:
            cert = key = b""
            if flags.clientauth:
                key = self._flag_file("orderer.tls.clientKey.file", flags.keyfile)
                cert = self._flag_file("orderer.tls.clientCert.file", flags.certfile)
            roots = self._flag_file("orderer.tls.rootcert.file", flags.cafile)
            tls = ClientTls(roots, cert, key, flags.ordererTLSHostnameOverride)
        timeout_s = flags.connTimeout or DEFAULT_TIMEOUT_S
        return Target(address or flags.orderer, tls, timeout_s)

    def _flag_file(self, key: str, file: str) -> bytes:
        if not file:
            raise ConfigInvalid(f"unable to load {key}: no file was named for it")
        return read_file(self.config.folder / file if file[0] == "~" else Path(file), key)


def _read_file(key: str, path: Path | None) -> bytes:
    if path is None:
        raise ConfigInvalid(f"unable to load {key}: it is not set")
    return read_file(path, key)


def load_config() -> Config:
    """Read core.yaml and begin to log; leave when that is not possible."""
    try:
        config = load("core")
        log.start()
    except FastledgerError as error:
        log.start({})
        _logger.error("Fatal error when initializing core config : %s", error)
        sys.exit(1)
    return config


def load_settings() -> Settings:
    """Read core.yaml and the user's MSP folder; leave when that is not possible."""
    config = load_config()
    try:
        return Settings(config, _signer(config))
    except FastledgerError as error:
        _logger.error("Cannot run peer because %s", error)
        sys.exit(1)


def _signer(config: Config) -> SigningIdentity:
    command = read(config, CommandConfig)
    folder = command.msp_folder
    if not folder.is_dir():
        what = "is not a directory" if folder.exists() else "does not exist or cannot be accessed"
        raise ConfigInvalid(
            f'cannot init crypto, specified path "{folder}" {what}; set CORE_PEER_MSPCONFIGPATH'
        )
    if not command.mspid:
        raise ConfigInvalid("the local MSP must have an ID; set CORE_PEER_LOCALMSPID")
    check_msp_settings(config, "peer")
    return SigningIdentity.load(folder, command.mspid)
