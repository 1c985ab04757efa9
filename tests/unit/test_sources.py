# SPDX-License-Identifier: Apache-2.0
"""Blocks are found and read in every layout, and what is broken is told with its place."""

import io
import shutil
import struct
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from corpora import Corpus, OpenCorpus
from fastledger.common.errors import InputError
from fastledger.ledger import archive, framing, sources
from fastledger.protoutil import block as blocks


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def record_of(encoded: bytes) -> bytes:
    """Serialize a block as Fabric's block files have it; written from the layout alone."""
    from fastledger.protos.common.common_pb2 import Block

    block = Block.FromString(encoded)
    out = [varint(block.header.number)]
    for part in (block.header.data_hash, block.header.previous_hash):
        out += [varint(len(part)), part]
    for parts in (block.data.data, block.metadata.metadata):
        out.append(varint(len(parts)))
        for part in parts:
            out += [varint(len(part)), part]
    return b"".join(out)


def framed(records: list[bytes], prefix: Callable[[int], bytes] = varint) -> bytes:
    return b"".join(prefix(len(record)) + record for record in records)


def read(path: Path) -> list[bytes]:
    with sources.open(path) as source:
        found = list(source)
        assert source.torn is None
        assert source.total_bytes in (None, source.read_bytes)
        return found


def headers(encoded: list[bytes]) -> list[bytes]:
    return [blocks.parse(one).header_hash for one in encoded]


def test_a_folder_of_numbered_blocks(small: Corpus) -> None:
    assert read(small.folder / "blocks_orderer") == small.blocks("orderer")


def test_a_corpus_folder_and_its_archive_give_the_committed_blocks(small: Corpus) -> None:
    assert read(small.folder) == small.blocks("peer")
    assert read(small.archive) == small.blocks("peer")


def test_of_named_blocks_the_peers_are_taken(open_corpus: OpenCorpus) -> None:
    v14 = open_corpus("v14")
    assert read(v14.folder) == v14.blocks("peer")
    assert read(v14.folder / "mychannel") == v14.blocks("peer")
    orderers = sources.in_folder(v14.folder / "mychannel", name="orderer")
    assert orderers is not None
    assert list(orderers) == v14.blocks("orderer")


def test_a_real_peers_and_a_real_orderers_block_files(
    open_corpus: OpenCorpus, small: Corpus
) -> None:
    v14 = open_corpus("v14")
    peer = v14.folder / "raw" / "peer0.org1" / "ledgersData" / "chains" / "chains"
    assert read(peer / "mychannel") == v14.blocks("peer")
    assert read(peer) == v14.blocks("peer")
    orderer = v14.folder / "raw" / "orderer" / "chains" / "mychannel"
    assert headers(read(orderer)) == headers(v14.blocks("orderer"))
    assert read(small.folder / "chains") == small.blocks("peer")
    assert read(small.folder / "chains" / "blockfile_000000.zst") == small.blocks("peer")


def test_several_block_files_in_their_order(small: Corpus, tmp_path: Path) -> None:
    records = [record_of(block) for block in small.blocks()]
    for number in range(12):
        part = records[number * 7 : number * 7 + 7]
        (tmp_path / f"blockfile_{number:06}").write_bytes(framed(part))
    assert read(tmp_path) == small.blocks()


@pytest.mark.parametrize(
    "prefix",
    [varint, *(struct.Struct(layout).pack for layout in (">I", "<I", ">Q"))],
    ids=["varint", "big-endian 32", "little-endian 32", "big-endian 64"],
)
def test_one_file_with_a_length_before_each_block(
    small: Corpus, tmp_path: Path, prefix: Callable[[int], bytes]
) -> None:
    path = tmp_path / "channel.blocks"
    path.write_bytes(framed(small.blocks(), prefix))
    assert read(path) == small.blocks()


def test_one_block_and_a_renamed_block_file(small: Corpus, tmp_path: Path) -> None:
    assert read(small.folder / "genesis.block") == [(small.folder / "genesis.block").read_bytes()]
    path = tmp_path / "backup.bin"
    path.write_bytes(framed([record_of(block) for block in small.blocks()]))
    assert read(path) == small.blocks()


@pytest.mark.parametrize("layout", ["records", "blocks"])
def test_a_torn_end_is_told_and_what_stands_before_it_is_read(
    small: Corpus, tmp_path: Path, layout: str
) -> None:
    few = small.blocks()[:5]
    if layout == "records":
        path, content = tmp_path / "blockfile_000000", framed([record_of(block) for block in few])
        last = len(content) - len(framed([record_of(few[-1])]))
    else:
        path, content = tmp_path / "channel.blocks", framed(few)
        last = len(content) - len(framed([few[-1]]))
    for end in (last + 1, last + 100, len(content) - 1):
        path.write_bytes(content[:end])
        with sources.open(path) as source:
            assert list(source) == few[:-1]
            assert source.torn is not None
            assert f"{path}: ends inside the block at offset {last}" in source.torn


def test_a_torn_end_with_more_files_behind_it_is_damage(small: Corpus, tmp_path: Path) -> None:
    records = [record_of(block) for block in small.blocks()]
    (tmp_path / "blockfile_000000").write_bytes(framed(records[:4])[:-10])
    (tmp_path / "blockfile_000001").write_bytes(framed(records[4:]))
    with sources.open(tmp_path) as source, pytest.raises(InputError, match="more files follow"):
        list(source)


@pytest.mark.parametrize("layout", ["records", "blocks"])
@pytest.mark.parametrize("damage", [b"\xff\xff\x7f", b"\xff\xff\xff\x07", b"\xff" * 11, b"\x00"])
def test_damage_in_the_middle_names_file_and_offset(
    small: Corpus, tmp_path: Path, layout: str, damage: bytes
) -> None:
    """Also where a length leads out of the file, as at a torn end."""
    few = small.blocks()[:6]
    parts = [record_of(block) for block in few] if layout == "records" else few
    content, offset = framed(parts), len(framed(parts[:3]))
    path = tmp_path / ("blockfile_000000" if layout == "records" else "channel.blocks")
    path.write_bytes(content[:offset] + damage + content[offset + len(damage) :])
    with sources.open(path) as source:
        found = iter(source)
        assert [next(found) for _ in range(3)] == few[:3]
        with pytest.raises(InputError, match=rf"{path}: damaged at offset {offset}"):
            next(found)


def test_a_length_that_is_too_long_by_little(small: Corpus, tmp_path: Path) -> None:
    """The block itself is whole, so its end is known, and the file goes on behind it."""
    few = small.blocks()[:4]
    for path, parts in (
        (tmp_path / "blockfile_000000", [record_of(block) for block in few]),
        (tmp_path / "channel.blocks", few),
    ):
        last = len(framed(parts[:2]))
        too_long = varint(len(parts[2]) + len(framed(parts[3:])) + 9)
        path.write_bytes(framed(parts[:2]) + too_long + parts[2] + framed(parts[3:]))
        with sources.open(path) as source, pytest.raises(InputError, match=f"offset {last}"):
            list(source)


def test_blocks_larger_than_a_block_can_be(
    small: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(framing, "MAX_BLOCK_BYTES", 1000)
    path = tmp_path / "000000.block"
    path.write_bytes(small.blocks()[0])
    with sources.open(tmp_path) as source, pytest.raises(InputError, match="larger than a block"):
        list(source)


def test_what_has_no_blocks_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        sources.open(tmp_path / "nothing")
    with pytest.raises(InputError, match="no blocks there"):
        sources.open(tmp_path)
    (tmp_path / "text").write_text("no blocks\n")
    with pytest.raises(InputError, match="neither a block"):
        sources.open(tmp_path / "text")
    (tmp_path / "empty").touch()
    with pytest.raises(InputError, match="neither a block"):
        sources.open(tmp_path / "empty")


def test_several_channels_must_be_told_apart(small: Corpus, tmp_path: Path) -> None:
    for channel in ("one", "two"):
        shutil.copytree(small.folder / "blocks_peer", tmp_path / channel)
    with pytest.raises(InputError, match="name one of them: one, two"):
        sources.open(tmp_path)


def test_the_same_block_twice(small: Corpus, tmp_path: Path) -> None:
    for name in ("1.block", "000001.block"):
        (tmp_path / name).write_bytes(small.blocks()[1])
    with pytest.raises(InputError, match="twice"):
        sources.open(tmp_path)


def test_named_files_of_one_giver(small: Corpus, tmp_path: Path) -> None:
    for number, block in enumerate(small.blocks()):
        (tmp_path / f"mychannel_{number}.block").write_bytes(block)
    assert read(tmp_path) == small.blocks()


def pack(path: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    with zstandard.open(path, "wb") as stream, tarfile.open(fileobj=stream, mode="w") as tar:
        for member, content in members:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


@pytest.mark.parametrize("name", ["../000000.block", "/tmp/000000.block", "a/../../0.block"])
def test_an_archive_cannot_write_outside(tmp_path: Path, name: str) -> None:
    path = tmp_path / "evil.tar.zst"
    pack(path, [(tarfile.TarInfo(name), b"block")])
    with pytest.raises(InputError, match="leads out of the folder"):
        sources.open(path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["evil.tar.zst"]


def test_links_in_an_archive_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "links.tar.zst"
    link = tarfile.TarInfo("folder/000000.block")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    pack(path, [(link, b"")])
    with pytest.raises(InputError, match="no blocks in it"):
        sources.open(path)


def test_an_archive_has_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.tar.zst"
    pack(path, [(tarfile.TarInfo(f"{number}.block"), bytes(1000)) for number in range(20)])
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", 19_999)
    with pytest.raises(InputError, match="unpacks to more than 19999 bytes"):
        sources.open(path)
    monkeypatch.setattr(archive, "MAX_UNPACKED_BYTES", 20_000)
    monkeypatch.setattr(archive, "MAX_ENTRIES", 19)
    with pytest.raises(InputError, match="more than 19 entries"):
        sources.open(path)


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE])
def test_what_stands_before_an_entry_has_a_limit(tmp_path: Path, kind: bytes) -> None:
    path = tmp_path / "headers.tar.zst"
    header = tarfile.TarInfo("header")
    header.type = kind
    pack(path, [(header, bytes(4 << 20)), (tarfile.TarInfo("0.block"), b"block")])
    with pytest.raises(InputError, match="header takes more than 1048576 bytes"):
        sources.open(path)


def test_large_entries_have_none_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "large.tar.zst"
    members = [(tarfile.TarInfo(f"notes {n}"), bytes(n << 20)) for n in (5, 0, 7)]
    pack(path, members)
    with pytest.raises(InputError, match="no blocks in it"):
        sources.open(path)


@pytest.mark.parametrize("keep", [0, 100, 5000])
def test_a_broken_archive_is_told(small: Corpus, tmp_path: Path, keep: int) -> None:
    path = tmp_path / "broken.tar.zst"
    path.write_bytes(small.archive.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"broken\.tar\.zst"):
        sources.open(path)


def test_what_was_unpacked_is_removed(small: Corpus) -> None:
    with sources.open(small.archive) as source:
        folder = source.files[0].parent
        assert folder.is_dir()
    assert not folder.exists()
