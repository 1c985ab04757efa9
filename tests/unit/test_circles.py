# SPDX-License-Identifier: Apache-2.0
"""No module of a crate uses another that uses it."""

import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import takewhile
from pathlib import Path

from corpora import ROOT

NOT_YET_WITHOUT_CIRCLES = {"identity/x509", "ledger"}
"""Folders of crates that have one: a list to make shorter."""

TESTS = r"#\[cfg\(test\)\][^{;]*\bmod tests\b"
PATH = r"\b(crate|(?:super::)*super)::((?:\w+::)*)(\{[^;]*|\w+)"

Module = tuple[str, ...]


def test_modules_of_a_crate_do_not_use_each_other_in_a_circle() -> None:
    found = {}
    for root in sorted(ROOT.glob("rust/crates/*/src")):
        for place, neighbours in sorted(_uses(root).items()):
            circle = _circle(neighbours)
            if circle:
                found["/".join([root.parent.name, *place])] = " -> ".join(circle)
    assert found.keys() == NOT_YET_WITHOUT_CIRCLES, found


def test_a_circle_is_found_whichever_way_it_is_written(tmp_path: Path) -> None:
    written = {
        "lib.rs": "mod a;\nmod b;\nmod c;\npub use c::Thing;\n",
        "a.rs": "use crate::b::{self, x};\n#[cfg(test)]\nmod tests {\n    use crate::c;\n}\n",
        "b.rs": "// crate::a is not used\nfn f() { crate::Thing::new() }\n",
        "c.rs": "mod d;\nuse super::a::y;\n",
        "c/d.rs": "use super::z;\n",
    }
    for name, code in written.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(code)
    assert _uses(tmp_path) == {(): {"a": {"b"}, "b": {"c"}, "c": {"a"}}}
    assert sorted(_circle({"a": {"b"}, "b": {"c"}, "c": {"a"}})[1:]) == ["a", "b", "c"]
    assert not _circle({"a": {"b"}, "b": {"c"}})


def _uses(root: Path) -> dict[Module, dict[str, set[str]]]:
    """Of each folder of a crate, which module uses which of its neighbours.

    What a module and its own parts use of each other is their matter; tests use what they like.
    """
    files = {_module_path(root, path): path for path in root.rglob("*.rs")}
    exports = dict(_exports(files[()].read_text("utf-8"))) if () in files else {}
    uses: dict[Module, dict[str, set[str]]] = {}
    for module, path in files.items():
        code = re.split(TESTS, path.read_text("utf-8"))[0]
        for target in _targets(re.sub(r"//.*", "", code), module):
            used = exports.get(target[0], target) if target else target
            pairs = zip(module, used, strict=False)
            shared = len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))
            known = used[: shared + 1] in files
            if "tests" not in module and known and shared < min(len(module), len(used)):
                neighbours = uses.setdefault(module[:shared], {})
                neighbours.setdefault(module[shared], set()).add(used[shared])
    return uses


def _module_path(root: Path, path: Path) -> Module:
    parts = path.relative_to(root).with_suffix("").parts
    return parts[:-1] if parts[-1] in ("lib", "main", "mod") else parts


def _exports(code: str) -> Iterator[tuple[str, Module]]:
    """What the root of a crate has from its modules."""
    for module, names in re.findall(r"^pub(?:\(crate\))? use (\w+)::([^;]+);", code, re.MULTILINE):
        for name in re.findall(r"\w+", names):
            yield name, (module, name)


def _targets(code: str, module: Module) -> Iterator[Module]:
    """The paths that a module names."""
    for start, path, names in re.findall(PATH, code):
        base = () if start == "crate" else module[: len(module) - start.count("super")]
        for name in re.findall(r"\w+", names):
            yield (*base, *path.split("::")[:-1], name)


def _circle(uses: Mapping[str, set[str]]) -> list[str]:
    """Modules of which each uses the next, and the last one the first; none if there are none."""
    try:
        tuple(TopologicalSorter(uses).static_order())
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []
