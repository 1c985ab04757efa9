# SPDX-License-Identifier: Apache-2.0
"""The interface of consensus (Fabric: ``orderer/consensus/consensus.go``).

A :class:`Consenter` is a kind of consensus. For each channel it makes a :class:`Chain`, which gets
the messages and decides what the next block is; :class:`ConsenterSupport` is all that a chain may
touch of its channel::

    order, configure, step ──► Chain ──► create_next    number and hashes, nothing is written
                                         write          decided by the chain; signed here
                                         append         signed by others; stored as it is

One chain at a time writes a channel's blocks. All of this runs on the event loop.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from fastledger.channelconfig import Bundle, Orderer
from fastledger.common.errors import FastledgerError
from fastledger.orderer.blockcutter import Message
from fastledger.orderer.cluster import OpenedRequest
from fastledger.protoutil.coreblock import AnyBlock


class ChainHalted(FastledgerError):
    """The chain takes no messages now: it was halted, cannot write, or has no leader."""


class NobodyElse(FastledgerError):
    """A message of another consenter, for a chain that has no others."""


class Relation(StrEnum):
    """This orderer's part in a channel's consensus (Fabric: ``types.ConsensusRelation``)."""

    CONSENTER = "consenter"
    FOLLOWER = "follower"
    CONFIG_TRACKER = "config-tracker"
    OTHER = "other"


class Status(StrEnum):
    """How far a channel has come (Fabric: ``types.Status``)."""

    ACTIVE = "active"
    ONBOARDING = "onboarding"
    INACTIVE = "inactive"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a chain stands, as the participation API shows it."""

    relation: Relation
    status: Status

    @property
    def is_following(self) -> bool:
        """Whether the channel's blocks come from other orderers, so that it is not served."""
        return self.relation is Relation.FOLLOWER or self.status is Status.ONBOARDING


class BatcherSupport(Protocol):
    """What a batcher needs of the channel.

    A leader who proposes hands in a view of it that counts what is not agreed on as unwritten.
    """

    @property
    def channel_id(self) -> str:
        """The channel's name."""

    @property
    def sequence(self) -> int:
        """Sequence of the configuration in force."""

    @property
    def orderer(self) -> Orderer:
        """Its orderer group: batch size, batch timeout, the consensus metadata."""

    def process_normal(self, envelope: bytes) -> None:
        """Judge a message anew, after the configuration changed; raises what refuses it."""

    def process_config(self, envelope: bytes) -> bytes:
        """Make a configuration message anew after the configuration changed; raises likewise."""

    @property
    def unwritten(self) -> int:
        """Blocks handed over that are not durable."""

    async def drained(self, blocks: int) -> None:
        """Return when at most so many blocks handed over are not durable."""


class ConsenterSupport(BatcherSupport, Protocol):
    """What a chain needs of its channel."""

    @property
    def bundle(self) -> Bundle:
        """The configuration in force."""

    # Blocks.

    @property
    def height(self) -> int:
        """Number of the block after the last durable one."""

    def block(self, number: int) -> bytes:
        """Return an encoded block below the height."""

    @property
    def is_onboarding(self) -> bool:
        """Whether blocks up to the one that the channel was joined with are missing."""

    @property
    def join_height(self) -> int:
        """Height at which none of them is missing any more; 0 when none is."""

    def create_next(self, envelopes: Sequence[bytes]) -> AnyBlock:
        """Make the block after the last one created, with empty metadata; nothing is written.

        Blocks may be created ahead of what is written.
        """

    def rewind(self) -> None:
        """Forget the blocks created that were not written, as a leader does that loses its part."""

    def write(self, block: AnyBlock, consenter_metadata: bytes = b"") -> None:
        """Sign a block of messages and store it; it belongs to the channel from here on.

        Args:
            block: Created here, or decided by the consenters; one that is there already is passed
                over, so that a log may be applied again.
            consenter_metadata: What the kind keeps with the block, encoded as the kind has it.

        Raises:
            BlockNotNext: It is not the next block; the channel has failed.
        """

    async def write_config(self, block: AnyBlock, consenter_metadata: bytes = b"") -> None:
        """Do as `write` with a configuration's block; return when it is durable and in force."""

    async def append(self, signed_block: bytes) -> None:
        """Store a block that other orderers have signed, as it is.

        It is held against the chain of hashes, the policy for blocks of the configuration in force,
        and the last configuration. Returns when it is handed over to the disk; a configuration's
        when it is durable and in force. One that is there already is passed over.

        Raises:
            BlockNotNext: It does not follow.
            FastledgerError: It is refused; nothing of it is stored.
        """

    # The chain itself.

    def changed(self) -> None:
        """Learn that the chain's `errored` is another."""

    def fail(self, error: Exception) -> None:
        """Have the channel fail, for good: no more messages are taken, no more blocks written."""

    def switch_chain(self) -> None:
        """Have the kind make the channel's chain anew, and put it in this one's place.

        Returns at once. This chain is halted when its blocks are durable; the messages that come
        meanwhile wait for the new one, and streams of blocks go on.
        """


class Chain(Protocol):
    """One channel's consensus.

    ::

        (made) ──start──► running ──halt──► (halted, for good)
                           │    ▲
           leader lost ... ▼    │ ... and found
                          errored
    """

    @property
    def standing(self) -> Standing:
        """Where it stands now."""

    @property
    def errored(self) -> bool:
        """Whether no block will follow for now, and who waits for one should ask elsewhere."""

    def check_update(self, following: Bundle) -> None:
        """Refuse a configuration that the consenters, as they are now, would not survive.

        What a configuration must be by itself, and after the one in force, is for the kind's rules.

        Raises:
            InputError: The configuration would lose the channel.
        """

    def start(self) -> None:
        """Begin to take messages."""

    async def resign(self) -> None:
        """Let others do what they wait for this one to do, because it is about to be halted."""

    async def halt(self) -> None:
        """Take no more messages, and return when the blocks handed over are durable."""

    async def wait_ready(self) -> None:
        """Return when messages are taken; raises ChainHalted when they are not."""

    async def order(self, message: Message, sequence: int) -> None:
        """Accept a message that was judged by the configuration of that sequence.

        Raises:
            ChainHalted: It is not taken.
            FastledgerError: The configuration has changed, and the message is not valid any more.
        """

    async def configure(self, envelope: bytes, sequence: int) -> None:
        """Accept a configuration message; raises likewise."""

    async def step(self, sender: int, message: bytes) -> None:
        """Take a message of another consenter of the channel.

        Messages of one sender come in order; the next one is not read before this returns.

        Args:
            sender: Its number among the channel's consenters. Whoever has received the message has
                authenticated it.
            message: The kind's own request, as it was sent.

        Raises:
            NobodyElse: The chain has no other consenters.
            FastledgerError: The message cannot be used; what else the sender has said is lost.
        """


@runtime_checkable
class Prompt(Protocol):
    """A chain that takes many messages at a time where none of them has to wait.

    Whatever it does not take so comes again by ``Chain.order`` or ``Chain.step``.
    """

    def room(self) -> int:
        """Return how many messages `order_now` would take, about."""

    def order_now(self, messages: Sequence[Message], sequence: int) -> int:
        """Accept messages that a configuration let in; return how many, from the first on."""

    def step_now(self, sender: int, requests: Sequence[OpenedRequest]) -> int:
        """Take requests of another consenter; return how many. Raises as ``Chain.step``."""


@dataclass(frozen=True, slots=True)
class Consenter:
    """One kind of consensus."""

    check: Callable[[str, Orderer], None]
    """Raises Unsupported for a channel (by name) that this orderer cannot run."""

    chain: Callable[[ConsenterSupport, bytes], Chain]
    """Makes a channel's chain, by the configuration in force: of a consenter, or of a follower.

    It goes on after what the last block keeps for consensus, empty for nothing."""

    is_member: Callable[[Orderer], bool] = lambda _: True
    """Whether a configuration makes this orderer a consenter (``IsChannelMember``).

    One that is none follows others; so does one that joins with a later block than the first."""

    forget: Callable[[str], None] = lambda _: None
    """Deletes what the kind keeps of a channel, by name, that is being removed here."""
