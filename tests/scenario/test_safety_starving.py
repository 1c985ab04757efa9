# SPDX-License-Identifier: Apache-2.0
"""One user asks for as much as he can; the others' transactions are taken and commit meanwhile."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import grpc
import grpc.aio
import pytest

from fastledger.common.codes import TxValidationCode
from fastledger.discovery.service import MAX_NAMES
from fastledger.msp import SigningIdentity
from fastledger.policies import from_string
from fastledger.protos.common.common_pb2 import Envelope, HeaderType
from fastledger.protos.common.policies_pb2 import SignaturePolicy, SignaturePolicyEnvelope
from fastledger.protos.discovery import protocol_pb2 as discovery
from fastledger.protos.discovery.protocol_pb2_grpc import DiscoveryStub
from fastledger.protos.peer.proposal_response_pb2 import ChaincodeCall
from fastledger.protoutil.envelope import signed_envelope
from gateway_clients import CHANNEL, GatewayClient, gateway_client
from live_network import Network
from safety_story import Story, config_update, tell, with_revocation

EXECUTE_TIMEOUT_S = 20
GATEWAY_CALLS = 100
HONEST = 15
"""Transactions of the honest user during each attack."""

TWENTY_THOUSAND = [ChaincodeCall(name="basic")] * 20_000

HOSTILE = Path(__file__).parents[1] / "unit" / "chaincode" / "hostile.py"

Attack = Callable[[GatewayClient], Awaitable[None]]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    made = Network(
        tmp_path_factory.mktemp("starving"),
        CORE_CHAINCODE_EXECUTETIMEOUT=f"{EXECUTE_TIMEOUT_S}s",
        CORE_PEER_LIMITS_CONCURRENCY_GATEWAYSERVICE=str(GATEWAY_CALLS),
    )
    try:
        made.up()
        made.up("--chaincode", str(HOSTILE), "--name", "hostile")
        yield made
    finally:
        made.run("down", "--clean")


async def junk(greedy: GatewayClient) -> None:
    """Submit what the orderer refuses, and thereby ends its stream."""
    other = signed_envelope(HeaderType.ENDORSER_TRANSACTION, "nowhere", b"", greedy.signer)
    for envelope in (Envelope(payload=b"junk", signature=b"junk"), other):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await greedy.submit(envelope)
        assert refused.value.code() is grpc.StatusCode.ABORTED


async def give_up(greedy: GatewayClient) -> None:
    """Call what takes long, and leave before it is answered."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.5):
            await sleep(greedy)
            await asyncio.Event().wait()


async def sleep(greedy: GatewayClient) -> None:
    with contextlib.suppress(grpc.aio.AioRpcError):
        await greedy.evaluate("hostile", "Sleep", "15")


async def large(greedy: GatewayClient) -> None:
    with pytest.raises(grpc.aio.AioRpcError):
        await greedy.evaluate("hostile", "Big", str(200 * 1024 * 1024))


async def discover(greedy: GatewayClient, *calls: ChaincodeCall) -> None:
    asked = discovery.Request()
    asked.authentication.client_identity = greedy.signer.serialized
    asked.queries.add(channel=CHANNEL).cc_query.interests.add().chaincodes.extend(calls)
    payload = asked.SerializeToString()
    request = discovery.SignedRequest(payload=payload, signature=greedy.signer.sign(payload))
    with contextlib.suppress(grpc.aio.AioRpcError):
        await DiscoveryStub(greedy.channel).Discover(request)


async def many_names(greedy: GatewayClient) -> None:
    await discover(greedy, *TWENTY_THOUSAND)


async def as_many_names_as_may_be(greedy: GatewayClient) -> None:
    await discover(greedy, *TWENTY_THOUSAND[:MAX_NAMES])


async def many_combinations(greedy: GatewayClient) -> None:
    never = SignaturePolicy(n_out_of=SignaturePolicy.NOutOf(n=2, rules=[SignaturePolicy()]))
    rule = SignaturePolicy(n_out_of=SignaturePolicy.NOutOf(n=20, rules=[never] * 40))
    identities = from_string("OR('Org1MSP.peer')").identities
    policy = SignaturePolicyEnvelope(rule=rule, identities=identities)
    await discover(greedy, ChaincodeCall(name="basic", key_policies=[policy]))


async def events(greedy: GatewayClient) -> None:
    with contextlib.suppress(grpc.aio.AioRpcError):
        await greedy.first_event("hostile")


async def verdicts(greedy: GatewayClient) -> None:
    with contextlib.suppress(grpc.aio.AioRpcError):
        await greedy.status("of no transaction")


@contextlib.asynccontextmanager
async def attacking(greedy: GatewayClient, attack: Attack, at_once: int) -> AsyncIterator[None]:
    """Attack again and again; a defect of an attack fails the test."""

    async def again() -> None:
        while True:
            await attack(greedy)
            begun.set()

    begun = asyncio.Event()
    attackers = [asyncio.create_task(again()) for _ in range(at_once)]
    try:
        # The first answer, or as many calls as may be are under way.
        await asyncio.wait(
            [asyncio.create_task(begun.wait()), *attackers],
            timeout=2,
            return_when=asyncio.FIRST_COMPLETED,
        )
        yield
        for one in attackers:
            assert not one.done(), one.exception()
    finally:
        for one in attackers:
            one.cancel()
        await asyncio.gather(*attackers, return_exceptions=True)


@pytest.mark.parametrize(
    ("attack", "at_once", "chaincode"),
    [
        (junk, 8, "basic"),
        (give_up, 150, "hostile"),
        (sleep, 150, "hostile"),
        (large, 2, "hostile"),
        (many_names, 3, "basic"),
        (as_many_names_as_may_be, 10, "basic"),
        (many_combinations, 10, "basic"),
        (events, 150, "basic"),
        (verdicts, 150, "basic"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_whatever_one_user_asks_for_the_others_are_served(
    network: Network, attack: Attack, at_once: int, chaincode: str
) -> None:
    """The honest one is at the same gateway, and calls the same chaincode."""

    async def story(story: Story) -> None:
        node = story.nodes[0]
        mallory: SigningIdentity = story.authority().enroll("Org1MSP")
        async with (
            gateway_client(node, mallory) as greedy,
            gateway_client(node, story.user) as honest,
        ):
            await honest.evaluate("hostile", "Fine")
            codes = []
            async with attacking(greedy, attack, at_once):
                for number in range(HONEST):
                    if chaincode == "hostile":
                        codes.append(await honest.transact("hostile", "Fine"))
                        continue
                    name = f"{attack.__name__}{number}-{story.number}"
                    args = ("CreateAsset", name, "red", "5", "Ann", "1")
                    codes.append(await honest.transact("basic", *args))
            assert codes == [TxValidationCode.VALID] * HONEST

    tell(network, story)


def test_calls_that_last_end_when_their_client_is_revoked(network: Network) -> None:
    async def story(story: Story) -> None:
        node, authority = story.nodes[0], story.authority()
        fired = authority.enroll("Org1MSP")
        async with (
            gateway_client(node, fired) as leaving,
            gateway_client(node, story.user) as staying,
        ):
            ending = [
                asyncio.create_task(leaving.first_event("basic")),
                asyncio.create_task(leaving.status("of no transaction")),
            ]
            lasting = [
                asyncio.create_task(staying.first_event("basic")),
                asyncio.create_task(staying.status("of no transaction")),
            ]
            # Whoever is answered after them was asked after them.
            await leaving.evaluate("hostile", "Fine")
            await staying.evaluate("hostile", "Fine")
            config = await story.last_config()
            changed = with_revocation(config, authority.revoke(fired))
            update = config_update(config, changed, story.session.identity(story.org1, "Admin"))
            await (await story.session.orderer()).broadcast(update)
            for one in ending:
                with pytest.raises(grpc.aio.AioRpcError) as ended:
                    await asyncio.wait_for(one, 60)
                assert ended.value.code() is grpc.StatusCode.PERMISSION_DENIED
            assert not any(one.done() for one in lasting)
            for one in lasting:
                one.cancel()
            await asyncio.gather(*lasting, return_exceptions=True)

    tell(network, story)
