# SPDX-License-Identifier: Apache-2.0
"""Self-contained HTML pages: they ask no server for anything, and follow the reader's theme."""

import html
from collections.abc import Sequence
from typing import Any

from fastledger.bench import figures

# The browser itself refuses whatever the page does not carry.
POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
)
STYLE = """
:root { color-scheme: light dark; --line: light-dark(#d0d7de, #3d444d) }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums }
td, th { padding: .25rem .75rem; border-bottom: 1px solid var(--line); text-align: right }
td:first-child, th:first-child { text-align: left }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(30rem, 100%), 1fr)) }
.figures > div { min-width: 0 }
.main-svg :not(.hoverlayer *) > text { fill: currentColor !important }
"""


def document(title: str, parts: Sequence[str]) -> str:
    """Make a page of parts that are HTML already."""
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style>"
        f"<script>{figures.library()}</script><body>{''.join(parts)}</body></html>"
    )


def grid(name: str, plots: Sequence[Any]) -> str:
    """Put plots beside each other; their elements' ids begin with the name."""
    drawn = "".join(figures.html(plot, f"{name}-{at}") for at, plot in enumerate(plots, 1))
    return f'<div class="figures">{drawn}</div>'


def table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Make a table of texts and numbers; the first column is its rows' names."""

    def row(tag: str, cells: Sequence[Any]) -> str:
        return "<tr>" + "".join(f"<{tag}>{html.escape(str(cell))}</{tag}>" for cell in cells)

    return "<table>" + row("th", head) + "".join(row("td", cells) for cells in rows) + "</table>"
