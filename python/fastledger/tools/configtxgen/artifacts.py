# SPDX-License-Identifier: Apache-2.0
"""What configtxgen writes: genesis blocks, and transactions that create or change channels."""

from hashlib import sha256

from google.protobuf.message import Message

from fastledger.common import log
from fastledger.common.errors import InputError
from fastledger.protos.common.common_pb2 import (
    CONFIG,
    CONFIG_UPDATE,
    SIGNATURES,
    Block,
    ChannelHeader,
    Envelope,
    Header,
    LastConfig,
    Metadata,
    OrdererBlockMetadata,
    Payload,
    SignatureHeader,
)
from fastledger.protos.common.configtx_pb2 import (
    Config,
    ConfigEnvelope,
    ConfigGroup,
    ConfigUpdate,
    ConfigUpdateEnvelope,
    ConfigValue,
)
from fastledger.protos.common.configuration_pb2 import Consortium
from fastledger.protoutil.blocks import new_block
from fastledger.protoutil.envelope import channel_header, signature_header
from fastledger.tools.configtxgen.encoder import add_value, channel_group, doing
from fastledger.tools.configtxgen.policy import ADMINS
from fastledger.tools.configtxgen.profile import Profile
from fastledger.tools.configtxlator.update import compute_update

logger = log.get("common.tools.configtxgen")

GENESIS_VERSION = 1
"""``ChannelHeader.version`` of genesis blocks, alone among all (Fabric: ``common/genesis``)."""


def genesis_block(profile: Profile, channel_id: str) -> Block:
    """Make a channel's first block.

    Raises:
        InputError: The profile does not describe a whole channel.
    """
    with doing("could not create bootstrapper"):
        _refuse_foreign(profile)
        with doing("could not create channel group"):
            group = channel_group(profile)
    if profile.orderer is None:
        raise InputError("refusing to generate block which is missing orderer section")
    if profile.consortiums is not None:
        logger.info("Creating system channel genesis block")
    elif profile.application is None:
        raise InputError(
            "refusing to generate application channel block which is missing application section"
        )
    else:
        logger.info("Creating application channel genesis block")
    creator = signature_header(b"")
    header = channel_header(CONFIG, channel_id)
    header.version = GENESIS_VERSION
    header.tx_id = sha256(creator.nonce).hexdigest()
    envelope = _envelope(header, creator, ConfigEnvelope(config=Config(channel_group=group)))
    block = new_block(0, b"", [envelope.SerializeToString()])
    value = OrdererBlockMetadata(last_config=LastConfig()).SerializeToString()
    block.metadata.metadata[SIGNATURES] = Metadata(value=value).SerializeToString()
    return block


def _refuse_foreign(profile: Profile) -> None:
    organizations = [
        *(profile.orderer.organizations if profile.orderer else ()),
        *(profile.application.organizations if profile.application else ()),
    ]
    for consortium in (profile.consortiums or {}).values():
        organizations += consortium.organizations
    for organization in organizations:
        if organization.skip_as_foreign:
            raise InputError(
                "all org definitions must be local during bootstrapping: organization "
                f"'{organization.name}' is marked to be skipped as foreign"
            )


def channel_creation(profile: Profile, channel_id: str, base: Profile | None = None) -> Envelope:
    """Make the transaction that asks a system channel for a new channel.

    Args:
        profile: The new channel.
        channel_id: Its name.
        base: The system channel, if the new one shall differ from it in more than the
            application.

    Raises:
        InputError: The profile does not describe a channel of a consortium.
    """
    if profile.application is None:
        raise InputError(
            "channel template configs must contain an application section"
            if base is None
            else "supplied channel creation profile does not contain an application section"
        )
    if not profile.consortium:
        raise InputError("cannot define a new channel with no Consortium value")
    group = channel_group(profile)
    template = _default_template(group) if base is None else _template(profile, base)
    update = compute_update(channel_id, Config(channel_group=template), Config(channel_group=group))
    consortium = Consortium(name=profile.consortium).SerializeToString()
    update.read_set.values["Consortium"].CopyFrom(ConfigValue())
    update.write_set.values["Consortium"].CopyFrom(ConfigValue(value=consortium))
    return _update_envelope(update)


def _default_template(group: ConfigGroup) -> ConfigGroup:
    """Return what the orderer is taken to have: all but the application's own settings."""
    template = ConfigGroup()
    template.CopyFrom(group)
    application = template.groups["Application"]
    application.ClearField("values")
    application.ClearField("policies")
    return template


def _template(profile: Profile, base: Profile) -> ConfigGroup:
    """Return what the orderer will start the channel from (Fabric: ``NewChannelConfig``)."""
    template = channel_group(base)
    if "Consortiums" not in template.groups:
        raise InputError(
            "supplied system channel group does not appear to be system channel "
            "(missing consortiums group)"
        )
    consortiums = template.groups["Consortiums"].groups
    if profile.consortium not in consortiums:
        raise InputError(
            f"supplied system channel group is missing '{profile.consortium}' consortium"
        )
    members = consortiums[profile.consortium].groups
    application = ConfigGroup()
    application.policies[ADMINS].SetInParent()
    for organization in profile.application.organizations if profile.application else ():
        if organization.name not in members:
            raise InputError(
                f"consortium {profile.consortium} does not contain member org {organization.name}"
            )
        application.groups[organization.name].CopyFrom(members[organization.name])
    template.groups["Application"].CopyFrom(application)
    del template.groups["Consortiums"]
    add_value(template, "Consortium", Consortium(name=profile.consortium))
    return template


def anchor_peers_update(profile: Profile, channel_id: str, organization: str) -> Envelope:
    """Make the transaction that sets an organization's anchor peers in a new channel.

    Raises:
        InputError: The profile has no such organization, or that has no anchor peers.
    """
    if not organization:
        raise InputError("must specify an organization to update the anchor peer for")
    if profile.application is None:
        raise InputError("cannot update anchor peers without an application section")
    updated = channel_group(profile)
    application = updated.groups["Application"]
    application.version = 1
    if organization not in application.groups:
        raise InputError(f"org with name '{organization}' does not exist in config")
    original = ConfigGroup()
    original.CopyFrom(updated)
    values = original.groups["Application"].groups[organization].values
    if "AnchorPeers" not in values:
        raise InputError(f"org '{organization}' does not have any anchor peers defined")
    del values["AnchorPeers"]
    update = compute_update(
        channel_id, Config(channel_group=original), Config(channel_group=updated)
    )
    for side in (update.read_set, update.write_set):
        # As configtxgen 1.4 does. It changes nothing, since the group's version stays.
        side.groups["Application"].mod_policy = ADMINS
    return _update_envelope(update)


def _update_envelope(update: ConfigUpdate) -> Envelope:
    content = ConfigUpdateEnvelope(config_update=update.SerializeToString(deterministic=True))
    return _envelope(channel_header(CONFIG_UPDATE, update.channel_id), None, content)


def _envelope(header: ChannelHeader, creator: SignatureHeader | None, content: Message) -> Envelope:
    headers = Header(channel_header=header.SerializeToString())
    if creator is not None:
        headers.signature_header = creator.SerializeToString()
    data = content.SerializeToString(deterministic=True)
    return Envelope(payload=Payload(header=headers, data=data).SerializeToString())
