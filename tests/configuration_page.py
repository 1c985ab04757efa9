# SPDX-License-Identifier: Apache-2.0
"""Writes the tables of docs/configuration.md from what the settings say of themselves.

Run it as a program when settings have changed; a test compares the page with it.
"""

from collections.abc import Iterator
from pathlib import Path

from fastledger.common.catalogue import Catalogue
from fastledger.common.settings import keys
from fastledger.node.orderer import config as orderer
from fastledger.node.peer import config as peer

PAGE = Path(__file__).parents[1] / "docs" / "configuration.md"
CATALOGUES = {"core": peer.CATALOGUE, "orderer": orderer.CATALOGUE}

OWN = {
    "core": {"chaincode.process.sandbox", "chaincode.python.runtime", "chaincode.runtime"},
    "orderer": {f"Kafka.TLS.{key}.File" for key in ("PrivateKey", "Certificate", "RootCAs")},
}
"""Keys that Fabric does not have, or names in comments of its sample only."""


def written(page: str) -> str:
    """Return the page with tables that are up to date."""
    for name, catalogue in CATALOGUES.items():
        page = _between(page, f"{name}: followed", _followed(name, catalogue))
        page = _between(page, f"{name}: no effect", _unheeded(catalogue))
    return page


def _between(page: str, mark: str, lines: Iterator[str]) -> str:
    begin, end = f"<!-- begin {mark} -->\n", f"<!-- end {mark} -->\n"
    head, _, rest = page.partition(begin)
    _, _, tail = rest.partition(end)
    return "".join([head, begin, *(f"{line}\n" for line in lines), end, tail])


def _followed(name: str, catalogue: Catalogue) -> Iterator[str]:
    yield "| key | default | what it does |"
    yield "|---|---|---|"
    every = {}
    for kind in catalogue.settings:
        for key, setting in keys(kind):
            every.setdefault(key.lower(), (key, setting))
    for key, setting in sorted(every.values(), key=lambda pair: pair[0].lower()):
        own = " Not a key of Fabric's." if key in OWN[name] else ""
        default = f"`{setting.default}`" if setting.default else ""
        yield f"| `{key}` | {default} | {setting.about}{own} |"


def _unheeded(catalogue: Catalogue) -> Iterator[str]:
    yield "| key | why it has no effect |"
    yield "|---|---|"
    for key, entry in sorted(catalogue.unheeded.items(), key=lambda pair: pair[0].lower()):
        refused = "; another value than Fabric's default is refused" if entry.refused else ""
        yield f"| `{key}` | {entry.why}{refused} |"


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
