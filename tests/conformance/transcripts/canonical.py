# SPDX-License-Identifier: Apache-2.0
"""Blocks without what chance and time put into them, so that two runs can be compared.

Left out are nonces, timestamps, transaction ids, signatures and the hashes over them. Everything
else stays, down to the bytes of arguments, read-write sets and identities.
"""

from typing import Any

from google.protobuf.json_format import MessageToDict

from fastledger.protos.common import common_pb2, configtx_pb2
from fastledger.protos.common.common_pb2 import BlockMetadataIndex, HeaderType
from fastledger.protos.common.ledger_pb2 import BlockchainInfo
from fastledger.protos.peer import proposal_pb2, proposal_response_pb2, transaction_pb2
from fastledger.protos.peer.chaincode_event_pb2 import ChaincodeEvent
from fastledger.protos.peer.chaincode_pb2 import ChaincodeInvocationSpec


def block(encoded: bytes) -> dict[str, Any]:
    """Return what a block says."""
    found = common_pb2.Block.FromString(encoded)
    slots = found.metadata.metadata
    codes = slots[BlockMetadataIndex.TRANSACTIONS_FILTER]
    return {
        "number": found.header.number,
        "transactions": [envelope(one) for one in found.data.data],
        "flags": list(codes),
        "commit_hash": _commit_hash(slots),
        "signatures": _metadata(slots[BlockMetadataIndex.SIGNATURES]),
        "last_config": _metadata(slots[BlockMetadataIndex.LAST_CONFIG]),
        "orderer": slots[BlockMetadataIndex.ORDERER].hex(),
    }


def envelope(encoded: bytes) -> dict[str, Any]:
    """Return what a message says, and who said it."""
    payload = common_pb2.Payload.FromString(common_pb2.Envelope.FromString(encoded).payload)
    channel = common_pb2.ChannelHeader.FromString(payload.header.channel_header)
    return {
        "type": HeaderType.Name(channel.type),
        "version": channel.version,
        "channel_id": channel.channel_id,
        "epoch": channel.epoch,
        "has_tx_id": bool(channel.tx_id),
        "extension": channel.extension.hex(),
        "tls_cert_hash": channel.tls_cert_hash.hex(),
        "creator": _creator(payload.header.signature_header),
        "data": _DATA[HeaderType.ValueType(channel.type)](payload.data),
    }


def config_tree(encoded: bytes) -> dict[str, Any]:
    """Return a configuration, whatever the order of its maps."""
    return MessageToDict(configtx_pb2.Config.FromString(encoded))


def _config(data: bytes) -> dict[str, Any]:
    found = configtx_pb2.ConfigEnvelope.FromString(data)
    update = found.last_update.SerializeToString()
    return {
        "config": config_tree(found.config.SerializeToString()),
        "last_update": envelope(update) if update else None,
    }


def _config_update(data: bytes) -> dict[str, Any]:
    found = configtx_pb2.ConfigUpdateEnvelope.FromString(data)
    update = configtx_pb2.ConfigUpdate.FromString(found.config_update)
    return {
        "config_update": MessageToDict(update),
        "signers": [_creator(one.signature_header) for one in found.signatures],
    }


def _transaction(data: bytes) -> list[dict[str, Any]]:
    return [_action(one) for one in transaction_pb2.Transaction.FromString(data).actions]


def _action(action: transaction_pb2.TransactionAction) -> dict[str, Any]:
    payload = transaction_pb2.ChaincodeActionPayload.FromString(action.payload)
    proposal = proposal_pb2.ChaincodeProposalPayload.FromString(payload.chaincode_proposal_payload)
    endorsed = proposal_response_pb2.ProposalResponsePayload.FromString(
        payload.action.proposal_response_payload
    )
    result = proposal_pb2.ChaincodeAction.FromString(endorsed.extension)
    spec = ChaincodeInvocationSpec.FromString(proposal.input)
    called = spec.chaincode_spec.chaincode_id.name
    return {
        "creator": _creator(action.header),
        "input": str(spec),
        "input_bytes": proposal.input.hex(),
        "transient": bool(proposal.TransientMap),
        "results": result.results.hex(),
        "event": _event(result.events),
        "response": _response(called, result.response),
        "chaincode_id": str(result.chaincode_id),
        "endorsers": [one.endorser.hex() for one in payload.action.endorsements],
    }


def _event(encoded: bytes) -> str:
    event = ChaincodeEvent.FromString(encoded)
    return f"{event.chaincode_id} {event.event_name} {event.payload.hex()}"


def _response(called: str, response: proposal_response_pb2.Response) -> str:
    if called != "qscc":
        return str(response)
    # What qscc.GetChainInfo tells besides the height are hashes.
    info = BlockchainInfo.FromString(response.payload)
    return f"{response.status} height {info.height} {len(info.currentBlockHash)}"


def _creator(signature_header: bytes) -> str:
    return common_pb2.SignatureHeader.FromString(signature_header).creator.hex()


def _metadata(slot: bytes) -> dict[str, Any]:
    found = common_pb2.Metadata.FromString(slot)
    signers = [_creator(one.signature_header) for one in found.signatures]
    return {"value": found.value.hex(), "signers": signers}


def _commit_hash(slots: Any) -> str:
    if len(slots) <= BlockMetadataIndex.COMMIT_HASH:
        return ""
    return common_pb2.Metadata.FromString(slots[BlockMetadataIndex.COMMIT_HASH]).value.hex()


_DATA = {
    HeaderType.CONFIG: _config,
    HeaderType.CONFIG_UPDATE: _config_update,
    HeaderType.ORDERER_TRANSACTION: envelope,
    HeaderType.ENDORSER_TRANSACTION: _transaction,
}
