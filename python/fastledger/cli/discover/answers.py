# SPDX-License-Identifier: Apache-2.0
"""Answers as Fabric's ``discover`` prints them (``discovery/cmd``)."""

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any

from google.protobuf.message import DecodeError, Message

from fastledger.protos.discovery import protocol_pb2 as pb
from fastledger.protos.gossip.message_pb2 import Envelope, GossipMessage
from fastledger.protos.msp.identities_pb2 import SerializedIdentity

_ESCAPED = {
    "<": "\\u003c",
    ">": "\\u003e",
    "&": "\\u0026",
    "\u2028": "\\u2028",
    "\u2029": "\\u2029",
}


def peers(result: pb.PeerMembershipResult, *, of_channel: bool) -> str:
    """Print the peers, organization by organization."""
    found = [
        _channel_peer(org, peer) if of_channel else _local_peer(org, peer)
        for org in sorted(result.peers_by_org)
        for peer in result.peers_by_org[org].peers
    ]
    return _json(found or None)


def endorsers(descriptors: Iterable[pb.EndorsementDescriptor]) -> str:
    """Print who endorses."""
    found = [
        {
            "Chaincode": one.chaincode,
            "EndorsersByGroups": {
                group: [_endorser(peer) for peer in one.endorsers_by_groups[group].peers] or None
                for group in sorted(one.endorsers_by_groups)
            },
            "Layouts": [_plain(layout) for layout in one.layouts] or None,
        }
        for one in descriptors
    ]
    return _json(found or None)


def config(result: pb.ConfigResult) -> str:
    """Print a channel's MSPs and orderers."""
    return _json(_plain(result))


def _endorser(peer: pb.Peer) -> dict[str, Any]:
    identity = SerializedIdentity.FromString(peer.identity)
    return {
        "MSPID": identity.mspid,
        "LedgerHeight": _content(peer.state_info).state_info.properties.ledger_height,
        "Endpoint": _content(peer.membership_info).alive_msg.membership.endpoint,
        "Identity": _text(identity.id_bytes),
    }


def _channel_peer(org: str, peer: pb.Peer) -> dict[str, Any]:
    chaincodes = _content(peer.state_info).state_info.properties.chaincodes
    named = {"Chaincodes": [one.name for one in chaincodes] or None}
    return _endorser(peer) | {"MSPID": org} | named


def _local_peer(org: str, peer: pb.Peer) -> dict[str, Any]:
    found = _endorser(peer) | {"MSPID": org}
    del found["LedgerHeight"]
    return found


def _content(envelope: Envelope) -> GossipMessage:
    try:
        return GossipMessage.FromString(envelope.payload)
    except DecodeError:
        return GossipMessage()


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")


def _plain(message: Message) -> dict[str, Any]:
    """Return what Go's JSON makes of a message's struct: fields that are set, by their names."""
    found: dict[str, Any] = {}
    for field, value in message.ListFields():
        entry = field.message_type
        if entry is not None and entry.GetOptions().map_entry:
            pairs: Mapping[Any, Any] = value
            found[field.name] = {str(key): _one(pairs[key]) for key in sorted(pairs)}
        elif field.is_repeated:
            found[field.name] = [_one(each) for each in value]
        else:
            found[field.name] = _one(value)
    return found


def _one(value: Any) -> Any:
    if isinstance(value, Message):
        return _plain(value)
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def _json(value: Any) -> str:
    """Print as Go's ``json.MarshalIndent`` with tabs."""
    text = json.dumps(value, indent="\t", ensure_ascii=False)
    for plain, escaped in _ESCAPED.items():
        text = text.replace(plain, escaped)
    return text
