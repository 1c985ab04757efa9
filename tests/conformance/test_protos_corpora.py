# SPDX-License-Identifier: Apache-2.0
"""Every message that real Fabric nodes wrote decodes to the innermost, without unknown fields.

The walk follows each bytes field to the message that it holds, and encodes again what it decoded.
It covers the blocks, configuration transactions and snapshots of all kept ledgers and the gRPC
messages recorded in v14, and the further ledgers that are at hand.
"""

import json
import re
import tarfile
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import zstandard

import corpora
from corpora import VECTORS
from fastledger.protos import descriptor_pool
from protos_walk import Walk, chaincode_type, message_class

Files = dict[str, bytes]
# Transactions that were broken on purpose, with the code and note recorded for them, and what
# they left in the state.
HAND_MADE = json.loads((VECTORS / "protos" / "hand_made.json").read_text("utf-8"))

# A walk that stopped early would find nothing wrong: these it has to reach.
INNERMOST = {
    "ledgers": """
        ccprovider.ChaincodeData common.BlockDataHashingStructure common.Capability
        common.CollectionConfigPackage common.ConfigSignature common.Consortium
        common.ImplicitMetaPolicy common.LastConfig common.MSPRole common.SignaturePolicy.NOutOf
        etcdraft.BlockMetadata etcdraft.Options kvrwset.KVMetadataEntry
        kvrwset.KVMetadataWriteHash kvrwset.KVReadHash kvrwset.KVWriteHash kvrwset.QueryReads
        kvrwset.Version lifecycle.ApproveChaincodeDefinitionForMyOrgArgs
        lifecycle.ChaincodeEndorsementInfo lifecycle.ChaincodeValidationInfo
        lifecycle.StateMetadata msp.FabricNodeOUs orderer.BatchSize protos.AnchorPeer
        protos.ApplicationPolicy protos.ChaincodeEvent protos.ChaincodeHeaderExtension
        protos.StaticCollectionConfig""",
    "wire": """
        common.BlockchainInfo discovery.Endpoint discovery.Layout gossip.AliveMessage
        gossip.DataRequest gossip.LeadershipMessage gossip.PeerIdentity gossip.Properties
        gossip.Secret kvrwset.QueryReads orderer.SeekOldest protos.ChannelInfo
        protos.ChaincodeCall protos.ChaincodeInfo protos.FilteredTransactionActions
        protos.LogLevelRequest protos.LogSpecRequest protos.PutState""",
}


@cache
def unpack(archive: Path) -> Files:
    """Return the files of an archive by their path below its only folder."""
    found = {}
    with zstandard.open(archive, "rb") as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
        for entry in tar:
            if content := tar.extractfile(entry):
                found[entry.name.partition("/")[2]] = content.read()
    return found


def snapshot_records(data: bytes) -> Iterator[bytes]:
    """Yield the records of a snapshot's data file: a format byte, then varint length and record."""
    position = 1
    while position < len(data):
        length, shift = 0, 0
        while True:
            byte = data[position]
            length |= (byte & 0x7F) << shift
            position, shift = position + 1, shift + 7
            if byte < 0x80:
                break
        yield data[position : position + length]
        position += length


def walk_ledger(files: Files) -> Walk:
    """Walk through the blocks, configuration transactions and snapshots of an unpacked archive."""
    walk = Walk()
    for path, data in sorted(files.items()):
        if path.endswith(".block"):
            walk.decode("common.Block", data, path)
        elif path.endswith(".tx"):
            walk.decode("common.Envelope", data, path)
        elif path.endswith(("/public_state.data", "/private_state_hashes.data")):
            for index, record in enumerate(snapshot_records(data)):
                walk.decode("privacyenabledstate.SnapshotRecord", record, f"{path}[{index}]")
    return walk


def broken(walk: Walk, files: Files) -> dict[str, list[str] | str]:
    """Say where the problems are.

    Transactions are named by block and index and come with their recorded code and note.
    """
    recorded = {
        f"{block['number']}:{transaction['index']}": [transaction["code_name"], transaction["note"]]
        for block in json.loads(files.get("expected.json", '{"blocks": []}'))["blocks"]
        for transaction in block["txs"]
    }
    in_block = re.compile(r"blocks_\w+/(\d+)\.block/Block\.data\[0\]\.data\[(\d+)\]")
    found: dict[str, list[str] | str] = {}
    for problem in walk.problems:
        transaction = in_block.match(problem)
        place = (
            f"{int(transaction[1])}:{transaction[2]}" if transaction else problem.partition(": ")[0]
        )
        found[place] = recorded.get(place, problem.partition(": ")[2])
    return found


@pytest.mark.parametrize("archive", corpora.archives().values(), ids=corpora.archives().keys())
def test_every_message_of_a_ledger_decodes(archive: Path) -> None:
    files = unpack(archive)
    blocks = sum(path.endswith(".block") for path in files)
    walk = walk_ledger(files)
    assert broken(walk, files) == HAND_MADE.get(archive.name.partition(".")[0], {})
    assert walk.decoded["common.Block"] >= blocks


def recorded_messages(files: Files) -> Iterator[tuple[str, str, int, str, bytes]]:
    """Yield method, direction, stream, file and content of each recorded message, in time order."""
    methods = {}
    for line in files["wire/index.jsonl"].splitlines():
        event = json.loads(line)
        if event["ev"] == "open":
            methods[event["id"]] = event["method"]
        elif (
            event["ev"] in ("c2s", "s2c")
            and (data := files.get(f"wire/{event['file']}")) is not None
        ):
            yield methods[event["id"]], event["ev"], event["id"], event["file"], data


def summary(message: Any) -> dict[str, Any]:
    """Describe a message as the recording proxy, built of Fabric 1.4's code, did."""
    name = message.DESCRIPTOR.full_name
    words = {"_": name}
    if name.endswith("DeliverResponse"):
        words["_"] += f".{message.WhichOneof('Type')}"
    elif name == "protos.ChaincodeMessage":
        words |= {
            "channel": message.channel_id,
            "txid": message.txid,
            "type": chaincode_type(message),
        }
        words |= {"payload_len": len(message.payload), "has_proposal": message.HasField("proposal")}
    elif name == "protos.ProposalResponse":
        words |= {"payload_len": len(message.payload), "version": message.version}
    elif name == "protos.SignedProposal":
        words |= headers(message_class("protos.Proposal").FromString(message.proposal_bytes).header)
    elif name == "common.Envelope":
        payload = message_class("common.Payload").FromString(message.payload)
        words |= headers(payload.header.SerializeToString()) | {"sig_len": len(message.signature)}
    return words


def headers(data: bytes) -> dict[str, Any]:
    """Describe the two headers of a proposal or a payload."""
    header = message_class("common.Header").FromString(data)
    channel = message_class("common.ChannelHeader").FromString(header.channel_header)
    signature = message_class("common.SignatureHeader").FromString(header.signature_header)
    creator = message_class("msp.SerializedIdentity").FromString(signature.creator)
    return {
        "channel_header": {
            "channel_id": channel.channel_id,
            "epoch": channel.epoch,
            "tls_cert_hash": channel.tls_cert_hash.hex(),
            "tx_id": channel.tx_id,
            "type": channel.type,
            "version": channel.version,
        },
        "signature_header": {
            "creator": {"mspid": creator.mspid, "pem_len": len(creator.id_bytes)},
            "nonce_len": len(signature.nonce),
        },
    }


def described(text: bytes) -> dict[str, Any]:
    """Read the proxy's description, leaving out what summary() does not give."""
    words: dict[str, Any] = json.loads(text)
    if header := words.get("channel_header"):
        header["type"] = int(header["type"].split()[0])
        for extra in ("extension", "timestamp"):
            header.pop(extra, None)
    return words


def test_every_recorded_grpc_message_decodes() -> None:
    files = unpack(VECTORS / "fabric-1.4" / "v14.tar.zst")
    walks: dict[int, Walk] = {}
    compared: Counter[str] = Counter()
    for method, direction, stream, file, data in recorded_messages(files):
        _, service, call = method.split("/")
        types = descriptor_pool.Default().FindServiceByName(service).methods_by_name[call]
        name = (types.input_type if direction == "c2s" else types.output_type).full_name
        message = walks.setdefault(stream, Walk()).decode(name, data, file)
        description = files.get(f"wire/json/{Path(file).stem}.json")
        if description and name != "google.protobuf.Empty":
            ours, theirs = summary(message), described(description)
            assert ours == {key: theirs.get(key) for key in ours}, file
            compared[name] += 1
    assert [problem for walk in walks.values() for problem in walk.problems] == []
    assert len(compared) == 11
    assert compared.total() > 600
    decoded = {name for walk in walks.values() for name in walk.decoded}
    assert set(INNERMOST["wire"].split()) <= decoded


def test_the_walk_reaches_the_innermost_messages() -> None:
    decoded: Counter[str] = Counter()
    for archive in sorted(VECTORS.glob("*/*.tar.zst")):
        decoded += walk_ledger(unpack(archive)).decoded
    assert set(INNERMOST["ledgers"].split()) <= decoded.keys()
