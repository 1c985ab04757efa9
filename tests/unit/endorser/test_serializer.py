# SPDX-License-Identifier: Apache-2.0
"""Structures as keys."""

from hashlib import sha256

from fastledger.endorser.lifecycle import serializer


class Keys(dict):
    """A state in memory that counts its writes."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[str] = []

    def put(self, key: str, value: bytes) -> None:
        self.written.append(key)
        self[key] = value

    def delete(self, key: str) -> None:
        self.written.append(f"-{key}")
        del self[key]

    def hash(self, key: str) -> bytes | None:
        return sha256(self[key]).digest() if key in self else None


def test_only_what_changes_is_written() -> None:
    state = Keys()
    serializer.serialize("ns", "cc", "Kind", {"A": 1, "B": b"x"}, state)
    assert sorted(state.written) == ["ns/fields/cc/A", "ns/fields/cc/B", "ns/metadata/cc"]
    state.written.clear()
    serializer.serialize("ns", "cc", "Kind", {"A": 1, "B": b"y"}, state)
    assert state.written == ["ns/fields/cc/B"]
    state.written.clear()
    serializer.serialize("ns", "cc", "Kind", {"A": 1}, state)
    assert state.written == ["ns/metadata/cc", "-ns/fields/cc/B"]


def test_hashes_tell_what_differs() -> None:
    state = Keys()
    serializer.serialize("ns", "cc", "Kind", {"A": 1, "B": "x"}, state)
    assert serializer.mismatches("ns", "cc", "Kind", {"A": 1, "B": "x"}, state) == []
    assert serializer.mismatches("ns", "cc", "Kind", {"A": 2, "B": "x"}, state) == ["A"]
    assert serializer.mismatches("ns", "cc", "Other", {"A": 1, "B": "x"}, state) == ["Other"]
