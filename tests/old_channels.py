# SPDX-License-Identifier: Apache-2.0
"""Channels as networks of Fabric 1.0 and later wrote them, upgraded along the way.

Keys and the first configuration are those of the recorded 1.4 network `v11`; what blocks look like
follows Fabric's own sources, release by release:

=============  =====================================================================================
until 1.4.0    four metadata slots; slot 0 signs the header alone, slot 1 the last configuration
since 1.4.1    five slots; the last configuration stands in the value that slot 0 signs
since 2.0      and in slot 1 once more, unsigned
=============  =====================================================================================
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fastledger import TxValidationCode as Code
from fastledger.channelconfig import Bundle
from fastledger.ledger.rwset import ReadWriteSet
from fastledger.msp import SigningIdentity
from fastledger.policies.dsl import from_string
from fastledger.protos.common import common_pb2 as common
from fastledger.protos.common.configtx_pb2 import (
    Config,
    ConfigEnvelope,
    ConfigGroup,
    ConfigUpdate,
    ConfigUpdateEnvelope,
)
from fastledger.protos.common.configuration_pb2 import Capabilities
from fastledger.protos.core.ccprovider_pb2 import ChaincodeData
from fastledger.protos.msp.identities_pb2 import SerializedIdentity
from fastledger.protos.peer import chaincode_pb2 as cc
from fastledger.protos.peer.proposal_response_pb2 import Response
from fastledger.protoutil.blocks import new_block
from fastledger.protoutil.envelope import channel_header, signature_header, signed_envelope
from fastledger.protoutil.hashes import header_bytes, header_hash
from fastledger.protoutil.proposal import create_proposal, create_signed_tx, proposal_hash
from fastledger.protoutil.proposal_response import endorsed_response, response_payload
from fastledger.protoutil.signer import Signer
from fastledger.tools.configtxlator.update import compute_update

CHANNEL = "oldchannel"
ANY_MEMBER = "OR('Org1MSP.member','Org2MSP.member')"
GO, NODE = cc.ChaincodeSpec.GOLANG, cc.ChaincodeSpec.NODE
SINCE_1_4_1 = 5
"""Metadata slots; before, there were four."""


class OldIdentity:
    """A signer as nodes of 1.0 wrote it: the PEM of its certificate names no type."""

    def __init__(self, signer: SigningIdentity) -> None:
        self._signer = signer
        identity = SerializedIdentity.FromString(signer.serialized)
        identity.id_bytes = identity.id_bytes.replace(b" CERTIFICATE-----", b" -----")
        self.serialized = identity.SerializeToString()

    def sign(self, message: bytes) -> bytes:
        return self._signer.sign(message)


@dataclass
class Network:
    """Who signs."""

    material: Path
    as_1_0: bool = False
    """Whether identities are spelled as 1.0 did."""

    def _load(self, kind: str, domain: str, path: str, mspid: str) -> Signer:
        signer = SigningIdentity.load(self.material / kind / domain / path / "msp", mspid)
        return OldIdentity(signer) if self.as_1_0 else signer

    def __post_init__(self) -> None:
        orderers = "ordererOrganizations", "example.com"
        self.orderer = self._load(*orderers, "orderers/orderer.example.com", "OrdererMSP")
        self.orderer_admin = self._load(*orderers, "users/Admin@example.com", "OrdererMSP")
        self.peers = [self._member(org, f"peers/peer0.org{org}.example.com") for org in (1, 2)]
        self.admins = [self._member(org, f"users/Admin@org{org}.example.com") for org in (1, 2)]

    def _member(self, org: int, path: str) -> Signer:
        domain = f"org{org}.example.com"
        return self._load("peerOrganizations", domain, path, f"Org{org}MSP")


def without_capabilities(group: ConfigGroup) -> None:
    """Make a configuration what 1.0 made: nobody had heard of capabilities."""
    group.values.pop("Capabilities", None)
    for inner in group.groups.values():
        without_capabilities(inner)


def require(**names: str) -> Callable[[ConfigGroup], None]:
    """Change a configuration's capabilities: of the channel, the orderer, the application."""

    def change(root: ConfigGroup) -> None:
        places = {
            "channel": root,
            "orderer": root.groups["Orderer"],
            "application": root.groups["Application"],
        }
        for place, name in names.items():
            value = places[place].values["Capabilities"]
            required = Capabilities()
            required.capabilities[name].SetInParent()
            value.value = required.SerializeToString()
            value.mod_policy = "Admins"

    return change


def strip_mod_policies(read: ConfigGroup, written: ConfigGroup) -> None:
    """Take the mod_policy from every element that an update changes."""
    for name, group in written.groups.items():
        strip_mod_policies(read.groups[name] if name in read.groups else ConfigGroup(), group)
    for theirs, ours in ((read.values, written.values), (read.policies, written.policies)):
        for name, element in ours.items():
            if name not in theirs or theirs[name].version != element.version:
                element.mod_policy = ""
    if read.version != written.version:
        written.mod_policy = ""


def merge(current: ConfigGroup, written: ConfigGroup) -> None:
    """Put what an update changes into a configuration."""
    if current.version != written.version:
        current.version, current.mod_policy = written.version, written.mod_policy
    for name, group in written.groups.items():
        merge(current.groups[name], group)
    for name, value in written.values.items():
        if name not in current.values or current.values[name].version != value.version:
            current.values[name].CopyFrom(value)


@dataclass
class OldChannel:
    """A channel under construction: the orderer's blocks, and a peer's copies with its verdicts."""

    network: Network
    first: Config
    slots: int = 4
    delivered: list[bytes] = field(default_factory=list)
    copies: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        without_capabilities(self.first.channel_group)
        self.bundle = Bundle.from_config(CHANNEL, self.first.SerializeToString())
        config = ConfigEnvelope(config=self.first).SerializeToString()
        header = common.Header(
            channel_header=channel_header(common.CONFIG, CHANNEL).SerializeToString(),
            signature_header=signature_header(self.network.orderer.serialized).SerializeToString(),
        )
        payload = common.Payload(header=header, data=config).SerializeToString()
        signature = self.network.orderer.sign(payload)
        self._last_config = 0
        self._hash = b""
        self._append([common.Envelope(payload=payload, signature=signature)], b"\0", signed=False)

    @property
    def height(self) -> int:
        return len(self.delivered)

    def block(self, *transactions: tuple[common.Envelope, Code]) -> int:
        """Cut a block; with each transaction goes the verdict of the peers of the time."""
        envelopes = [envelope for envelope, _ in transactions]
        self._append(envelopes, bytes(code for _, code in transactions))
        return self.height - 1

    def update(self, change: Callable[[ConfigGroup], None]) -> int:
        """Update the configuration, with everybody's signature."""
        asked = self._asked(self._changed(change))
        made = self.bundle.propose_update(asked.SerializeToString())
        self.bundle = self.bundle.apply(made)
        return self._configuration(made)

    def update_as_1_0_0(self, change: Callable[[ConfigGroup], None]) -> int:
        """Update the configuration as 1.0.0 did: what changes loses its mod_policy."""
        update = self._changed(change)
        strip_mod_policies(update.read_set, update.write_set)
        made = ConfigEnvelope(config=Config.FromString(self.bundle.config))
        made.config.sequence += 1
        merge(made.config.channel_group, update.write_set)
        made.last_update.CopyFrom(self._asked(update))
        self.bundle = Bundle.from_config(CHANNEL, made.config.SerializeToString())
        return self._configuration(made.SerializeToString())

    def _changed(self, change: Callable[[ConfigGroup], None]) -> ConfigUpdate:
        current = Config.FromString(self.bundle.config)
        wanted = Config()
        wanted.CopyFrom(current)
        change(wanted.channel_group)
        return compute_update(CHANNEL, current, wanted)

    def _asked(self, config_update: ConfigUpdate) -> common.Envelope:
        update = ConfigUpdateEnvelope(config_update=config_update.SerializeToString())
        for signer in (*self.network.admins, self.network.orderer_admin):
            header = signature_header(signer.serialized).SerializeToString()
            signature = signer.sign(header + update.config_update)
            update.signatures.add(signature_header=header, signature=signature)
        content = update.SerializeToString()
        return signed_envelope(common.CONFIG_UPDATE, CHANNEL, content, self.network.admins[0])

    def _configuration(self, made: bytes) -> int:
        self._last_config = self.height
        envelope = signed_envelope(common.CONFIG, CHANNEL, made, self.network.orderer)
        return self.block((envelope, Code.VALID))

    def _append(
        self, envelopes: Sequence[common.Envelope], codes: bytes, signed: bool = True
    ) -> None:
        encoded = [envelope.SerializeToString() for envelope in envelopes]
        block = new_block(self.height, self._hash, encoded)
        del block.metadata.metadata[self.slots :]
        if signed:
            self._sign(block)
        self._hash = header_hash(block.header)
        self.delivered.append(block.SerializeToString())
        block.metadata.metadata[common.TRANSACTIONS_FILTER] = codes
        self.copies.append(block.SerializeToString())

    def _sign(self, block: common.Block) -> None:
        last = common.LastConfig(index=self._last_config)
        slots = block.metadata.metadata
        if self.slots >= SINCE_1_4_1:
            value = common.OrdererBlockMetadata(last_config=last).SerializeToString()
            slots[common.SIGNATURES] = self._signed(value, block.header)
        else:
            slots[common.SIGNATURES] = self._signed(b"", block.header)
            slots[common.LAST_CONFIG] = self._signed(last.SerializeToString(), block.header)

    def _signed(self, value: bytes, header: common.BlockHeader) -> bytes:
        orderer = self.network.orderer
        signer = signature_header(orderer.serialized).SerializeToString()
        signature = orderer.sign(value + signer + header_bytes(header))
        metadata = common.Metadata(value=value)
        metadata.signatures.add(signature_header=signer, signature=signature)
        return metadata.SerializeToString()

    # Transactions.

    def invoke(
        self,
        name: str,
        results: bytes,
        args: Iterable[bytes] = (),
        *,
        version: str = "1",
        endorsers: Sequence[Signer] = (),
    ) -> common.Envelope:
        """Endorse and sign an invocation, by a peer of each organization."""
        spec = cc.ChaincodeInvocationSpec()
        spec.chaincode_spec.chaincode_id.name = name
        spec.chaincode_spec.input.args.extend(args)
        creator = self.network.admins[0]
        proposed = create_proposal(
            common.ENDORSER_TRANSACTION, CHANNEL, spec, creator.serialized
        ).proposal
        response = Response(status=200)
        payload = response_payload(
            proposal_hash(common.Header.FromString(proposed.header), proposed.payload),
            response,
            results,
            b"",
            cc.ChaincodeID(name=name, version=version),
        )
        answers = [
            endorsed_response(payload, response, endorser)
            for endorser in endorsers or self.network.peers
        ]
        return create_signed_tx(proposed, creator, answers)

    def deploy(
        self, name: str, version: str = "1", *, function: str = "deploy", language: int = GO
    ) -> common.Envelope:
        """Instantiate or upgrade a chaincode through LSCC."""
        policy = from_string(ANY_MEMBER).SerializeToString()
        record = ChaincodeData(
            name=name,
            version=version,
            escc="escc",
            vscc="vscc",
            policy=policy,
            instantiation_policy=policy,
        )
        deployment = cc.ChaincodeDeploymentSpec()
        deployment.chaincode_spec.type = language  # type: ignore[assignment]
        deployment.chaincode_spec.chaincode_id.name = name
        deployment.chaincode_spec.chaincode_id.version = version
        args = [function.encode(), CHANNEL.encode(), deployment.SerializeToString(), policy]
        args += [b"escc", b"vscc"]
        results = writes("lscc", {name: record.SerializeToString()})
        return self.invoke("lscc", results, args, version="1.0.0")


def begin(folder: Path) -> OldChannel:
    """Begin a channel as of 1.0, with the keys and the configuration of the corpus `v11`."""
    block = common.Block.FromString((folder / "mychannel" / "orderer_000.block").read_bytes())
    payload = common.Payload.FromString(common.Envelope.FromString(block.data.data[0]).payload)
    first = ConfigEnvelope.FromString(payload.data).config
    # So did 1.0 leave the root of a new channel's configuration.
    first.channel_group.mod_policy = ""
    return OldChannel(Network(folder / "crypto-config", as_1_0=True), first)


def writes(ns: str, values: dict[str, bytes]) -> bytes:
    """Encode a read-write set that only writes."""
    rwset = ReadWriteSet()
    for key, value in values.items():
        rwset.write(ns, key, value)
    return rwset.build()[0]


def write_block_file(path: Path, blocks: Iterable[bytes]) -> None:
    """Write blocks as nodes keep them, ``blkstorage``'s records behind their lengths."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for encoded in blocks:
            record = _record(common.Block.FromString(encoded))
            file.write(_varint(len(record)) + record)


def _record(block: common.Block) -> bytes:
    header = block.header
    out = _varint(header.number) + _framed(header.data_hash) + _framed(header.previous_hash)
    for entries in (block.data.data, block.metadata.metadata):
        out += _varint(len(entries)) + b"".join(map(_framed, entries))
    return out


def _framed(content: bytes) -> bytes:
    return _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])
