# SPDX-License-Identifier: Apache-2.0
"""What the commands of ``peer`` read of core.yaml (Fabric: ``internal/peer/common``)."""

from dataclasses import dataclass
from pathlib import Path

from fastledger.comm.client import DEFAULT_TIMEOUT_S
from fastledger.common.settings import file, flag, optional_file, seconds, section, text


@dataclass(frozen=True, slots=True)
class ClientTlsSettings:
    """``peer.tls`` as a client sees it."""

    enabled: bool = flag("enabled", False, "Connect to the peer with TLS.")
    root: Path | None = optional_file("rootcert.file", "Certificates trusted for the peer.")
    client_auth_required: bool = flag(
        "clientAuthRequired", False, "Show the peer a client certificate."
    )
    client_cert: Path | None = optional_file("clientCert.file", "The certificate that is shown.")
    client_key: Path | None = optional_file("clientKey.file", "Its key.")
    server_host_override: str = text(
        "serverhostoverride", "", "Name to look for in the peer's certificate, for peer commands."
    )


@dataclass(frozen=True, slots=True)
class CommandConfig:
    """core.yaml for a command of ``peer``."""

    address: str = text("peer.address", "", "Where a command finds the peer.")
    timeout_s: float = seconds(
        "peer.client.connTimeout", DEFAULT_TIMEOUT_S, "Commands give up connecting.", zero=False
    )
    mspid: str = text("peer.localMspId", "", "MSP of the identity that signs.")
    msp_folder: Path = file("peer.mspConfigPath", "msp", "MSP folder of the identity that signs.")
    tls: ClientTlsSettings = section("peer.tls", ClientTlsSettings)
