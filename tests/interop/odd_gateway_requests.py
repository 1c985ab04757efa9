# SPDX-License-Identifier: Apache-2.0
"""Requests to a gateway of which most are wrong in one way, for each of its five methods."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from google.protobuf.message import Message

from fastledger.msp import SigningIdentity
from fastledger.protos.common.common_pb2 import Envelope, HeaderType, Payload
from fastledger.protos.gateway import gateway_pb2 as pb
from fastledger.protos.orderer.ab_pb2 import SeekPosition
from fastledger.protos.peer.chaincode_pb2 import ChaincodeInvocationSpec
from fastledger.protos.peer.proposal_pb2 import Proposal, SignedProposal
from fastledger.protoutil.envelope import signed_envelope
from fastledger.protoutil.proposal import signed_proposal
from refused_proposals import CHANNEL, Parts, malformed, questions

ORG = "Org1MSP"


@dataclass(frozen=True)
class Request:
    """One request: its method, and what is odd about it."""

    method: str
    name: str
    message: Message

    def __str__(self) -> str:
        return f"{self.method} {self.name}"


def odd_requests(signer: SigningIdentity, stranger: SigningIdentity) -> Iterator[Request]:
    """All of them, by somebody of the organization, and some by one of another."""
    for method, kind in (("Evaluate", pb.EvaluateRequest), ("Endorse", pb.EndorseRequest)):
        yield Request(method, "empty", kind())
        for name, proposal in _proposals(signer):
            yield Request(method, name, kind(proposed_transaction=proposal))
        sound = Parts(stranger, "mixed", "put", "k", "v").signed()
        yield Request(method, "of a stranger", kind(proposed_transaction=sound))
    yield from _organizations(signer)
    yield from _submits(signer)
    yield from _statuses(signer, stranger)
    yield from _events(signer, stranger)


def _proposals(signer: SigningIdentity) -> Iterator[tuple[str, SignedProposal]]:
    yield from malformed(signer)
    for name, proposal in questions(signer):
        # A 3.1.5 peer has no lscc any more.
        if not name.startswith(("_lifecycle Install", "cscc Join", "lscc")):
            yield name, proposal
    yield "a chaincode that does not run", Parts(signer, "gone", "get", "k").signed()
    for name, change in _specs():
        parts = Parts(signer, "mixed", "put", "k", "v")
        spec = ChaincodeInvocationSpec.FromString(parts.payload.input)
        change(spec)
        parts.payload.input = spec.SerializeToString()
        yield name, parts.signed()
    for name in ("nochaincode", "qscc", "mixed"):
        parts = Parts(signer, name, "get", "k")
        parts.payload.TransientMap["secret"] = b"s"
        yield f"transient to {name}", parts.signed()
    parts = Parts(signer, "mixed", "get", "k")
    parts.channel.channel_id = "nochannel"
    parts.payload.TransientMap["secret"] = b"s"
    yield "transient on an unknown channel", parts.signed()
    whole = Parts(signer, "mixed", "put", "k", "v").proposal()
    yield "neither header nor payload", signed_proposal(Proposal(extension=b"x"), signer)
    yield "no signature at all", SignedProposal(proposal_bytes=whole.SerializeToString())


def _specs() -> Iterator[tuple[str, Callable[[ChaincodeInvocationSpec], object]]]:
    yield "no spec", lambda it: it.ClearField("chaincode_spec")
    yield "no id in the spec", lambda it: it.chaincode_spec.ClearField("chaincode_id")
    yield "no name in the spec", lambda it: it.chaincode_spec.chaincode_id.ClearField("name")
    yield (
        "another name in the spec",
        lambda it: setattr(it.chaincode_spec.chaincode_id, "name", "nochaincode"),
    )
    yield "no input in the spec", lambda it: it.chaincode_spec.ClearField("input")


def _organizations(signer: SigningIdentity) -> Iterator[Request]:
    for name, wanted in (
        ("own organization", [ORG]),
        ("own organization twice", [ORG, ORG]),
        ("unknown organization", ["NoMSP"]),
        ("own and unknown organization", [ORG, "NoMSP", "OtherMSP"]),
        ("nameless organization", [""]),
    ):
        for function, *arguments in (("get", "k"), ("nofunction",)):
            proposal = Parts(signer, "mixed", function, *arguments).signed()
            yield Request(
                "Evaluate",
                f"{function} for {name}",
                pb.EvaluateRequest(proposed_transaction=proposal, target_organizations=wanted),
            )
            yield Request(
                "Endorse",
                f"{function} for {name}",
                pb.EndorseRequest(proposed_transaction=proposal, endorsing_organizations=wanted),
            )
    for chaincode, channel in (("nochaincode", CHANNEL), ("qscc", CHANNEL), ("mixed", "nochannel")):
        parts = Parts(signer, chaincode, "GetChainInfo", CHANNEL)
        parts.channel.channel_id = channel
        yield Request(
            "Endorse",
            f"{chaincode} on {channel} for the own organization",
            pb.EndorseRequest(proposed_transaction=parts.signed(), endorsing_organizations=[ORG]),
        )


def _submits(signer: SigningIdentity) -> Iterator[Request]:
    def submit(name: str, envelope: Envelope | None, channel: str = CHANNEL) -> Request:
        request = pb.SubmitRequest(channel_id=channel, prepared_transaction=envelope)
        return Request("Submit", name, request)

    kind = HeaderType.ENDORSER_TRANSACTION
    sound = signed_envelope(kind, CHANNEL, b"data", signer)
    yield submit("empty", None, "")
    yield submit("nothing", None)
    yield submit("an empty transaction", Envelope())
    yield submit("no signature", Envelope(payload=sound.payload))
    yield submit("no payload", Envelope(signature=b"s"))
    yield submit("garbled payload", Envelope(payload=b"\xff", signature=b"s"))
    yield submit("another signature", Envelope(payload=sound.payload, signature=b"s"))
    yield submit(
        "no header", Envelope(payload=Payload(data=b"d").SerializeToString(), signature=b"s")
    )
    yield submit("unknown channel", sound, "nochannel")
    yield submit("no channel", sound, "")
    elsewhere = signed_envelope(kind, "nochannel", b"data", signer)
    yield submit("a transaction for an unknown channel", elsewhere)
    for odd in (HeaderType.CONFIG, HeaderType.CONFIG_UPDATE, HeaderType.ORDERER_TRANSACTION):
        envelope = signed_envelope(odd, CHANNEL, b"data", signer)
        yield submit(f"type {HeaderType.Name(odd)}", envelope)


def _statuses(signer: SigningIdentity, stranger: SigningIdentity) -> Iterator[Request]:
    def status(name: str, asked: pb.CommitStatusRequest, signature: bytes | None = None) -> Request:
        encoded = asked.SerializeToString()
        signed = signer.sign(encoded) if signature is None else signature
        request = pb.SignedCommitStatusRequest(request=encoded, signature=signed)
        return Request("CommitStatus", name, request)

    def asking(**fields: object) -> pb.CommitStatusRequest:
        sound = {"channel_id": CHANNEL, "transaction_id": "ab" * 32, "identity": signer.serialized}
        return pb.CommitStatusRequest(**{**sound, **fields})  # type: ignore[arg-type]

    yield Request("CommitStatus", "empty", pb.SignedCommitStatusRequest())
    garbled = pb.SignedCommitStatusRequest(request=b"\xff", signature=b"s")
    yield Request("CommitStatus", "garbled", garbled)
    yield status("no channel", asking(channel_id=""))
    yield status("unknown channel", asking(channel_id="nochannel"))
    yield status("no transaction", asking(transaction_id=""))
    yield status("no identity", asking(identity=b""))
    yield status("garbled identity", asking(identity=b"\xff"))
    yield status("no signature", asking(), b"")
    yield status("another signature", asking(), signer.sign(b"another"))
    yield status("of a stranger", asking(identity=stranger.serialized))
    yield status("nothing in it", pb.CommitStatusRequest())


def _events(signer: SigningIdentity, stranger: SigningIdentity) -> Iterator[Request]:
    def events(
        name: str, asked: pb.ChaincodeEventsRequest, signature: bytes | None = None
    ) -> Request:
        encoded = asked.SerializeToString()
        signed = signer.sign(encoded) if signature is None else signature
        request = pb.SignedChaincodeEventsRequest(request=encoded, signature=signed)
        return Request("ChaincodeEvents", name, request)

    def asking(**fields: object) -> pb.ChaincodeEventsRequest:
        sound = {"channel_id": CHANNEL, "chaincode_id": "mixed", "identity": signer.serialized}
        return pb.ChaincodeEventsRequest(**{**sound, **fields})  # type: ignore[arg-type]

    yield Request("ChaincodeEvents", "empty", pb.SignedChaincodeEventsRequest())
    garbled = pb.SignedChaincodeEventsRequest(request=b"\xff", signature=b"s")
    yield Request("ChaincodeEvents", "garbled", garbled)
    yield events("no channel", asking(channel_id=""))
    yield events("unknown channel", asking(channel_id="nochannel"))
    yield events("no identity", asking(identity=b""))
    yield events("no signature", asking(), b"")
    yield events("another signature", asking(), signer.sign(b"another"))
    yield events("of a stranger", asking(identity=stranger.serialized))
    for kind in ("oldest", "newest"):
        position = SeekPosition(**{kind: {}})  # type: ignore[arg-type]
        yield events(f"from the {kind}", asking(start_position=position))
    yield events("nothing in it", pb.ChaincodeEventsRequest())
