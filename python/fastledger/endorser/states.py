# SPDX-License-Identifier: Apache-2.0
"""One namespace, or one collection, of a simulation or of a view, as plain keys."""

from collections.abc import Iterator

from fastledger.ledger.rwset import key_hash
from fastledger.ledger.simulator import TxSimulator
from fastledger.ledger.views import StateView

_LAST = "\x7f"
"""Behind every key that begins with a prefix, as far as Fabric's lifecycle looks."""


class PublicState:
    """A namespace of a simulation: reads and writes are recorded."""

    def __init__(self, simulator: TxSimulator, ns: str) -> None:
        """Use one namespace."""
        self._simulator = simulator
        self._ns = ns

    def get(self, key: str) -> bytes | None:
        """Read a key."""
        return self._simulator.get_state(self._ns, key)

    def put(self, key: str, value: bytes) -> None:
        """Write a key."""
        self._simulator.set_state(self._ns, key, value)

    def delete(self, key: str) -> None:
        """Delete a key."""
        self._simulator.delete_state(self._ns, key)

    def range(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """Read the keys with a prefix."""
        return self._simulator.get_range(self._ns, prefix, prefix + _LAST)


class PrivateState:
    """A collection of a simulation."""

    def __init__(self, simulator: TxSimulator, ns: str, collection: str) -> None:
        """Use one collection."""
        self._simulator = simulator
        self._place = (ns, collection)

    def get(self, key: str) -> bytes | None:
        """Read a key."""
        return self._simulator.get_private_data(*self._place, key)

    def hash(self, key: str) -> bytes | None:
        """Read the hash of a key's value."""
        return self._simulator.get_private_data_hash(*self._place, key)

    def put(self, key: str, value: bytes) -> None:
        """Write a key."""
        self._simulator.set_private_data(*self._place, key, value)

    def delete(self, key: str) -> None:
        """Delete a key."""
        self._simulator.delete_private_data(*self._place, key)

    def range(self, prefix: str) -> Iterator[tuple[str, bytes]]:
        """Read the keys with a prefix."""
        return self._simulator.get_private_range(*self._place, prefix, prefix + _LAST)


class ViewState:
    """A namespace of a view, and the hashes of one of its collections."""

    def __init__(self, view: StateView, ns: str, collection: str = "") -> None:
        """Use one namespace."""
        self._view = view
        self._ns = ns
        self._collection = collection

    def get(self, key: str) -> bytes | None:
        """Read a key."""
        found = self._view.get(self._ns, key)
        return None if found is None else found.value

    def hash(self, key: str) -> bytes | None:
        """Read the hash of a private value."""
        found = self._view.get_hash(self._ns, self._collection, key_hash(key))
        return None if found is None else found.value
