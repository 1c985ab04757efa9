# SPDX-License-Identifier: Apache-2.0
"""The folder of an MSP, as cryptogen and Fabric CA write it (Fabric: ``msp/configbuilder.go``)."""

import logging
from dataclasses import dataclass
from pathlib import Path

from fastledger.common import goyaml
from fastledger.common.errors import InputError
from fastledger.common.gopaths import join
from fastledger.common.gopem import first_block
from fastledger.common.goyaml import key
from fastledger.protos.msp.msp_config_pb2 import (
    FabricCryptoConfig,
    FabricMSPConfig,
    FabricNodeOUs,
    FabricOUIdentifier,
    MSPConfig,
)

CONFIG_FILE = "config.yaml"
FABRIC = 0
"""``MSPConfig.type`` of X.509 MSPs."""

_logger = logging.getLogger("msp")


@dataclass(frozen=True, slots=True)
class OrganizationalUnit:
    """An organizational unit, and which authority must have certified it."""

    certificate: str = key("Certificate", "")
    """A path that begins at the MSP's folder; empty for any authority."""

    identifier: str = key("OrganizationalUnitIdentifier", "")
    """Its name."""


@dataclass(frozen=True, slots=True)
class NodeOUs:
    """By which units clients, peers, administrators and orderers are told apart."""

    enable: bool = key("Enable", False)
    client: OrganizationalUnit | None = key("ClientOUIdentifier", None)
    peer: OrganizationalUnit | None = key("PeerOUIdentifier", None)
    admin: OrganizationalUnit | None = key("AdminOUIdentifier", None)
    orderer: OrganizationalUnit | None = key("OrdererOUIdentifier", None)


@dataclass(frozen=True, slots=True)
class Configuration:
    """An MSP's ``config.yaml``."""

    unit_identifiers: tuple[OrganizationalUnit | None, ...] = key(
        "OrganizationalUnitIdentifiers", ()
    )
    node_ous: NodeOUs | None = key("NodeOUs", None)


def load_msp_config(folder: Path | str, mspid: str) -> MSPConfig:
    """Read an X.509 MSP's folder, without what signs (``GetVerifyingMspConfig``).

    Args:
        folder: Holds cacerts, and perhaps intermediatecerts, admincerts, crls, tlscacerts,
            tlsintermediatecerts and config.yaml. Files are taken in the order of their names;
            those without PEM are passed over.
        mspid: The MSP's name, which the folder does not say.

    Raises:
        InputError: There is no CA certificate, or config.yaml cannot be used.
    """
    folder = Path(folder)
    cas = pem_files(folder / "cacerts")
    if cas is None:
        raise InputError(
            "could not load a valid ca certificate from directory "
            f"{folder / 'cacerts'}: stat {folder / 'cacerts'}: no such file or directory"
        )
    if not cas:
        raise InputError(f"no ca certificate found in directory {folder / 'cacerts'}")
    tls_cas = pem_files(folder / "tlscacerts") or []
    configuration = _read_configuration(folder / CONFIG_FILE)
    config = FabricMSPConfig(
        name=mspid,
        root_certs=cas,
        intermediate_certs=pem_files(folder / "intermediatecerts") or [],
        admins=pem_files(folder / "admincerts") or [],
        revocation_list=pem_files(folder / "crls") or [],
        crypto_config=FabricCryptoConfig(
            signature_hash_family="SHA2", identity_identifier_hash_function="SHA256"
        ),
        tls_root_certs=tls_cas,
        tls_intermediate_certs=(pem_files(folder / "tlsintermediatecerts") or [])
        if tls_cas
        else [],
        organizational_unit_identifiers=_unit_identifiers(folder, configuration),
        fabric_node_ous=_node_ous(folder, configuration),
    )
    return MSPConfig(type=FABRIC, config=config.SerializeToString())


def pem_files(folder: Path) -> list[bytes] | None:
    """Read a folder's files that hold PEM, in the order of their names; None without a folder."""
    found = pem_paths(folder)
    return None if found is None else list(found.values())


def pem_paths(folder: Path) -> dict[Path, bytes] | None:
    """Read a folder's files that hold PEM, by their paths; None without a folder."""
    if not folder.is_dir():
        return None
    found = {}
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            continue
        try:
            content = path.read_bytes()
        except OSError as error:
            _logger.warning("Failed reading file %s: %s", path, error)
            continue
        if first_block(content) is not None:
            found[path] = content
        else:
            _logger.warning("Failed reading file %s: no pem content for file %s", path, path)
    return found


def _read_configuration(path: Path) -> Configuration:
    if not path.exists():
        return Configuration()
    try:
        return goyaml.load(path, Configuration)
    except OSError as error:
        raise InputError(f"failed loading configuration file at [{path}]: {error}") from error


def _unit_identifiers(folder: Path, configuration: Configuration) -> list[FabricOUIdentifier]:
    return [_unit_identifier(folder, unit) for unit in configuration.unit_identifiers]


def _unit_identifier(folder: Path, unit: OrganizationalUnit | None) -> FabricOUIdentifier:
    if unit is None:
        raise InputError(
            f"{folder / CONFIG_FILE}: an entry of OrganizationalUnitIdentifiers is null"
        )
    path = join(folder, unit.certificate)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"failed loading OrganizationalUnit certificate at [{path}]: {error}"
        ) from error
    return FabricOUIdentifier(certificate=content, organizational_unit_identifier=unit.identifier)


def _node_ous(folder: Path, configuration: Configuration) -> FabricNodeOUs | None:
    section = configuration.node_ous
    if section is None or not section.enable:
        return None
    node_ous = FabricNodeOUs(enable=True)
    for kind in ("client", "peer", "admin", "orderer"):
        unit: OrganizationalUnit | None = getattr(section, kind)
        if unit is not None and unit.identifier:
            identifier = getattr(node_ous, f"{kind}_ou_identifier")
            identifier.organizational_unit_identifier = unit.identifier
            identifier.certificate = _optional_certificate(folder, unit.certificate, kind)
    return node_ous


def _optional_certificate(folder: Path, certificate: str, kind: str) -> bytes:
    if not certificate:
        return b""
    path = join(folder, certificate)
    try:
        return path.read_bytes()
    except OSError as error:
        _logger.warning("Failed loading %s OU certificate at [%s]: [%s]", kind, path, error)
        return b""
