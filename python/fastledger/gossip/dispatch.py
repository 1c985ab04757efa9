# SPDX-License-Identifier: Apache-2.0
"""Which part of gossip takes a message (Fabric: ``handleMessage`` of ``gossip_impl.go``).

::

    message ─► tag legal? ─┬─ CHAN_… ─► its channel ─► handler by kind and tag
                  │ no     └─ others ────────────────► handler by kind and tag
                  ▼                                      │ none
               refused                                   ▼
                                                 counted, dropped

A part registers what it takes; nothing here knows any part. A message whose kind nobody takes, or
that is about a channel that this peer is not on, is no offence: real peers send them.
"""

from collections.abc import Callable, Iterable

from fastledger.common import metrics
from fastledger.gossip.effects import Effects
from fastledger.gossip.messages import MessageRefused, Sealed, channel_mac
from fastledger.protos.gossip.message_pb2 import GossipMessage, PullMsgType

Tag = GossipMessage.Tag

Handler = Callable[[bytes, Sealed], Effects]
"""Takes the PKI-ID of the peer that sent a message, and the message; raises MessageRefused."""

PULL = ("hello", "data_dig", "data_req", "data_update")
"""The messages of a pull; their tag depends on what is pulled."""

CHANNEL_TAGS = frozenset(
    {GossipMessage.CHAN_AND_ORG, GossipMessage.CHAN_ONLY, GossipMessage.CHAN_OR_ORG}
)
"""Tags of what is about one channel (``IsChannelRestricted``)."""

_TAGS: dict[str, "Tag.ValueType"] = {
    "alive_msg": GossipMessage.EMPTY,
    "mem_req": GossipMessage.EMPTY,
    "mem_res": GossipMessage.EMPTY,
    "peer_identity": GossipMessage.ORG_ONLY,
    "data_msg": GossipMessage.CHAN_AND_ORG,
    "leadership_msg": GossipMessage.CHAN_AND_ORG,
    "state_info": GossipMessage.CHAN_OR_ORG,
    "state_info_pull_req": GossipMessage.CHAN_OR_ORG,
    "state_snapshot": GossipMessage.CHAN_OR_ORG,
    "state_request": GossipMessage.CHAN_OR_ORG,
    "state_response": GossipMessage.CHAN_OR_ORG,
}
_PULL_TAGS = {
    PullMsgType.BLOCK_MSG: GossipMessage.CHAN_AND_ORG,
    PullMsgType.IDENTITY_MSG: GossipMessage.EMPTY,
}
_UNTAGGED = ("conn", "empty", "ack", "privateReq", "privateRes", "private_data")
"""Messages that carry no rule about their tag; their parts look at it themselves."""


def check_tag(sealed: Sealed) -> None:
    """Return when a message has the tag that its content asks for (``IsTagLegal``).

    Raises:
        MessageRefused: It has not.
    """
    kind, tag = sealed.kind, sealed.message.tag
    if kind in _UNTAGGED:
        return
    wanted = _TAGS.get(kind)
    if kind in PULL:
        wanted = _PULL_TAGS.get(getattr(sealed.message, kind).msg_type)
    if wanted is None or tag != wanted:
        raise MessageRefused(f"a message of kind {kind or 'none'} has the tag {tag}")


class Dispatcher:
    """The handlers of one peer."""

    def __init__(self) -> None:
        """Know no handler."""
        self._handlers: dict[tuple[str, str, int], Handler] = {}
        self._channels: dict[str, None] = {}
        self._unhandled = metrics.counter(
            "gossip_comm_messages_unhandled",
            "Number of messages that no part of this peer takes",
            ["kind"],
        )

    def register(
        self, kinds: Iterable[str], tag: "Tag.ValueType", handler: Handler, channel: str = ""
    ) -> None:
        """Have messages handled.

        Args:
            kinds: Names of their content's field.
            tag: Their tag.
            handler: Who takes them.
            channel: The channel that they are about, where the tag says that they are about one.
        """
        if channel:
            self._channels[channel] = None
        for kind in kinds:
            self._handlers[channel, kind, tag] = handler

    def dispatch(self, sender: bytes, sealed: Sealed) -> Effects:
        """Hand a message on.

        Raises:
            MessageRefused: It breaks a rule.
        """
        check_tag(sealed)
        kind, tag = sealed.kind, sealed.message.tag
        channel = self._channel_of(sender, sealed) if tag in CHANNEL_TAGS else ""
        handler = None if channel is None else self._handlers.get((channel, kind, tag))
        if handler is None:
            self._unhandled.labels(kind).inc()
            return []
        return handler(sender, sealed)

    def _channel_of(self, sender: bytes, sealed: Sealed) -> str | None:
        """Find the channel that a message is about.

        Some messages hide its name from those who do not know it, behind a code for each peer: only
        trying the own channels tells.
        """
        message = sealed.message
        if sealed.kind == "state_info":
            author, mac = message.state_info.pki_id, message.state_info.channel_MAC
        elif sealed.kind == "state_info_pull_req":
            author, mac = sender, message.state_info_pull_req.channel_MAC
        else:
            name = message.channel.decode("utf-8", "replace")
            return name if name in self._channels else None
        return next((name for name in self._channels if channel_mac(author, name) == mac), None)
