# SPDX-License-Identifier: Apache-2.0
"""What fastledger is built from may be distributed with it, and comes from where it should.

cargo-deny asks the same of crates, and more; this needs only cargo.
"""

import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from importlib import metadata
from typing import Any

import pytest

from corpora import ROOT

DENY = tomllib.loads((ROOT / "deny.toml").read_text("utf-8"))
# The reference implementations of Python and OpenLDAP have licences of their own, as permissive.
ALLOWED = {*DENY["licenses"]["allow"], "PSF-2.0", "OLDAP-2.8"}
# What packages say who do not use SPDX's names yet.
SPDX = {
    "Apache 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
    "Python Software Foundation License": "PSF-2.0",
}


def allowed(expression: str) -> bool:
    """Say whether a licence expression can be satisfied by what is allowed."""
    # Before SPDX's expressions a slash meant a choice.
    words = re.findall(r"[()]|[\w.+-]+(?: WITH [\w.+-]+)?", expression.replace("/", " OR "))
    logic = {"AND": "and", "OR": "or", "(": "(", ")": ")"}
    return bool(eval(" ".join(logic.get(word) or str(word in ALLOWED) for word in words)))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("Apache-2.0 OR GPL-2.0-only", True),
        ("Apache-2.0 AND GPL-2.0-only", False),
        ("Unlicense/MIT", True),
        ("ISC AND (GPL-2.0-only OR MIT-0)", True),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", False),
    ],
)
def test_licence_expressions_are_understood(expression: str, expected: bool) -> None:
    assert allowed(expression) is expected


def crates() -> list[dict[str, Any]]:
    """Describe every crate that is built on this machine, for tests too."""
    version = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True).stdout
    host = re.search(r"host: (\S+)", version)
    assert host
    command = ["cargo", "metadata", "--locked", "--format-version", "1"]
    done = subprocess.run(
        [*command, "--filter-platform", host[1]], cwd=ROOT, capture_output=True, check=True
    )
    packages: list[dict[str, Any]] = json.loads(done.stdout)["packages"]
    return packages


def test_crates_come_from_the_registry_under_allowed_licences() -> None:
    # A crate without a source is one of ours.
    sources = {"registry+https://github.com/rust-lang/crates.io-index", None}
    for crate in crates():
        where = f"{crate['name']} {crate['version']}"
        assert crate["source"] in sources, where
        assert allowed(crate["license"] or ""), f"{where}: {crate['license']}"


def distributions() -> Iterator[metadata.Distribution]:
    """Find what Python installs with fastledger, its extras too."""
    seen: set[str] = set()
    wanted = ["fastledger"]
    while wanted:
        name = re.sub(r"[-_.]+", "-", wanted.pop()).lower()
        if name in seen:
            continue
        seen.add(name)
        try:
            found = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            # For another platform, or an extra that nobody asked for.
            continue
        yield found
        wanted += [
            re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
            for requirement in found.requires or []
            if name == "fastledger" or "extra ==" not in requirement
        ]


def licence(distribution: metadata.Distribution) -> str:
    """Return the licence that a package names in one of three places."""
    said = distribution.metadata
    classifiers = [
        line.rpartition(" :: ")[2]
        for line in said.get_all("Classifier") or []
        if line.startswith("License :: ")
    ]
    named = next(
        (said[key] for key in ("License-Expression", "License") if key in said),
        " AND ".join(classifiers),
    )
    return SPDX.get(named, named)


def test_python_packages_have_allowed_licences() -> None:
    found = {one.metadata["Name"]: licence(one) for one in distributions()}
    assert {"fastledger", "grpcio", "cryptography"} <= found.keys()
    assert {name: said for name, said in found.items() if not allowed(said or "none")} == {}


def test_development_tools_are_the_pinned_ones() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wrong = {}
    for group in project["dependency-groups"].values():
        for requirement in group:
            name, pinned = requirement.split("==")
            try:
                found = metadata.version(name)
            except metadata.PackageNotFoundError:
                # A group that was not needed so far, as that of `make check` for `make test`.
                continue
            if found != pinned:
                wrong[name] = f"{found} is installed, {pinned} is pinned"
    assert wrong == {}
