# SPDX-License-Identifier: Apache-2.0
"""Files that the environment names."""

import base64
from collections.abc import Mapping
from pathlib import Path


class SettingMissing(Exception):
    """The environment lacks what is needed, or says something else."""


def pem(env: Mapping[str, str], name: str) -> bytes | None:
    """Read a key or certificate from its …_FILE, or its …_PATH in base64; None without either."""
    if env.get(f"{name}_FILE"):
        return read_file(env, f"{name}_FILE")
    if env.get(f"{name}_PATH"):
        return base64.b64decode(read_file(env, f"{name}_PATH"))
    return None


def read_file(env: Mapping[str, str], name: str) -> bytes:
    """Read the file that a variable names; raises SettingMissing."""
    path = env.get(name)
    if not path:
        raise SettingMissing(f"{name} is not set, and TLS needs it")
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise SettingMissing(f"{name}: cannot read {path}: {error.strerror}") from error
