# SPDX-License-Identifier: Apache-2.0
"""Why a transaction got the verdict that it got."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from fastledger.common.codes import TxValidationCode
from fastledger.ledger.records import Height
from fastledger.protoutil.certificate import Identity


@dataclass(frozen=True, slots=True)
class RuleBroken:
    """A rule about the transaction's form or identities was broken."""

    text: str

    def lines(self) -> Iterator[str]:
        """Say it in lines."""
        yield self.text


@dataclass(frozen=True, slots=True)
class EndorsementOutcome:
    """What became of one endorsement."""

    msp_id: str
    subject: str
    """The certificate's subject common name."""

    outcome: str
    """``valid``, or why the endorsement does not count."""


@dataclass(frozen=True, slots=True)
class PolicyFailed:
    """An endorsement policy was not satisfied."""

    namespace: str
    guards: str
    """What the policy guards: a chaincode, a collection, or a key."""

    policy: str
    """The policy in Fabric's policy language."""

    endorsements: tuple[EndorsementOutcome, ...]

    def lines(self) -> Iterator[str]:
        """Say it in lines."""
        yield f"the endorsement policy of {self.guards} is not satisfied: {self.policy}"
        if not self.endorsements:
            yield "the transaction has no endorsements"
        for endorsement in self.endorsements:
            who = Identity(endorsement.msp_id, endorsement.subject)
            yield f"endorsed by {who}: {endorsement.outcome}"


@dataclass(frozen=True, slots=True)
class ReadConflict:
    """A key was not at the version that the transaction read."""

    namespace: str
    collection: str
    """Empty for public state."""

    key: str
    """In a collection, the hexadecimal SHA-256 of the private key."""

    expected: Height | None
    """The version that the simulation saw; absent when the key did not exist."""

    found: Height | None
    """The version at commit; absent when the key does not exist."""

    written_in_block_by: int | None
    """The earlier transaction of the same block that wrote the key."""

    written_by: str = ""
    """Id of the transaction that wrote the version found, where the ledger knows it."""

    def lines(self) -> Iterator[str]:
        """Say it in lines."""
        place = f"{self.namespace}/{self.collection}" if self.collection else self.namespace
        expected = f"version {self.expected}" if self.expected else "nothing"
        yield f"it read key {self.key!r} of {place} and saw {expected}"
        by = f", transaction {self.written_by}" if self.written_by else ""
        if self.written_in_block_by is not None:
            yield f"transaction {self.written_in_block_by} of the same block writes that key{by}"
        elif self.found:
            yield f"the ledger has version {self.found}{by}"
        else:
            yield "the ledger does not have the key"


@dataclass(frozen=True, slots=True)
class PhantomConflict:
    """A range of keys was not what the transaction's query saw."""

    namespace: str
    start_key: str
    end_key: str
    """Exclusive; empty for no end."""

    difference: str
    """What differs first."""

    def lines(self) -> Iterator[str]:
        """Say it in lines."""
        yield f"it queried the keys [{self.start_key!r}, {self.end_key!r}) of {self.namespace}"
        yield self.difference


Reason = RuleBroken | PolicyFailed | ReadConflict | PhantomConflict


@dataclass(frozen=True, slots=True)
class Explanation:
    """A verdict and why: print it, or look at its fields."""

    tx_id: str
    version: Height
    """Block and place in the block."""

    code: TxValidationCode
    type: str
    """Name of the ``common.HeaderType``."""

    channel_id: str
    timestamp: datetime | None
    creator: Identity
    chaincode: str
    """Name of the invoked chaincode, empty for a configuration."""

    endorsers: tuple[Identity, ...]
    policies: dict[str, str]
    """Endorsement policy, as it stands now, of each chaincode invoked or written to."""

    reason: Reason | None
    """What decided against the transaction; None for a valid one."""

    def to_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        out = asdict(self)
        out["version"] = str(self.version)
        out["code"] = self.code.name
        out["timestamp"] = self.timestamp.isoformat() if self.timestamp else None
        if isinstance(self.reason, ReadConflict):
            for name in ("expected", "found"):
                height = getattr(self.reason, name)
                out["reason"][name] = str(height) if height else None
        return out

    def __str__(self) -> str:
        """Tell it to a person, in some lines."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"transaction {self.tx_id}"
        yield f"  block {self.version.block}, place {self.version.tx}: {self.code.name}"
        what = f"{self.type} on channel {self.channel_id}"
        yield f"  {what}, chaincode {self.chaincode}" if self.chaincode else f"  {what}"
        if self.creator != Identity("", ""):
            yield f"  submitted by {self.creator}"
        if self.reason is not None:
            yield "why:"
            yield from (f"  {line}" for line in self.reason.lines())
        if not isinstance(self.reason, PolicyFailed):
            yield from (f"  endorsed by {endorser}" for endorser in self.endorsers)
            for namespace, policy in self.policies.items():
                yield f"  policy of {namespace}, as it stands now: {policy}"


def read_reason(text: str | None) -> Reason | None:
    """Read the reason as the core keeps it, JSON with a ``kind``."""
    if text is None:
        return None
    fields: dict[str, Any] = json.loads(text)
    kind = fields.pop("kind")
    if kind == "rule":
        return RuleBroken(fields["text"])
    if kind == "policy":
        outcomes = tuple(EndorsementOutcome(**one) for one in fields.pop("endorsements"))
        return PolicyFailed(endorsements=outcomes, **fields)
    if kind == "phantom":
        return PhantomConflict(**fields)
    key = fields["key"]
    return ReadConflict(
        namespace=key["namespace"],
        collection=key.get("collection", ""),
        key=key["key"],
        expected=_height(fields["expected"]),
        found=_height(fields["found"]),
        written_in_block_by=fields["written_in_block_by"],
    )


def with_writer(reason: ReadConflict, tx_id: str) -> ReadConflict:
    """Add who wrote the version that was found."""
    return replace(reason, written_by=tx_id)


def _height(text: str | None) -> Height | None:
    if text is None:
        return None
    block, tx = text.split(":")
    return Height(int(block), int(tx))
