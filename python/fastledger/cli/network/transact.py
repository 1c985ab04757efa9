# SPDX-License-Identifier: Apache-2.0
"""``fastledger invoke`` and ``query``."""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from fastledger.cli.command import INCONSISTENT, LiveCommand
from fastledger.cli.network.answers import disagreement, unable
from fastledger.cli.network.place import DIRECTORY, running
from fastledger.client.endorsement import Endorsement, invocation
from fastledger.common.codes import TxValidationCode, code_name
from fastledger.common.errors import FastledgerError, InputError, NotFound
from fastledger.network import audit, words
from fastledger.network.deployment import deployed
from fastledger.network.plan import Node, Org, Plan
from fastledger.network.session import Session, User, spokesman
from fastledger.protos.common.common_pb2 import HeaderType
from fastledger.protos.peer.chaincode_pb2 import ChaincodeSpec
from fastledger.protos.peer.proposal_pb2 import ChaincodeAction
from fastledger.protos.peer.proposal_response_pb2 import ProposalResponse, ProposalResponsePayload
from fastledger.protoutil.proposal import create_proposal

CONFLICTS = {TxValidationCode.MVCC_READ_CONFLICT, TxValidationCode.PHANTOM_READ_CONFLICT}
"""Codes that another attempt may not get: somebody else was first."""

MAX_RETRIES = 1000
_USER = "User1"


def _call_options(function: Any) -> Any:
    for option in reversed(
        (
            DIRECTORY,
            click.option(
                "--chaincode", default="", help="Name; without it the one that up named last."
            ),
            click.option("--org", default="Org1", show_default=True, help="Whose user asks."),
            click.option("--user", default=_USER, show_default=True, help="The user's name."),
            click.option(
                "--transient", multiple=True, metavar="KEY=VALUE", help="Kept off the ledger."
            ),
            click.argument("function"),
            click.argument("args", nargs=-1),
        )
    ):
        function = option(function)
    return function


class Refused(Exception):
    """A transaction was not endorsed, or is invalid; told in several lines, unlike other errors."""


class Raced(Refused):
    """The peers answered while another transaction was committed; they may agree a moment later."""


class _Transaction(LiveCommand):
    """A command whose refusal costs exit code 1 and is told in several lines."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except Refused as error:
            click.echo(f"fastledger: {error}", err=True)
            sys.exit(INCONSISTENT)


@click.command(cls=_Transaction, context_settings={"ignore_unknown_options": True})
@_call_options
@click.option(
    "--retry",
    type=click.IntRange(0, MAX_RETRIES),
    default=0,
    help="Try again so often when another transaction was first.",
)
@click.option(
    "--endorser",
    "endorsers",
    multiple=True,
    metavar="ORG",
    help="An organization whose peer endorses; may be repeated.  [default: all]",
)
def invoke(directory: Path | None, retry: int, endorsers: tuple[str, ...], **values: Any) -> None:
    """Submit a transaction: call FUNCTION of the chaincode with ARGS, and wait for its commit.

    A peer of each organization endorses it. Exit code 1: it was not endorsed, or is invalid.
    """
    asyncio.run(_invoke(running(directory), retry, endorsers, values))


@click.command(cls=_Transaction, context_settings={"ignore_unknown_options": True})
@_call_options
def query(directory: Path | None, **values: Any) -> None:
    """Ask a peer: call FUNCTION of the chaincode with ARGS, and change nothing."""
    asyncio.run(_query(running(directory), values))


def user_of(plan: Plan, org: str, user: str) -> User:
    """Return a user by the names of organization and user.

    Raises:
        NotFound: There is no such organization.
    """
    return User(_organization(plan, org), user)


def _organization(plan: Plan, name: str) -> Org:
    for known in plan.organizations:
        if name.lower() in (known.name.lower(), known.mspid.lower()):
            return known
    names = ", ".join(known.name for known in plan.organizations)
    raise NotFound(f"no organization {name}, there are {names}")


async def _query(plan: Plan, values: dict[str, Any]) -> None:
    user = user_of(plan, values["org"], values["user"])
    async with Session(plan) as session:
        answer = await _endorsed(session, user, [spokesman(user.org)], values)
    _show(answer.responses[0].response.payload)


async def _invoke(
    plan: Plan, retry: int, endorsers: tuple[str, ...], values: dict[str, Any]
) -> None:
    user = user_of(plan, values["org"], values["user"])
    everybody = [spokesman(org) for org in plan.organizations]
    wanted = {_organization(plan, name).mspid for name in endorsers}
    nodes = [node for node in everybody if not wanted or node.mspid in wanted]
    # The user's own peer endorses first: its answer is the one that is shown.
    nodes.sort(key=lambda node: node.mspid != user.org.mspid)
    async with Session(plan) as session:
        for left in range(retry, -1, -1):
            try:
                answer = await _endorsed(session, user, nodes, values)
            except Raced:
                if not left:
                    raise
                _say_again("the peers read different versions", left)
                continue
            signer = session.signer(user)
            # All of them, so that the next call finds its endorsers equal.
            number, code = await session.submit(signer, answer, everybody)
            if code == TxValidationCode.VALID:
                break
            why = f"{code_name(code)} in block {number}"
            if code not in CONFLICTS or not left:
                raise Refused(await _explained(session, user, answer.tx_id, number, why))
            _say_again(why, left)
    click.echo(f"transaction {answer.tx_id} is valid, block {number}", err=True)
    _show(_result(answer.responses[0]))


def _say_again(why: str, left: int) -> None:
    click.echo(f"fastledger: {why}, trying again; {left} attempts left", err=True)


async def _endorsed(
    session: Session, user: User, nodes: Sequence[Node], values: dict[str, Any]
) -> Endorsement:
    """Have peers endorse the call; raises Refused when their answers make no transaction."""
    plan = session.plan
    signer = session.signer(user)
    # The bytes that were typed, whatever the terminal's encoding.
    args = [os.fsencode(text) for text in (values["function"], *values["args"])]
    name = values["chaincode"] or plan.chaincode
    spec = invocation(name, args, language=ChaincodeSpec.GOLANG)
    transient = _transient(values["transient"])
    header_type = HeaderType.ENDORSER_TRANSACTION
    proposed = create_proposal(header_type, plan.channel, spec, signer.serialized, transient)
    answers = await session.ask_each(signer, nodes, proposed)
    problem = disagreement(nodes, answers)
    if problem:
        text = problem.text + _hint(plan, name, problem.text, unable(nodes, answers))
        raise (Raced if problem.raced else Refused)(text)
    return Endorsement(proposed, tuple(a for a in answers if isinstance(a, ProposalResponse)))


def _hint(plan: Plan, chaincode: str, text: str, failed: Sequence[Node]) -> str:
    """Return what this network knows beyond the peers' words."""
    if words.is_unknown(chaincode, text):
        names = ", ".join(deployed(plan)) or "none"
        return f"\nchaincodes of this network: {names}; --chaincode NAME calls another one"
    if plan.watch and words.is_run_by_hand(text):
        return "\nfastledger up --watch runs it, and shows what is wrong with it"
    if failed:
        names = ", ".join(node.name for node in failed)
        return f"\nthe chaincode was not asked: {names} could not run it, see fastledger logs"
    return ""


async def _explained(session: Session, user: User, tx_id: str, number: int, why: str) -> str:
    head = f"transaction {tx_id} is invalid: {why}"
    try:
        explanation = await audit.explain(session, user, tx_id, number)
    except FastledgerError as error:
        return f"{head}\n(cannot explain it: {error})"
    return f"{head}\n{explanation}"


def _transient(pairs: Sequence[str]) -> dict[str, bytes]:
    values = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator:
            raise InputError(f"--transient {pair}: it must be KEY=VALUE")
        values[key] = os.fsencode(value)
    return values


def _result(response: ProposalResponse) -> bytes:
    extension = ProposalResponsePayload.FromString(response.payload).extension
    return ChaincodeAction.FromString(extension).response.payload


def _show(payload: bytes) -> None:
    if payload:
        sys.stdout.buffer.write(payload + b"\n")
        sys.stdout.buffer.flush()
