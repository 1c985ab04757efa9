# SPDX-License-Identifier: Apache-2.0
"""The folder of an MSP, as cryptogen and Fabric CA write it (Fabric: ``msp/configbuilder.go``)."""

import logging
from pathlib import Path
from typing import Any

from fastledger.common import yaml_file
from fastledger.common.errors import InputError
from fastledger.common.gopem import first_block
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

_NODE_OUS = {
    "client_ou_identifier": "ClientOUIdentifier",
    "peer_ou_identifier": "PeerOUIdentifier",
    "admin_ou_identifier": "AdminOUIdentifier",
    "orderer_ou_identifier": "OrdererOUIdentifier",
}

_logger = logging.getLogger("msp")


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


def _read_configuration(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    configuration = yaml_file.load(path)
    if configuration is None:
        return {}
    if not isinstance(configuration, dict):
        raise InputError(f"{path}: it holds no mapping; NodeOUs is expected at the top")
    return configuration


def _unit_identifiers(folder: Path, configuration: dict[str, Any]) -> list[FabricOUIdentifier]:
    listed = configuration.get("OrganizationalUnitIdentifiers") or []
    if not isinstance(listed, list):
        raise InputError(f"{folder / CONFIG_FILE}: OrganizationalUnitIdentifiers is no list")
    return [_unit_identifier(folder, entry) for entry in listed]


def _unit_identifier(folder: Path, entry: Any) -> FabricOUIdentifier:
    unit, certificate = _unit(folder, "OrganizationalUnitIdentifiers", entry)
    path = folder / certificate
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(
            f"failed loading OrganizationalUnit certificate at [{path}]: {error}"
        ) from error
    return FabricOUIdentifier(certificate=content, organizational_unit_identifier=unit)


def _node_ous(folder: Path, configuration: dict[str, Any]) -> FabricNodeOUs | None:
    section = configuration.get("NodeOUs") or {}
    if not isinstance(section, dict):
        raise InputError(f"{folder / CONFIG_FILE}: NodeOUs is no mapping")
    enable = section.get("Enable", False)
    if not isinstance(enable, bool):
        raise InputError(f"{folder / CONFIG_FILE}: NodeOUs.Enable is {enable!r}, not true or false")
    if not enable:
        return None
    node_ous = FabricNodeOUs(enable=True)
    for field, key in _NODE_OUS.items():
        unit, certificate = _unit(folder, f"NodeOUs.{key}", section.get(key) or {})
        if unit:
            identifier = getattr(node_ous, field)
            identifier.organizational_unit_identifier = unit
            identifier.certificate = _optional_certificate(folder, certificate, key)
    return node_ous


def _unit(folder: Path, what: str, entry: Any) -> tuple[str, str]:
    """Take an entry apart: the unit's name, and the path of the certificate that certifies it."""
    if not isinstance(entry, dict):
        raise InputError(f"{folder / CONFIG_FILE}: {what} is no mapping")
    unit = entry.get("OrganizationalUnitIdentifier") or ""
    return str(unit), str(entry.get("Certificate") or "")


def _optional_certificate(folder: Path, certificate: str, key: str) -> bytes:
    if not certificate:
        return b""
    path = folder / certificate
    try:
        return path.read_bytes()
    except OSError as error:
        _logger.warning("Failed loading %s certificate at [%s]: [%s]", key, path, error)
        return b""
