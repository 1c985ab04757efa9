# SPDX-License-Identifier: Apache-2.0
"""What a configuration may change of the consensus, and when.

Fabric: ``orderer/common/msgprocessor/maintenancefilter.go``. The kind of consensus changes in
maintenance only, and entering or leaving maintenance goes with no other change.
"""

from fastledger.channelconfig import Bundle
from fastledger.common.errors import InputError
from fastledger.orderer.capabilities import orderer_of
from fastledger.orderer.consensus.kinds import rules_of
from fastledger.orderer.errors import Rejected
from fastledger.orderer.msgprocessor.message import decode, open_envelope
from fastledger.protos.common.common_pb2 import HeaderType
from fastledger.protos.common.configtx_pb2 import (
    ConfigEnvelope,
    ConfigUpdate,
    ConfigUpdateEnvelope,
)

NORMAL = "STATE_NORMAL"
PERMITTED_TARGETS = frozenset({"solo", "kafka", "etcdraft", "BFT"})
"""Kinds of consensus that some Fabric migrates to; whether we can run one is judged after that."""


def check_maintenance(current: Bundle, following: Bundle, envelope: ConfigEnvelope) -> None:
    """Refuse a configuration that moves the consensus wrongly; raises Rejected."""
    before, after = orderer_of(current), orderer_of(following)
    if not before.capabilities.consensus_type_migration:
        if after.state != NORMAL:
            raise Rejected(
                f"next config attempted to change ConsensusType.State to {after.state}, "
                "but capability is disabled"
            )
        if before.consensus_type != after.consensus_type:
            raise Rejected(
                f"next config attempted to change ConsensusType.Type from {before.consensus_type} "
                f"to {after.consensus_type}, but capability is disabled"
            )
        return
    if before.state != after.state:
        _check_state_change(current, following, envelope)
    if before.consensus_type != after.consensus_type:
        _check_type_change(current, following)


def _check_state_change(current: Bundle, following: Bundle, envelope: ConfigEnvelope) -> None:
    before, after = orderer_of(current), orderer_of(following)
    _check_only_consensus_type(envelope)
    change = f"ConsensusType.State is changing from {before.state} to {after.state}"
    if before.consensus_type != after.consensus_type:
        raise Rejected(
            f"attempted to change ConsensusType.Type from {before.consensus_type} to "
            f"{after.consensus_type}, but {change}"
        )
    if before.consensus_metadata != after.consensus_metadata:
        raise Rejected(f"attempted to change ConsensusType.Metadata, but {change}")


def _check_type_change(current: Bundle, following: Bundle) -> None:
    before, after = orderer_of(current), orderer_of(following)
    attempt = (
        f"attempted to change consensus type from {before.consensus_type} to {after.consensus_type}"
    )
    if before.state == NORMAL:
        raise Rejected(
            f"{attempt}, but current config ConsensusType.State is not in maintenance mode"
        )
    if after.state == NORMAL:
        raise Rejected(f"{attempt}, but next config ConsensusType.State is not in maintenance mode")
    if after.consensus_type not in PERMITTED_TARGETS:
        raise Rejected(f"{attempt}, transition not supported")
    try:
        rules_of(following).check_migration(current, following)
    except InputError as error:
        raise Rejected(str(error)) from error


def _check_only_consensus_type(envelope: ConfigEnvelope) -> None:
    encoded = envelope.last_update.SerializeToString()
    update_envelope = open_envelope(encoded, HeaderType.CONFIG_UPDATE, ConfigUpdateEnvelope)
    written = decode(ConfigUpdate, update_envelope.config_update, "config update").write_set
    if not written.groups:
        raise Rejected("config update contains no changes")
    if written.values:
        raise Rejected("config update contains changes to values in group Channel")
    if len(written.groups) > 1:
        raise Rejected("config update contains changes to more than one group")
    if "Orderer" not in written.groups:
        raise Rejected("update does not contain the Orderer group")
    orderer = written.groups["Orderer"]
    if orderer.groups:
        raise Rejected("config update contains changes to groups within the Orderer group")
    if "ConsensusType" not in orderer.values:
        raise Rejected("config update does not contain the ConsensusType value")
    if len(orderer.values) > 1:
        raise Rejected(
            "config update contain more then just the ConsensusType value in the Orderer group"
        )
