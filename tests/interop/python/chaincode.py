# SPDX-License-Identifier: Apache-2.0
"""The functions of the other languages' chaincodes here, on fastledger's own shim."""

import json
import os
from collections.abc import Iterable

from fastledger import shim


class Interop(shim.Contract):
    @shim.transaction
    def put(self, ctx: shim.Context, key: str, value: str) -> None:
        ctx.stub.put_state(key, value.encode())
        ctx.stub.set_event("put", key.encode())

    @shim.query
    def get(self, ctx: shim.Context, key: str) -> bytes | None:
        return ctx.stub.get_state(key)

    @shim.transaction(name="del")
    def delete(self, ctx: shim.Context, key: str) -> None:
        ctx.stub.del_state(key)

    @shim.query
    def range(self, ctx: shim.Context, start: str, end: str) -> list[str]:
        return _keys(ctx.stub.get_state_by_range(start, end))

    @shim.query
    def page(self, ctx: shim.Context, size: int, bookmark: str) -> dict[str, object]:
        rows = ctx.stub.get_state_by_range_with_pagination("", "", size, bookmark)
        told = rows.metadata
        return {
            "keys": _keys(rows),
            "count": told.fetched_records_count,
            "bookmark": told.bookmark,
        }

    @shim.query
    def query(self, ctx: shim.Context, query: str) -> list[str]:
        return _keys(ctx.stub.get_query_result(query))

    @shim.query
    def history(self, ctx: shim.Context, key: str) -> list[str]:
        return [row.tx_id for row in ctx.stub.get_history_for_key(key)]

    @shim.transaction
    def composite(self, ctx: shim.Context, first: str, second: str) -> list[str]:
        ctx.stub.put_state(ctx.stub.create_composite_key("pair", [first, second]), b"x")
        return _keys(ctx.stub.get_state_by_partial_composite_key("pair", [first]))

    @shim.transaction
    def hidden(self, ctx: shim.Context, collection: str, key: str) -> str:
        ctx.stub.put_private_data(collection, key, ctx.stub.get_transient()["value"])
        return (ctx.stub.get_private_data_hash(collection, "kept") or b"").hex()

    @shim.transaction
    def purge(self, ctx: shim.Context, collection: str, key: str) -> None:
        ctx.stub.purge_private_data(collection, key)

    @shim.transaction
    def policy(self, ctx: shim.Context, key: str) -> bytes | None:
        ctx.stub.set_state_validation_parameter(key, b"policy")
        return ctx.stub.get_state_validation_parameter(key)

    @shim.transaction
    def call(self, ctx: shim.Context, name: str, channel: str, function: str) -> str:
        response = ctx.stub.invoke_chaincode(name, [function.encode()], channel)
        return f"{response.status}:{response.payload.decode()}"

    @shim.query
    def who(self, ctx: shim.Context) -> str:
        return ctx.client_identity.id

    @shim.transaction
    def batch(self, ctx: shim.Context, first: str, second: str) -> str:
        ctx.stub.start_write_batch()
        ctx.stub.put_state(first, b"b")
        ctx.stub.put_state(second, b"b")
        ctx.stub.finish_write_batch()
        return str(len(ctx.stub.get_multiple_states(first, second)))

    @shim.query
    def fail(self, ctx: shim.Context) -> None:
        raise shim.ChaincodeFailed("as asked")

    @shim.query
    def loop(self, ctx: shim.Context) -> None:
        while True:
            pass

    @shim.query
    def die(self, ctx: shim.Context) -> None:
        os._exit(3)


def _keys(rows: Iterable) -> list[str]:
    return json.loads(json.dumps([row.key for row in rows]))
