# SPDX-License-Identifier: Apache-2.0
"""YAML as Fabric's tools read it: YAML 1.2's scalars, and YAML 1.1's merge keys.

PyYAML alone reads ``on`` and ``no`` as truth values, ``12:30`` as 750 and a doubled key as its last
value; Go's reader, whose files these are, does none of that.
"""

import re
from pathlib import Path
from typing import Any, ClassVar

import yaml

from fastledger.common.errors import InputError

_BOOL = "tag:yaml.org,2002:bool"
_FLOAT = "tag:yaml.org,2002:float"
_INT = "tag:yaml.org,2002:int"
_MERGE = "tag:yaml.org,2002:merge"
_NULL = "tag:yaml.org,2002:null"

_SCALARS = (
    (_BOOL, r"true|True|TRUE|false|False|FALSE", "tTfF"),
    (_INT, r"[-+]?(?:0|[1-9][0-9]*|0[0-7]+|0x[0-9a-fA-F]+|0o[0-7]+|0b[01]+)", "-+0123456789"),
    (_FLOAT, r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
    (_NULL, r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    (_MERGE, r"<<", "<"),
)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # C if built
    """Reads what Go's YAML reader would read."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping, refusing doubled keys."""
        seen: set[Any] = set()
        for key, _ in node.value:
            if key.tag != _MERGE and key.value in seen and isinstance(key.value, str):
                problem = f'mapping key "{key.value}" already defined'
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            if isinstance(key.value, str):
                seen.add(key.value)
        self.flatten_mapping(node)
        return dict(super().construct_mapping(node, deep=deep))

    def construct_integer(self, node: Any) -> int:
        """Read a number in any of Go's bases; a leading zero alone means octal."""
        text = node.value.lstrip("+-")
        value = int(text, 8 if text.isdigit() and text[0] == "0" else 0)
        return -value if node.value[0] == "-" else value


for _tag, _pattern, _first in _SCALARS:
    _Loader.add_implicit_resolver(_tag, re.compile(f"^(?:{_pattern})$"), list(_first))
_Loader.add_constructor(_INT, _Loader.construct_integer)


def parse(text: str | bytes, name: str) -> Any:
    """Read a YAML document.

    Args:
        text: The document.
        name: What errors call it.

    Raises:
        InputError: It is no YAML.
    """
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 (a safe loader's subclass)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{name}: cannot be read as YAML: {error}") from error


def load(path: Path) -> Any:
    """Read a YAML file.

    Raises:
        InputError: It is no YAML.
        OSError: It cannot be read.
    """
    return parse(path.read_bytes(), str(path))
