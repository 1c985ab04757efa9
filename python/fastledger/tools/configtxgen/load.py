# SPDX-License-Identifier: Apache-2.0
"""Finds a ``configtx.yaml``, reads it, and fills in what it leaves out."""

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from fastledger.common import log, viperutil
from fastledger.common.durations import format_duration, parse_duration
from fastledger.common.errors import InputError, NotFound
from fastledger.common.goyaml import refuse_nulls
from fastledger.tools.configtxgen.profile import (
    BatchSize,
    BftConsenter,
    EtcdRaft,
    Orderer,
    Organization,
    Profile,
    RaftConsenter,
    RaftOptions,
    SmartBft,
    TopLevel,
)

logger = log.get("common.tools.configtxgen.localconfig")

SYSTEM_FOLDER = "/etc/hyperledger/fabric"

DEFAULT_ORDERER_TYPE = "solo"
DEFAULT_BATCH_TIMEOUT = parse_duration("2s")
DEFAULT_BATCH_SIZE = BatchSize(
    max_message_count=500,
    absolute_max_bytes=10 * 1024 * 1024,
    preferred_max_bytes=2 * 1024 * 1024,
)
DEFAULT_KAFKA_BROKERS = ["127.0.0.1:9092"]
DEFAULT_RAFT_OPTIONS = RaftOptions(
    tick_interval="500ms",
    election_tick=10,
    heartbeat_tick=1,
    max_inflight_blocks=5,
    snapshot_interval_size=16 * 1024 * 1024,
)
DEFAULT_SMART_BFT = SmartBft(
    request_batch_max_count=100,
    request_batch_max_bytes=10 * 1024 * 1024,
    request_batch_max_interval="50ms",
    incoming_message_buffer_size=200,
    request_pool_size=400,
    request_forward_timeout="2s",
    request_complain_timeout="20s",
    request_auto_remove_timeout="3m0s",
    view_change_resend_interval="5s",
    view_change_timeout="20s",
    leader_heartbeat_timeout="1m0s",
    leader_heartbeat_count=10,
    collect_timeout="1s",
)

ADMIN_PRINCIPAL = "Role.ADMIN"


def load_profile(name: str, folder: str = "", environ: Mapping[str, str] | None = None) -> Profile:
    """Read a profile.

    Args:
        name: The profile's.
        folder: Where the file is; without it ``$FABRIC_CFG_PATH``, the working folder and
            /etc/hyperledger/fabric are searched.
        environ: The environment, whose ``CONFIGTX_…`` variables override the file.

    Raises:
        NotFound: No such file, or no such profile in it.
        InputError: A setting has a wrong value or is unknown.
    """
    file, top = _read(folder, os.environ if environ is None else environ)
    profile = top.profiles.get(name)
    if profile is None:
        raise NotFound(
            f"Could not find profile: {name}. Please make sure that FABRIC_CFG_PATH or -configPath "
            "is set to a path which contains configtx.yaml with the specified profile"
        )
    refuse_nulls(profile, f"{file}: Profiles.{name}")
    _complete(profile, file.parent)
    logger.info("Loaded configuration: %s", file)
    return profile


def load_top_level(folder: str = "", environ: Mapping[str, str] | None = None) -> TopLevel:
    """Read the file for its own organizations; see :func:`load_profile`."""
    file, top = _read(folder, os.environ if environ is None else environ)
    refuse_nulls(top.organizations, f"{file}: Organizations")
    for organization in top.organizations:
        _complete_organization(organization, file.parent)
    if top.orderer is not None:
        refuse_nulls(top.orderer, f"{file}: Orderer")
        _complete_orderer(top.orderer, file.parent)
    logger.info("Loaded configuration: %s", file)
    return top


def _read(folder: str, environ: Mapping[str, str]) -> tuple[Path, TopLevel]:
    configured = environ.get("FABRIC_CFG_PATH")
    folders = [folder] if folder else [*([configured] if configured else []), ".", SYSTEM_FOLDER]
    candidates = (Path(one, f"configtx.{ext}") for one in folders for ext in ("yaml", "yml"))
    file = next((path for path in candidates if path.exists()), None)
    if file is None:
        raise NotFound(
            "Could not find configtx.yaml. Please make sure that FABRIC_CFG_PATH or -configPath is "
            f"set to a path which contains configtx.yaml; looked in {', '.join(folders)}"
        )
    return file, viperutil.load(file, TopLevel, "CONFIGTX", environ)


def _complete(profile: Profile, folder: Path) -> None:
    for organization in _organizations(profile):
        _complete_organization(organization, folder)
    if profile.orderer is not None:
        _complete_orderer(profile.orderer, folder)


def _organizations(profile: Profile) -> Iterator[Organization]:
    if profile.application is not None:
        yield from profile.application.organizations
    for consortium in (profile.consortiums or {}).values():
        yield from consortium.organizations
    if profile.orderer is not None:
        yield from profile.orderer.organizations


def _complete_organization(organization: Organization, folder: Path) -> None:
    organization.msp_type = organization.msp_type or "bccsp"
    organization.admin_principal = organization.admin_principal or ADMIN_PRINCIPAL
    organization.msp_dir = str(folder / organization.msp_dir)


def _complete_orderer(orderer: Orderer, folder: Path) -> None:
    _fill(orderer, "orderer_type", DEFAULT_ORDERER_TYPE, "Orderer.OrdererType")
    if not orderer.batch_timeout:
        shown = format_duration(DEFAULT_BATCH_TIMEOUT)
        logger.info("Orderer.BatchTimeout unset, setting to %s", shown)
        orderer.batch_timeout = DEFAULT_BATCH_TIMEOUT
    for field, key in (
        ("max_message_count", "MaxMessageCount"),
        ("absolute_max_bytes", "AbsoluteMaxBytes"),
        ("preferred_max_bytes", "PreferredMaxBytes"),
    ):
        default = getattr(DEFAULT_BATCH_SIZE, field)
        _fill(orderer.batch_size, field, default, f"Orderer.BatchSize.{key}")
    logger.info("orderer type: %s", orderer.orderer_type)
    complete = _TYPES.get(orderer.orderer_type)
    if complete is None:
        raise InputError(f"unknown orderer type: {orderer.orderer_type}")
    complete(orderer, folder)


def _fill(target: Any, field: str, default: Any, key: str) -> None:
    if not getattr(target, field):
        logger.info("%s unset, setting to %s", key, default)
        setattr(target, field, default)


def _complete_kafka(orderer: Orderer, folder: Path) -> None:  # noqa: ARG001 (one of several)
    _fill(orderer.kafka, "brokers", DEFAULT_KAFKA_BROKERS, "Orderer.Kafka")


def _complete_raft(orderer: Orderer, folder: Path) -> None:
    raft = orderer.etcd_raft
    if raft is None:
        raise InputError("etcdraft configuration missing")
    for field, key in (
        ("tick_interval", "TickInterval"),
        ("election_tick", "ElectionTick"),
        ("heartbeat_tick", "HeartbeatTick"),
        ("max_inflight_blocks", "MaxInflightBlocks"),
        ("snapshot_interval_size", "SnapshotIntervalSize"),
    ):
        default = getattr(DEFAULT_RAFT_OPTIONS, field)
        _fill(raft.options, field, default, f"Orderer.EtcdRaft.Options.{key}")
    _check_raft(raft)
    for consenter in raft.consenters:
        _check_consenter(consenter, "etcdraft")
        _locate(consenter, folder, "client_tls_cert", "server_tls_cert")


def _check_raft(raft: EtcdRaft) -> None:
    if not raft.consenters:
        raise InputError("etcdraft configuration did not specify any consenter")
    interval = raft.options.tick_interval
    try:
        parse_duration(interval)
    except ValueError:
        raise InputError(
            f"Etcdraft TickInterval ({interval}) must be in time duration format"
        ) from None
    if raft.options.election_tick <= raft.options.heartbeat_tick:
        raise InputError("election tick must be greater than heartbeat tick")


def _complete_bft(orderer: Orderer, folder: Path) -> None:
    if orderer.smart_bft is None:
        logger.info("Orderer.SmartBFT.Options unset, setting to %s", DEFAULT_SMART_BFT)
        orderer.smart_bft = DEFAULT_SMART_BFT
    if not orderer.consenter_mapping:
        raise InputError("BFT configuration did not specify any consenter")
    for consenter in orderer.consenter_mapping:
        _check_consenter(consenter, "BFT")
        if not consenter.msp_id:
            raise InputError("consenter info in BFT configuration did not specify MSP ID")
        if not consenter.identity:
            raise InputError(
                "consenter info in BFT configuration did not specify identity certificate"
            )
        _locate(consenter, folder, "client_tls_cert", "server_tls_cert", "identity")


def _check_consenter(consenter: RaftConsenter | BftConsenter, kind: str) -> None:
    for value, what in (
        (consenter.host, "host"),
        (consenter.port, "port"),
        (consenter.client_tls_cert, "client TLS cert"),
        (consenter.server_tls_cert, "server TLS cert"),
    ):
        if not value:
            raise InputError(f"consenter info in {kind} configuration did not specify {what}")


def _locate(target: Any, folder: Path, *fields: str) -> None:
    """Let paths begin at the folder; what is no text in the file is bytes to Go, and a path too."""
    for field in fields:
        path = getattr(target, field)
        located = os.path.normpath(folder / os.fsdecode(path))
        setattr(target, field, os.fsencode(located) if isinstance(path, bytes) else located)


_TYPES: dict[str, Callable[[Orderer, Path], None]] = {
    "solo": lambda _orderer, _folder: None,
    "kafka": _complete_kafka,
    "etcdraft": _complete_raft,
    "BFT": _complete_bft,
}
