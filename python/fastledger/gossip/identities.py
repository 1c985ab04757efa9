# SPDX-License-Identifier: Apache-2.0
"""Whose messages count: identities by PKI-ID, and what they sign.

Fabric: ``gossip/identity`` and ``internal/peer/gossip/mcs.go``. A peer of the own organization is
judged by the peer's own MSP. One of another organization must be a reader of a channel that both
are on: without a common channel it is nobody.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from fastledger.channelconfig import Bundle
from fastledger.common.errors import FastledgerError, IdentityRefused
from fastledger.gossip.clock import Clock, SystemClock
from fastledger.gossip.messages import MessageRefused, Question, Sealed, pki_id_of
from fastledger.msp import Identity, Msp
from fastledger.protoutil.signed_data import SignedData
from fastledger.protoutil.signer import Signer

READERS = "/Channel/Application/Readers"

MAX_IDENTITIES = 10_000
"""Peers that are remembered; a network has hundreds."""

Bundles = Callable[[], Mapping[str, Bundle]]
"""The configurations of the peer's channels, by name."""


@dataclass(frozen=True, slots=True)
class Known:
    """An identity that was found valid."""

    serialized: bytes
    mspid: str
    not_after: float
    """Seconds since 1970."""

    own: Identity | None
    """Where it is of the own organization."""


class Identities:
    """The identities that one peer knows."""

    def __init__(
        self,
        signer: Signer,
        mspid: str,
        local_msp: Msp,
        bundles: Bundles,
        clock: Clock | None = None,
    ) -> None:
        """Know oneself."""
        self._clock = clock or SystemClock()
        self._forgotten: list[bytes] = []
        self.signer = signer
        self.mspid = mspid
        self._local = local_msp
        self._bundles = bundles
        self._known: dict[bytes, Known] = {}
        self.own_id = pki_id_of(signer.serialized)
        self.put(self.own_id, signer.serialized)

    def put(self, pki_id: bytes, serialized: bytes) -> Known:
        """Remember an identity.

        Raises:
            MessageRefused: It has another PKI-ID, is not valid, or there are too many.
        """
        known = self._known.get(pki_id)
        if known is not None and known.serialized == serialized:
            return known
        if pki_id != pki_id_of(serialized):
            raise MessageRefused("the PKI-ID is not that of the identity")
        if len(self._known) >= MAX_IDENTITIES:
            raise MessageRefused(f"{MAX_IDENTITIES} identities are known already")
        known = self._known[pki_id] = self._validated(serialized)
        return known

    def get(self, pki_id: bytes) -> Known | None:
        """Find an identity; an expired one is forgotten."""
        known = self._known.get(pki_id)
        if known is not None and known.not_after < self._now_s():
            self._forget(pki_id)
            return None
        return known

    def org_of(self, pki_id: bytes) -> str:
        """Name a peer's organization; empty for a peer that is not known."""
        known = self.get(pki_id)
        return known.mspid if known else ""

    def is_own_org(self, pki_id: bytes) -> bool:
        """Whether a peer is of the own organization."""
        return self.org_of(pki_id) == self.mspid

    def organizations(self) -> list[str]:
        """The organizations of all peers that are known."""
        return sorted({known.mspid for known in self._known.values()})

    def revalidate(self) -> None:
        """Look at all identities again: a channel's configuration has changed."""
        for pki_id, known in list(self._known.items()):
            try:
                self._known[pki_id] = self._validated(known.serialized)
            except MessageRefused:
                self._forget(pki_id)

    def take_forgotten(self) -> list[bytes]:
        """Name the identities that are valid no longer, each once."""
        forgotten, self._forgotten = self._forgotten, []
        return forgotten

    def check(self, sealed: Iterable[tuple[bytes, Sealed]]) -> list[bool]:
        """Say of messages, each with the PKI-ID of its author, whether they are authentic."""
        questions: list[Question] = []
        spans: list[tuple[int, int]] = []
        for pki_id, one in sealed:
            begin = len(questions)
            known = self.get(pki_id)
            try:
                if known is not None:
                    questions.extend(one.signatures(known.serialized))
            except MessageRefused:
                del questions[begin:]
            spans.append((begin, len(questions)))
        verdicts = self.verify(questions)
        return [begin < end and all(verdicts[begin:end]) for begin, end in spans]

    def verify(self, questions: Sequence[Question]) -> list[bool]:
        """Verify signatures of valid identities; those of other organizations as one batch."""
        verdicts = [False] * len(questions)
        foreign: dict[str, list[int]] = {}
        for index, (serialized, message, signature) in enumerate(questions):
            known = self._known.get(pki_id_of(serialized))
            if known is not None and known.own is not None:
                verdicts[index] = _verifies(known.own, message, signature)
            else:
                foreign.setdefault(self._channel_of(serialized), []).append(index)
        for channel_id, indices in foreign.items():
            if channel_id:
                answers = self.readers(channel_id, [questions[index] for index in indices])
                for index, answer in zip(indices, answers, strict=True):
                    verdicts[index] = answer
        return verdicts

    def readers(self, channel_id: str, questions: Sequence[Question]) -> list[bool]:
        """Say which of those who signed may read a channel."""
        bundle = self._bundles().get(channel_id)
        if bundle is None:
            return [False] * len(questions)
        asked = [[SignedData(message, who, signature)] for who, message, signature in questions]
        try:
            return [answer is None for answer in bundle.evaluate_many(READERS, asked)]
        except FastledgerError:
            return [False] * len(questions)

    def _channel_of(self, serialized: bytes) -> str:
        """Find a channel that knows an identity."""
        for channel_id, bundle in self._bundles().items():
            try:
                bundle.identity(serialized).validate()
            except IdentityRefused:
                continue
            return channel_id
        return ""

    def _validated(self, serialized: bytes) -> Known:
        identity = self._own(serialized)
        own = identity
        if identity is None:
            bundle = self._bundles().get(self._channel_of(serialized))
            if bundle is None:
                raise MessageRefused(
                    "no MSP of the own organization or a channel knows the identity"
                )
            identity = bundle.identity(serialized)
        if identity.not_after < self._now_s():
            raise MessageRefused("the identity has expired")
        return Known(serialized, identity.mspid, identity.not_after, own)

    def _own(self, serialized: bytes) -> Identity | None:
        try:
            identity = self._local.identity(serialized)
        except FastledgerError:
            return None
        try:
            identity.validate()
        except IdentityRefused as error:
            raise MessageRefused(f"the identity is not valid: {error}") from error
        return identity

    def _forget(self, pki_id: bytes) -> None:
        if pki_id != self.own_id:
            del self._known[pki_id]
            self._forgotten.append(pki_id)

    def _now_s(self) -> float:
        return self._clock.unix_ns() / 1e9


def _verifies(identity: Identity, message: bytes, signature: bytes) -> bool:
    try:
        identity.verify(message, signature)
    except IdentityRefused:
        return False
    return True
