# SPDX-License-Identifier: Apache-2.0
"""What is installed was read whole and is built; what is not, is nowhere."""

import asyncio
import gzip
import io
import tarfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from fastledger.chaincode import package as formats
from fastledger.chaincode.package import ChaincodePackage
from fastledger.common.errors import ChaincodeError, FastledgerError
from fastledger.endorser.definitions import Definitions
from fastledger.endorser.installer import Build, Installer
from fastledger.endorser.packages import (
    PackageDamaged,
    PackageMissing,
    PackageStore,
    parse_legacy,
)
from fastledger.protos.peer.chaincode_pb2 import ChaincodeDeploymentSpec, ChaincodeSpec

CODE = {"src/chaincode.py": b"x = 1\n"}
PACKAGE = formats.build("l_1", "python", CODE)
PACKAGE_ID = formats.package_id("l_1", PACKAGE)


class Builder:
    """Builds nothing, fails when told, and waits when told."""

    def __init__(self, failure: str = "") -> None:
        self.built: list[tuple[str, str | None]] = []
        self.failure = failure
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def __call__(self, ccid: str, package: ChaincodePackage | None = None) -> None:
        self.begun.set()
        await self.go_on.wait()
        self.built.append((ccid, package and package.label))
        if self.failure:
            raise ChaincodeError(self.failure)


class Scene:
    """A store, and an installer into it."""

    def __init__(self, folder: Path, build: Build) -> None:
        self.store = PackageStore(folder)
        definitions = Definitions(self.store, "Org1MSP")
        self.told = 0
        definitions.installed.subscribe(self._tell)
        self.installer = Installer(self.store, definitions, build)

    def _tell(self, _installed: None) -> None:
        self.told += 1

    async def refused(self, content: bytes) -> str:
        with pytest.raises(FastledgerError) as caught:
            await self.installer.install(content)
        return str(caught.value)


def run(folder: Path, test: Callable[[Scene, Builder], Awaitable[None]], failure: str = "") -> None:
    async def main() -> None:
        builder = Builder(failure)
        await test(Scene(folder, builder), builder)

    asyncio.run(main())


def files(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


def test_a_package_is_built_then_kept(tmp_path: Path) -> None:
    async def test(scene: Scene, builder: Builder) -> None:
        assert await scene.installer.install(PACKAGE) == (PACKAGE_ID, "l_1")
        assert builder.built == [(PACKAGE_ID, "l_1")]
        assert scene.store.installed() == [(PACKAGE_ID, "l_1")]
        assert scene.told == 1
        already = f"chaincode already successfully installed (package ID '{PACKAGE_ID}')"
        assert await scene.refused(PACKAGE) == already
        assert scene.told == 1

    run(tmp_path, test)


def test_what_cannot_be_built_is_not_installed(tmp_path: Path) -> None:
    async def test(scene: Scene, builder: Builder) -> None:
        text = 'go build failed: Error returned from build: 1 "# x\n./main.go:2: undefined: nope\n"'
        builder.failure = text
        assert await scene.refused(PACKAGE) == f"could not build chaincode: {text}"
        assert scene.store.installed() == []
        assert scene.told == 0
        builder.failure = ""
        await scene.installer.install(PACKAGE)
        assert scene.store.installed() == [(PACKAGE_ID, "l_1")]

    run(tmp_path, test)
    assert len(files(tmp_path)) == 1


def test_an_install_goes_on_when_its_caller_has_gone(tmp_path: Path) -> None:
    async def test(scene: Scene, builder: Builder) -> None:
        builder.go_on.clear()
        first = asyncio.create_task(scene.installer.install(PACKAGE))
        await builder.begun.wait()
        assert scene.store.installed() == []
        first.cancel()
        await asyncio.wait({first})
        second = asyncio.create_task(scene.refused(PACKAGE))
        builder.go_on.set()
        assert "already successfully installed" in await second
        assert scene.store.installed() == [(PACKAGE_ID, "l_1")]

    run(tmp_path, test)


def test_two_installs_at_once_are_one(tmp_path: Path) -> None:
    async def test(scene: Scene, builder: Builder) -> None:
        *twice, other = await asyncio.gather(
            scene.installer.install(PACKAGE),
            scene.installer.install(PACKAGE),
            scene.installer.install(formats.build("other", "python", CODE)),
            return_exceptions=True,
        )
        # Whichever reads its package first.
        assert (PACKAGE_ID, "l_1") in twice
        assert sum("already successfully installed" in str(answer) for answer in twice) == 1
        assert not isinstance(other, BaseException)

    run(tmp_path, test)


def test_a_failure_that_nobody_hears_is_no_defect(tmp_path: Path) -> None:
    async def test(scene: Scene, builder: Builder) -> None:
        unheard: list[object] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, told: unheard.append(told))
        builder.go_on.clear()
        builder.failure = "no"
        gone = asyncio.create_task(scene.installer.install(PACKAGE))
        await builder.begun.wait()
        gone.cancel()
        await asyncio.wait({gone})
        builder.go_on.set()
        assert "could not build chaincode: no" in await scene.refused(PACKAGE)
        assert not unheard

    run(tmp_path, test)


def tar(entries: list[tuple[str, bytes]], kind: bytes = tarfile.REGTYPE) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w:gz") as archive:
        for name, content in entries:
            entry = tarfile.TarInfo(name)
            entry.type, entry.size = kind, len(content)
            archive.addfile(entry, io.BytesIO(content))
    return plain.getvalue()


METADATA = ("metadata.json", b'{"type":"python","path":"","label":"l"}')
SOUND = tar([("src/chaincode.py", b"")])
NO_PACKAGE = "could not parse as a chaincode install package: "
NO_CODE = NO_PACKAGE + "error retrieving DB artifacts from code package: "


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", NO_PACKAGE + "error reading as gzip stream: EOF"),
        (b"plain text that is no archive", NO_PACKAGE + "error reading as gzip stream: gzip: inv"),
        (PACKAGE[:60], NO_PACKAGE + "error inspecting next tar header: unexpected EOF"),
        (gzip.compress(b"x" * 600), NO_PACKAGE + "error inspecting next tar header: archive/tar: "),
        (tar([METADATA]), NO_PACKAGE + "did not find a code package inside the package"),
        (tar([("code.tar.gz", SOUND)]), NO_PACKAGE + "did not find any package metadata (missing"),
        (
            tar([METADATA, ("folder/", b"")], tarfile.DIRTYPE),
            NO_PACKAGE + "tar entry metadata.json/ is not a regular file, type 53",
        ),
        (
            tar([("metadata.json", b'{"label":"a b"}'), ("code.tar.gz", SOUND)]),
            NO_PACKAGE + "invalid label 'a b'. Label must be non-empty, can only consist of ",
        ),
        (tar([METADATA, ("code.tar.gz", b"")]), NO_CODE + "EOF"),
        (tar([METADATA, ("code.tar.gz", b"plain text")]), NO_CODE + "gzip: invalid header"),
        (tar([METADATA, ("code.tar.gz", SOUND[:-40])]), NO_CODE + "unexpected EOF"),
    ],
    # Compressed bytes have the time in them, and would be another name at each collection.
    ids=map(str, range(11)),
)
def test_broken_packages_are_refused_in_fabrics_words(
    tmp_path: Path, content: bytes, says: str
) -> None:
    async def test(scene: Scene, builder: Builder) -> None:
        assert (await scene.refused(content)).startswith(says)
        assert not builder.built

    run(tmp_path, test)
    assert not files(tmp_path)


@pytest.mark.parametrize("letters", [184, 255, 300, 100_000])
def test_a_label_that_is_no_file_name_is_refused_before_it_is_built(
    tmp_path: Path, letters: int
) -> None:
    async def test(scene: Scene, builder: Builder) -> None:
        told = await scene.refused(formats.build("l" * letters, "python", CODE))
        assert told.startswith("could not save cc install package: ")
        assert told.endswith(f"file name too long: the label has {letters} bytes, 183 are possible")
        assert not builder.built
        longest = formats.build("l" * 183, "python", CODE)
        package_id, _ = await scene.installer.install(longest)
        assert scene.store.load(package_id) == longest

    run(tmp_path, test)


def kept(scene: Scene) -> Path:
    [file] = (path for path in scene.store._lifecycle.iterdir() if path.suffix == ".gz")
    return file


@pytest.mark.parametrize("damage", [b"", PACKAGE[:50], PACKAGE[:-1] + b"x", b"junk", PACKAGE * 2])
def test_a_damaged_package_is_not_used_and_can_be_installed_again(
    tmp_path: Path, damage: bytes
) -> None:
    async def test(scene: Scene, builder: Builder) -> None:
        await scene.installer.install(PACKAGE)
        kept(scene).write_bytes(damage)
        for use in (scene.store.load, scene.store.code):
            with pytest.raises(PackageDamaged, match=r"is damaged on this peer.*install it again"):
                use(PACKAGE_ID)
        with pytest.raises(ChaincodeError, match="another hash"):
            await scene.store.package(PACKAGE_ID)
        assert await scene.installer.install(PACKAGE) == (PACKAGE_ID, "l_1")
        assert scene.store.code(PACKAGE_ID).label == "l_1"

    run(tmp_path, test)


def test_junk_beside_packages_is_passed_over(tmp_path: Path) -> None:
    async def test(scene: Scene, builder: Builder) -> None:
        await scene.installer.install(PACKAGE)
        digest = PACKAGE_ID.partition(":")[2]
        folder = scene.store._lifecycle
        for name in ("junk", ".tar.gz", f"l.{digest}", f"l.{digest[:-1]}x.tar.gz", f".{digest}"):
            (folder / name).write_bytes(b"junk")
        (folder / ".ccpackage.half").write_bytes(b"half")
        (scene.store._legacy / "junk.1.0").write_bytes(b"\xff")
        (scene.store._legacy / "folder.1.0").mkdir()
        (scene.store._legacy / ".ccpackage.half").write_bytes(b"half")
        assert scene.store.installed() == [(PACKAGE_ID, "l_1")]
        assert list(scene.store.all_legacy()) == []
        again = PackageStore(tmp_path)
        assert again.installed() == [(PACKAGE_ID, "l_1")]
        assert not list(tmp_path.rglob(".ccpackage.*"))
        for missing in ("l_1:" + "0" * 64, "../l_1:0", "l_1", "", "\0:1", "l" * 5000 + ":1"):
            with pytest.raises(PackageMissing):
                again.code(missing)

    run(tmp_path, test)


def legacy(name: str = "mycc", version: str = "1.0", code: bytes = SOUND) -> bytes:
    spec = ChaincodeDeploymentSpec(code_package=code)
    spec.chaincode_spec.type = ChaincodeSpec.GOLANG
    spec.chaincode_spec.chaincode_id.name = name
    spec.chaincode_spec.chaincode_id.version = version
    return spec.SerializeToString()


def test_a_package_of_1_x_stays_when_it_cannot_be_built(tmp_path: Path) -> None:
    async def test(scene: Scene, builder: Builder) -> None:
        with pytest.raises(FastledgerError) as caught:
            await scene.installer.install_legacy(parse_legacy(legacy()))
        assert str(caught.value) == (
            "chaincode installed to peer but could not build chaincode: it does not compile"
        )
        assert builder.built == [("mycc:1.0", None)]
        assert scene.store.installed_legacy() == ["mycc:1.0"]
        assert scene.told == 1
        with pytest.raises(FastledgerError, match=r"error installing chaincode code mycc:1\.0"):
            await scene.installer.install_legacy(parse_legacy(legacy()))

    run(tmp_path, test, "it does not compile")


def test_a_name_of_1_x_that_is_no_file_name_is_refused(tmp_path: Path) -> None:
    async def test(scene: Scene, builder: Builder) -> None:
        with pytest.raises(FastledgerError) as caught:
            await scene.installer.install_legacy(parse_legacy(legacy("n" * 300)))
        assert str(caught.value).endswith("(file name too long)")
        assert str(tmp_path) not in str(caught.value)
        assert not builder.built

    run(tmp_path, test)
