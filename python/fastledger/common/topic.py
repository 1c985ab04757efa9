# SPDX-License-Identifier: Apache-2.0
"""Something that happens again and again, and who wants to know of it.

Whoever owns a topic tells; those who subscribed are called in the order of their subscriptions.
Subscriptions are made where a node is put together, so that a room knows nobody behind it.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

Event = TypeVar("Event")


class Topic(Generic[Event]):
    """One kind of event."""

    def __init__(self) -> None:
        """Have no subscriber."""
        self._subscribers: list[Callable[[Event], object]] = []

    def subscribe(self, subscriber: Callable[[Event], object]) -> None:
        """Have a function called with every event from now on."""
        self._subscribers.append(subscriber)

    def tell(self, event: Event) -> None:
        """Call everybody who subscribed."""
        for subscriber in self._subscribers:
            subscriber(event)
