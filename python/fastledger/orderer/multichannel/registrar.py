# SPDX-License-Identifier: Apache-2.0
"""Finds, begins and ends channels (Fabric: ``multichannel.Registrar``)."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from fastledger.channelconfig import Bundle
from fastledger.common import log
from fastledger.common.errors import FastledgerError, InputError, LedgerCorrupted, LedgerStopped
from fastledger.ledger.blockstores import BlockStore, Ledgers
from fastledger.orderer.capabilities import check_block_policy, check_capabilities, orderer_of
from fastledger.orderer.consensus.chain import Relation, Standing, Status
from fastledger.orderer.consensus.consenters import Consenters
from fastledger.orderer.consensus.kinds import rules_of
from fastledger.orderer.errors import ChannelDoesNotExist, Rejected
from fastledger.orderer.msgprocessor.message import OrdererMessage
from fastledger.orderer.msgprocessor.standard import StandardChannel
from fastledger.orderer.msgprocessor.system import SystemChannel
from fastledger.orderer.multichannel import metrics
from fastledger.orderer.multichannel.chainsupport import ChainSupport
from fastledger.protos.common.common_pb2 import Block, HeaderType
from fastledger.protoutil.blocks import last_config_index, new_block
from fastledger.protoutil.signer import Signer

# Looking an enumeration's value up by its name takes longer than finding the channel.
_CONFIG: int = HeaderType.CONFIG
_CONFIG_UPDATE: int = HeaderType.CONFIG_UPDATE
_ORDERER_TRANSACTION: int = HeaderType.ORDERER_TRANSACTION

_logger = log.get("orderer.common.multichannel")


class ChannelAlreadyExists(FastledgerError):
    """A channel that is there cannot be joined."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__("channel already exists")


class SystemChannelExists(FastledgerError):
    """With a system channel, only that makes channels."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__("system channel exists")


class ChannelNotExist(FastledgerError):
    """No such channel."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__("channel does not exist")


class ChannelPendingRemoval(FastledgerError):
    """The channel is being deleted."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__("channel pending removal")


class ChannelRemovalFailure(FastledgerError):
    """The channel could not be deleted."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__("channel removal failure")


class ChannelNotReady(FastledgerError):
    """The channel is only followed here."""

    def __init__(self) -> None:
        """Say so."""
        super().__init__("channel is not ready, he is a follower")


@dataclass(frozen=True, slots=True)
class ChannelInfo:
    """A channel as the participation API shows it."""

    name: str
    standing: Standing
    height: int


@dataclass(slots=True)
class _Channel:
    support: ChainSupport
    store: BlockStore


@dataclass(slots=True)
class _Removal:
    relation: Relation
    failed: bool = field(default=False)


class Registrar:
    """The channels of one orderer."""

    def __init__(
        self,
        ledgers: Ledgers,
        signer: Signer,
        consenters: Consenters,
        *,
        check_expirations: bool = True,
    ) -> None:
        """Prepare; `open` takes up the channels."""
        self._ledgers = ledgers
        self._signer = signer
        self._consenters = consenters
        self._check_expirations = check_expirations
        self._channels: dict[str, _Channel] = {}
        self._removals: dict[str, _Removal] = {}
        self._deletions: set[asyncio.Task[None]] = set()
        self._system: ChainSupport | None = None

    def open(self, bootstrap: bytes | None = None) -> None:
        """Open and start all channels.

        Args:
            bootstrap: The genesis block of a system channel, or a later configuration block, begun
                when there is no channel yet (``General.BootstrapMethod: file``). With a later one
                the blocks up to it are pulled, and with them the channels that they make begin.

        Raises:
            FastledgerError: A channel's files or configuration cannot be used.
        """
        for channel_id in self._ledgers.channel_ids():
            self._reopen(channel_id)
        if bootstrap is not None and not self._channels:
            system = Bundle.from_block(bootstrap)
            check_capabilities(system)
            check_block_policy(system)
            rules_of(system).check_config(system)
            if Block.FromString(bootstrap).header.number == 0:
                self._begin(system, bootstrap)
            else:
                self._onboard(system.channel_id, bootstrap)
        for channel in self._channels.values():
            channel.support.start()
        _logger.info(
            "Registrar initializing %s a system channel, number of channels: %d",
            "with" if self._system else "without",
            len(self._channels),
        )

    async def resign(self) -> None:
        """Let other orderers lead the channels that this one leads, while it still answers them."""
        supports = [channel.support for channel in self._channels.values()]
        await asyncio.gather(*(support.resign() for support in supports))

    async def close(self) -> None:
        """Write what was taken, and close all channels."""
        for channel in self._channels.values():
            try:
                await channel.support.halt()
            except FastledgerError as error:
                _logger.error("[channel: %s] %s", channel.support.channel_id, error)
            channel.store.close()
        self._channels.clear()
        if self._deletions:
            await asyncio.wait(self._deletions)

    # Broadcast and Deliver.

    def channel(self, channel_id: str) -> ChainSupport | None:
        """Find a channel that is served: one that is only followed is for nobody to ask."""
        support = self._find(channel_id)
        return None if support is None or support.standing.is_following else support

    def broadcast_support(self, channel_id: str, kind: int) -> tuple[ChainSupport, bool]:
        """Find the channel that judges a message, and say whether it is a configuration update.

        Args:
            channel_id: Of its header.
            kind: Of its header, a ``common.HeaderType`` if it is one.

        Raises:
            Rejected: There is none, or the message is of a type that only orderers make.
        """
        support = self.channel(channel_id) or self._system
        if support is None:
            raise Rejected(str(ChannelDoesNotExist()))
        if kind == _CONFIG or (kind == _ORDERER_TRANSACTION and self._system):
            raise Rejected("message is of type that cannot be processed directly")
        if kind == _ORDERER_TRANSACTION:
            raise Rejected("message is of type that is no longer supported")
        return support, kind == _CONFIG_UPDATE

    def check(self) -> None:
        """Return while every channel can go on; for /healthz.

        Raises:
            FastledgerError: Some cannot; the text says which, and why.
        """
        failed = [
            f"channel {channel.support.channel_id}: {reason}"
            for channel in self._channels.values()
            for reason in (channel.support.failure, channel.support.damage)
            if reason is not None
        ]
        if failed:
            raise LedgerStopped("; ".join(failed))

    @property
    def channels_count(self) -> int:
        """How many channels there are."""
        return len(self._channels)

    def tls_roots(self) -> bytes:
        """Return the PEM of the CAs of all channels' organizations' TLS certificates.

        May be called in any thread.
        """
        bundles = [channel.support.bundle for channel in list(self._channels.values())]
        roots = {
            pem for bundle in bundles for mspid in bundle.msp_ids for pem in bundle.tls_cas(mspid)
        }
        return b"".join(pem.rstrip() + b"\n" for pem in sorted(roots))

    # Channel participation.

    @property
    def system_channel(self) -> str | None:
        """Name of the 1.x system channel."""
        return self._system.channel_id if self._system else None

    def channel_ids(self) -> list[str]:
        """Return all names but the system channel's, those being removed included."""
        return sorted({*self._channels, *self._removals} - {self.system_channel or ""})

    def info(self, channel_id: str) -> ChannelInfo:
        """Describe a channel; raises ChannelNotExist."""
        support = self._find(channel_id)
        if support is not None:
            return ChannelInfo(channel_id, support.standing, support.height)
        removal = self._removals.get(channel_id)
        if removal is None:
            raise ChannelNotExist
        status = Status.FAILED if removal.failed else Status.INACTIVE
        return ChannelInfo(channel_id, Standing(removal.relation, status), 0)

    def join(self, bundle: Bundle, block: bytes) -> ChannelInfo:
        """Begin a channel: with its genesis block as one of its consenters, else as a follower.

        Args:
            bundle: The configuration in the block.
            block: The genesis block, or a later configuration block: then those up to it are
                pulled from the orderers that it names.

        Raises:
            SystemChannelExists: Then nothing is joined.
            ChannelAlreadyExists: It is there.
            ChannelPendingRemoval: It is being deleted.
            ChannelRemovalFailure: It could not be deleted.
            FastledgerError: This orderer cannot run it.
        """
        if self._system is not None:
            raise SystemChannelExists
        self._check_removal(bundle.channel_id)
        if bundle.channel_id in self._channels:
            raise ChannelAlreadyExists
        _check_join(bundle)
        values = orderer_of(bundle)
        is_first = Block.FromString(block).header.number == 0
        if is_first and self._consenters.of(values).is_member(values):
            support = self._begin(bundle, block)
        else:
            support = self._onboard(bundle.channel_id, block)
        support.start()
        info = self.info(bundle.channel_id)
        _logger.info(
            "Joining channel: %s as %s, %s", info.name, info.standing.relation, info.standing.status
        )
        return info

    async def update(self, channel_id: str, message: OrdererMessage) -> ChannelInfo:
        """Apply a configuration update; raises ChannelNotExist, ChannelNotReady, or Rejected."""
        self._check_removal(channel_id)
        support = self._ready(channel_id)
        try:
            await support.configure(message)
        except FastledgerError as error:
            raise Rejected(f"failed update config of channel {channel_id}: {error}") from error
        return self.info(channel_id)

    async def remove(self, channel_id: str) -> None:
        """End a channel and delete its blocks; raises ChannelNotExist, ChannelPendingRemoval."""
        if self._system is not None:
            raise SystemChannelExists
        removal = self._removals.get(channel_id)
        if removal is not None and not removal.failed:
            raise ChannelPendingRemoval
        channel = self._channels.pop(channel_id, None)
        if channel is None:
            raise ChannelNotExist
        self._removals[channel_id] = _Removal(channel.support.standing.relation)
        task = asyncio.get_running_loop().create_task(self._delete(channel_id, channel))
        self._deletions.add(task)
        task.add_done_callback(self._deletions.discard)

    def fetch(self, channel_id: str, block_id: str) -> bytes:
        """Return an encoded block: ``newest``, ``oldest``, ``config`` or a number."""
        self._check_removal(channel_id)
        support = self._ready(channel_id)
        newest = support.height - 1
        if block_id == "config":
            return support.block(last_config_index(Block.FromString(support.block(newest))))
        numbers: Mapping[str, int] = {"oldest": 0, "newest": newest}
        return support.block(numbers[block_id] if block_id in numbers else int(block_id))

    def _find(self, channel_id: str) -> ChainSupport | None:
        """Find a channel, followed ones too."""
        channel = self._channels.get(channel_id)
        return channel.support if channel else None

    def _ready(self, channel_id: str) -> ChainSupport:
        """Find a channel that is served; raises ChannelNotExist, ChannelNotReady."""
        support = self._find(channel_id)
        if support is None:
            raise ChannelNotExist
        if support.standing.is_following:
            raise ChannelNotReady
        return support

    def _check_removal(self, channel_id: str) -> None:
        removal = self._removals.get(channel_id)
        if removal is not None:
            raise ChannelRemovalFailure if removal.failed else ChannelPendingRemoval

    async def _delete(self, channel_id: str, channel: _Channel) -> None:
        try:
            await channel.support.halt()
            channel.store.close()
            # First what consensus keeps: without its blocks it would contradict a new channel's.
            await asyncio.to_thread(self._consenters.forget, channel_id)
            await asyncio.to_thread(self._ledgers.remove, channel_id)
        except (FastledgerError, OSError) as error:
            self._removals[channel_id].failed = True
            _logger.error("cannot remove ledger '%s': %s", channel_id, error)
        else:
            del self._removals[channel_id]
            metrics.forget(channel_id)
            _logger.info("Removed channel: %s", channel_id)

    # Making channels.

    def _reopen(self, channel_id: str) -> None:
        store = self._ledgers.open(channel_id)
        join_block = self._ledgers.join_block(channel_id)
        if store.height == 0 and self._ledgers.knows(channel_id):
            store.close()
            raise LedgerCorrupted(self._ledgers.loss(channel_id))
        if store.height == 0 and join_block is None:
            _logger.warning("Channel '%s' has an empty ledger, removing it", channel_id)
            store.close()
            self._ledgers.remove(channel_id)
            return
        support = self._serve(store, join_block)
        if support.channel_id != channel_id:
            raise LedgerCorrupted(self._ledgers.confusion(channel_id, support.channel_id))
        if not support.is_onboarding:
            self._ledgers.end_join(channel_id)

    def _begin(self, bundle: Bundle, genesis: bytes) -> ChainSupport:
        store = self._ledgers.open(bundle.channel_id)
        try:
            if store.height == 0:
                store.append([genesis])
            support = self._serve(store)
            self._ledgers.know(bundle.channel_id)
            return support
        except FastledgerError:
            store.close()
            self._ledgers.remove(bundle.channel_id)
            raise

    def _onboard(self, channel_id: str, join_block: bytes) -> ChainSupport:
        """Begin a channel without blocks; a restart goes on with it."""
        try:
            self._ledgers.begin_join(channel_id, join_block)
            store = self._ledgers.open(channel_id)
            try:
                return self._serve(store, join_block)
            except FastledgerError:
                store.close()
                raise
        except FastledgerError:
            self._ledgers.remove(channel_id)
            raise

    def _serve(self, store: BlockStore, join_block: bytes | None = None) -> ChainSupport:
        support = ChainSupport(
            store,
            self._signer,
            self._consenters,
            self._processor,
            self._make_channel,
            self._ledgers.is_full,
            join_block,
            lambda: self._ledgers.end_join(support.channel_id),
        )
        self._channels[support.channel_id] = _Channel(support, store)
        metrics.follow(support.channel_id, lambda: support.standing)
        if support.bundle.consortiums is not None:
            self._system = support
        return support

    def _processor(self, support: ChainSupport) -> StandardChannel:
        if support.bundle.consortiums is None:
            return StandardChannel(support, self._signer, check_expirations=self._check_expirations)
        return SystemChannel(support, self._signer, self, check_expirations=self._check_expirations)

    def _make_channel(self, config: bytes) -> None:
        """Begin the channel that the system channel has made."""
        genesis = new_block(0, b"", [config]).SerializeToString()
        bundle = Bundle.from_block(genesis)
        if bundle.channel_id not in self._channels:
            self._begin(bundle, genesis).start()
            _logger.info("Created and started new channel %s", bundle.channel_id)


def _check_join(bundle: Bundle) -> None:
    """Refuse what no orderer could run, whether this one could or not."""
    try:
        orderer_of(bundle)
        check_capabilities(bundle)
    except InputError as error:
        raise InputError(
            "failed creating ledger resources: error checking bundle for channel: "
            f"{bundle.channel_id}: {error}"
        ) from error
    try:
        check_block_policy(bundle)
    except InputError as error:
        raise InputError(f"failed creating ledger resources: {error}") from error
    try:
        rules_of(bundle).check_config(bundle)
    except InputError as error:
        raise InputError(
            "failed to determine cluster membership from join-block: failed to validate config "
            f"metadata of ordering config: {error}"
        ) from error
