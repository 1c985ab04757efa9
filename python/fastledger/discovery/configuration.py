# SPDX-License-Identifier: Apache-2.0
"""Answers about a channel's configuration (Fabric: ``discovery/support/config``)."""

from collections.abc import Iterator, Sequence

from fastledger.channelconfig import Bundle
from fastledger.common import log
from fastledger.common.errors import QueryRefused
from fastledger.protos.common.configtx_pb2 import Config
from fastledger.protos.discovery.protocol_pb2 import ConfigResult, Endpoint, Endpoints
from fastledger.protos.msp.msp_config_pb2 import FabricMSPConfig, MSPConfig

_FABRIC = 0
"""The type of X.509 MSPs; others tell a client nothing that it could use."""

_logger = log.get("discovery.config")


def config_result(bundle: Bundle) -> ConfigResult:
    """Return a channel's MSPs, and where its orderers are.

    Raises:
        FastledgerError: The configuration lacks a section.
    """
    for name, section in (("Orderer", bundle.orderer), ("Application", bundle.application)):
        if section is None:
            raise QueryRefused(f"key Config.ChannelGroup.Groups[{name}] is missing")
    result = ConfigResult()
    for msp in _msps(bundle):
        if msp.name not in result.msps:
            result.msps[msp.name].CopyFrom(msp)
    for mspid, endpoints in _endpoints(bundle).items():
        if mspid in result.msps:
            result.orderers[mspid].CopyFrom(Endpoints(endpoint=_parsed(endpoints)))
    return result


def _msps(bundle: Bundle) -> Iterator[FabricMSPConfig]:
    """Read the definitions of X.509 MSPs, those of the orderers first."""
    channel = Config.FromString(bundle.config).channel_group
    for section in ("Orderer", "Application"):
        for _, group in sorted(channel.groups[section].groups.items()):
            config = MSPConfig.FromString(group.values["MSP"].value)
            if config.type == _FABRIC:
                yield FabricMSPConfig.FromString(config.config)


def _endpoints(bundle: Bundle) -> dict[str, tuple[str, ...]]:
    """The organizations' own endpoints; the channel's list for each where none has any."""
    orgs = bundle.orderer.orgs if bundle.orderer is not None else {}
    own = {mspid: org.endpoints for mspid, org in orgs.items()}
    return own if any(own.values()) else dict.fromkeys(own, bundle.orderer_addresses)


def _parsed(addresses: Sequence[str]) -> list[Endpoint]:
    found = []
    for address in addresses:
        host, _, port = address.rpartition(":")
        if host and port.isdecimal() and int(port) < 2**31:
            found.append(Endpoint(host=host.strip("[]"), port=int(port)))
        else:
            _logger.warning("endpoint %s of an orderer is no host:port", address)
    return found
