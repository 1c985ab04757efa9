# SPDX-License-Identifier: Apache-2.0
"""The section ``Kafka`` of orderer.yaml (Fabric: ``localconfig.Kafka``)."""

import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path

from fastledger.common.errors import ConfigInvalid
from fastledger.common.settings import (
    files,
    flag,
    optional_file,
    seconds,
    section,
    text,
    texts,
    whole,
)

MIN_VERSION_FOR_TOPICS = (0, 10, 1)
"""Brokers since this version make topics when they are asked to."""


@dataclass(frozen=True, slots=True)
class Retry:
    """How long, and how often, the cluster is asked again."""

    short_interval_s: float = seconds("ShortInterval", 5, "Between attempts at first.", above=0)
    short_total_s: float = seconds("ShortTotal", 600, "So long in all, then the long interval.")
    long_interval_s: float = seconds("LongInterval", 300, "Between attempts from then on.", above=0)
    dial_timeout_s: float = seconds("NetworkTimeouts.DialTimeout", 10, "For a connection.", above=0)
    read_timeout_s: float = seconds(
        "NetworkTimeouts.ReadTimeout",
        10,
        "For an answer; a cluster that is silent for longer is lost.",
        above=0,
    )
    metadata_backoff_s: float = seconds("Metadata.RetryBackoff", 0.25, "Between such requests.")
    producer_backoff_s: float = seconds("Producer.RetryBackoff", 0.1, "Before a message is resent.")
    producer_retries: int = whole("Producer.RetryMax", 3, "How often it is resent.", least=0)
    consumer_backoff_s: float = seconds("Consumer.RetryBackoff", 2, "Before reading again.")


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS to the brokers; each PEM stands in the file itself, or in one that ``File`` names."""

    enabled: bool = flag("Enabled", False, "Use TLS to the brokers.")
    key: str = text("PrivateKey", "", "The orderer's key, PEM.")
    key_file: Path | None = optional_file("PrivateKey.File", "A file of it.")
    certificate: str = text("Certificate", "", "The orderer's certificate, PEM.")
    certificate_file: Path | None = optional_file("Certificate.File", "A file of it.")
    roots: tuple[str, ...] = texts("RootCAs", "CAs of the brokers, PEM.")
    root_files: tuple[Path, ...] = files("RootCAs.File", "Files of them.")


@dataclass(frozen=True, slots=True)
class SaslPlain:
    """SASL/PLAIN."""

    enabled: bool = flag("Enabled", False, "Tell the brokers a user and a password.")
    user: str = text("User", "", "The user.")
    password: str = text("Password", "", "The password.")

    def __post_init__(self) -> None:
        """Refuse half of what it takes, as Fabric does."""
        if self.enabled and not (self.user and self.password):
            raise ValueError("Kafka.SASLPlain needs User and Password when it is enabled")


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """How the orderer speaks to the brokers that its channels name."""

    retry: Retry = section("Retry", Retry)
    replication_factor: int = whole(
        "Topic.ReplicationFactor", 3, "Brokers that keep a new topic.", least=1
    )
    tls: Tls = section("TLS", Tls)
    sasl: SaslPlain = section("SASLPlain", SaslPlain)
    verbose: bool = flag("Verbose", False, "Log what is spoken with the brokers.")
    version: str = text(
        "Version", "", "The brokers' protocol, such as 0.10.2.0; found out without it."
    )

    def __post_init__(self) -> None:
        """Refuse a version that cannot be read."""
        try:
            self.protocol  # noqa: B018 - read for what it raises
        except ValueError:
            raise ValueError(
                f"Kafka.Version is {self.version!r}, it must be a version such as 0.10.2.0"
            ) from None

    @property
    def protocol(self) -> tuple[int, ...] | None:
        """The version as numbers; None when the brokers are asked for it."""
        return tuple(int(part) for part in self.version.split(".")) if self.version else None

    @property
    def makes_topics(self) -> bool:
        """Whether the brokers make a topic when asked, rather than when it is first used."""
        return self.protocol is None or self.protocol >= MIN_VERSION_FOR_TOPICS


def tls_context(tls: Tls) -> ssl.SSLContext | None:
    """Return what a connection to a broker is secured with, None for nothing.

    Raises:
        ConfigInvalid: A key or certificate cannot be used.
    """
    if not tls.enabled:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        roots = [*tls.roots, *(path.read_text("utf-8") for path in tls.root_files)]
        for root in roots:
            context.load_verify_locations(cadata=root)
        _load_pair(context, tls)
    except (OSError, ValueError) as error:
        # ssl.SSLError is an OSError.
        raise ConfigInvalid(f"Kafka.TLS cannot be used: {error}") from error
    return context


def _load_pair(context: ssl.SSLContext, tls: Tls) -> None:
    """Give our certificate, which Python takes from files only."""
    certificate = _pem(tls.certificate, tls.certificate_file)
    key = _pem(tls.key, tls.key_file)
    if not certificate and not key:
        return
    with tempfile.TemporaryDirectory() as folder:
        paths = Path(folder, "certificate"), Path(folder, "key")
        for path, pem in zip(paths, (certificate, key), strict=True):
            path.touch(mode=0o600)
            path.write_text(pem, "utf-8")
        context.load_cert_chain(*paths)


def _pem(given: str, path: Path | None) -> str:
    return path.read_text("utf-8") if path else given
