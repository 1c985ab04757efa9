# SPDX-License-Identifier: Apache-2.0
"""A network's indexes and private data: queried, delivered, purged, expired, over a kill."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from typing import Any

import lmdb
import pytest

from fastledger.common.codes import TxValidationCode
from fastledger.ledger.queryindexes import FOLDER
from fastledger.network import deployment
from fastledger.network.plan import Node
from fastledger.network.session import Session, User
from fastledger.policies import from_string
from fastledger.protos.ledger.rwset.kvrwset import kv_rwset_pb2 as kvrwset
from fastledger.protos.peer.collection_pb2 import CollectionConfigPackage
from fastledger.protos.peer.events_pb2 import BlockAndPrivateData
from fastledger.protos.peer.lifecycle import lifecycle_pb2 as lb
from fastledger.protoutil.seek import NO_END, seek, specified
from live_network import Network
from waiting import wait_until

CHAINCODE = """
import json
from fastledger import shim

class Shelf(shim.Contract):
    @shim.transaction
    def Put(self, ctx: shim.Context, documents: str) -> None:
        for key, document in json.loads(documents).items():
            ctx.stub.put_state(key, json.dumps(document).encode())

    @shim.query
    def Find(self, ctx: shim.Context, query: str) -> list[str]:
        return [row.key for row in ctx.stub.get_query_result(query)]

    @shim.transaction
    def Hide(self, ctx: shim.Context, values: str) -> None:
        for collection, key, value in json.loads(values):
            ctx.stub.put_private_data(collection, key, value.encode())

    @shim.transaction
    def Purge(self, ctx: shim.Context, collection: str, key: str) -> None:
        ctx.stub.purge_private_data(collection, key)

    @shim.query
    def Show(self, ctx: shim.Context, collection: str, key: str) -> str:
        return (ctx.stub.get_private_data(collection, key) or b"nothing").decode()

    @shim.query
    def FindHidden(self, ctx: shim.Context, collection: str, query: str) -> list[str]:
        return [row.key for row in ctx.stub.get_private_data_query_result(collection, query)]
"""
INDEX = {"index": {"fields": ["size"]}, "ddoc": "size", "name": "size", "type": "json"}
BOTH = "OR('Org1MSP.member','Org2MSP.member')"
COLLECTIONS = (
    ("shared", BOTH, 0, True),
    ("brief", BOTH, 3, True),
    ("narrow", "OR('Org1MSP.member')", 0, True),
    ("open", "OR('Org1MSP.member')", 0, False),
)
Delivered = list[tuple[str, str, list[tuple[str, bytes]]]]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    folder = tmp_path_factory.mktemp("network")
    source = folder / "shelf"
    for place in ("", "collections/shared/"):
        indexes = source / f"META-INF/statedb/couchdb/{place}indexes"
        indexes.mkdir(parents=True)
        (indexes / "size.json").write_text(json.dumps(INDEX))
    (source / "chaincode.py").write_text(CHAINCODE)
    found = Network(folder)
    try:
        found.up("--chaincode", str(source))
        asyncio.run(define_collections(found))
        yield found
    finally:
        found.run("down")


class Client:
    """Calls the chaincode."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.plan = session.plan
        self.peers = [org.peers[0] for org in self.plan.organizations]

    async def invoke(self, *args: str) -> int:
        """Submit a transaction that both organizations endorse; return its block."""
        return await self.submit(self.plan.chaincode, [arg.encode() for arg in args])

    async def submit(self, chaincode: str, args: Sequence[bytes], *peers: Node) -> int:
        org = next(org for org in self.plan.organizations if (peers or self.peers)[0] in org.peers)
        signer = self.session.identity(org, "Admin")
        answer = await self.session.endorse(signer, peers or self.peers, chaincode, args)
        assert answer.responses[0].response.status == 200, answer.responses[0].response.message
        block, code = await self.session.submit(signer, answer, self.peers)
        assert code == TxValidationCode.VALID
        return block

    async def query(self, *args: str, peer: int = 0) -> str:
        signer = self.session.identity(self.plan.organizations[0], "User1")
        encoded = [arg.encode() for arg in args]
        answer = await self.session.endorse(
            signer, [self.peers[peer]], self.plan.chaincode, encoded
        )
        response = answer.responses[0].response
        return response.payload.decode() if response.status == 200 else response.message

    async def find(self, query: dict) -> list[str]:
        return json.loads(await self.query("Find", json.dumps(query)))

    async def find_hidden(self) -> list[str]:
        query = json.dumps({"selector": {}, "sort": [{"size": "desc"}]})
        return json.loads(await self.query("FindHidden", "shared", query))

    async def delivered(self, block: int, org: int) -> dict[int, Delivered]:
        """The private part of a block, as a user of an organization gets it from peer 1."""
        user = User(self.plan.organizations[org], "User1")
        connection = await self.session.peer(self.peers[0])
        call = connection._deliver.DeliverWithPrivateData()
        certificate = connection.target.certificate_hash
        signer = self.session.signer(user)
        await call.write(seek(specified(block), NO_END, self.plan.channel, signer, certificate))
        response: Any = await call.read()
        call.cancel()
        both = response.block_and_private_data
        assert both.block.header.number == block
        return contents(both)


def contents(both: BlockAndPrivateData) -> dict[int, Delivered]:
    return {
        index: [
            (ns.namespace, coll.collection_name, writes(coll.rwset))
            for ns in written.ns_pvt_rwset
            for coll in ns.collection_pvt_rwset
        ]
        for index, written in both.private_data_map.items()
    }


def writes(encoded: bytes) -> list[tuple[str, bytes]]:
    return [(write.key, write.value) for write in kvrwset.KVRWSet.FromString(encoded).writes]


def hidden(*values: tuple[str, str, str]) -> str:
    return json.dumps(values)


async def define_collections(network: Network) -> None:
    plan = network.plan
    package = CollectionConfigPackage()
    for name, policy, lives, members_only in COLLECTIONS:
        one = package.config.add().static_collection_config
        one.name, one.block_to_live, one.member_only_read = name, lives, members_only
        one.member_orgs_policy.signature_policy.CopyFrom(from_string(policy))
        one.maximum_peer_count = 1
    named = {"name": plan.chaincode, "version": plan.version, "sequence": plan.sequence + 1}
    approval = lb.ApproveChaincodeDefinitionForMyOrgArgs(**named, collections=package)
    content = deployment.package(plan)
    approval.source.local_package.package_id = deployment.package_id(plan, content)
    definition = lb.CommitChaincodeDefinitionArgs(**named, collections=package)
    async with Session(plan) as session:
        client = Client(session)
        args = [b"ApproveChaincodeDefinitionForMyOrg", approval.SerializeToString()]
        for peer in client.peers:
            await client.submit("_lifecycle", args, peer)
        args = [b"CommitChaincodeDefinition", definition.SerializeToString()]
        await client.submit("_lifecycle", args)


def entries(plan, peer: Node) -> dict[str, int]:
    """How many entries a peer's indexes have, by what they are of, once they are made."""
    state = peer.folder / "data"
    found = {}
    for kind, place in (
        ("public", state / "ledgersData" / plan.channel / FOLDER),
        ("private", state / "pvtdata" / plan.channel),
    ):
        env = lmdb.open(str(place), max_dbs=20, readonly=True)
        with env.begin() as txn:
            found[kind] = txn.stat(env.open_db(b"index-entries", txn, create=False))["entries"]
            spaces = txn.stat(env.open_db(b"index-spaces", txn, create=False))["entries"]
        env.close()
        assert spaces == 3, "a space, its height, and the last number"
    return found


def test_a_sorted_query_reads_its_index(network: Network) -> None:
    async def story() -> None:
        async with Session(network.plan) as session:
            client = Client(session)
            documents = {f"d{n}": {"size": n % 10} for n in range(20)} | {"other": {"colour": 1}}
            await client.invoke("Put", json.dumps(documents))
            wanted = [f"d{n}" for size in range(9, 3, -1) for n in (size, size + 10)]
            between = {"selector": {"size": {"$gt": 3, "$lt": 90}}, "sort": [{"size": "desc"}]}
            assert await client.find(between) == wanted
            assert await client.find({"selector": {"size": 7}}) == ["d17", "d7"]
            refused = await client.query("Find", '{"selector":{},"sort":["colour"]}')
            assert "No index exists for this sort" in refused

    asyncio.run(story())


def test_private_data_is_delivered_to_those_who_may_read_it(network: Network) -> None:
    async def story() -> None:
        async with Session(network.plan) as session:
            client = Client(session)
            values = hidden(
                ("shared", "k", '{"size":1}'),
                ("shared", "l", '{"size":2}'),
                ("narrow", "n", "secret"),
                ("open", "o", "for all"),
                ("brief", "b", "soon gone"),
            )
            block = await client.invoke("Hide", values)
            name = client.plan.chaincode
            brief = (name, "brief", [("b", b"soon gone")])
            narrow = (name, "narrow", [("n", b"secret")])
            opened = (name, "open", [("o", b"for all")])
            shared = (name, "shared", [("k", b'{"size":1}'), ("l", b'{"size":2}')])
            # member_only_read keeps the second organization from one of the first's collections.
            assert await client.delivered(block, 0) == {0: [brief, narrow, opened, shared]}
            assert await client.delivered(block, 1) == {0: [brief, opened, shared]}
            assert await client.delivered(0, 0) == {}
            assert [key for key in await client.find_hidden() if key in "kl"] == ["l", "k"]
            # Two blocks later it is still there, after the third it is gone.
            for number in range(3):
                assert await client.query("Show", "brief", "b") == "soon gone", number
                await client.invoke("Put", "{}")
            assert await client.delivered(block, 1) == {0: [brief, opened, shared]}
            await client.invoke("Put", "{}")
            assert await client.query("Show", "brief", "b") == "nothing"
            await client.invoke("Purge", "shared", "k")
            assert await client.query("Show", "shared", "k") == "nothing"
            shared = (name, "shared", [("l", b'{"size":2}')])
            assert await client.delivered(block, 1) == {0: [opened, shared]}

    asyncio.run(story())


def test_a_killed_peer_has_the_same(network: Network) -> None:
    async def write(number: int) -> None:
        async with Session(network.plan) as session:
            client = Client(session)
            documents = {f"e{number}": {"size": 100 + number}, "e": {"size": number}}
            await client.invoke("Put", json.dumps(documents))
            await client.invoke("Hide", hidden(("shared", f"h{number}", f'{{"size":{number}}}')))

    async def read() -> dict[str, int]:
        async with Session(network.plan) as session:
            client = Client(session)
            query = {"selector": {"size": {"$gte": 100}}, "sort": [{"size": "desc"}]}
            assert await client.find(query) == ["e3", "e2", "e1", "e0"]
            assert "e" in await client.find({"selector": {"size": 3}})
            hidden = await client.find_hidden()
            assert [key for key in hidden if key[0] == "h"] == ["h3", "h2", "h1", "h0"]
            every = await client.find({"selector": {"size": {"$exists": True}}})
            return {"public": len(every), "private": len(hidden)}

    plan = network.plan
    peer = plan.organizations[0].peers[0]
    for number in range(4):
        asyncio.run(write(number))
        network.kill(peer)
        network.restart()
    wanted = asyncio.run(read())
    wait_until(lambda: entries(plan, peer) == wanted)
