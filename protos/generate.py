# SPDX-License-Identifier: Apache-2.0
"""Generate python/fastledger/protos from the .proto files beside this script.

    python protos/generate.py           write the modules
    python protos/generate.py --check   write nothing; exit 1 and name each file not up to date

The generated modules are committed, so that neither users nor the tests need the compiler. The
folder protos/ is mapped to fastledger/protos/, which makes the modules import one another by
their real package.

Every message gets registered in fastledger's own descriptor pool instead of protobuf's default one
(see python/fastledger/protos/descriptor_pool.py); protoc has no option for it, so one import line
is replaced.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from importlib import metadata, resources
from pathlib import Path

# Other versions write other bytes; generated code refuses a runtime older than its compiler.
TOOLS = {"grpcio-tools": "1.85.1", "mypy-protobuf": "5.1.0"}

SOURCES = Path(__file__).resolve().parent
PYTHON = SOURCES.parent / "python"
PACKAGE = "fastledger/protos"
# Written by hand; everything else under python/fastledger/protos is generated.
BY_HAND = {f"{PACKAGE}/__init__.py", f"{PACKAGE}/descriptor_pool.py"}

LICENCE = "# SPDX-License-Identifier: Apache-2.0\n"
DEFAULT_POOL = "from google.protobuf import descriptor_pool as _descriptor_pool\n"
OWN_POOL = "from fastledger.protos import descriptor_pool as _descriptor_pool\n"


def wrong_tools() -> list[str]:
    """Say which compiler packages are missing or of another version than TOOLS."""
    problems = []
    for name, wanted in TOOLS.items():
        try:
            found = metadata.version(name)
        except metadata.PackageNotFoundError:
            found = "none"
        if found != wanted:
            problems.append(f"{name}=={wanted} is needed, {found} is installed")
    return problems


def protoc(out: Path, outputs: list[str], files: list[str]) -> None:
    """Run the compiler over files (paths as imports spell them), every output going under out."""
    bin_dir = Path(sys.executable).parent
    subprocess.run(
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            f"-I{PACKAGE}={SOURCES}",
            f"-I{resources.files('grpc_tools') / '_proto'}",
            f"--plugin=protoc-gen-mypy={bin_dir / 'protoc-gen-mypy'}",
            f"--plugin=protoc-gen-mypy_grpc={bin_dir / 'protoc-gen-mypy_grpc'}",
            *(f"--{output}{out}" for output in outputs),
            *files,
        ],
        check=True,
    )


def generate() -> dict[str, bytes]:
    """Compile everything; return the content of each generated file by its path under python/."""
    protos = sorted(SOURCES.rglob("*.proto"))
    names = {path: f"{PACKAGE}/{path.relative_to(SOURCES).as_posix()}" for path in protos}
    with_services = [names[path] for path in protos if "\nservice " in path.read_text("utf-8")]
    with tempfile.TemporaryDirectory() as tmp:
        out = Path(tmp)
        protoc(out, ["python_out=", "mypy_out=quiet:"], list(names.values()))
        protoc(out, ["grpc_python_out=", "mypy_grpc_out=quiet:"], with_services)
        files = {
            path.relative_to(out).as_posix(): finish(path.name, path.read_text("utf-8"))
            for path in out.rglob("*.py*")
        }
    for proto in protos:
        for folder in proto.relative_to(SOURCES).parents[:-1]:
            files[f"{PACKAGE}/{folder.as_posix()}/__init__.py"] = LICENCE.encode()
    return files


def finish(name: str, text: str) -> bytes:
    """Add the licence line and, in message modules, replace the descriptor pool."""
    if name.endswith("_pb2.py"):
        if text.count(DEFAULT_POOL) != 1:
            raise SystemExit(f"{name}: expected one line {DEFAULT_POOL!r} to replace")
        text = text.replace(DEFAULT_POOL, OWN_POOL)
    return (LICENCE + text).encode()


def committed() -> dict[str, bytes]:
    """Read the generated files as they are in the tree."""
    return {
        path.relative_to(PYTHON).as_posix(): path.read_bytes()
        for path in (PYTHON / PACKAGE).rglob("*.py*")
        if "__pycache__" not in path.parts and path.relative_to(PYTHON).as_posix() not in BY_HAND
    }


def main() -> int:
    """Generate or check, as the command line says."""
    parser = argparse.ArgumentParser(description="Generate python/fastledger/protos.")
    parser.add_argument("--check", action="store_true", help="only report what is not up to date")
    check = parser.parse_args().check

    if problems := wrong_tools():
        packages = " ".join(f"{name}=={version}" for name, version in TOOLS.items())
        print(*problems, f"install with: pip install {packages}", sep="\n", file=sys.stderr)
        return 2

    wanted, found = generate(), committed()
    stale = sorted(
        name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name)
    )
    if check:
        for name in stale:
            print(f"python/{name} is not what protos/ gives; run `make protos`", file=sys.stderr)
        return 1 if stale else 0
    for name in stale:
        path = PYTHON / name
        if name in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(wanted[name])
        else:
            path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
