# SPDX-License-Identifier: Apache-2.0
"""Proposals of which most are wrong in one way."""

from collections.abc import Callable, Iterator

from fastledger.client.endorsement import invocation
from fastledger.msp import SigningIdentity
from fastledger.protos.common.common_pb2 import ChannelHeader, Header, HeaderType, SignatureHeader
from fastledger.protos.msp.identities_pb2 import SerializedIdentity
from fastledger.protos.peer.chaincode_pb2 import ChaincodeSpec
from fastledger.protos.peer.proposal_pb2 import (
    ChaincodeHeaderExtension,
    ChaincodeProposalPayload,
    Proposal,
    SignedProposal,
)
from fastledger.protoutil.proposal import create_proposal, signed_proposal

CHANNEL = "mychannel"
LONG_AGO_S = 3600


class Parts:
    """A proposal taken apart, to be changed and signed."""

    def __init__(self, signer: SigningIdentity, chaincode: str, *args: str | bytes) -> None:
        encoded = [arg.encode() if isinstance(arg, str) else arg for arg in args]
        spec = invocation(chaincode, encoded, language=ChaincodeSpec.GOLANG)
        self.signer = signer
        made = create_proposal(
            HeaderType.ENDORSER_TRANSACTION, CHANNEL, spec, signer.serialized
        ).proposal
        self.payload = ChaincodeProposalPayload.FromString(made.payload)
        header = Header.FromString(made.header)
        self.channel = ChannelHeader.FromString(header.channel_header)
        self.signature = SignatureHeader.FromString(header.signature_header)
        self.extension = ChaincodeHeaderExtension.FromString(self.channel.extension)

    def signed(self) -> SignedProposal:
        return signed_proposal(self.proposal(), self.signer)

    def proposal(self) -> Proposal:
        self.channel.extension = self.extension.SerializeToString()
        header = Header(
            channel_header=self.channel.SerializeToString(),
            signature_header=self.signature.SerializeToString(),
        )
        return Proposal(header=header.SerializeToString(), payload=self.payload.SerializeToString())


def malformed(signer: SigningIdentity) -> Iterator[tuple[str, SignedProposal]]:
    """Proposals whose message is wrong; what they ask for would be answered."""

    def changed(name: str, change: Callable[[Parts], None]) -> tuple[str, SignedProposal]:
        parts = Parts(signer, "mixed", "put", "k", "v")
        change(parts)
        return name, parts.signed()

    def assign(part: str, field: str, value: object) -> Callable[[Parts], None]:
        return lambda parts: setattr(getattr(parts, part), field, value)

    yield "empty", SignedProposal()
    yield "garbage", SignedProposal(proposal_bytes=b"\xff\xff", signature=b"s")
    whole = Parts(signer, "mixed", "put", "k", "v").proposal()
    for name, proposal in (
        ("no header", Proposal(payload=whole.payload)),
        ("garbled header", Proposal(header=b"\xff", payload=whole.payload)),
        ("no payload", Proposal(header=whole.header)),
        ("garbled payload", Proposal(header=whole.header, payload=b"\xff")),
        ("extension", Proposal(header=whole.header, payload=whole.payload, extension=b"x")),
    ):
        yield name, signed_proposal(proposal, signer)
    sound = Parts(signer, "mixed", "put", "k", "v").signed()
    yield "no signature", SignedProposal(proposal_bytes=sound.proposal_bytes)
    yield (
        "another signature",
        SignedProposal(proposal_bytes=sound.proposal_bytes, signature=signer.sign(b"another")),
    )
    yield (
        "garbled signature",
        SignedProposal(proposal_bytes=sound.proposal_bytes, signature=b"garbage"),
    )
    yield changed("type 0", assign("channel", "type", 0))
    yield changed("type config", assign("channel", "type", HeaderType.CONFIG))
    yield changed("type 77", assign("channel", "type", 77))
    yield changed("epoch", assign("channel", "epoch", 1))
    yield changed("version", assign("channel", "version", 7))
    yield changed("transaction id", assign("channel", "tx_id", "ab" * 32))
    yield changed("no transaction id", assign("channel", "tx_id", ""))
    yield changed("no nonce", assign("signature", "nonce", b""))
    yield changed("short nonce", assign("signature", "nonce", b"1"))
    yield changed("no creator", assign("signature", "creator", b""))
    yield changed("garbled creator", assign("signature", "creator", b"\xff"))
    yield changed("unknown channel", assign("channel", "channel_id", "nochannel"))
    yield changed("no channel", assign("channel", "channel_id", ""))
    yield changed("no timestamp", lambda parts: parts.channel.ClearField("timestamp"))
    yield changed("old", _age)
    yield changed("no chaincode", lambda parts: parts.extension.ClearField("chaincode_id"))
    yield changed(
        "another chaincode", lambda parts: setattr(parts.extension.chaincode_id, "name", "other")
    )
    yield changed("garbled input", assign("payload", "input", b"\xff"))
    yield changed("no input", assign("payload", "input", b""))
    yield changed("unknown msp", lambda parts: _creator(parts, "NoMSP", None))
    yield changed("other msp", lambda parts: _creator(parts, "OrdererMSP", None))
    yield changed("no certificate", lambda parts: _creator(parts, None, b""))
    yield changed("garbled certificate", lambda parts: _creator(parts, None, b"garbage"))


def _age(parts: Parts) -> None:
    parts.channel.timestamp.seconds -= LONG_AGO_S


def _creator(parts: Parts, mspid: str | None, certificate: bytes | None) -> None:
    creator = SerializedIdentity.FromString(parts.signature.creator)
    creator.mspid = creator.mspid if mspid is None else mspid
    creator.id_bytes = creator.id_bytes if certificate is None else certificate
    parts.signature.creator = creator.SerializeToString()


QUESTIONS: tuple[tuple[str | bytes, ...], ...] = (
    ("mixed",),
    ("mixed", ""),
    ("mixed", "nofunction"),
    ("mixed", "put"),
    ("mixed", "put", "", "v"),
    ("mixed", "put", "k", "v", "w"),
    ("mixed", "protect", "k"),
    ("mixed", "hide", "nocollection", "k"),
    ("nochaincode", "put"),
    ("no chaincode!", "put"),
    ("mixed:1.0", "put"),
    ("", "put"),
    ("escc", "x"),
    ("vscc", "x"),
    ("+lifecycle", "x"),
    ("qscc",),
    ("qscc", "Nothing", CHANNEL),
    ("qscc", "GetChainInfo"),
    ("qscc", "GetChainInfo", "nochannel"),
    ("qscc", "GetBlockByNumber", CHANNEL),
    ("qscc", "GetBlockByNumber", CHANNEL, "-1"),
    ("qscc", "GetBlockByNumber", CHANNEL, "x"),
    ("qscc", "GetBlockByNumber", CHANNEL, "999999"),
    ("qscc", "GetBlockByNumber", CHANNEL, "99999999999999999999999"),
    ("qscc", "GetBlockByHash", CHANNEL, b"\0" * 32),
    ("qscc", "GetBlockByHash", CHANNEL, b""),
    ("qscc", "GetTransactionByID", CHANNEL, "ab" * 32),
    ("qscc", "GetTransactionByID", CHANNEL, ""),
    ("qscc", "GetBlockByTxID", CHANNEL, "ab" * 32),
    ("cscc",),
    ("cscc", "Nothing"),
    ("cscc", "Nothing", "x"),
    ("cscc", "JoinChain"),
    ("cscc", "JoinChain", ""),
    ("cscc", "JoinChain", b"\xff"),
    ("cscc", "JoinChainBySnapshot", ""),
    ("cscc", "JoinChainBySnapshot", "/nowhere"),
    ("cscc", "JoinBySnapshotStatus"),
    ("cscc", "GetConfigBlock", ""),
    ("cscc", "GetConfigBlock", "nochannel"),
    ("cscc", "GetChannelConfig", ""),
    ("cscc", "GetChannelConfig", "nochannel"),
    ("cscc", "GetChannels"),
    ("lscc",),
    ("lscc", "nothing"),
    ("lscc", "install"),
    ("lscc", "install", b"\xff"),
    ("lscc", "deploy", CHANNEL),
    ("lscc", "deploy", CHANNEL, b"\xff"),
    ("lscc", "upgrade", CHANNEL, b"\xff"),
    ("lscc", "getchaincodes"),
    ("lscc", "getinstalledchaincodes"),
    ("lscc", "getid", CHANNEL, "nochaincode"),
    ("lscc", "getid", CHANNEL, "mixed"),
    ("lscc", "getccdata", CHANNEL, "mixed"),
    ("lscc", "getdepspec", CHANNEL, "mixed"),
    ("lscc", "getcollectionsconfig", "mixed"),
    ("lscc", "getcollectionsconfig", "nochaincode"),
    ("_lifecycle",),
    ("_lifecycle", ""),
    ("_lifecycle", "Nothing"),
    ("_lifecycle", "Nothing", ""),
    ("_lifecycle", "InstallChaincode"),
    ("_lifecycle", "InstallChaincode", ""),
    ("_lifecycle", "InstallChaincode", b"\xff"),
    ("_lifecycle", "InstallChaincode", b"\x0a\x03abc"),
    ("_lifecycle", "QueryInstalledChaincode", b"\x0a\x03abc"),
    ("_lifecycle", "GetInstalledChaincodePackage", b"\x0a\x03abc"),
    ("_lifecycle", "QueryChaincodeDefinition", b"\x0a\x03abc"),
    ("_lifecycle", "QueryChaincodeDefinition", ""),
    ("_lifecycle", "QueryApprovedChaincodeDefinition", b"\x0a\x03abc"),
    ("_lifecycle", "QueryApprovedChaincodeDefinition", ""),
    ("_lifecycle", "ApproveChaincodeDefinitionForMyOrg", ""),
    ("_lifecycle", "ApproveChaincodeDefinitionForMyOrg", b"\x08\x01\x12\x03a b\x1a\x011"),
    ("_lifecycle", "ApproveChaincodeDefinitionForMyOrg", b"\x08\x01\x12\x05mixed\x1a\x011"),
    ("_lifecycle", "ApproveChaincodeDefinitionForMyOrg", b"\x08\x09\x12\x05mixed\x1a\x011"),
    ("_lifecycle", "ApproveChaincodeDefinitionForMyOrg", b"\x08\x01\x12\x03abc\x1a\x03a b"),
    ("_lifecycle", "ApproveChaincodeDefinitionForMyOrg", b"\x08\x01\x12\x04qscc\x1a\x011"),
    ("_lifecycle", "CheckCommitReadiness", ""),
    ("_lifecycle", "CheckCommitReadiness", b"\x08\x01\x12\x05mixed\x1a\x011"),
    ("_lifecycle", "CheckCommitReadiness", b"\x08\x09\x12\x05mixed\x1a\x011"),
    ("_lifecycle", "CommitChaincodeDefinition", ""),
    ("_lifecycle", "CommitChaincodeDefinition", b"\x08\x01\x12\x05other\x1a\x011"),
    ("_lifecycle", "CommitChaincodeDefinition", b"\x08\x09\x12\x05mixed\x1a\x011"),
)
"""What is asked soundly: a chaincode and its arguments."""


def questions(signer: SigningIdentity) -> Iterator[tuple[str, SignedProposal]]:
    """Propose every question."""
    for chaincode, *args in QUESTIONS:
        name = " ".join(str(word) for word in (chaincode, *args))
        yield name, Parts(signer, str(chaincode), *args).signed()
