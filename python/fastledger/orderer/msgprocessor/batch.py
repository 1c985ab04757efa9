# SPDX-License-Identifier: Apache-2.0
"""Asks a policy about many messages at once.

Messages that come in within one turn of the event loop are judged together at its end: the core
verifies their signatures as a batch, and leaves the interpreter once for all of them. A message
that comes alone waits for nothing but that turn.
"""

import asyncio
from typing import NamedTuple

from fastledger.channelconfig import Bundle
from fastledger.common.errors import FastledgerError, NotFound
from fastledger.orderer.errors import PermissionDenied, Rejected
from fastledger.protoutil.signed_data import SignedData


class _Question(NamedTuple):
    signed: SignedData
    answer: "asyncio.Future[str | None]"


class PolicyBatch:
    """The questions of one turn, by configuration and policy."""

    def __init__(self) -> None:
        """Begin with none."""
        self._waiting: dict[tuple[Bundle, str], list[_Question]] = {}

    async def check(self, bundle: Bundle, policy: str, signed: SignedData) -> None:
        """Return when the policy is satisfied.

        Raises:
            PermissionDenied: It is not.
            Rejected: There is no such policy.
        """
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._ask)
        answer: asyncio.Future[str | None] = loop.create_future()
        self._waiting.setdefault((bundle, policy), []).append(_Question(signed, answer))
        reason = await answer
        if reason is not None:
            raise PermissionDenied.because(reason)

    def _ask(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for (bundle, policy), questions in waiting.items():
            try:
                reasons = bundle.evaluate_many(policy, [[one.signed] for one in questions])
            except FastledgerError as error:
                for question in questions:
                    _fail(question.answer, _refusal(error, policy))
            else:
                for question, reason in zip(questions, reasons, strict=True):
                    if not question.answer.done():
                        question.answer.set_result(reason)


def _refusal(error: FastledgerError, policy: str) -> FastledgerError:
    return Rejected(f"could not find policy {policy}") if isinstance(error, NotFound) else error


def _fail(answer: "asyncio.Future[str | None]", error: FastledgerError) -> None:
    if not answer.done():
        answer.set_exception(error)
