# SPDX-License-Identifier: Apache-2.0
"""Message types by their names."""

import importlib
import pkgutil

from google.protobuf import message_factory
from google.protobuf.message import Message

from fastledger import protos
from fastledger.common.errors import NotFound
from fastledger.protos import descriptor_pool

_ELSEWHERE = {"protos": "peer", "orderer": "orderer", "etcdraft": "orderer.etcdraft"}
"""Folders of packages that are not called as their folders are."""


def message_type(name: str) -> type[Message]:
    """Find a message type by its full name, such as ``common.Block``.

    Raises:
        NotFound: There is none.
    """
    pool = descriptor_pool.Default()
    for folder in (_ELSEWHERE.get(name.partition(".")[0], name.partition(".")[0]), ""):
        _load(folder)
        try:
            descriptor = pool.FindMessageTypeByName(name)
        except KeyError:
            continue
        return message_factory.GetMessageClass(descriptor)
    raise NotFound(f"message of type {name} unknown; there are common.Block, common.Config, …")


def _load(folder: str) -> None:
    """Import the generated modules of a folder, of all folders if it is not named."""
    if not folder:
        found = pkgutil.walk_packages(protos.__path__, f"{protos.__name__}.")
    else:
        try:
            package = importlib.import_module(f"{protos.__name__}.{folder}")
        except ModuleNotFoundError:
            return
        found = pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
    for module in found:
        if module.name.endswith("_pb2"):
            importlib.import_module(module.name)
