# SPDX-License-Identifier: Apache-2.0
"""A fungible token with the functions of ERC-20: fabric-samples' token-erc-20.

Accounts are client identities, as ``ClientAccountID`` tells them. Only the organization that
issues the token may initialize it, mint and burn.
"""

import json

from fastledger import shim

ISSUER = "Org1MSP"
_NAME, _SYMBOL, _DECIMALS, _SUPPLY = "name", "symbol", "decimals", "totalSupply"


class TokenERC20(shim.Contract):
    """The contract."""

    @shim.transaction
    def Initialize(self, ctx: shim.Context, name: str, symbol: str, decimals: str) -> bool:
        """Name the token, once."""
        _check_issuer(ctx)
        if ctx.stub.get_state(_NAME) is not None:
            raise shim.ChaincodeFailed(
                "contract options are already set, client is not authorized to change them"
            )
        for key, value in ((_NAME, name), (_SYMBOL, symbol), (_DECIMALS, decimals)):
            ctx.stub.put_state(key, value.encode())
        return True

    @shim.transaction
    def Mint(self, ctx: shim.Context, amount: int) -> None:
        """Create tokens in the issuer's account."""
        _check_ready(ctx)
        _check_issuer(ctx)
        _check_positive("mint amount", amount)
        minter = ctx.client_identity.id
        _put(ctx, minter, _balance(ctx, minter) + amount)
        _put(ctx, _SUPPLY, _number(ctx, _SUPPLY) + amount)
        _tell(ctx, "Transfer", "0x0", minter, amount)

    @shim.transaction
    def Burn(self, ctx: shim.Context, amount: int) -> None:
        """Destroy tokens of the issuer's account."""
        _check_ready(ctx)
        _check_issuer(ctx)
        _check_positive("burn amount", amount)
        minter = ctx.client_identity.id
        balance = _balance(ctx, minter)
        if balance < amount:
            raise shim.ChaincodeFailed("minter has insufficient funds")
        _put(ctx, minter, balance - amount)
        _put(ctx, _SUPPLY, _number(ctx, _SUPPLY) - amount)
        _tell(ctx, "Transfer", minter, "0x0", amount)

    @shim.transaction
    def Transfer(self, ctx: shim.Context, recipient: str, amount: int) -> None:
        """Give tokens of one's own."""
        _check_ready(ctx)
        giver = ctx.client_identity.id
        _move(ctx, giver, recipient, amount)
        _tell(ctx, "Transfer", giver, recipient, amount)

    @shim.transaction
    def Approve(self, ctx: shim.Context, spender: str, value: int) -> None:
        """Let another spend up to an amount."""
        _check_ready(ctx)
        owner = ctx.client_identity.id
        ctx.stub.put_state(_allowance_key(ctx, owner, spender), str(value).encode())
        _tell(ctx, "Approval", owner, spender, value)

    @shim.transaction
    def TransferFrom(self, ctx: shim.Context, owner: str, recipient: str, value: int) -> None:
        """Give tokens that another lets one spend."""
        _check_ready(ctx)
        spender = ctx.client_identity.id
        key = _allowance_key(ctx, owner, spender)
        allowance = _number(ctx, key)
        if allowance < value:
            raise shim.ChaincodeFailed("spender does not have enough allowance for transfer")
        _move(ctx, owner, recipient, value)
        _put(ctx, key, allowance - value)
        _tell(ctx, "Transfer", owner, recipient, value)

    @shim.query
    def BalanceOf(self, ctx: shim.Context, account: str) -> int:
        """Tokens of an account."""
        _check_ready(ctx)
        return _balance(ctx, account)

    @shim.query
    def ClientAccountBalance(self, ctx: shim.Context) -> int:
        """Tokens of the caller's account."""
        _check_ready(ctx)
        return _balance(ctx, ctx.client_identity.id)

    @shim.query
    def ClientAccountID(self, ctx: shim.Context) -> str:
        """The caller's account: give it to whoever should pay."""
        _check_ready(ctx)
        return ctx.client_identity.id

    @shim.query
    def Allowance(self, ctx: shim.Context, owner: str, spender: str) -> int:
        """What a spender may still spend."""
        _check_ready(ctx)
        return _number(ctx, _allowance_key(ctx, owner, spender))

    @shim.query
    def TotalSupply(self, ctx: shim.Context) -> int:
        """Tokens that there are."""
        _check_ready(ctx)
        return _number(ctx, _SUPPLY)

    @shim.query
    def Name(self, ctx: shim.Context) -> str:
        """The token's name."""
        return _text(ctx, _NAME)

    @shim.query
    def Symbol(self, ctx: shim.Context) -> str:
        """The token's symbol."""
        return _text(ctx, _SYMBOL)

    @shim.query
    def Decimals(self, ctx: shim.Context) -> str:
        """Digits after the point, for display."""
        return _text(ctx, _DECIMALS)


def _check_issuer(ctx: shim.Context) -> None:
    if ctx.client_identity.mspid != ISSUER:
        raise shim.ChaincodeFailed("client is not authorized to mint new tokens")


def _check_ready(ctx: shim.Context) -> None:
    if ctx.stub.get_state(_NAME) is None:
        raise shim.ChaincodeFailed(
            "Contract options need to be set before calling any function, call Initialize() to "
            "initialize contract"
        )


def _check_positive(what: str, amount: int) -> None:
    if amount <= 0:
        raise shim.ChaincodeFailed(f"{what} must be a positive integer")


def _move(ctx: shim.Context, giver: str, taker: str, amount: int) -> None:
    if giver == taker:
        raise shim.ChaincodeFailed("cannot transfer to and from same client account")
    if amount < 0:
        raise shim.ChaincodeFailed("transfer amount cannot be negative")
    balance = ctx.stub.get_state(giver)
    if balance is None:
        raise shim.ChaincodeFailed(f"client account {giver} has no balance")
    if int(balance) < amount:
        raise shim.ChaincodeFailed(f"client account {giver} has insufficient funds")
    _put(ctx, giver, int(balance) - amount)
    _put(ctx, taker, _number(ctx, taker) + amount)


def _balance(ctx: shim.Context, account: str) -> int:
    balance = ctx.stub.get_state(account)
    if balance is None and account != ctx.client_identity.id:
        raise shim.ChaincodeFailed(f"the account {account} does not exist")
    return int(balance or b"0")


def _number(ctx: shim.Context, key: str) -> int:
    return int(ctx.stub.get_state(key) or b"0")


def _text(ctx: shim.Context, key: str) -> str:
    _check_ready(ctx)
    return (ctx.stub.get_state(key) or b"").decode()


def _put(ctx: shim.Context, key: str, number: int) -> None:
    ctx.stub.put_state(key, str(number).encode())


def _allowance_key(ctx: shim.Context, owner: str, spender: str) -> str:
    return ctx.stub.create_composite_key("allowance", [owner, spender])


def _tell(ctx: shim.Context, event: str, giver: str, taker: str, value: int) -> None:
    payload = {"from": giver, "to": taker, "value": value}
    ctx.stub.set_event(event, json.dumps(payload, separators=(",", ":")).encode())
