# SPDX-License-Identifier: Apache-2.0
"""Raft ids of consenters, what an update does to them, and which updates would lose the quorum."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest

from consenting import Values
from fastledger.common.errors import InputError, LedgerIo
from fastledger.orderer.consensus.etcdraft.beginning import campaigns_first
from fastledger.orderer.consensus.etcdraft.lognotes import LogNote, LogNotes
from fastledger.orderer.consensus.etcdraft.membership import (
    ConfChange,
    ConfChangeKind,
    Membership,
)
from fastledger.protos.common.common_pb2 import Metadata
from fastledger.protos.orderer.etcdraft.configuration_pb2 import ConfigMetadata, Consenter
from fastledger.protos.orderer.etcdraft.metadata_pb2 import BlockMetadata


def consenters(*names: str) -> list[Consenter]:
    return [
        Consenter(host=name, client_tls_cert=name.encode(), server_tls_cert=name.encode())
        for name in names
    ]


def membership(*names: str, kept: BlockMetadata | None = None) -> Membership:
    metadata = ConfigMetadata(consenters=consenters(*names))
    values = dataclasses.replace(Values(), consensus_metadata=metadata.SerializeToString())
    return Membership.of(kept, values)  # type: ignore[arg-type]


def named(found: Membership) -> dict[int, str]:
    return {number: one.host for number, one in found.consenters.items()}


def test_a_new_channels_consenters_are_numbered_from_one() -> None:
    found = membership("a", "b", "c")
    assert (named(found), found.next_id) == ({1: "a", 2: "b", 3: "c"}, 4)
    kept = BlockMetadata.FromString(Metadata.FromString(found.kept(9)).value)
    assert kept == BlockMetadata(consenter_ids=[1, 2, 3], next_consenter_id=4, raft_index=9)


def test_ids_are_those_that_a_block_keeps() -> None:
    kept = BlockMetadata(consenter_ids=[7, 2], next_consenter_id=9, raft_index=5)
    found = membership("a", "b", kept=kept)
    assert (named(found), found.next_id) == ({7: "a", 2: "b"}, 9)
    with pytest.raises(InputError, match="keeps 2 raft ids, and the configuration names 3"):
        membership("a", "b", "c", kept=kept)


def test_one_that_comes_gets_the_next_id_and_nobody_gets_one_twice() -> None:
    added = membership("a", "b").following(consenters("a", "b", "c"))
    assert added.change == ConfChange(ConfChangeKind.ADD, 3)
    assert (named(added.membership), added.membership.next_id) == ({1: "a", 2: "b", 3: "c"}, 4)
    removed = added.membership.following(consenters("a", "c"))
    assert removed.change == ConfChange(ConfChangeKind.REMOVE, 2)
    assert (named(removed.membership), removed.membership.next_id) == ({1: "a", 3: "c"}, 4)
    again = removed.membership.following(consenters("a", "c", "b"))
    assert again.change == ConfChange(ConfChangeKind.ADD, 4)
    assert named(again.membership) == {1: "a", 3: "c", 4: "b"}


def test_another_certificate_is_the_same_consenter() -> None:
    rotated = membership("a", "b", "c").following(consenters("a", "new", "c"))
    assert (rotated.change, rotated.rotated) == (None, 2)
    assert (named(rotated.membership), rotated.membership.next_id) == (
        {1: "a", 2: "new", 3: "c"},
        4,
    )


def test_the_order_of_a_configuration_is_kept() -> None:
    turned = membership("a", "b", "c").following(consenters("c", "a", "b"))
    assert turned.change is None
    assert turned.membership.ids == [3, 1, 2]


def test_more_than_one_at_a_time_is_refused() -> None:
    with pytest.raises(InputError, match="add 2 node\\(s\\), remove 0 node\\(s\\)"):
        membership("a").following(consenters("a", "b", "c"))


@pytest.mark.parametrize(
    ("before", "after", "active", "loses"),
    [
        # One that gets company cannot keep a quorum before that has come.
        ("a", "ab", [1], False),
        ("ab", "abc", [1, 2], False),
        ("ab", "abc", [1], True),
        ("abc", "abcd", [1, 2], True),
        ("abc", "abcd", [1, 2, 3], False),
        ("abc", "ab", [1, 3], True),
        ("abc", "ab", [1, 2], False),
        ("ab", "a", [1, 2], False),
        # A certificate of one that is there, and of one that is away.
        ("abc", "axc", [1, 2], True),
        ("abc", "axc", [1, 3], False),
        ("abc", "axc", [1, 2, 3], False),
        ("ab", "ax", [1], False),
        ("abc", "abc", [], False),
    ],
)
def test_who_may_come_and_go(before: str, after: str, active: Sequence[int], loses: bool) -> None:
    transition = membership(*before).following(consenters(*after))
    assert transition.loses_quorum(active) is loses


@pytest.mark.parametrize("channel", ["mychannel", "testchannel", "a", "b", "c"])
@pytest.mark.parametrize("members", [1, 3, 5])
def test_one_consenter_of_a_new_channel_campaigns(channel: str, members: int) -> None:
    first = [one for one in range(1, members + 1) if campaigns_first(channel, one, members)]
    assert len(first) == 1


def test_which_one_campaigns_hangs_on_the_name() -> None:
    """``uvarint(sha256(name)[24:]) % 3 + 1``, computed with Go's encoding/binary."""
    found = {
        name: next(one for one in (1, 2, 3) if campaigns_first(name, one, 3))
        for name in ("mychannel", "testchannel")
    }
    assert found == {"mychannel": 2, "testchannel": 2}


def test_notes_of_logs_outlast_them(tmp_path: Path) -> None:
    notes = LogNotes(tmp_path / "begun")
    assert notes.read("mychannel") is None
    notes.write("mychannel", LogNote(3, 7))
    assert LogNotes(tmp_path / "begun").read("mychannel") == LogNote(3, 7)
    notes.forget("mychannel")
    notes.forget("mychannel")
    assert notes.read("mychannel") is None
    (tmp_path / "begun" / "mychannel").write_text("3")
    assert notes.read("mychannel") == LogNote(3, None)
    (tmp_path / "begun" / "mychannel").write_text("three")
    with pytest.raises(LedgerIo, match="mychannel"):
        notes.read("mychannel")
