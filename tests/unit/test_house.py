# SPDX-License-Identifier: Apache-2.0
"""Conventions that would rot if nothing held them."""

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp
import pytest

import corpora
import fastledger
from corpora import ROOT

PACKAGE = ROOT / "python" / "fastledger"
# The packages that may talk to the core, and the door that says its version.
USES_CORE = (
    "__init__.py",
    "bench",
    "chaincode",
    "channelconfig",
    "comm",
    "common/corelog.py",
    "common/metrics.py",
    "common/durations.py",
    "crypto.py",
    "ledger",
    "msp",
    "orderer/cluster",
    "orderer/consensus",
    "protoutil",
    "shim",
)


def sources() -> list[Path]:
    """Every hand-written Python file of the package."""
    return [path for path in sorted(PACKAGE.rglob("*.py")) if "protos" not in path.parts]


def modules() -> Iterator[str]:
    for module in pkgutil.walk_packages(fastledger.__path__, "fastledger."):
        if not module.name.startswith("fastledger.protos") and module.name not in (
            "fastledger._core",
            "fastledger.__main__",
        ):
            yield module.name


def test_only_the_named_packages_use_the_core() -> None:
    allowed = [PACKAGE / name for name in USES_CORE]
    for path in sources():
        imported = {
            name
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            for name in _imported(node)
        }
        if any(name.startswith("fastledger._core") for name in imported):
            assert any(path.is_relative_to(place) for place in allowed), path


def _imported(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_no_modules_import_each_other() -> None:
    """Nor in a circle, be it when a function is called or for types alone."""
    graph = grimp.build_graph("fastledger", cache_dir=None)
    # The package's face names what is in it, for type checkers alone.
    graph.remove_module("fastledger")
    names = graph.modules
    imports = {name: graph.find_modules_directly_imported_by(name) & names for name in names}
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        pytest.fail(f"a circle of imports: {' <- '.join(error.args[1])}")


def test_bare_errors_are_not_raised() -> None:
    """Whoever catches needs a class: the text of an error decides nothing."""
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                assert ast.unparse(node.exc.func) != "FastledgerError", f"{path}:{node.lineno}"


def test_the_exports_are_sorted_and_there() -> None:
    assert fastledger.__all__ == sorted(fastledger.__all__)
    assert all(hasattr(fastledger, name) for name in fastledger.__all__)


@pytest.mark.parametrize("name", sorted(modules()))
def test_public_things_are_documented(name: str) -> None:
    module = importlib.import_module(name)
    assert module.__doc__
    for attribute, thing in vars(module).items():
        ours = getattr(thing, "__module__", None) == name
        if not attribute.startswith("_") and ours and callable(thing):
            assert inspect.getdoc(thing), f"{name}.{attribute}"


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *patterns], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("needs a git checkout")
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_every_source_file_names_its_licence() -> None:
    for path in tracked("*.py", "*.pyi", "*.rs", "*.proto", "Makefile", ".ci/run"):
        head = path.read_text("utf-8").splitlines()[:2]
        assert any("SPDX-License-Identifier: Apache-2.0" in line for line in head), path


def test_files_stay_small() -> None:
    for path in sources():
        assert len(path.read_text("utf-8").splitlines()) <= 500, path


def test_paths_named_in_the_documents_exist() -> None:
    for document in tracked("*.md"):
        text = document.read_text("utf-8")
        folders = "python|rust|docs|protos|tests|benches|examples"
        named = re.findall(rf"`((?:{folders})/[\w./-]*)`", text)
        named += re.findall(r"\]\(([^)#:]+)\)", text)
        for name in named:
            found = (ROOT / name).exists() or (document.parent / name).exists()
            assert found, f"{document.name} names {name}"


def test_both_languages_look_for_the_same_ledgers() -> None:
    rust = (ROOT / "rust" / "crates" / "vectors" / "src" / "lib.rs").read_text("utf-8")
    for name in ("KEPT", "FURTHER"):
        listed = re.search(rf"pub const {name}: \[&str; \d+\] =\s*\[([^\]]*)\]", rust)
        assert listed, name
        assert tuple(re.findall(r'"([^"]+)"', listed[1])) == getattr(corpora, name)
    assert all((corpora.VECTORS / f"{name}.tar.zst").is_file() for name in corpora.KEPT)


def test_tests_wait_for_what_happens_and_not_for_a_time() -> None:
    for path in tracked("tests/*.py"):
        found = _fixed_sleeps(ast.parse(path.read_text("utf-8")))
        assert not found, f"{path}:{found}: tests/waiting.py knows how to wait"


def _fixed_sleeps(tree: ast.Module) -> list[int]:
    """Return the lines of calls of ``sleep`` with a number other than 0."""
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "sleep"
        and [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
        not in ([], [0])
    ]


READS_SETTINGS = {"common/config.py", "common/settings.py", "node/peer/config.py"}
"""Where keys of core.yaml and orderer.yaml may be named to a reader."""


def test_settings_are_read_where_they_are_declared() -> None:
    """A key that is read elsewhere would have no range, and be missing in the documentation."""
    reading = re.compile(
        r"\.(string|boolean|integer|duration|size|strings|paths?|entries)\(\s*f?\""
    )
    for path in sources():
        if str(path.relative_to(PACKAGE)) not in READS_SETTINGS:
            assert not reading.search(path.read_text("utf-8")), path
