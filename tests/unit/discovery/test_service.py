# SPDX-License-Identifier: Apache-2.0
"""Who is answered, and what, by a peer whose neighbours are made up."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import grpc.aio
import pytest

from corpora import OpenCorpus
from fastledger.channelconfig import Bundle
from fastledger.common.errors import FastledgerError
from fastledger.discovery import service as services
from fastledger.discovery.auth import AuthSettings
from fastledger.discovery.metadata import Metadata
from fastledger.discovery.service import DiscoveryService
from fastledger.msp import SigningIdentity
from fastledger.policies import from_string
from fastledger.protos.common.policies_pb2 import SignaturePolicy, SignaturePolicyEnvelope
from fastledger.protos.discovery import protocol_pb2 as pb
from fastledger.protos.gossip.message_pb2 import Chaincode, Envelope, Properties
from fastledger.protos.peer.collection_pb2 import CollectionConfigPackage
from fastledger.protos.peer.proposal_response_pb2 import ChaincodeCall, ChaincodeInterest
from fastledger.protoutil.signed_data import SignedData
from gossiping import CHANNEL, Cast

BOTH = "AND('Org1MSP.peer','Org2MSP.peer')"
EITHER = "OR('Org1MSP.peer','Org2MSP.peer')"


@pytest.fixture(scope="module")
def cast(open_corpus: OpenCorpus) -> Cast:
    return Cast(open_corpus("v14").folder)


@dataclass
class Neighbour:
    """A peer, alive and on the channel."""

    signer: SigningIdentity
    endpoint: str
    chaincodes: dict[str, str] = field(default_factory=lambda: {"cc": "1"})

    @property
    def pki_id(self) -> bytes:
        return hashlib.sha256(self.signer.serialized).digest()

    @property
    def mspid(self) -> str:
        return self.signer.mspid

    @property
    def identity(self) -> bytes:
        return self.signer.serialized

    @property
    def envelope(self) -> Envelope:
        return Envelope(payload=self.endpoint.encode())

    @property
    def properties(self) -> Properties:
        named = [Chaincode(name=name, version=v) for name, v in self.chaincodes.items()]
        return Properties(ledger_height=7, chaincodes=named)


@dataclass
class Peer:
    """The peer that answers."""

    channel: Bundle
    neighbours: list[Neighbour]
    definitions: dict[str, Metadata] = field(default_factory=dict)
    checks: int = 0

    @property
    def membership(self) -> "Peer":
        return self

    def has_channel(self, channel_id: str) -> bool:
        return channel_id == CHANNEL

    def alive(self) -> list[Neighbour]:
        return self.neighbours

    def of_channel(self, channel_id: str) -> list[Neighbour]:
        assert channel_id == CHANNEL
        return self.neighbours

    def organizations(self) -> list[str]:
        return sorted({one.mspid for one in self.neighbours})

    def bundle(self, channel_id: str) -> Bundle | None:
        self.checks += 1
        return self.channel if channel_id == CHANNEL else None

    def metadata(self, channel_id: str, name: str, collections: Sequence[str]) -> Metadata | None:
        return self.definitions.get(name)

    def check_local(self, signed: SignedData) -> None:
        if b"admin" not in signed.identity:
            raise FastledgerError("no administrator")


@pytest.fixture
def peer(cast: Cast) -> Peer:
    places = ((1, "peer0"), (1, "peer1"), (2, "peer0"), (2, "peer1"))
    neighbours = [Neighbour(cast.signer(*place), f"{place}") for place in places]
    definitions = {"cc": Metadata("cc", "1", from_string(BOTH))}
    return Peer(cast.bundle, neighbours, definitions)


class Call:
    """A call, perhaps with a client's certificate."""

    def __init__(self, der: bytes = b"") -> None:
        import ssl

        self._pem = ssl.DER_cert_to_PEM_cert(der).encode() if der else b""

    def auth_context(self) -> dict[str, list[bytes]]:
        return {"x509_pem_cert": [self._pem]} if self._pem else {}

    def peer(self) -> str:
        return "somebody"

    async def abort(self, code: grpc.StatusCode, details: str) -> None:
        raise FastledgerError(details)


def ask(
    peer: Peer,
    signer: SigningIdentity,
    *queries: pb.Query,
    service: DiscoveryService | None = None,
    call: Any = None,
    **changes: Any,
) -> list[pb.QueryResult]:
    authentication = pb.AuthInfo(**({"client_identity": signer.serialized} | changes))
    payload = pb.Request(authentication=authentication, queries=queries).SerializeToString()
    request = pb.SignedRequest(payload=payload, signature=signer.sign(payload))
    made = service or DiscoveryService(peer, tls=call is not None)
    return list(asyncio.run(made.Discover(request, call or Call())).results)


def about(*calls: ChaincodeCall) -> pb.Query:
    interest = ChaincodeInterest(chaincodes=calls)
    return pb.Query(channel=CHANNEL, cc_query=pb.ChaincodeQuery(interests=[interest]))


def layouts(result: pb.QueryResult) -> list[list[tuple[tuple[str, ...], int]]]:
    """Name groups by who is in them."""
    assert result.WhichOneof("result") == "cc_query_res", result
    (one,) = result.cc_query_res.content
    groups = {
        name: tuple(sorted(peer.membership_info.payload.decode() for peer in group.peers))
        for name, group in one.endorsers_by_groups.items()
    }
    return sorted(
        sorted((groups[name], count) for name, count in layout.quantities_by_group.items())
        for layout in one.layouts
    )


ORG1, ORG2 = ("(1, 'peer0')", "(1, 'peer1')"), ("(2, 'peer0')", "(2, 'peer1')")


def test_a_channels_configuration(peer: Peer, cast: Cast) -> None:
    query = pb.Query(channel=CHANNEL, config_query=pb.ConfigQuery())
    (result,) = ask(peer, cast.signer(1, "User1"), query)
    assert sorted(result.config_result.msps) == ["OrdererMSP", "Org1MSP", "Org2MSP"]
    (endpoint,) = result.config_result.orderers["OrdererMSP"].endpoint
    assert (endpoint.host, endpoint.port) == ("127.0.0.1", 7050)


def test_a_channels_peers(peer: Peer, cast: Cast) -> None:
    peer.neighbours[1].endpoint = ""
    peer.neighbours[2].chaincodes = {}
    signer = cast.signer(2, "User1")
    everybody = pb.Query(channel=CHANNEL, peer_query=pb.PeerMembershipQuery())
    interest = ChaincodeInterest(chaincodes=[ChaincodeCall(name="cc")])
    having = pb.Query(channel=CHANNEL, peer_query=pb.PeerMembershipQuery(filter=interest))
    found = [
        {org: len(group.peers) for org, group in result.members.peers_by_org.items()}
        for result in ask(peer, signer, everybody, having)
    ]
    assert found == [{"Org1MSP": 1, "Org2MSP": 2}, {"Org1MSP": 1, "Org2MSP": 1}]


def test_only_administrators_ask_about_the_peer_itself(peer: Peer, cast: Cast) -> None:
    query = pb.Query(local_peers=pb.LocalPeerQuery())
    (result,) = ask(peer, cast.signer(1, "User1"), query)
    assert result.error.content == "access denied"
    admin = SimpleNamespace(serialized=b"admin", sign=lambda _: b"")
    (result,) = ask(peer, admin, query)
    assert len(result.members.peers_by_org["Org1MSP"].peers) == 2
    assert not result.members.peers_by_org["Org1MSP"].peers[0].HasField("state_info")


@pytest.mark.parametrize(
    "query",
    [
        pb.Query(channel="another", config_query=pb.ConfigQuery()),
        pb.Query(channel=CHANNEL),
        pb.Query(channel=CHANNEL, local_peers=pb.LocalPeerQuery()),
        pb.Query(config_query=pb.ConfigQuery()),
        pb.Query(channel=CHANNEL, cc_query=pb.ChaincodeQuery()),
        about(),
        about(ChaincodeCall()),
        about(ChaincodeCall(name="nowhere")),
    ],
)
def test_questions_that_have_no_answer(peer: Peer, cast: Cast, query: pb.Query) -> None:
    (result,) = ask(peer, cast.signer(1, "User1"), query)
    assert result.WhichOneof("result") == "error"


def test_whoever_is_not_on_the_channel_is_told_nothing(peer: Peer, cast: Cast) -> None:
    query = pb.Query(channel=CHANNEL, config_query=pb.ConfigQuery())
    signer = cast.signer(1, "User1")
    stranger = SimpleNamespace(serialized=b"nobody", sign=signer.sign)
    liar = SimpleNamespace(serialized=signer.serialized, sign=lambda _: signer.sign(b"other"))
    for who in (stranger, liar):
        (result,) = ask(peer, who, query)
        assert result.error.content == "access denied"


def test_requests_without_structure_are_refused(peer: Peer, cast: Cast) -> None:
    signer = cast.signer(1, "User1")
    service = DiscoveryService(peer, tls=False)
    for payload, reason in (
        (b"\xff", "failed parsing"),
        (b"", "no authentication info"),
        (pb.Request(authentication=pb.AuthInfo()).SerializeToString(), "identity wasn't supplied"),
    ):
        with pytest.raises(FastledgerError, match=reason):
            asyncio.run(service.Discover(pb.SignedRequest(payload=payload), Call()))
    too_many = [pb.Query()] * (services.MAX_QUERIES + 1)
    with pytest.raises(FastledgerError, match="at most"):
        ask(peer, signer, *too_many)


def test_what_a_request_asks_for_is_bounded(peer: Peer, cast: Cast) -> None:
    signer, most = cast.signer(1, "User1"), services.MAX_NAMES
    listing = pb.Query(channel=CHANNEL)
    listing.peer_query.filter.chaincodes.extend([ChaincodeCall(name="cc")] * (most + 1))
    policies = [from_string(EITHER)] * most
    for query in (
        about(*[ChaincodeCall(name="cc")] * (most + 1)),
        about(ChaincodeCall(name="cc", collection_names=["c"] * most)),
        about(ChaincodeCall(name="cc", key_policies=policies)),
        listing,
    ):
        with pytest.raises(FastledgerError, match=f"at most {most} at once"):
            ask(peer, signer, query)
    (answer,) = ask(peer, signer, about(*[ChaincodeCall(name="cc")] * most))
    assert answer.WhichOneof("result") == "cc_query_res"
    several = pb.Query(channel=CHANNEL, cc_query=pb.ChaincodeQuery())
    for _ in range(services.MAX_QUERIES):
        several.cc_query.interests.add().chaincodes.add(name="cc")
    at_once = services.MAX_ALL_NAMES // services.MAX_QUERIES
    answers = ask(peer, signer, *[several] * at_once)
    assert all(one.WhichOneof("result") == "cc_query_res" for one in answers)
    with pytest.raises(FastledgerError, match=f"at most {services.MAX_ALL_NAMES} at once"):
        ask(peer, signer, *[several] * (at_once + 1))


def test_refusals_do_not_repeat_all_that_was_asked(peer: Peer, cast: Cast) -> None:
    signer = cast.signer(1, "User1")
    for calls in ([ChaincodeCall(name="x" * 100_000)], [ChaincodeCall(name="n" * 99)] * 99):
        (result,) = ask(peer, signer, about(*calls))
        assert result.error.content.startswith("failed constructing descriptor for chaincodes:")
        assert len(result.error.content) < services.MAX_TOLD + 100


def test_keys_policies_that_cost_much_are_refused(peer: Peer, cast: Cast) -> None:
    never = SignaturePolicy(n_out_of=SignaturePolicy.NOutOf(n=2, rules=[SignaturePolicy()]))
    leaf = SignaturePolicy(signed_by=0)
    identities = from_string(BOTH).identities
    for rules in ([never] * 40, [leaf] * 400):
        rule = SignaturePolicy(n_out_of=SignaturePolicy.NOutOf(n=len(rules) // 2, rules=rules))
        policy = SignaturePolicyEnvelope(rule=rule, identities=identities)
        call = ChaincodeCall(name="cc", key_policies=[policy] * 99)
        varied = ChaincodeCall(name="cc")
        for number in range(99):
            one = varied.key_policies.add()
            one.CopyFrom(policy)
            one.version = number
        for each in (call, varied):
            (result,) = ask(peer, cast.signer(1, "User1"), about(each))
            assert result.WhichOneof("result") in ("error", "cc_query_res")
    (result,) = ask(peer, cast.signer(1, "User1"), about(varied))
    assert result.WhichOneof("result") == "error"


def test_whoever_asks_much_delays_nobody_else(peer: Peer, cast: Cast) -> None:
    """The answer to one who asks little comes before most of what another asks for."""
    service = DiscoveryService(peer, tls=False)
    order: list[str] = []
    much = [about(ChaincodeCall(name="cc"))] * 100
    little = about(ChaincodeCall(name="cc"))

    async def asking(name: str, place: int, *queries: pb.Query) -> None:
        signer = cast.signer(place, "User1")
        authentication = pb.AuthInfo(client_identity=signer.serialized)
        payload = pb.Request(authentication=authentication, queries=queries).SerializeToString()
        request = pb.SignedRequest(payload=payload, signature=signer.sign(payload))
        await service.Discover(request, Call())
        order.append(name)

    async def run() -> None:
        greedy = [asyncio.ensure_future(asking("much", 1, *much)) for _ in range(10)]
        await asyncio.sleep(0)
        await asking("little", 2, little)
        await asyncio.gather(*greedy)

    asyncio.run(run())
    assert order[0] == "little"


def test_a_request_is_of_its_connection(peer: Peer, cast: Cast) -> None:
    query = pb.Query(channel=CHANNEL, config_query=pb.ConfigQuery())
    signer = cast.signer(1, "User1")
    der = b"any bytes"
    call = Call(der)
    for right in (hashlib.sha256(der).digest(), hashlib.sha256(call._pem).digest(), b""):
        assert ask(peer, signer, query, call=call, client_tls_cert_hash=right)
    with pytest.raises(FastledgerError, match="doesn't match"):
        ask(peer, signer, query, call=call, client_tls_cert_hash=b"another")


def test_a_question_is_judged_once(peer: Peer, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[object] = []
    evaluate = Bundle.evaluate

    def judge(*args: Any) -> Any:
        judged.append(args)
        return evaluate(*args)

    monkeypatch.setattr(Bundle, "evaluate", judge)
    signer, queries = cast.signer(1, "User1"), [about(ChaincodeCall(name="cc"))] * 3
    ask(peer, signer, *queries)
    assert len(judged) == 1
    without = DiscoveryService(peer, tls=False, settings=AuthSettings(enabled=False))
    ask(peer, signer, *queries, service=without)
    assert len(judged) == 4
    small = DiscoveryService(peer, tls=False, settings=AuthSettings(max_entries=2))
    for _ in range(5):
        ask(peer, signer, *queries[:1], service=small)
    known = small._authorization._channels[CHANNEL].known
    assert len(known) <= 2


def test_endorsers_of_a_policy(peer: Peer, cast: Cast) -> None:
    (result,) = ask(peer, cast.signer(1, "User1"), about(ChaincodeCall(name="cc")))
    assert layouts(result) == [[(ORG1, 1), (ORG2, 1)]]


def test_endorsers_have_the_chaincode(peer: Peer, cast: Cast) -> None:
    signer, query = cast.signer(1, "User1"), about(ChaincodeCall(name="cc"))
    peer.neighbours[0].chaincodes = {"cc": "2"}
    (result,) = ask(peer, signer, query)
    assert layouts(result) == [[(ORG1[1:], 1), (ORG2, 1)]]
    peer.neighbours[1].chaincodes = {}
    (result,) = ask(peer, signer, query)
    assert result.error.content == 'failed constructing descriptor for chaincodes:{name:"cc"}'


def test_chaincodes_that_call_each_other(peer: Peer, cast: Cast) -> None:
    peer.definitions["other"] = Metadata("other", "3", from_string("OR('Org1MSP.member')"))
    peer.definitions["cc"] = Metadata("cc", "1", from_string(EITHER))
    for neighbour in peer.neighbours[1:]:
        neighbour.chaincodes["other"] = "3"
    query = about(ChaincodeCall(name="cc"), ChaincodeCall(name="other"))
    (result,) = ask(peer, cast.signer(1, "User1"), query)
    # Org1's peer satisfies both; peer0 of it has not the other chaincode.
    assert [(ORG1[1:], 1)] in layouts(result)
    assert all(("(1, 'peer1')",) in dict(layout) for layout in layouts(result))


def collections(**members: str) -> CollectionConfigPackage:
    package = CollectionConfigPackage()
    for name, policy in members.items():
        one = package.config.add().static_collection_config
        one.name = name
        one.member_orgs_policy.signature_policy.CopyFrom(from_string(policy))
    return package


def test_readers_of_collections_endorse(peer: Peer, cast: Cast) -> None:
    signer = cast.signer(1, "User1")
    peer.definitions["cc"] = Metadata(
        "cc",
        "1",
        from_string(EITHER),
        {"own": from_string("OR('Org2MSP.peer')")},
        collections(narrow="OR('Org1MSP.member')", own=EITHER),
    )

    def one(*names: str, **more: bool) -> pb.QueryResult:
        call = ChaincodeCall(name="cc", collection_names=names, **more)
        return ask(peer, signer, about(call))[0]

    assert layouts(one("narrow")) == [[(ORG1, 1)]]
    assert layouts(one("narrow", no_private_reads=True)) == [[(ORG1, 1)], [(ORG2, 1)]]
    assert layouts(one("own")) == [[(ORG2, 1)]]
    assert one("narrow", "own").WhichOneof("result") == "error"
    assert one("unknown").WhichOneof("result") == "error"


def test_policies_of_keys_count_too(peer: Peer, cast: Cast) -> None:
    signer = cast.signer(1, "User1")
    peer.definitions["cc"] = Metadata("cc", "1", from_string("OR('Org1MSP.peer')"))
    key = from_string("OR('Org2MSP.peer')")
    call = ChaincodeCall(name="cc", key_policies=[key])
    (result,) = ask(peer, signer, about(call))
    assert layouts(result) == [[(ORG1, 1), (ORG2, 1)]]
    call.disregard_namespace_policy = True
    (result,) = ask(peer, signer, about(call))
    assert layouts(result) == [[(ORG2, 1)]]
    del call.key_policies[:]
    (result,) = ask(peer, signer, about(call))
    assert result.WhichOneof("result") == "error"
