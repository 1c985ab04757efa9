# SPDX-License-Identifier: Apache-2.0
"""Assets that are created, updated and handed over: fabric-samples' asset-transfer-basic.

Functions, arguments and JSON are those of the samples, so their client applications work with it.
"""

import json
from dataclasses import dataclass

from fastledger import shim


@dataclass
class Asset:
    """What the ledger holds under an asset's ID."""

    AppraisedValue: int
    Color: str
    ID: str
    Owner: str
    Size: int


class AssetTransfer(shim.Contract):
    """The contract."""

    @shim.transaction
    def InitLedger(self, ctx: shim.Context) -> None:
        """Create six assets."""
        for asset in (
            Asset(ID="asset1", Color="blue", Size=5, Owner="Tomoko", AppraisedValue=300),
            Asset(ID="asset2", Color="red", Size=5, Owner="Brad", AppraisedValue=400),
            Asset(ID="asset3", Color="green", Size=10, Owner="Jin Soo", AppraisedValue=500),
            Asset(ID="asset4", Color="yellow", Size=10, Owner="Max", AppraisedValue=600),
            Asset(ID="asset5", Color="black", Size=15, Owner="Adriana", AppraisedValue=700),
            Asset(ID="asset6", Color="white", Size=15, Owner="Michel", AppraisedValue=800),
        ):
            self._put(ctx, asset)

    @shim.transaction
    def CreateAsset(
        self,
        ctx: shim.Context,
        id: str,
        color: str,
        size: int,
        owner: str,
        appraised_value: int,
    ) -> None:
        """Create an asset that does not exist yet."""
        if self.AssetExists(ctx, id):
            raise shim.ChaincodeFailed(f"the asset {id} already exists")
        self._put(ctx, Asset(appraised_value, color, id, owner, size))

    @shim.query
    def ReadAsset(self, ctx: shim.Context, id: str) -> Asset:
        """Return an asset."""
        value = ctx.stub.get_state(id)
        if value is None:
            raise shim.ChaincodeFailed(f"the asset {id} does not exist")
        return Asset(**json.loads(value))

    @shim.transaction
    def UpdateAsset(
        self,
        ctx: shim.Context,
        id: str,
        color: str,
        size: int,
        owner: str,
        appraised_value: int,
    ) -> None:
        """Replace an asset that exists."""
        if not self.AssetExists(ctx, id):
            raise shim.ChaincodeFailed(f"the asset {id} does not exist")
        self._put(ctx, Asset(appraised_value, color, id, owner, size))

    @shim.transaction
    def DeleteAsset(self, ctx: shim.Context, id: str) -> None:
        """Delete an asset that exists."""
        if not self.AssetExists(ctx, id):
            raise shim.ChaincodeFailed(f"the asset {id} does not exist")
        ctx.stub.del_state(id)

    @shim.query
    def AssetExists(self, ctx: shim.Context, id: str) -> bool:
        """Say whether an asset exists."""
        return ctx.stub.get_state(id) is not None

    @shim.transaction
    def TransferAsset(self, ctx: shim.Context, id: str, new_owner: str) -> str:
        """Hand an asset over; return the old owner."""
        asset = self.ReadAsset(ctx, id)
        old_owner = asset.Owner
        asset.Owner = new_owner
        self._put(ctx, asset)
        return old_owner

    @shim.query
    def GetAllAssets(self, ctx: shim.Context) -> list[Asset]:
        """Return every asset."""
        return [Asset(**json.loads(row.value)) for row in ctx.stub.get_state_by_range("", "")]

    def _put(self, ctx: shim.Context, asset: Asset) -> None:
        ctx.stub.put_state(asset.ID, json.dumps(vars(asset), separators=(",", ":")).encode())
