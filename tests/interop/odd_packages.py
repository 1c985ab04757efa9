# SPDX-License-Identifier: Apache-2.0
"""Archives and packages as no tool makes them, the same ones for the same seed."""

import gzip
import io
import random
import struct
import tarfile
import zlib
from collections.abc import Iterator

TYPES = [
    *(tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.LNKTYPE, tarfile.SYMTYPE, tarfile.CHRTYPE),
    *(tarfile.BLKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, tarfile.CONTTYPE, b"g", b"V", b"Z"),
]
NAMES = [
    *("src/main.go", "connection.json", "./connection.json", "src//a", "/etc/passwd", "../out"),
    *("a/../../out", "a/../in", "..", ".", "", "..in", "a/..", "src/", "é", "n\udcff", "a b"),
    *("src/" + "n" * 120, "d/" * 60 + "deep", "META-INF/statedb/couchdb/indexes/i.json", "a\\b"),
    *("x" * 300, "//double", "src/../../src/x"),
]
FORMATS = [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
CONTENTS = [b"", b"x", b'{"address":"127.0.0.1:9"}', b"0" * 511, b"1" * 512, b"2" * 513]
MODES = [0o644, 0o755, 0o100644, 0, 0o777, 0o4755, 0o40755]


def archive(chance: random.Random, names: list[str] | None = None) -> bytes:
    """A tar of a few entries, not compressed."""
    plain = io.BytesIO()
    form = chance.choice(FORMATS)
    with tarfile.open(
        fileobj=plain, mode="w", format=form, encoding="utf-8", errors="surrogateescape"
    ) as tar:
        for _ in range(chance.randrange(0, 4)):
            entry = tarfile.TarInfo(chance.choice(names or NAMES))
            entry.type = chance.choice([tarfile.REGTYPE] * 12 + TYPES)
            entry.mode = chance.choice(MODES)
            content = chance.choice(CONTENTS)
            entry.size = len(content) if entry.type in (tarfile.REGTYPE, b"\0") else 0
            if entry.type in (tarfile.LNKTYPE, tarfile.SYMTYPE):
                entry.linkname = chance.choice(NAMES)
            if chance.random() < 0.1:
                entry.pax_headers = {"comment": "c" * chance.randrange(300), "SCHILY.xattr.x": "y"}
            try:
                tar.addfile(entry, io.BytesIO(content))
            except ValueError:
                continue
    return plain.getvalue()


def special(chance: random.Random) -> bytes:
    """A tar with a special header that is odd or large."""
    kind = chance.choice([b"L", b"K", b"x", b"g"])
    size = chance.choice([1, 20, 1 << 20, (1 << 20) + 1, 3 << 20])
    if kind in (b"x", b"g"):
        records = [b"path=p", b"size=0", b"size=x", b"mtime=1.5", b"mtime=z", b"=v", b"path=", b"k"]
        data = b"".join(_record(chance.choice(records)) for _ in range(chance.randrange(4)))
        if chance.random() < 0.3:
            data = _record(b"comment=" + b"c" * size)
        if chance.random() < 0.2:
            data = data[: chance.randrange(len(data) + 1)]
    else:
        data = b"n" * size + b"\0"
    return _block(b"special", kind, len(data)) + _padded(data) + archive(chance)


def _record(content: bytes) -> bytes:
    length = len(content) + 2
    while len(str(length)) + len(content) + 2 != length:
        length += 1
    return b"%d %s\n" % (length, content)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def _block(name: bytes, kind: bytes, size: int) -> bytes:
    entry = tarfile.TarInfo(name.decode())
    entry.type, entry.size = kind, size
    return entry.tobuf(tarfile.USTAR_FORMAT)


def number_fields(chance: random.Random) -> bytes:
    """A tar whose numbers are written in odd ways, its checksum right again."""
    plain = bytearray(archive(chance, ["a"]) or bytes(1024))
    if plain[:1] == b"\0":
        return bytes(plain)
    start, end = chance.choice([(100, 108), (108, 116), (124, 136), (136, 148), (329, 337)])
    fields = [b"", b"   1 ", b"+1", b"9", b"0x1", b"1_0", b"\xff" * 20, b"\x80", b"-1", b"1\x002"]
    field = chance.choice(fields)[: end - start]
    plain[start:end] = field.ljust(end - start, chance.choice([b"\0", b" "]))
    if chance.random() < 0.3:
        plain[257:265] = chance.choice([b"ustar  \0", b"ustar\x0000", bytes(8), b"ustar\x0001"])
        plain[345:360] = chance.choice([b"prefix", b"\x80" * 8, b"00000000001"]).ljust(15, b"\0")
    plain[148:156] = b" " * 8
    signed = struct.unpack("512b", bytes(plain[:512]))
    checksum = sum(signed) if chance.random() < 0.3 else sum(plain[:512])
    plain[148:156] = b"%06o\0 " % max(checksum, 0)
    return bytes(plain)


def compressed(chance: random.Random, plain: bytes) -> bytes:
    """Gzip it, in one of many ways."""
    level = chance.choice([0, 1, 6, 9])
    choice = chance.randrange(6)
    if choice == 0 and plain:
        cut = chance.randrange(len(plain))
        return gzip.compress(plain[:cut], level) + gzip.compress(plain[cut:], level)
    if choice == 1:
        return _with_fields(chance, plain)
    return gzip.compress(plain, level, mtime=0)


def _with_fields(chance: random.Random, plain: bytes) -> bytes:
    flags = chance.randrange(32)
    head = struct.pack("<2sBBIBB", b"\x1f\x8b", 8, flags, 0, 0, 3)
    if flags & 4:
        head += struct.pack("<H", 3) + b"abc"
    for flag in (8, 16):
        if flags & flag:
            head += b"t" * chance.choice([0, 5, 511, 512]) + b"\0"
    if flags & 2:
        head += struct.pack("<H", zlib.crc32(head) & 0xFFFF if chance.random() < 0.7 else 7)
    deflate = zlib.compressobj(wbits=-15)
    body = deflate.compress(plain) + deflate.flush()
    return head + body + struct.pack("<II", zlib.crc32(plain), len(plain))


def damaged(chance: random.Random, data: bytes) -> bytes:
    """Damage some of them: cut, changed, or with something behind."""
    choice = chance.randrange(8)
    if not data or choice > 4:
        return data
    if choice == 0:
        return data[: chance.randrange(len(data))]
    if choice == 1:
        changed = bytearray(data)
        changed[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        return bytes(changed)
    if choice == 2:
        return data + chance.choice([b"x", b"\0" * 600, b"\x1f\x8b", gzip.compress(b"more")])
    if choice == 3:
        changed = bytearray(data)
        changed[-chance.randrange(1, 9)] ^= 0xFF
        return bytes(changed)
    return chance.choice([b"", b"\x1f", b"plain text", b"\x1f\x8b\x08", data[:10]])


def archives(seed: int, count: int) -> Iterator[bytes]:
    """Gzipped tars, many of them broken."""
    chance = random.Random(seed)
    for _ in range(count):
        plain = chance.choice([archive, archive, special, number_fields])(chance)
        if chance.random() < 0.3:
            plain = damaged(chance, plain)
        yield damaged(chance, compressed(chance, plain))


CONNECTION = b'{"address":"127.0.0.1:9"}'
METADATA = b'{"path":"","type":"ccaas","label":"%s"}'
ODD_METADATA = [
    *(b"", b"{", b"[]", b"null", b"5", b'{"label":5}', b'{"label":null,"type":"ccaas"}'),
    *(b"\xef\xbb\xbf" + METADATA % b"l", METADATA % b"l" + b" x", METADATA % b"l" + b"\n"),
    *(b'{"Label":"l","TYPE":"CCAAS"}', b'{"label":"l","type":"ccaas","more":{"x":[1]}}'),
    *(b'{"label":"l","label":"m","type":"ccaas"}', b'{"label":["l"]}', b"[" * 20_000),
    b'{"label":"\\ud800","type":"ccaas"}',
]
LABELS = [
    *(b"l", b"l_1.0+x-y", b"", b"-l", b"l l", b"../l", b"l/", b"\xc3\xa9", b"l\\n", b"l:1", b"_"),
    *(b"l" * 170, b"l" * 184, b"l" * 300),
]


def packages(seed: int, count: int) -> Iterator[bytes]:
    """Packages of services, many of them broken at one place."""
    chance = random.Random(seed)
    for number in range(count):
        code = compressed(chance, _code(chance))
        if chance.random() < 0.3:
            code = damaged(chance, code)
        label = chance.choice(LABELS) if chance.random() < 0.3 else b"l"
        metadata = METADATA % label
        if chance.random() < 0.1:
            metadata = chance.choice(ODD_METADATA)
        parts = [
            ("metadata.json", metadata),
            ("code.tar.gz", code),
            # No two packages are the same, whatever else is in them.
            ("unexpected", b"%d.%d" % (seed, number)),
        ]
        if chance.random() < 0.15:
            del parts[chance.randrange(2)]
        if chance.random() < 0.15:
            parts.insert(chance.randrange(4), chance.choice(parts))
        package = compressed(chance, _package(chance, parts))
        yield damaged(chance, package) if chance.random() < 0.3 else package


def _code(chance: random.Random) -> bytes:
    """A service's code with one or two entries that nobody asked for."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=chance.choice(FORMATS)) as tar:
        for name in [chance.choice(["connection.json"] * 3 + ["./connection.json", "a/../b"])]:
            _add(tar, tarfile.TarInfo(name), CONNECTION)
        for _ in range(chance.choice([0, 1, 1, 2])):
            entry = tarfile.TarInfo(chance.choice([n for n in NAMES if "\udcff" not in n]))
            entry.type = chance.choice([tarfile.REGTYPE] * 4 + [tarfile.DIRTYPE] * 2 + TYPES)
            if entry.type in (tarfile.LNKTYPE, tarfile.SYMTYPE):
                entry.linkname = "connection.json"
            entry.mode = 0o755 if entry.type == tarfile.DIRTYPE else 0o644
            if not entry.name.endswith("connection.json"):
                _add(tar, entry, chance.choice(CONTENTS))
    return plain.getvalue()


def _package(chance: random.Random, parts: list[tuple[str, bytes]]) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=chance.choice(FORMATS)) as tar:
        for name, content in parts:
            entry = tarfile.TarInfo(f"./{name}" if chance.random() < 0.03 else name)
            if chance.random() < 0.04:
                entry.type = chance.choice(TYPES)
                entry.linkname = "metadata.json"
            _add(tar, entry, content)
    return plain.getvalue()


def _add(tar: tarfile.TarFile, entry: tarfile.TarInfo, content: bytes) -> None:
    has_content = entry.type in (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
    entry.size = len(content) if has_content else 0
    try:
        tar.addfile(entry, io.BytesIO(content) if has_content else None)
    except ValueError:
        # No format of tar holds a name as long as that but two.
        return
