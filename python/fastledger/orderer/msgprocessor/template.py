# SPDX-License-Identifier: Apache-2.0
"""The configuration that a new channel's update is applied to.

Fabric 1.x and 2.x: ``msgprocessor.DefaultTemplator``. A request for a channel names a consortium
and some of its organisations; the rest is copied from the system channel.
"""

from fastledger.channelconfig import Bundle
from fastledger.orderer.capabilities import OrdererCapabilities
from fastledger.orderer.errors import Rejected
from fastledger.orderer.msgprocessor.message import OrdererMessage, decode
from fastledger.protos.common.configtx_pb2 import (
    Config,
    ConfigGroup,
    ConfigUpdate,
    ConfigUpdateEnvelope,
)
from fastledger.protos.common.configuration_pb2 import Consortium
from fastledger.protos.common.policies_pb2 import Policy

_CREATION_POLICY = "ChannelCreationPolicy"


def channel_template(system: Bundle, message: OrdererMessage) -> Bundle:
    """Return the configuration to which a channel creation request applies.

    Raises:
        Rejected: The request does not hold, or its consortium does not.
        FastledgerError: The system channel's configuration makes no channel.
    """
    update = _creation_request(message)
    system_group = decode(Config, system.config, "config").channel_group
    if "Consortiums" not in system_group.groups:
        raise Rejected("The ordering system channel does not appear to support creating channels")
    name = _consortium_name(update)
    consortiums = system_group.groups["Consortiums"].groups
    if name not in consortiums:
        raise Rejected(f"Unknown consortium name: {name}")
    capabilities = OrdererCapabilities(system)
    application = _application(
        update.write_set.groups["Application"],
        consortiums[name],
        capabilities.use_channel_creation_policy_as_admins,
    )
    channel = _channel_group(system_group, application, name)
    if capabilities.predictable_channel_template:
        channel.mod_policy = system_group.mod_policy
        _zero_versions(channel)
    config = Config(channel_group=channel).SerializeToString()
    return Bundle.from_config(update.channel_id, config)


def _creation_request(message: OrdererMessage) -> ConfigUpdate:
    envelope = decode(ConfigUpdateEnvelope, message.data, "config update envelope")
    update = decode(ConfigUpdate, envelope.config_update, "config update")
    named = message.channel_header.channel_id
    if update.channel_id != named:
        raise Rejected(
            "Failing initial channel config creation: mismatched channel IDs: "
            f"'{update.channel_id}' != '{named}'"
        )
    if not update.HasField("write_set"):
        raise Rejected("Config update has an empty writeset")
    if "Application" not in update.write_set.groups:
        raise Rejected("Config update has missing application group")
    version = update.write_set.groups["Application"].version
    if version != 1:
        raise Rejected(
            "Config update for channel creation does not set "  # noqa: S608 - no SQL
            f"application group version to 1, was {version}"
        )
    if "Consortium" not in update.write_set.values:
        raise Rejected("Consortium config value missing")
    return update


def _consortium_name(update: ConfigUpdate) -> str:
    value = update.write_set.values["Consortium"].value
    return decode(Consortium, value, "consortium name").name


def _application(
    requested: ConfigGroup, consortium: ConfigGroup, creation_policy_as_admins: bool
) -> ConfigGroup:
    if consortium.groups and not requested.groups:
        raise Rejected(
            "Proposed configuration has no application group members, "
            "but consortium contains members"
        )
    application = ConfigGroup()
    key = "Admins" if creation_policy_as_admins else _CREATION_POLICY
    creation = decode(Policy, consortium.values[_CREATION_POLICY].value, "creation policy")
    application.policies[key].policy.CopyFrom(creation)
    application.mod_policy = key
    # A consortium without members lets a request bring any.
    for name in requested.groups if consortium.groups else ():
        if name not in consortium.groups:
            raise Rejected("Attempted to include a member which is not in the consortium")
        application.groups[name].CopyFrom(consortium.groups[name])
    return application


def _channel_group(
    system: ConfigGroup, application: ConfigGroup, consortium_name: str
) -> ConfigGroup:
    channel = ConfigGroup()
    for name, value in system.values.items():
        channel.values[name].CopyFrom(value)
    for name, policy in system.policies.items():
        channel.policies[name].CopyFrom(policy)
    channel.groups["Orderer"].CopyFrom(system.groups["Orderer"])
    channel.groups["Application"].CopyFrom(application)
    consortium = channel.values["Consortium"]
    consortium.Clear()
    consortium.value = Consortium(name=consortium_name).SerializeToString()
    consortium.mod_policy = "Admins"
    return channel


def _zero_versions(group: ConfigGroup) -> None:
    group.version = 0
    for value in group.values.values():
        value.version = 0
    for policy in group.policies.values():
        policy.version = 0
    for child in group.groups.values():
        _zero_versions(child)
