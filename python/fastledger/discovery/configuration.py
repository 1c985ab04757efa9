# SPDX-License-Identifier: Apache-2.0
"""Answers about a channel's configuration (Fabric: ``discovery/support/config``)."""

from collections.abc import Iterable, Mapping, Sequence

from fastledger.channelconfig import Bundle
from fastledger.common import log
from fastledger.common.errors import QueryRefused
from fastledger.protos.common.configtx_pb2 import Config, ConfigGroup
from fastledger.protos.common.configuration_pb2 import OrdererAddresses
from fastledger.protos.discovery.protocol_pb2 import ConfigResult, Endpoint, Endpoints
from fastledger.protos.msp.msp_config_pb2 import FabricMSPConfig, MSPConfig

_FABRIC = 0
"""The type of X.509 MSPs; others tell a client nothing that it could use."""

_logger = log.get("discovery.config")


def config_result(bundle: Bundle) -> ConfigResult:
    """Return a channel's MSPs, and where its orderers are.

    Raises:
        FastledgerError: The configuration lacks a group.
    """
    channel = Config.FromString(bundle.config).channel_group
    for name in ("Orderer", "Application"):
        if name not in channel.groups:
            raise QueryRefused(f"key Config.ChannelGroup.Groups[{name}] is missing")
    orderers = channel.groups["Orderer"].groups
    result = ConfigResult()
    for _, msp in [*_msps(orderers), *_msps(channel.groups["Application"].groups)]:
        if msp.name not in result.msps:
            result.msps[msp.name].CopyFrom(msp)
    for mspid, endpoints in _endpoints(channel, orderers).items():
        result.orderers[mspid].CopyFrom(Endpoints(endpoint=endpoints))
    return result


def _msps(groups: Mapping[str, ConfigGroup]) -> Iterable[tuple[ConfigGroup, FabricMSPConfig]]:
    for _, group in sorted(groups.items()):
        config = MSPConfig.FromString(group.values["MSP"].value)
        if config.type == _FABRIC:
            yield group, FabricMSPConfig.FromString(config.config)


def _endpoints(
    channel: ConfigGroup, orderers: Mapping[str, ConfigGroup]
) -> dict[str, list[Endpoint]]:
    """The organizations' own endpoints; the channel's list for each where none has any."""
    own = {msp.name: _addresses(group, "Endpoints") for group, msp in _msps(orderers)}
    if not any(own.values()):
        own = dict.fromkeys(own, _addresses(channel, "OrdererAddresses"))
    return {mspid: _parsed(addresses) for mspid, addresses in own.items()}


def _addresses(group: ConfigGroup, key: str) -> Sequence[str]:
    if key not in group.values:
        return ()
    return tuple(OrdererAddresses.FromString(group.values[key].value).addresses)


def _parsed(addresses: Sequence[str]) -> list[Endpoint]:
    found = []
    for address in addresses:
        host, _, port = address.rpartition(":")
        if host and port.isdecimal() and int(port) < 2**31:
            found.append(Endpoint(host=host.strip("[]"), port=int(port)))
        else:
            _logger.warning("endpoint %s of an orderer is no host:port", address)
    return found
