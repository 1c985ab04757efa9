# SPDX-License-Identifier: Apache-2.0
"""Keepalive and message limits of channels."""

from dataclasses import dataclass

MAX_MESSAGE_BYTES = 100 * 1024 * 1024
"""Largest message in either direction, as in every Fabric node and client."""


LARGEST_MESSAGE_BYTES = (1 << 31) - 1
"""More than this no message may be allowed to have: Fabric counts it in 32 bits."""


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """Keepalive and message limits of a channel; the defaults are Fabric's.

    Attributes:
        max_message_bytes: Largest message sent or received.
        keepalive_s: Ping a silent server that often; a Fabric server allows one per minute.
        keepalive_timeout_s: Give the connection up when a ping is not answered for so long.
        max_reconnect_backoff_s: Longest pause between two attempts to connect again.
    """

    max_message_bytes: int = MAX_MESSAGE_BYTES
    keepalive_s: float = 60
    keepalive_timeout_s: float = 20
    max_reconnect_backoff_s: float = 120
