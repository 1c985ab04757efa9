# SPDX-License-Identifier: Apache-2.0
"""What the tools say of themselves."""

import platform

import fastledger


def version_info(program: str) -> str:
    """Return what ``<program> version`` prints, in the lines that scripts look for."""
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return "\n".join(
        (
            f"{program}:",
            f" Version: {fastledger.__version__}",
            f" Python version: {platform.python_version()}",
            f" OS/Arch: {platform.system().lower()}/{machine}",
        )
    )
