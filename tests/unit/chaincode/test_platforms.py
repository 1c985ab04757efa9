# SPDX-License-Identifier: Apache-2.0
"""Languages: what is seen at the build already, and what a runtime is told of its memory."""

import asyncio
import io
import json
import os
import resource
import select
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from fastledger.chaincode import package
from fastledger.chaincode.platforms import PLATFORMS
from fastledger.chaincode.platforms.platform import run_tool
from fastledger.common.errors import ChaincodeError

GIBIBYTE = 1024**3


def build(folder: Path, kind: str, files: dict[str, bytes]) -> package.ChaincodePackage:
    read = package.parse(package.build("cc_1", kind, files))
    read.unpack(folder)
    asyncio.run(PLATFORMS[kind].build(read, folder))
    return read


def refusal(folder: Path, kind: str, files: dict[str, bytes]) -> str:
    with pytest.raises(ChaincodeError) as caught:
        build(folder, kind, files)
    assert str(folder) not in str(caught.value)
    return str(caught.value)


def described(**package_json: object) -> dict[str, bytes]:
    return {"src/package.json": json.dumps(package_json).encode()}


SHIM = {"start": "set -x && fabric-chaincode-node start"}


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (described(main="dist/index.js", scripts=SHIM), "'dist/index.js' as main, which the pack"),
        (described(main="dist", scripts=SHIM) | {"src/src/index.ts": b""}, "run npm run build"),
        (described(scripts=SHIM), "'index.js' as main"),
        (described(main="index.js"), "no start script"),
        ({"src/package.json": b"{"}, "src/package.json cannot be read"),
        ({"src/package.json": b"[]"}, "src/package.json cannot be read"),
        ({"src/index.js": b""}, "has no src/package.json"),
    ],
)
def test_node_sources_that_cannot_start_are_not_built(
    tmp_path: Path, files: dict[str, bytes], says: str
) -> None:
    if shutil.which("npm") is None:
        pytest.skip("needs npm")
    assert says in refusal(tmp_path, "node", files)


@pytest.mark.parametrize(
    "files",
    [
        described(main="dist/index.js", scripts=SHIM) | {"src/dist/index.js": b""},
        described(main="./lib", scripts=SHIM) | {"src/lib/index.js": b""},
        described(main="cc", scripts=SHIM) | {"src/cc.js": b""},
        described(main="gone.js", scripts=SHIM) | {"src/index.js": b""},
        described(scripts=SHIM) | {"src/index.js": b""},
        described(scripts={"start": "node anything.mjs"}),
        described() | {"src/server.js": b""},
    ],
)
def test_node_sources_that_can_start_are_built(tmp_path: Path, files: dict[str, bytes]) -> None:
    if shutil.which("npm") is None:
        pytest.skip("needs npm")
    build(tmp_path, "node", files)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"src/chaincode.py": b"def f(:\n"}, 'File "src/chaincode.py", line 1'),
        ({"src/chaincode.py": b"x = '\0'"}, "null bytes"),
        (
            {
                "src/pyproject.toml": b'[tool.fastledger]\nchaincode = "in.cc:C"\n',
                "src/in/cc.py": b"if:\n",
                "src/in/__init__.py": b"",
            },
            "SyntaxError",
        ),
        ({"src/one.py": b"", "src/two.py": b""}, "found one, two"),
    ],
)
def test_python_that_cannot_be_read_is_not_built(
    tmp_path: Path, files: dict[str, bytes], says: str
) -> None:
    assert says in refusal(tmp_path, "python", files)


def test_python_that_is_not_the_entry_may_be_broken(tmp_path: Path) -> None:
    build(tmp_path, "python", {"src/chaincode.py": b"", "src/old/two.py": b"print 'two'\n"})


def jar(manifest: str | None) -> bytes:
    plain = io.BytesIO()
    with zipfile.ZipFile(plain, "w") as archive:
        archive.writestr("Main.class", b"")
        if manifest is not None:
            archive.writestr("META-INF/MANIFEST.MF", manifest)
    return plain.getvalue()


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"src/pom.xml": b""}, "has no src/chaincode.jar"),
        ({"src/chaincode.jar": b"junk"}, "src/chaincode.jar is no jar"),
        ({"src/chaincode.jar": jar("Main-Class: Main\n")[:-30]}, "src/chaincode.jar is no jar"),
        ({"src/chaincode.jar": jar(None)}, "names no Main-Class"),
        ({"src/chaincode.jar": jar("Manifest-Version: 1.0\n")}, "names no Main-Class"),
    ],
)
def test_jars_that_cannot_start_are_not_built(
    tmp_path: Path, files: dict[str, bytes], says: str
) -> None:
    assert says in refusal(tmp_path, "java", files)


def test_a_jar_with_a_main_class_is_built(tmp_path: Path) -> None:
    build(tmp_path, "java", {"src/chaincode.jar": jar("main-class: Main\r\n")})


def test_go_that_does_not_compile_says_where(tmp_path: Path) -> None:
    if shutil.which("go") is None:
        pytest.skip("needs go")
    files = {
        "src/go.mod": b"module x\n\ngo 1.20\n",
        "src/main.go": b"package main\n\nfunc main() { nope() }\n",
    }
    assert refusal(tmp_path, "golang", files) == (
        'go build failed: Error returned from build: 1 "# x\n./main.go:3:15: undefined: nope\n"'
    )


def test_a_failed_step_shows_its_end_and_not_where_it_ran(tmp_path: Path) -> None:
    script = tmp_path / "tool"
    script.write_text(
        '#!/bin/sh\nhead -c 100000 /dev/zero | tr "\\0" x\necho "$PWD/a: bad"\nexit 3\n'
    )
    script.chmod(0o755)
    with pytest.raises(ChaincodeError) as caught:
        asyncio.run(run_tool([str(script), "-q", "make", "all"], tmp_path))
    assert str(caught.value).startswith('tool make failed: Error returned from build: 3 "xxx')
    assert str(caught.value).endswith('xa: bad\n"')
    assert len(str(caught.value)) < 5000


def test_what_a_step_started_ends_with_it(tmp_path: Path) -> None:
    started = tmp_path / "started"
    os.mkfifo(started)

    async def main() -> int:
        task = asyncio.create_task(
            run_tool(["sh", "-c", "sleep 1000 & echo $! > started; wait"], tmp_path)
        )
        child = os.pidfd_open(int(await asyncio.to_thread(started.read_text)))
        task.cancel()
        await asyncio.wait({task})
        return child

    child = asyncio.run(main())
    try:
        assert select.select([child], [], [], 60)[0]
    finally:
        os.close(child)


def limited(argv: list[str], env: dict[str, str], memory_bytes: int) -> str:
    """Run a program with as little memory as a sandbox gives it."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))

    done = subprocess.run(
        argv, env=os.environ | env, preexec_fn=limit, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


MAIN = """
public class Main {
  public static void main(String[] arguments) {
    java.util.List<byte[]> kept = new java.util.ArrayList<>();
    try {
      while (true) kept.add(new byte[1 << 20]);
    } catch (OutOfMemoryError full) {
      int size = kept.size();
      kept = null;
      System.out.println(Runtime.getRuntime().maxMemory() + " " + size);
    }
  }
}
"""


@pytest.mark.parametrize("gibibytes", [1, 2])
def test_java_finds_its_heap_full_before_its_memory_ends(tmp_path: Path, gibibytes: int) -> None:
    if shutil.which("javac") is None or shutil.which("jar") is None:
        pytest.skip("needs a JDK")
    (tmp_path / "Main.java").write_text(MAIN)
    (tmp_path / "manifest").write_text("Main-Class: Main\n")
    for step in ("javac Main.java", "jar cfm made.jar manifest Main.class"):
        subprocess.run(step.split(), cwd=tmp_path, check=True, capture_output=True)
    folder = tmp_path / "built"
    read = build(folder, "java", {"src/chaincode.jar": (tmp_path / "made.jar").read_bytes()})
    memory_bytes = gibibytes * GIBIBYTE
    program = PLATFORMS["java"].program(read, folder, memory_bytes)
    heap, megabytes = map(int, limited(list(program.argv), {}, memory_bytes).split())
    assert memory_bytes // 8 < heap <= memory_bytes // 4
    assert megabytes > heap // 1024**2 // 3


def test_node_knows_how_large_its_heap_may_grow(tmp_path: Path) -> None:
    if shutil.which("npm") is None:
        pytest.skip("needs npm")
    read = build(tmp_path, "node", described() | {"src/server.js": b""})
    program = PLATFORMS["node"].program(read, tmp_path, 2 * GIBIBYTE)
    script = "console.log(require('v8').getHeapStatistics().heap_size_limit)"
    limit = int(limited(["node", "-e", script], dict(program.env), 2 * GIBIBYTE))
    assert GIBIBYTE < limit < 1.75 * GIBIBYTE
    assert "NODE_OPTIONS" not in PLATFORMS["node"].program(read, tmp_path, 0).env


def test_go_is_told_its_memory_and_without_a_limit_nobody_is(tmp_path: Path) -> None:
    read = package.parse(package.build("cc_1", "golang", {}))
    program = PLATFORMS["golang"].program(read, tmp_path, 2 * GIBIBYTE)
    assert GIBIBYTE < int(program.env["GOMEMLIMIT"]) < 2 * GIBIBYTE
    assert not PLATFORMS["golang"].program(read, tmp_path, 0).env
