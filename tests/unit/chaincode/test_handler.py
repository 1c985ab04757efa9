# SPDX-License-Identifier: Apache-2.0
"""The peer's end of the stream, against a chaincode that is played by the test."""

import asyncio
import functools
import hashlib
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc
import pytest

from fastledger import _core, comm
from fastledger.chaincode import handler as handlers
from fastledger.chaincode import requests
from fastledger.chaincode.config import ChaincodeConfig
from fastledger.chaincode.context import TransactionContext
from fastledger.chaincode.listener import Listener
from fastledger.chaincode.services import CollectionAccess, EndorsementInfo
from fastledger.chaincode.support import INITIALIZED_KEY, ChaincodeSupport
from fastledger.channelconfig import ApplicationCapabilities
from fastledger.common.errors import ChaincodeError, Defect
from fastledger.protos.ledger.queryresult.kv_query_result_pb2 import KV, KeyModification
from fastledger.protos.peer import chaincode_shim_pb2 as wire
from fastledger.protos.peer.chaincode_pb2 import (
    ChaincodeAdditionalParams,
    ChaincodeID,
    ChaincodeInput,
    ChaincodeSpec,
)
from fastledger.protos.peer.chaincode_shim_pb2_grpc import ChaincodeSupportStub
from fastledger.protos.peer.proposal_response_pb2 import Response
from stand_in import Endless, Peer, Simulator, args, tx
from waiting import elapse, until

T = wire.ChaincodeMessage
CCID = "basic_1.0:abc"


class Pipe:
    """What a chaincode says, and is told."""

    def __init__(self) -> None:
        self.to_peer: asyncio.Queue = asyncio.Queue()
        self.to_chaincode: asyncio.Queue = asyncio.Queue()

    async def read(self):
        return await self.to_peer.get()

    async def write(self, message) -> None:
        self.to_chaincode.put_nowait(message)

    def answer_with(self, conversation: object) -> None:
        """Nothing is asked on it."""

    async def talk(self, address: str) -> None:
        """Dial the peer, and say there what is sent."""
        channel = await comm.dial(address, None)
        call = ChaincodeSupportStub(channel).Register()

        async def say() -> None:
            while (message := await self.to_peer.get()) is not None:
                await call.write(message)
            call.cancel()

        saying = asyncio.create_task(say())
        try:
            async for message in call:
                self.to_chaincode.put_nowait(message)
        except (grpc.RpcError, asyncio.CancelledError):
            pass
        finally:
            saying.cancel()
            await channel.close()

    def send(self, kind, payload=b"", **more) -> None:
        if not isinstance(payload, bytes):
            payload = payload.SerializeToString()
        self.to_peer.put_nowait(T(type=kind, payload=payload, **more))

    def hang_up(self) -> None:
        self.to_peer.put_nowait(None)

    async def get(self):
        return await asyncio.wait_for(self.to_chaincode.get(), 10)


class Played:
    """A launcher whose chaincode is the test; it dials the peer."""

    def __init__(self, ccid: str = CCID) -> None:
        self.ccid = ccid
        self.pipes: list[Pipe] = []
        self.instances: list[Endless] = []
        self.starts = 0

    async def build(self, ccid, package=None):
        return functools.partial(self._start, ccid)

    async def _start(self, ccid, serve):
        self.starts += 1
        instance = Endless()
        self.instances.append(instance)

        async def run(stream, expected_ccid) -> None:
            await serve(stream, expected_ccid)
            instance.ended.set()

        listener = Listener(run, expected_ccid=ccid)
        folder = Path(tempfile.mkdtemp(dir="/tmp"))
        await listener.start(f"unix:{folder}/peer")
        pipe = Pipe()
        self.pipes.append(pipe)
        pipe.send(T.REGISTER, ChaincodeID(name=self.ccid))

        async def live() -> None:
            talking = asyncio.create_task(pipe.talk(f"unix:{folder}/peer"))
            await instance.ended.wait()
            talking.cancel()
            await listener.stop()
            shutil.rmtree(folder)

        instance.serving = asyncio.create_task(live())
        return instance


class Scene:
    """A support with a played chaincode, and a transaction that it executes."""

    context: TransactionContext
    ready: wire.ChaincodeMessage

    def __init__(self, config: ChaincodeConfig | None = None) -> None:
        self.peer = Peer({"basic": EndorsementInfo("1.0", CCID)})
        self.launcher = Played()
        self.support = ChaincodeSupport(
            self.peer, self.launcher, config or ChaincodeConfig(execute_timeout_s=5)
        )

    async def begin(self, context: TransactionContext, *arguments: str) -> asyncio.Task:
        task = asyncio.create_task(self.support.invoke(context, args(*arguments)))
        while not self.launcher.pipes:
            await asyncio.sleep(0)
        if self.launcher.starts == len(self.launcher.pipes) == 1 and not hasattr(self, "ready"):
            assert (await self.pipe.get()).type == T.REGISTERED
            self.ready = await self.pipe.get()
        message = await self.pipe.get()
        assert message.type == T.TRANSACTION
        self.transaction = message
        return task

    @property
    def pipe(self) -> Pipe:
        return self.launcher.pipes[-1]

    async def ask(self, kind, payload=b"", context=None):
        context = context or self.context
        self.pipe.send(kind, payload, txid=context.tx_id, channel_id=context.channel_id)
        return await self.pipe.get()

    def complete(self, response: Response | None = None, context=None, **more) -> None:
        context = context or self.context
        self.pipe.send(
            T.COMPLETED,
            response or Response(status=200),
            txid=context.tx_id,
            channel_id=context.channel_id,
            **more,
        )

    @property
    def simulator(self) -> Simulator:
        simulator = self.context.simulator
        assert isinstance(simulator, Simulator)
        return simulator


def played(test: Callable[[Scene], Awaitable[None]], config: ChaincodeConfig | None = None) -> None:
    """Run a test inside one transaction, and end the transaction after it."""

    async def run() -> None:
        scene = Scene(config)
        scene.context = tx(scene.peer)
        task = await scene.begin(scene.context, "f")
        await test(scene)
        scene.complete()
        response, _ = await task
        assert response.status == 200
        assert all(rows.closed for rows in scene.simulator.opened)
        await scene.support.stop()

    asyncio.run(run())


def test_registration_offers_batches_and_the_transaction_carries_its_proposal() -> None:
    async def test(scene: Scene) -> None:
        params = ChaincodeAdditionalParams.FromString(scene.ready.payload)
        assert params.use_write_batch
        assert params.use_get_multiple_keys
        assert params.max_size_write_batch == params.max_size_get_multiple_keys == 1000
        assert scene.transaction.proposal == scene.context.proposal.signed
        assert ChaincodeInput.FromString(scene.transaction.payload).args == [b"f"]
        assert scene.transaction.txid == scene.context.tx_id

    played(test)


def test_reads_and_writes_of_public_state() -> None:
    async def test(scene: Scene) -> None:
        scene.simulator.ledger.state[("basic", "", "k")] = b"v"
        found = await scene.ask(T.GET_STATE, wire.GetState(key="k"))
        assert (found.type, found.payload) == (T.RESPONSE, b"v")
        absent = await scene.ask(T.GET_STATE, wire.GetState(key="none"))
        assert (absent.type, absent.payload) == (T.RESPONSE, b"")
        many = await scene.ask(T.GET_STATE_MULTIPLE, wire.GetStateMultiple(keys=["none", "k"]))
        values = wire.GetStateMultipleResult.FromString(many.payload).values
        assert values == [b"", b"v"]
        await scene.ask(T.PUT_STATE, wire.PutState(key="p", value=b"1"))
        await scene.ask(T.DEL_STATE, wire.DelState(key="k"))
        assert scene.simulator.writes == {("basic", "", "p"): b"1", ("basic", "", "k"): None}

    played(test)


def test_a_batch_of_writes() -> None:
    async def test(scene: Scene) -> None:
        record = wire.WriteRecord
        metadata = wire.StateMetadata(metakey="VALIDATION_PARAMETER", value=b"p")
        batch = wire.WriteBatchState(
            rec=[
                record(key="a", value=b"1", type=record.PUT_STATE),
                record(key="b", type=record.DEL_STATE),
                record(key="c", metadata=metadata, type=record.PUT_STATE_METADATA),
                record(key="d", collection="coll", type=record.PURGE_PRIVATE_DATA),
                record(key="e", value=b"2", collection="coll", type=record.PUT_STATE),
            ]
        )
        assert (await scene.ask(T.WRITE_BATCH_STATE, batch)).type == T.RESPONSE
        assert scene.simulator.writes == {
            ("basic", "", "a"): b"1",
            ("basic", "", "b"): None,
            ("basic", "coll", "d"): None,
            ("basic", "coll", "e"): b"2",
        }
        assert scene.simulator.purged == [("basic", "coll", "d")]
        assert scene.simulator.metadata_writes == {
            ("basic", "", "c"): {"VALIDATION_PARAMETER": b"p"}
        }
        unknown = wire.WriteBatchState(rec=[record(key="a")])
        answer = await scene.ask(T.WRITE_BATCH_STATE, unknown)
        assert answer.type == T.ERROR
        assert answer.payload.endswith(b": unknown operation type")

    played(test)


def test_metadata_is_read_and_needs_its_capability() -> None:
    async def test(scene: Scene) -> None:
        scene.simulator.ledger.metadata[("basic", "", "k")] = {"VALIDATION_PARAMETER": b"x"}
        get = wire.GetStateMetadata(key="k")
        answer = await scene.ask(T.GET_STATE_METADATA, get)
        (entry,) = wire.StateMetadataResult.FromString(answer.payload).entries
        assert (entry.metakey, entry.value) == ("VALIDATION_PARAMETER", b"x")
        scene.peer.capable = ApplicationCapabilities({"V1_2"})
        context = tx(scene.peer)
        task = await scene.begin(context, "f")
        for kind, request in (
            (T.GET_STATE_METADATA, get),
            (T.PUT_STATE_METADATA, wire.PutStateMetadata(key="k")),
            (T.PUT_STATE_METADATA, wire.PutStateMetadata(key="k", collection="c")),
        ):
            answer = await scene.ask(kind, request, context)
            assert b"V1_3 or later is required" in answer.payload
        purge = wire.PurgePrivateState(key="k", collection="c")
        answer = await scene.ask(T.PURGE_PRIVATE_DATA, purge, context)
        assert b"V2_5 or later is required" in answer.payload
        scene.complete(context=context)
        await task

    played(test)


def test_private_data_and_its_access() -> None:
    async def test(scene: Scene) -> None:
        scene.simulator.ledger.state[("basic", "coll", "k")] = b"secret"
        get = wire.GetState(key="k", collection="coll")
        assert (await scene.ask(T.GET_STATE, get)).payload == b"secret"
        hashed = await scene.ask(T.GET_PRIVATE_DATA_HASH, get)
        assert hashed.payload == hashlib.sha256(b"secret").digest()
        put = wire.PutState(key="k", value=b"2", collection="locked")
        scene.peer.access = CollectionAccess(read=True, write=False)
        answer = await scene.ask(T.PUT_STATE, put)
        assert answer.payload.decode().endswith(
            "tx creator does not have write access permission on privatedata in "
            "chaincodeName:basic collectionName: locked"
        )
        unknown = wire.GetState(key="k", collection="unknown")
        answer = await scene.ask(T.GET_STATE, unknown)
        assert answer.type == T.ERROR
        purge = wire.PurgePrivateState(key="k")
        answer = await scene.ask(T.PURGE_PRIVATE_DATA, purge)
        assert b"only applicable for private data" in answer.payload

    played(test)


def _fill(scene: Scene, count: int) -> None:
    for number in range(count):
        scene.simulator.ledger.state[("basic", "", f"k{number:04}")] = b"v"


@pytest.mark.parametrize("kind", ["range", "query"])
def test_a_query_sends_a_hundred_rows_at_a_time(kind: str) -> None:
    async def test(scene: Scene) -> None:
        _fill(scene, 250)
        if kind == "range":
            answer = await scene.ask(T.GET_STATE_BY_RANGE, wire.GetStateByRange())
        else:
            answer = await scene.ask(T.GET_QUERY_RESULT, wire.GetQueryResult(query="{}"))
        sizes, rows = [], []
        while True:
            page = wire.QueryResponse.FromString(answer.payload)
            sizes.append(len(page.results))
            rows += [KV.FromString(row.resultBytes) for row in page.results]
            if not page.has_more:
                break
            answer = await scene.ask(T.QUERY_STATE_NEXT, wire.QueryStateNext(id=page.id))
        assert sizes == [100, 100, 50]
        assert [row.key for row in rows] == [f"k{number:04}" for number in range(250)]
        assert rows[0].namespace == "basic"
        gone = await scene.ask(T.QUERY_STATE_NEXT, wire.QueryStateNext(id=page.id))
        assert gone.payload.endswith(b"query iterator not found")

    played(test)


def test_the_total_limit_of_a_query() -> None:
    async def test(scene: Scene) -> None:
        _fill(scene, 250)
        answer = await scene.ask(T.GET_STATE_BY_RANGE, wire.GetStateByRange())
        page = wire.QueryResponse.FromString(answer.payload)
        answer = await scene.ask(T.QUERY_STATE_NEXT, wire.QueryStateNext(id=page.id))
        last = wire.QueryResponse.FromString(answer.payload)
        assert (len(page.results), len(last.results), last.has_more) == (100, 20, False)

    played(test, ChaincodeConfig(total_query_limit=120))


def test_pages_have_bookmarks() -> None:
    async def test(scene: Scene) -> None:
        _fill(scene, 5)
        bookmark, seen = "", []
        for _ in range(3):
            metadata = wire.QueryMetadata(pageSize=2, bookmark=bookmark).SerializeToString()
            request = wire.GetStateByRange(startKey="k", metadata=metadata)
            answer = await scene.ask(T.GET_STATE_BY_RANGE, request)
            page = wire.QueryResponse.FromString(answer.payload)
            told = wire.QueryResponseMetadata.FromString(page.metadata)
            assert told.fetched_records_count == len(page.results)
            assert not page.has_more
            seen += [KV.FromString(row.resultBytes).key for row in page.results]
            bookmark = told.bookmark
        assert seen == [f"k{number:04}" for number in range(5)]
        assert bookmark == ""
        negative = wire.QueryMetadata(pageSize=-1).SerializeToString()
        # A negative size is a page of all, as Fabric's handler has it.
        answer = await scene.ask(T.GET_STATE_BY_RANGE, wire.GetStateByRange(metadata=negative))
        page = wire.QueryResponse.FromString(answer.payload)
        told = wire.QueryResponseMetadata.FromString(page.metadata)
        assert (len(page.results), told.fetched_records_count, told.bookmark) == (5, 5, "")

    played(test)


def test_history_has_timestamps() -> None:
    async def test(scene: Scene) -> None:
        change = KeyModification(tx_id="t1", value=b"v")
        change.timestamp.FromSeconds(5)
        scene.simulator.ledger.history[("basic", "k")] = [change]
        answer = await scene.ask(T.GET_HISTORY_FOR_KEY, wire.GetHistoryForKey(key="k"))
        (row,) = wire.QueryResponse.FromString(answer.payload).results
        assert KeyModification.FromString(row.resultBytes) == change

    played(test)


def test_a_query_that_fails_and_one_that_is_closed() -> None:
    async def test(scene: Scene) -> None:
        _fill(scene, 150)
        broken = await scene.ask(T.GET_QUERY_RESULT, wire.GetQueryResult(query="broken"))
        assert broken.payload.decode() == (
            f"GET_QUERY_RESULT failed: transaction ID: {scene.context.tx_id}: "
            "ExecuteQuery not supported"
        )
        answer = await scene.ask(T.GET_QUERY_RESULT, wire.GetQueryResult(query="{}"))
        page = wire.QueryResponse.FromString(answer.payload)
        closed = await scene.ask(T.QUERY_STATE_CLOSE, wire.QueryStateClose(id=page.id))
        assert not wire.QueryResponse.FromString(closed.payload).has_more
        assert scene.simulator.opened[-1].closed

    played(test)


def test_open_queries_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "MAX_OPEN_ITERATORS", 3)

    async def test(scene: Scene) -> None:
        _fill(scene, 150)
        for _ in range(3):
            answer = await scene.ask(T.GET_STATE_BY_RANGE, wire.GetStateByRange())
            assert answer.type == T.RESPONSE
        answer = await scene.ask(T.GET_STATE_BY_RANGE, wire.GetStateByRange())
        assert answer.type == T.ERROR
        assert b"queries are open" in answer.payload

    played(test)


def test_a_transaction_may_not_grow_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handlers, "MAX_TRANSACTION_BYTES", 10_000)

    async def test(scene: Scene) -> None:
        put = wire.PutState(key="k", value=b"v" * 1000)
        kinds = [(await scene.ask(T.PUT_STATE, put)).type for _ in range(12)]
        assert kinds == [T.RESPONSE] * 9 + [T.ERROR] * 3

    played(test)


def test_an_answer_that_no_message_holds_costs_the_request(monkeypatch) -> None:
    """On the stream it would end that, and with it all the chaincode's transactions."""
    monkeypatch.setattr(handlers, "MAX_MESSAGE_BYTES", handlers.FRAME_BYTES + 5000)
    monkeypatch.setattr(requests, "MAX_MESSAGE_BYTES", handlers.FRAME_BYTES + 5000)

    async def test(scene: Scene) -> None:
        state = scene.peer.ledgers["mychannel"].state
        for coll in ("", "coll"):
            state["basic", coll, "fits"], state["basic", coll, "large"] = b"x" * 5000, b"x" * 5001
            get = wire.GetState(key="fits", collection=coll)
            answer = await scene.ask(T.GET_STATE, get)
            assert (answer.type, answer.payload) == (T.RESPONSE, b"x" * 5000)
            get = wire.GetState(key="large", collection=coll)
            answer = await scene.ask(T.GET_STATE, get)
            assert (answer.type, b"5001 bytes" in answer.payload) == (T.ERROR, True)
            several = wire.GetStateMultiple(keys=["large"] * 15, collection=coll)
            answer = await scene.ask(T.GET_STATE_MULTIPLE, several)
            assert (answer.type, b"ask for fewer keys" in answer.payload) == (T.ERROR, True)

    played(test)


def test_an_input_that_no_message_holds_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(handlers, "MAX_MESSAGE_BYTES", handlers.FRAME_BYTES + 5000)

    async def test(scene: Scene) -> None:
        with pytest.raises(ChaincodeError, match="at most 5000 fit into a message"):
            await scene.support.invoke(tx(scene.peer), args("x" * 5000))

    played(test)


def test_what_is_long_by_the_callers_choice_holds_nobody_up() -> None:
    async def test(scene: Scene) -> None:
        on_workers: list[bytes] = []
        workers = scene.support._workers
        run = workers.run

        def watched(caller: bytes, work: Callable[[], None]) -> Awaitable[None]:
            on_workers.append(caller)
            return run(caller, work)

        workers.run = watched  # type: ignore[method-assign, assignment]

        def page(size: int) -> wire.GetStateByRange:
            metadata = wire.QueryMetadata(pageSize=size).SerializeToString()
            return wire.GetStateByRange(metadata=metadata)

        for key in range(300):
            scene.peer.ledgers["mychannel"].state["basic", "", f"{key:03}"] = b"v"
        for kind, request, slow in (
            (T.GET_STATE_MULTIPLE, wire.GetStateMultiple(keys=["k"] * 3000), False),
            (T.GET_STATE_MULTIPLE, wire.GetStateMultiple(keys=["k" * 100] * 3000), True),
            (T.WRITE_BATCH_STATE, wire.WriteBatchState(rec=_deletions("k")), False),
            (T.WRITE_BATCH_STATE, wire.WriteBatchState(rec=_deletions("k" * 100)), True),
        ):
            answer = await scene.ask(kind, request)
            assert (answer.type, len(on_workers)) == (T.RESPONSE, slow)
            on_workers.clear()
        context = tx(scene.peer)
        task = await scene.begin(context, "f")
        for size, rows, slow in ((0, 100, 0), (100, 100, 0), (250, 250, 1), (-1, 300, 1)):
            answer = await scene.ask(T.GET_STATE_BY_RANGE, page(size), context)
            assert len(wire.QueryResponse.FromString(answer.payload).results) == rows
            assert on_workers == [context.creator] * slow
            on_workers.clear()
        scene.complete(context=context)
        await task

    played(test)


def _deletions(key: str) -> list[wire.WriteRecord]:
    return [wire.WriteRecord(key=key, type=wire.WriteRecord.DEL_STATE)] * 3000


def test_a_query_longer_than_any_is_not_parsed() -> None:
    async def test(scene: Scene) -> None:
        query = wire.GetQueryResult(query="x" * (requests.MAX_QUERY_LETTERS + 1))
        answer = await scene.ask(T.GET_QUERY_RESULT, query)
        assert (answer.type, b"at most 1000000 are read" in answer.payload) == (T.ERROR, True)

    played(test)


def test_garbage_in_a_request_costs_the_request() -> None:
    async def test(scene: Scene) -> None:
        for kind in range(8, 26):
            if kind in (T.RESPONSE, T.KEEPALIVE, 12):
                continue
            answer = await scene.ask(kind, b"\xff\xff\xff")
            assert answer.type == T.ERROR
            assert b"unmarshal failed" in answer.payload or b"not enabled" in answer.payload

    played(test)


def test_a_defect_is_neither_an_answer_nor_the_chaincodes_failure() -> None:
    async def run() -> None:
        scene = Scene()
        scene.context = tx(scene.peer)
        task = await scene.begin(scene.context, "f")
        scene.simulator.ledger.get = lambda *_: _core.provoke_defect("tried out")  # type: ignore[method-assign]
        answer = await scene.ask(T.GET_STATE, wire.GetState(key="k"))
        assert answer.type == T.ERROR
        assert answer.payload.endswith(b": internal error, see the log of this node")
        scene.complete(Response(status=200, message="whatever the chaincode makes of it"))
        with pytest.raises(Defect, match="tried out"):
            await task
        await scene.support.stop()

    asyncio.run(run())


@pytest.mark.parametrize("kind", [T.REGISTER, T.READY, T.TRANSACTION, T.UNDEFINED, 77])
def test_a_message_that_cannot_be_ends_the_stream(kind: int) -> None:
    async def run() -> None:
        scene = Scene()
        task = await scene.begin(tx(scene.peer), "f")
        scene.pipe.send(kind)
        with pytest.raises(ChaincodeError, match="error sending: chaincode stream terminated"):
            await task

    asyncio.run(run())


def test_unknown_transactions_get_an_error_and_the_others_go_on() -> None:
    async def test(scene: Scene) -> None:
        scene.pipe.send(T.GET_STATE, wire.GetState(key="k"), txid="other", channel_id="mychannel")
        answer = await scene.pipe.get()
        assert (answer.type, answer.txid) == (T.ERROR, "other")
        assert answer.payload == b"GET_STATE failed: transaction ID: other: no ledger context"
        scene.pipe.send(T.COMPLETED, b"", txid="other", channel_id="mychannel")
        scene.pipe.send(T.KEEPALIVE)

    played(test)


def _call(name: str) -> ChaincodeSpec:
    return ChaincodeSpec(chaincode_id=ChaincodeID(name=name), input=args("read"))


def test_a_call_of_a_system_chaincode_and_of_another_channel() -> None:
    async def test(scene: Scene) -> None:
        answer = await scene.ask(T.INVOKE_CHAINCODE, _call("qscc:1.0/mychannel"))
        inner = wire.ChaincodeMessage.FromString(answer.payload)
        assert inner.type == T.COMPLETED
        assert Response.FromString(inner.payload).payload == b"qscc on mychannel"
        unknown = await scene.ask(T.INVOKE_CHAINCODE, _call("basic/nowhere"))
        assert b"failed to find ledger for channel: nowhere" in unknown.payload
        scene.peer.denied_channels.add("other")
        denied = await scene.ask(T.INVOKE_CHAINCODE, _call("basic/other"))
        assert denied.payload.endswith(b"access denied")
        missing = await scene.ask(T.INVOKE_CHAINCODE, _call("missing"))
        assert missing.payload.endswith(b"execute failed: chaincode missing not found")

    played(test)


def test_a_call_on_another_channel_writes_into_a_simulation_of_its_own() -> None:
    async def test(scene: Scene) -> None:
        context = scene.context
        call = _call("basic/other")
        scene.pipe.send(T.INVOKE_CHAINCODE, call, txid=context.tx_id, channel_id=context.channel_id)
        inner = await scene.pipe.get()
        assert (inner.type, inner.channel_id, inner.txid) == (
            T.TRANSACTION,
            "other",
            context.tx_id,
        )
        scene.pipe.send(T.PUT_STATE, wire.PutState(key="k"), txid=context.tx_id, channel_id="other")
        await scene.pipe.get()
        scene.pipe.send(
            T.COMPLETED,
            Response(status=200, payload=b"inner"),
            txid=context.tx_id,
            channel_id="other",
        )
        answer = await scene.pipe.get()
        assert (answer.type, answer.channel_id) == (T.RESPONSE, "mychannel")
        nested = wire.ChaincodeMessage.FromString(answer.payload)
        assert Response.FromString(nested.payload).payload == b"inner"
        assert scene.simulator.writes == {}
        assert scene.peer.simulators[-1].is_done
        # On its own channel it would be the same transaction twice.
        again = await scene.ask(T.INVOKE_CHAINCODE, _call("basic"))
        assert b"exists" in again.payload

    played(test)


def test_what_a_chaincode_answers() -> None:
    async def run() -> None:
        scene = Scene()
        scene.context = tx(scene.peer)
        task = await scene.begin(scene.context, "f")
        scene.complete(
            Response(status=500, message="no"),
            chaincode_event={"event_name": "e", "chaincode_id": "liar", "tx_id": "liar"},
        )
        response, event = await task
        assert (response.status, response.message) == (500, "no")
        assert (event.chaincode_id, event.tx_id) == ("basic", scene.context.tx_id)

        scene.context = tx(scene.peer)
        task = await scene.begin(scene.context, "f")
        scene.pipe.send(T.ERROR, b"bad", txid=scene.context.tx_id, channel_id="mychannel")
        with pytest.raises(ChaincodeError, match=r"^transaction returned with failure: bad$"):
            await task

        scene.context = tx(scene.peer)
        task = await scene.begin(scene.context, "f")
        scene.pipe.send(T.COMPLETED, b"\xff", txid=scene.context.tx_id, channel_id="mychannel")
        with pytest.raises(ChaincodeError, match="failed to unmarshal response"):
            await task
        assert scene.launcher.starts == 1

    asyncio.run(run())


def test_init_happens_once_where_it_is_required() -> None:
    async def run() -> None:
        scene = Scene()
        scene.peer.definitions["basic"] = EndorsementInfo("2.0", CCID, enforce_init=True)
        context = tx(scene.peer)
        with pytest.raises(ChaincodeError, match="has not been initialized for this version"):
            await scene.support.invoke(context, args("f"))
        context = tx(scene.peer)
        task = asyncio.create_task(scene.support.invoke(context, args("i", is_init=True)))
        while not scene.launcher.pipes:
            await asyncio.sleep(0)
        for _ in range(2):
            await scene.pipe.get()
        message = await scene.pipe.get()
        assert message.type == T.INIT
        scene.context = context
        refused = await scene.ask(T.GET_STATE, wire.GetState(key="k", collection="c"))
        assert b"private data APIs are not allowed in chaincode Init()" in refused.payload
        scene.complete()
        await task
        assert context.simulator.writes == {("basic", "", INITIALIZED_KEY): b"2.0"}
        context.simulator.commit()
        with pytest.raises(ChaincodeError, match="already initialized but called as init"):
            await scene.support.invoke(tx(scene.peer), args("i", is_init=True))
        scene.peer.definitions["basic"] = EndorsementInfo("2.0", CCID)
        with pytest.raises(ChaincodeError, match="does not require initialization"):
            await scene.support.invoke(tx(scene.peer), args("i", is_init=True))

    asyncio.run(run())


def test_a_timeout_costs_one_transaction_and_a_looping_chaincode_is_replaced() -> None:
    async def run() -> None:
        config = ChaincodeConfig(execute_timeout_s=1, overdue_grace_s=0.1)
        scene = Scene(config)
        lost = await scene.begin(tx(scene.peer), "loop")
        with pytest.raises(ChaincodeError, match="timeout expired while executing transaction"):
            await lost
        await until(lambda: scene.support._registry.get(CCID) is None)
        await asyncio.wait_for(scene.launcher.instances[0].ended.wait(), 10)
        task = asyncio.create_task(scene.support.invoke(tx(scene.peer), args("f")))
        await until(lambda: scene.launcher.starts > 1)
        for _ in range(2):
            await scene.pipe.get()
        message = await scene.pipe.get()
        scene.pipe.send(
            T.COMPLETED, Response(status=200), txid=message.txid, channel_id="mychannel"
        )
        assert (await task)[0].status == 200

    asyncio.run(run())


def test_a_late_answer_saves_the_chaincode() -> None:
    async def run() -> None:
        scene = Scene(ChaincodeConfig(execute_timeout_s=1, overdue_grace_s=0.3))
        scene.context = tx(scene.peer)
        lost = await scene.begin(scene.context, "slow")
        with pytest.raises(ChaincodeError):
            await lost
        scene.complete()
        await elapse(0.6, "twice the grace, after which an overdue chaincode is ended")
        assert scene.support._registry.get(CCID) is not None

    asyncio.run(run())


def test_too_many_transactions_are_refused() -> None:
    async def run() -> None:
        scene = Scene(ChaincodeConfig(max_transactions=2))
        for _ in range(2):
            await scene.begin(tx(scene.peer), "f")
        with pytest.raises(ChaincodeError, match="executes 2 transactions already"):
            await scene.support.invoke(tx(scene.peer), args("f"))

    asyncio.run(run())


def test_whoever_uses_the_limit_up_keeps_out_himself_only() -> None:
    async def run() -> None:
        scene = Scene(ChaincodeConfig(max_transactions=4))
        greedy = [await scene.begin(tx(scene.peer, certificate=b"A"), "f") for _ in range(4)]
        with pytest.raises(ChaincodeError, match="executes 4 transactions already"):
            await scene.support.invoke(tx(scene.peer, certificate=b"A"), args("f"))
        for name in (b"B", b"C"):
            other = tx(scene.peer, certificate=name)
            served = await scene.begin(other, "f")
            scene.complete(context=other)
            assert (await served)[0].status == 200
        for one in greedy:
            one.cancel()
        await scene.support.stop()

    asyncio.run(run())


def test_what_a_client_gives_up_still_counts_until_it_is_answered() -> None:
    async def run() -> None:
        scene = Scene(ChaincodeConfig(max_transactions=2))
        given_up = []
        for _ in range(2):
            context = tx(scene.peer)
            task = await scene.begin(context, "f")
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            given_up.append(context)
        with pytest.raises(ChaincodeError, match="executes 2 transactions already"):
            await scene.support.invoke(tx(scene.peer), args("f"))
        # What it reads and writes now is for nobody.
        answer = await scene.ask(T.GET_STATE, wire.GetState(key="k"), given_up[0])
        assert (answer.type, b"no ledger context" in answer.payload) == (T.ERROR, True)
        scene.complete(context=given_up[0])
        handler = scene.support._registry.get(CCID)
        await until(lambda: handler.in_flight < 2)
        context = tx(scene.peer)
        served = await scene.begin(context, "f")
        scene.complete(context=context)
        assert (await served)[0].status == 200
        await scene.support.stop()

    asyncio.run(run())


def test_a_chaincode_that_loops_for_whoever_gave_up_is_replaced() -> None:
    async def run() -> None:
        scene = Scene(ChaincodeConfig(execute_timeout_s=1, overdue_grace_s=0.1))
        lost = await scene.begin(tx(scene.peer), "loop")
        lost.cancel()
        await asyncio.wait_for(scene.launcher.instances[0].ended.wait(), 10)
        assert scene.support._registry.get(CCID) is None

    asyncio.run(run())


def test_a_chaincode_that_dies_is_started_again() -> None:
    async def run() -> None:
        scene = Scene()
        task = await scene.begin(tx(scene.peer), "f")
        scene.pipe.hang_up()
        with pytest.raises(ChaincodeError, match="chaincode stream terminated"):
            await task
        await until(lambda: scene.support._registry.get(CCID) is None)
        again = asyncio.create_task(scene.support.invoke(tx(scene.peer), args("f")))
        await until(lambda: scene.launcher.starts > 1)
        again.cancel()

    asyncio.run(run())


def test_a_chaincode_that_registers_as_another_is_not_taken() -> None:
    async def run() -> None:
        scene = Scene()
        scene.launcher.ccid = "victim:1"
        with pytest.raises(ChaincodeError, match="chaincode registration failed: it was stopped"):
            await scene.support.invoke(tx(scene.peer), args("f"))
        assert scene.launcher.pipes[0].to_chaincode.empty()

    asyncio.run(run())


def test_one_launch_serves_all_who_wait() -> None:
    async def run() -> None:
        scene = Scene()
        tasks = [
            asyncio.create_task(scene.support.invoke(tx(scene.peer), args("f"))) for _ in range(5)
        ]
        while not scene.launcher.pipes:
            await asyncio.sleep(0)
        for _ in range(2):
            await scene.pipe.get()
        for _ in tasks:
            message = await scene.pipe.get()
            scene.pipe.send(
                T.COMPLETED, Response(status=200), txid=message.txid, channel_id="mychannel"
            )
        await asyncio.gather(*tasks)
        assert scene.launcher.starts == 1

    asyncio.run(run())


def test_unsolicited_chaincode_is_taken_in_dev_mode_only() -> None:
    async def run(dev_mode: bool, name: str = "mycc:1.0") -> asyncio.Queue:
        support = ChaincodeSupport(Peer(), Played(), dev_mode=dev_mode)
        pipe = Pipe()
        pipe.send(T.REGISTER, ChaincodeID(name=name))
        pipe.hang_up()
        await support.serve(pipe)
        return pipe.to_chaincode

    assert asyncio.run(run(dev_mode=False)).empty()
    answers = asyncio.run(run(dev_mode=True))
    first = answers.get_nowait()
    assert first.SerializeToString() == b"\x08\x02"
    assert answers.get_nowait().type == T.READY
    for name in ("qscc", "qscc:1.0"):
        assert asyncio.run(run(dev_mode=True, name=name)).empty()
