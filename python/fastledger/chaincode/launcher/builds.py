# SPDX-License-Identifier: Apache-2.0
"""Where built chaincodes are kept between starts of the peer."""

import re
import shutil
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

_UNSAFE = re.compile(r'[<>:"/\\|?*&]')
_DONE = "build-info.json"


def sanitize(ccid: str) -> str:
    """Turn a chaincode id into a file name, as Fabric does.

    Example:
        >>> sanitize("basic_1.0:0123abcd")
        'basic_1.0-0123abcd'
    """
    return _UNSAFE.sub("-", ccid)


async def cached(
    root: Path, ccid: str, info: str, build: Callable[[Path], Awaitable[None]]
) -> Path:
    """Return the folder where a chaincode is built, building it the first time.

    A build that fails leaves nothing; one that was cut short lacks its description, which is
    written last, and is done again.

    Args:
        root: Holds all builds of this kind.
        ccid: The chaincode.
        info: JSON that describes the build; another one builds anew.
        build: Fills the folder it is given.
    """
    # Tools write the path into what they make, so it has to be built where it will be.
    folder = root / sanitize(ccid)
    marker = folder / _DONE
    if marker.is_file() and marker.read_text("utf-8") == info:
        return folder
    root.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o755)
    try:
        await build(folder)
        with tempfile.NamedTemporaryFile("w", dir=folder, delete=False) as file:
            file.write(info)
        Path(file.name).chmod(0o644)
        Path(file.name).replace(marker)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder
