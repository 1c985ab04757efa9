# SPDX-License-Identifier: Apache-2.0
"""Whose failure it is: the peer's, the contract's or the client's, and who is asked next."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

import grpc
import grpc.aio
import pytest

from fastledger.common.errors import ConnectionFailed, FastledgerError
from fastledger.gateway.endorsing import endorse
from fastledger.gateway.evaluating import evaluate
from fastledger.gateway.failure import GatewayFailed
from fastledger.gateway.peer import Unheard
from fastledger.gateway.plan import Endorsers, EndorsingPeer
from fastledger.gateway.submitting import submit
from fastledger.protos.common.common_pb2 import ChannelHeader, Envelope, Header
from fastledger.protos.gateway import gateway_pb2 as pb
from fastledger.protos.orderer.ab_pb2 import BroadcastResponse
from fastledger.protos.peer.chaincode_pb2 import ChaincodeInvocationSpec
from fastledger.protos.peer.proposal_pb2 import (
    ChaincodeAction,
    ChaincodeProposalPayload,
    Proposal,
    SignedProposal,
)
from fastledger.protos.peer.proposal_response_pb2 import (
    ChaincodeInterest,
    ProposalResponse,
    ProposalResponsePayload,
)
from fastledger.protoutil.unpacked import UnpackedProposal

Code = grpc.StatusCode
TIMEOUT_S = 30.0
NOT_LAUNCHED = "error in simulation: failed to execute transaction x: could not launch chaincode cc"


def answered(status: int, message: str = "", *, endorsed: bool = False) -> ProposalResponse:
    """An endorser's answer, with the payload that a run chaincode leaves."""
    made = ProposalResponse()
    made.response.status, made.response.message = status, message
    if endorsed:
        action = ChaincodeAction()
        action.response.payload = b"result"
        made.payload = ProposalResponsePayload(
            proposal_hash=b"h", extension=action.SerializeToString()
        ).SerializeToString()
        made.endorsement.endorser = b"somebody"
    return made


GOOD = answered(200, endorsed=True)
LAUNCH = answered(500, NOT_LAUNCHED)
REFUSAL = answered(500, "no such asset", endorsed=True)

Answer = ProposalResponse | Exception


def rpc_error(code: grpc.StatusCode, text: str) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details=text)


class Network:
    """A gateway's peer and channel: who has the chaincode, and what each answers."""

    mspid = "A"
    address = "a0"
    id = "channel"

    def __init__(self, says: Mapping[str, Answer], *, known: bool = True) -> None:
        self.says = says
        self.known = known
        self.asked: list[str] = []
        self.hung_up: list[str] = []
        self.plan: Callable[[ChaincodeInterest], Endorsers] = self.everybody
        self.accepts: Mapping[str, BroadcastResponse | Exception] = {}
        self.sent: list[str] = []
        self.doubtful: set[str] = set()

    def channel(self, channel_id: str) -> "Network | None":
        return self if self.known and channel_id == self.id else None

    def endorsers(self, chaincode: str) -> Sequence[EndorsingPeer]:
        if chaincode != "cc":
            return ()
        return [
            EndorsingPeer(n.encode(), n, n[0].upper(), own=n == self.address) for n in self.says
        ]

    def everybody(self, interest: ChaincodeInterest) -> Endorsers:
        if interest.chaincodes[0].name != "cc":
            raise FastledgerError("No metadata was found")
        groups: dict[str, list[EndorsingPeer]] = {}
        for one in self.endorsers("cc"):
            groups.setdefault(one.mspid, []).append(one)
        return Endorsers(groups, [dict.fromkeys(groups, 1)])

    def endorsers_for(self, interest: ChaincodeInterest) -> Endorsers:
        return self.plan(interest)

    def defines(self, chaincode: str) -> bool:
        return chaincode == "cc"

    async def endorse(self, _: UnpackedProposal) -> ProposalResponse:
        return self.answer(self.address)

    def answer(self, name: str) -> ProposalResponse:
        self.asked.append(name)
        said = self.says[name]
        if isinstance(said, Exception):
            raise said
        return said

    async def connect_peer(self, address: str) -> "Connection":
        return Connection(self, address)

    async def peer_failed(self, address: str) -> None:
        self.hung_up.append(address)

    def orderers(self) -> Sequence[tuple[str, str]]:
        return [(address, "OrdererMSP") for address in self.accepts]

    def broadcaster(self, address: str) -> "Orderer":
        return Orderer(self, address)


class Connection:
    """The connection to another peer."""

    def __init__(self, network: Network, address: str) -> None:
        self.network, self.address = network, address

    def unary_unary(self, *_: object, **__: object) -> Callable[[SignedProposal], object]:
        async def call(_: SignedProposal) -> ProposalResponse:
            return self.network.answer(self.address)

        return call


class Orderer:
    """The stream to an orderer."""

    def __init__(self, network: Network, address: str) -> None:
        self.network, self.address = network, address

    @property
    def is_doubtful(self) -> bool:
        """In the order of their names, those that do not answer last."""
        return self.address in self.network.doubtful

    async def send(self, _: bytes) -> BroadcastResponse:
        self.network.sent.append(self.address)
        said = self.network.accepts[self.address]
        if isinstance(said, Exception):
            raise said
        return said


def proposal(
    chaincode: str = "cc", channel_id: str = "channel", *, transient: bool = False
) -> SignedProposal:
    spec = ChaincodeInvocationSpec()
    spec.chaincode_spec.chaincode_id.name = chaincode
    payload = ChaincodeProposalPayload(input=spec.SerializeToString())
    if transient:
        payload.TransientMap["secret"] = b"s"
    header = Header(channel_header=ChannelHeader(channel_id=channel_id).SerializeToString())
    made = Proposal(header=header.SerializeToString(), payload=payload.SerializeToString())
    return SignedProposal(proposal_bytes=made.SerializeToString(), signature=b"s")


def evaluated(network: Network, sent: SignedProposal | None = None, *wanted: str):
    asked = UnpackedProposal((sent or proposal()).SerializeToString())
    return asyncio.run(evaluate(network, asked, wanted, TIMEOUT_S))  # type: ignore[arg-type]


def endorsed(network: Network, sent: SignedProposal | None = None, *wanted: str) -> Envelope:
    asked = UnpackedProposal((sent or proposal()).SerializeToString())
    return asyncio.run(endorse(network, asked, wanted, TIMEOUT_S))  # type: ignore[arg-type]


def failure(call: Callable[[], object]) -> tuple[grpc.StatusCode, str, list[str]]:
    with pytest.raises(GatewayFailed) as failed:
        call()
    details = [f"{d.address} {d.msp_id}: {d.message}" for d in failed.value.details]
    return failed.value.code, str(failed.value), details


GONE = rpc_error(Code.UNAVAILABLE, "gone")
PEERS_FAILURES = {
    "cannot launch": LAUNCH,
    "stream ended": answered(500, "error in simulation: chaincode stream terminated"),
    "timeout": answered(500, "error in simulation: timeout expired while executing transaction"),
    "turned away": Unheard("request unauthorized due to incorrect timestamp"),
}


@pytest.mark.parametrize("said", PEERS_FAILURES.values(), ids=PEERS_FAILURES)
def test_evaluate_goes_on_where_the_peer_fails(said: Answer) -> None:
    network = Network({"a0": said, "a1": GOOD, "b0": GOOD})
    assert evaluated(network).result.payload == b"result"
    assert network.asked == ["a0", "a1"]


@pytest.mark.parametrize(
    "said",
    [
        LAUNCH,
        GONE,
        rpc_error(Code.UNKNOWN, "access denied"),
        ConnectionFailed("refused"),
        TimeoutError(),
    ],
)
def test_evaluate_goes_on_where_another_peer_fails(said: Answer) -> None:
    network = Network({"a1": said, "b0": GOOD})
    assert evaluated(network).result.payload == b"result"
    assert network.asked == ["a1", "b0"]


def test_when_every_peer_fails_each_is_named() -> None:
    network = Network({"a0": LAUNCH, "a1": rpc_error(Code.UNKNOWN, "denied"), "b0": LAUNCH})
    assert failure(lambda: evaluated(network)) == (
        Code.ABORTED,
        "failed to evaluate transaction, see attached details for more info",
        [
            f"a0 A: {NOT_LAUNCHED}",
            "a1 A: rpc error: code = Unknown desc = denied",
            f"b0 B: {NOT_LAUNCHED}",
        ],
    )


def test_the_last_failure_says_what_kind_it_is() -> None:
    code, text, _ = failure(lambda: evaluated(Network({"a0": LAUNCH, "a1": GONE})))
    assert code is Code.UNAVAILABLE
    assert text.startswith("failed to evaluate transaction")


@pytest.mark.parametrize(
    ("said", "status"), [(REFUSAL, 500), (answered(404, "no such asset"), 404)]
)
def test_a_contracts_refusal_is_asked_of_nobody_else(said: Answer, status: int) -> None:
    network = Network({"a0": said, "a1": GOOD})
    text = f"chaincode response {status}, no such asset"
    assert failure(lambda: evaluated(network)) == (
        Code.UNKNOWN,
        f"evaluate call to endorser returned error: {text}",
        [f"a0 A: {text}"],
    )
    assert network.asked == ["a0"]


def test_a_refused_proposal_is_asked_of_nobody_else() -> None:
    network = Network({"a0": FastledgerError("access denied"), "a1": GOOD})
    code, text, details = failure(lambda: evaluated(network))
    assert (code, text) == (
        Code.FAILED_PRECONDITION,
        "evaluate call to endorser returned error: access denied",
    )
    assert details == ["a0 A: access denied"]
    assert network.asked == ["a0"]


def test_a_refusal_after_a_failure_names_both() -> None:
    code, _, details = failure(lambda: evaluated(Network({"a0": LAUNCH, "a1": REFUSAL})))
    assert code is Code.UNKNOWN
    assert [detail.partition(":")[0] for detail in details] == ["a0 A", "a1 A"]


def test_transient_data_stays_in_the_organization() -> None:
    network = Network({"b0": GOOD})
    code, text, _ = failure(lambda: evaluated(network, proposal(transient=True)))
    assert code is Code.FAILED_PRECONDITION
    assert text == (
        "no endorsers found in the gateway's organization; retry specifying target organization(s) "
        "to protect transient data: no peers available to evaluate chaincode cc in channel channel"
    )
    assert network.asked == []
    assert evaluated(network, proposal(transient=True), "B").result.payload == b"result"


@pytest.mark.parametrize(
    ("sent", "code", "text"),
    [
        (SignedProposal(), Code.INVALID_ARGUMENT, "a signed proposal is required"),
        (proposal(channel_id=""), Code.INVALID_ARGUMENT, "no channel id provided"),
        (
            proposal(chaincode=""),
            Code.INVALID_ARGUMENT,
            "no chaincode name is provided, channel id [channel]",
        ),
        (
            proposal(channel_id="other"),
            Code.UNAVAILABLE,
            "failed to get config for channel [other]: could not get last config",
        ),
        (
            proposal(chaincode="nocc"),
            Code.FAILED_PRECONDITION,
            "no peers available to evaluate chaincode nocc in channel channel",
        ),
    ],
)
def test_what_evaluate_refuses(sent: SignedProposal, code: grpc.StatusCode, text: str) -> None:
    found, said, _ = failure(lambda: evaluated(Network({"a0": GOOD}), sent))
    assert (found, text in said) == (code, True), said


def test_endorse_goes_on_and_says_whose_failure_it_was() -> None:
    network = Network({"a0": LAUNCH, "a1": GOOD})
    assert endorsed(network).payload
    network = Network({"a0": LAUNCH, "a1": REFUSAL})
    assert failure(lambda: endorsed(network)) == (
        Code.ABORTED,
        "failed to endorse transaction, see attached details for more info",
        [f"a0 A: {NOT_LAUNCHED}", "a1 A: chaincode response 500, no such asset"],
    )


def test_endorse_names_whoever_is_missing() -> None:
    network = Network({"a0": GOOD, "b0": GONE})
    assert failure(lambda: endorsed(network)) == (
        Code.ABORTED,
        "failed to collect enough transaction endorsements, see attached details for more info",
        ["b0 B: rpc error: code = Unavailable desc = gone"],
    )
    assert network.hung_up == ["b0"]


NO_COMBINATION = "no combination of peers can be derived which satisfy the endorsement policy: "


@pytest.mark.parametrize(
    ("sent", "wanted", "code", "text"),
    [
        (SignedProposal(), (), Code.INVALID_ARGUMENT, "must contain a signed proposal"),
        (proposal(channel_id="x"), (), Code.FAILED_PRECONDITION, NO_COMBINATION),
        (proposal(channel_id=""), (), Code.FAILED_PRECONDITION, NO_COMBINATION),
        (proposal(chaincode="nocc"), (), Code.FAILED_PRECONDITION, NO_COMBINATION),
        (
            proposal(channel_id="x"),
            ("A", "C"),
            Code.UNAVAILABLE,
            "failed to find any endorsing peers for org(s): A, C",
        ),
        (
            proposal(channel_id="x", transient=True),
            (),
            Code.FAILED_PRECONDITION,
            "no endorsers found in the gateway's organization; retry specifying endorsing",
        ),
    ],
)
def test_what_endorse_refuses(
    sent: SignedProposal, wanted: Sequence[str], code: grpc.StatusCode, text: str
) -> None:
    found, said, _ = failure(lambda: endorsed(Network({"a0": GOOD}), sent, *wanted))
    assert (found, text in said) == (code, True), said


def test_transient_data_goes_to_members_of_the_collection_alone() -> None:
    said = ProposalResponse()
    said.CopyFrom(GOOD)
    said.interest.chaincodes.add(name="cc", collection_names=["private"], no_private_reads=True)
    network = Network({"a0": said, "b0": said})

    def plan(interest: ChaincodeInterest) -> Endorsers:
        if not interest.chaincodes[0].no_private_reads:
            raise FastledgerError("no member there")
        return network.everybody(interest)

    network.plan = plan
    code, text, _ = failure(lambda: endorsed(network, proposal(transient=True)))
    assert code is Code.FAILED_PRECONDITION
    assert "not in the distribution policy of the private data collection(s): [private]" in text
    assert network.asked == ["a0"]
    assert endorsed(network, proposal()).payload


def submitted(
    accepts: Mapping[str, BroadcastResponse | Exception], doubtful: Iterable[str] = ()
) -> Network:
    network = Network({})
    network.accepts = accepts
    network.doubtful = set(doubtful)
    transaction = Envelope(payload=b"p", signature=b"s")
    request = pb.SubmitRequest(channel_id="channel", prepared_transaction=transaction)
    asyncio.run(submit(network, request, TIMEOUT_S))  # type: ignore[arg-type]
    return network


def test_submit_goes_on_where_an_orderer_fails() -> None:
    busy = BroadcastResponse(status=503, info="no leader")
    taken = BroadcastResponse(status=200)
    accepts = {"o0": ConnectionFailed("refused"), "o1": busy, "o2": taken}
    orders = [submitted(accepts).sent for _ in range(100)]
    assert all(order[-1] == "o2" and len(order) == len(set(order)) for order in orders)
    # Not everybody begins with the same one.
    assert {order[0] for order in orders} == {"o0", "o1", "o2"}
    assert all(submitted(accepts, ["o0", "o1"]).sent == ["o2"] for _ in range(20))
    assert submitted(accepts, ["o2"]).sent[-1] == "o2"
    code, text, details = failure(lambda: submitted({"o0": busy, "o1": TimeoutError()}))
    assert (code, text) == (
        Code.UNAVAILABLE,
        "no orderers could successfully process transaction",
    )
    assert sorted(details) == [
        (
            "o0 OrdererMSP: received unsuccessful response from orderer: "
            "status=SERVICE_UNAVAILABLE, info=no leader"
        ),
        "o1 OrdererMSP: no answer within 30 s; the transaction may have been ordered",
    ]


def test_submit_asks_nobody_else_when_the_transaction_is_refused() -> None:
    refusal = BroadcastResponse(status=400, info="no good")
    assert failure(lambda: submitted({"o0": refusal, "o1": refusal})) == (
        Code.ABORTED,
        "received unsuccessful response from orderer: status=BAD_REQUEST, info=no good",
        [],
    )
    assert failure(lambda: submitted({}))[0] is Code.UNAVAILABLE
