# SPDX-License-Identifier: Apache-2.0
"""Every kind of write and read that a block can judge, for networks of mixed peers."""

from fastledger import shim


class Mixed(shim.Contract):
    @shim.transaction
    def put(self, ctx: shim.Context, key: str, value: str) -> None:
        ctx.stub.put_state(key, value.encode())
        ctx.stub.set_event("put", key.encode())

    @shim.transaction
    def move(self, ctx: shim.Context, giver: str, taker: str) -> None:
        """Move one from an account to another, both beginning with nothing."""
        for name, change in ((giver, -1), (taker, 1)):
            holding = int(ctx.stub.get_state(name) or b"0")
            ctx.stub.put_state(name, str(holding + change).encode())

    @shim.transaction
    def remove(self, ctx: shim.Context, key: str) -> None:
        ctx.stub.get_state(key)
        ctx.stub.del_state(key)

    @shim.transaction
    def count(self, ctx: shim.Context, kind: str, name: str) -> int:
        """Add an entry below a composite key, and count those there."""
        known = sum(1 for _ in ctx.stub.get_state_by_partial_composite_key("entry", [kind]))
        ctx.stub.put_state(ctx.stub.create_composite_key("entry", [kind, name]), b"1")
        return known

    @shim.transaction
    def protect(self, ctx: shim.Context, key: str) -> None:
        """Give a key a policy of its own."""
        ctx.stub.put_state(key, b"protected")
        ctx.stub.set_state_validation_parameter(key, ctx.stub.get_transient()["policy"])

    @shim.transaction
    def hide(self, ctx: shim.Context, collection: str, key: str) -> str:
        """Write a private value; the hash of the one before decides about conflicts."""
        before = ctx.stub.get_private_data_hash(collection, key)
        ctx.stub.put_private_data(collection, key, ctx.stub.get_transient()["value"])
        return (before or b"").hex()

    @shim.transaction
    def unhide(self, ctx: shim.Context, collection: str, key: str) -> None:
        ctx.stub.del_private_data(collection, key)

    @shim.transaction
    def purge(self, ctx: shim.Context, collection: str, key: str) -> None:
        ctx.stub.purge_private_data(collection, key)
