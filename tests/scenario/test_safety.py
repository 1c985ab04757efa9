# SPDX-License-Identifier: Apache-2.0
"""One running network with TLS, and those who may not: they are refused, and it goes on."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc.aio
import pytest

import certificates
from fastledger.client.endorsement import Endorsement, call, endorse, invocation, transaction
from fastledger.client.orderer import Orderer
from fastledger.client.peer import commit_everywhere
from fastledger.client.target import Target
from fastledger.comm import ClientTls
from fastledger.common.codes import TxValidationCode
from fastledger.common.errors import (
    ConnectionFailed,
    DeliverEnded,
    FastledgerError,
    ProposalRefused,
    RpcFailed,
)
from fastledger.msp import SigningIdentity
from fastledger.network import settings
from fastledger.network.plan import Node
from fastledger.network.session import COMMIT_TIMEOUT_S, Session
from fastledger.protos.common.common_pb2 import (
    HeaderType,
)
from fastledger.protos.peer.proposal_response_pb2 import ProposalResponse
from fastledger.protoutil.envelope import signed_envelope
from fastledger.protoutil.seek import specified
from fastledger.tools.osnadmin import OsnAdmin
from intruders import Claiming, Forger, HighS
from live_network import Network, answers
from safety_story import (
    CHANNEL,
    Story,
    codes_since,
    config_update,
    endorsed_by,
    taken_over,
    tell,
    with_revocation,
)
from waiting import until, wait_until

EXECUTE_TIMEOUT_S = 2
HOSTILE = Path(__file__).parents[1] / "unit" / "chaincode" / "hostile.py"


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    made = Network(
        tmp_path_factory.mktemp("safety"),
        CORE_CHAINCODE_EXECUTETIMEOUT=f"{EXECUTE_TIMEOUT_S}s",
    )
    try:
        made.up()
        made.ok("invoke", "InitLedger")
        yield made
    finally:
        made.run("down", "--clean")


def test_strangers_forgers_and_the_expired_are_refused_everywhere(network: Network) -> None:
    async def story(story: Story) -> None:
        authority = story.authority()
        await story.refused_everywhere(authority.enroll("Org3MSP"), "Org3MSP")
        await story.refused_everywhere(authority.enroll("Org2MSP"), "Org2MSP")
        await story.refused_everywhere(HighS(story.user), "Org1MSP")
        await story.refused_everywhere(Forger(story.user), "Org1MSP")
        admin = story.session.identity(story.org1, "Admin")
        await story.refused_everywhere(Claiming(story.user, admin.serialized), "Org1MSP")
        # One with a certificate of the organization, however, may.
        await story.endorsed(authority.enroll("Org1MSP"))

        expired = authority.enroll("Org1MSP", ended=True)
        await story.refused_at_endorser(expired, "proposal client identity expired")
        envelope = signed_envelope(HeaderType.ENDORSER_TRANSACTION, CHANNEL, b"", expired)
        await story.refused_at_orderer(envelope, "BAD_REQUEST", "identity expired")
        await story.gets_no_block(expired)

    tell(network, story)


def test_a_client_is_no_administrator(network: Network) -> None:
    async def story(story: Story) -> None:
        peer = await story.session.peer(story.nodes[0])
        genesis = story.plan.genesis_block.read_bytes()
        for chaincode, args, text in (
            ("_lifecycle", [b"InstallChaincode", b""], "requires admin role|access denied|Failed"),
            ("cscc", [b"JoinChain", genesis], r"access denied for \[JoinChain\]\[mychannel\]"),
        ):
            with pytest.raises((RpcFailed, ProposalRefused), match=text):
                await call(peer, story.user, chaincode, args)
        status = peer.channel.unary_unary("/protos.Admin/GetStatus")
        envelope = signed_envelope(HeaderType.PEER_ADMIN_OPERATION, "", b"", story.user)
        with pytest.raises(grpc.aio.AioRpcError, match="access denied"):
            await status(envelope.SerializeToString())

        config = await story.last_config()
        anchor = with_revocation(config, story.authority().revoke(story.user))
        update = config_update(config, anchor, story.user)
        await story.refused_at_orderer(update, "BAD_REQUEST", "error applying config update")
        # Nor is an administrator of another organization.
        other = story.session.identity(story.org2, "Admin")
        update = config_update(config, anchor, other)
        await story.refused_at_orderer(update, "BAD_REQUEST", "error applying config update")

    tell(network, story)


def test_what_the_orderer_cannot_see_is_invalidated_at_commit(network: Network) -> None:
    async def story(story: Story) -> None:
        endorsement = await story.endorsed(story.user)
        envelope = transaction(endorsement, story.user)
        assert await story.committed(envelope, endorsement.tx_id) == TxValidationCode.VALID
        orderer = await story.session.orderer()
        height = await story.height()
        await orderer.broadcast(envelope)
        await story.works()
        assert TxValidationCode.DUPLICATE_TXID in await codes_since(story, height)
        again = endorsement.proposed
        [answer] = await story.session.ask_each(story.user, story.nodes[:1], again)
        assert f"duplicate transaction found [{again.tx_id}]" in str(answer)

        expected = TxValidationCode.ENDORSEMENT_POLICY_FAILURE
        client2 = story.session.identity(story.org2, "User1")
        for endorser in (HighS(client2), client2, story.authority(story.org2).enroll("Org1MSP")):
            endorsement = await story.endorsed(story.user)
            responses = [endorsement.responses[0], endorsed_by(endorsement.responses[1], endorser)]
            forged = Endorsement(endorsement.proposed, tuple(responses))
            assert await story.committed(transaction(forged, story.user), forged.tx_id) == expected
        endorsement = await story.endorsed(story.user)
        twice = Endorsement(endorsement.proposed, (endorsement.responses[0],) * 2)
        assert await story.committed(transaction(twice, story.user), twice.tx_id) == expected
        endorsement = await story.endorsed(story.user)
        taken = taken_over(transaction(endorsement, story.user), client2)
        expected = TxValidationCode.BAD_PROPOSAL_TXID
        assert await story.committed(taken, endorsement.tx_id) == expected

    tell(network, story)


def test_the_revoked_are_refused_from_the_update_on(network: Network) -> None:
    async def story(story: Story) -> None:
        authority = story.authority()
        fired, endorser = authority.enroll("Org1MSP"), authority.enroll("Org1MSP", "peer")
        pending = await story.endorsed(fired)
        config = await story.last_config()
        changed = with_revocation(config, authority.revoke(fired))
        changed = with_revocation(changed, authority.revoke(endorser))
        admin = story.session.identity(story.org1, "Admin")
        sequence = config.sequence
        await (await story.session.orderer()).broadcast(config_update(config, changed, admin))

        async def changed_everywhere() -> bool:
            return (await story.last_config()).sequence != sequence

        await until(changed_everywhere)
        await story.works()
        await story.refused_everywhere(fired, "Org1MSP")
        await story.refused_at_orderer(transaction(pending, fired), "FORBIDDEN", "denied")
        honest = await story.endorsed(story.user)
        responses = (endorsed_by(honest.responses[0], endorser), honest.responses[1])
        forged = Endorsement(honest.proposed, responses)
        code = await story.committed(transaction(forged, story.user), forged.tx_id)
        assert code == TxValidationCode.ENDORSEMENT_POLICY_FAILURE

    tell(network, story)


def test_an_administrator_of_the_orderer_shows_a_certificate(network: Network) -> None:
    plan = network.plan
    tls = plan.orderer.identity / "tls"
    address = f"localhost:{plan.orderer.side_port}"
    known = OsnAdmin(address, tls / "ca.crt", tls / "server.crt", tls / "server.key")
    assert known.channels().status == 200
    other = plan.nodes[1].identity / "tls"
    for shown in ((None, None), (other / "server.crt", other / "server.key")):
        with pytest.raises((FastledgerError, ssl.SSLError, OSError)):
            OsnAdmin(address, tls / "ca.crt", *shown).channels()


def test_hostile_chaincode_costs_its_own_transaction(network: Network) -> None:
    network.up("--chaincode", str(HOSTILE), "--name", "hostile")

    async def story(story: Story) -> None:
        peer = await story.session.peer(story.nodes[0])

        async def ask(*args: str) -> ProposalResponse:
            spec = invocation("hostile", [arg.encode() for arg in args])
            return (await endorse([peer], story.user, CHANNEL, spec)).responses[0]

        for args, text in (
            (("Loop",), "timeout expired"),
            (("Die",), "stream terminated"),
            (("Flood", "100000"), ""),
            (("Raise",), "oops"),
        ):
            honest, hostile = await asyncio.gather(story.works(), ask(*args))
            assert hostile.response.status == 500, args
            assert text in hostile.response.message
            assert honest is None

        async def fine() -> bool:
            return (await ask("Fine")).response.payload == b"fine"

        await until(fine)

    tell(network, story)


@asynccontextmanager
async def connected(target: Target) -> AsyncIterator[Orderer]:
    async with await Orderer.connect(target) as orderer:
        yield orderer


def test_mutual_tls(network: Network) -> None:
    plan = network.plan
    org = plan.organizations[0]
    orderer = plan.orderer
    roots = orderer.tls_root.read_bytes()
    tls = org.folder / "users" / f"User1@{org.domain}" / "tls"
    show = ClientTls(roots, (tls / "client.crt").read_bytes(), (tls / "client.key").read_bytes())
    demand(network, orderer, roots=org.folder / "tlsca")
    user = SigningIdentity.load(org.msp("User1"), org.mspid)

    async def run() -> None:
        async with connected(Target(orderer.address, show)) as ours:
            block = await ours.blocks(CHANNEL, user).get(specified(0))
            assert block.header.number == 0
            # The request must say whose connection it came by.
            unbound = Orderer(Target(orderer.address, ClientTls(roots)), ours.channel)
            with pytest.raises(DeliverEnded, match="BAD_REQUEST"):
                await unbound.blocks(CHANNEL, user).get(specified(0))
            # The peers show theirs, and go on.
            async with Session(plan) as session:
                story = Story(session)
                endorsement = await story.endorsed(user)
                peers = await session.peers(story.nodes)
                streams = [await peer.filtered_blocks(CHANNEL, user) for peer in peers]
                await ours.broadcast(transaction(endorsement, user))
                commits = await commit_everywhere(streams, endorsement.tx_id, COMMIT_TIMEOUT_S)
                assert {code for _, code in commits} == {TxValidationCode.VALID}
        stranger = certificates.leaf(certificates.authority())
        for shown in (ClientTls(roots), ClientTls(roots, stranger.cert, stranger.key)):
            with pytest.raises((ConnectionFailed, RpcFailed)):
                async with connected(Target(orderer.address, shown, timeout_s=1)) as theirs:
                    await theirs.blocks(CHANNEL, user).get(specified(0))

    asyncio.run(run())


def demand(network: Network, node: Node, roots: Path) -> None:
    """Have the orderer ask its clients for certificates of an organization."""
    [root] = roots.glob("*.pem")
    env = settings.read_env(node)
    env["ORDERER_GENERAL_TLS_CLIENTAUTHREQUIRED"] = "true"
    env["ORDERER_GENERAL_TLS_CLIENTROOTCAS"] = f"[{root}]"
    text = "".join(f"{name}={value}\n" for name, value in env.items())
    (node.folder / "env").write_text(text, "utf-8")
    network.kill(node)
    network.restart()
    wait_until(lambda: answers(node.port))
