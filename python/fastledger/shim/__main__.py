# SPDX-License-Identifier: Apache-2.0
"""``python -m fastledger.shim start module:Class``.

The class may be left out where the module has one chaincode; a module is found on ``PYTHONPATH``
and in the working directory. Options are those of Fabric's shims; everything else is taken from
the environment, see :mod:`fastledger.shim.runtime`.
"""

import argparse
import importlib
import sys
import traceback
from types import ModuleType, TracebackType

from fastledger.shim.interface import Chaincode

UNLOADABLE = 2
"""Exit status when there is no chaincode to run; another start would end the same."""


class NoChaincode(Exception):
    """The entry names nothing that can be run."""


def load(entry: str) -> Chaincode:
    """Make the chaincode that ``module:Class``, or a module with only one, names.

    Raises:
        NoChaincode: There is none, or more than one.
    """
    name, _, attribute = entry.partition(":")
    module = importlib.import_module(name)
    if attribute:
        found = getattr(module, attribute, None)
        if isinstance(found, Chaincode):
            return found
        if not (isinstance(found, type) and issubclass(found, Chaincode)):
            raise NoChaincode(f"{attribute} of module {name} is no shim.Chaincode")
        return found()
    classes = _chaincodes(module)
    if len(classes) != 1:
        names = ", ".join(sorted(c.__name__ for c in classes)) or "none"
        raise NoChaincode(f"module {name} has to have one chaincode, it has {names}")
    return classes[0]()


def _chaincodes(module: ModuleType) -> list[type[Chaincode]]:
    """The chaincode classes that a module itself defines."""
    return [
        thing
        for thing in vars(module).values()
        if isinstance(thing, type)
        and issubclass(thing, Chaincode)
        and thing.__module__ == module.__name__
    ]


def _of_the_chaincode(error: Exception) -> TracebackType | None:
    """The traceback without what imported the module: its author looks for lines of theirs."""
    found = error.__traceback__
    while found and _is_loading(found.tb_frame.f_code.co_filename):
        found = found.tb_next
    return found


def _is_loading(filename: str) -> bool:
    return filename in (__file__, importlib.__file__) or filename.startswith("<frozen ")


def main() -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(prog="python -m fastledger.shim", description="Run chaincode.")
    commands = parser.add_subparsers(dest="command", required=True)
    start = commands.add_parser("start", help="run a chaincode")
    start.add_argument("entry", metavar="MODULE[:CLASS]")
    start.add_argument("--chaincode-id", help="CORE_CHAINCODE_ID_NAME")
    start.add_argument("--peer.address", dest="peer", help="CORE_PEER_ADDRESS")
    start.add_argument("--chaincode-address", dest="server", help="CHAINCODE_SERVER_ADDRESS")
    given = parser.parse_args()
    from fastledger.shim.runtime import start as run
    from fastledger.shim.settings import SettingMissing

    try:
        chaincode = load(given.entry)
    except NoChaincode as error:
        print(f"chaincode {given.entry}: {error}", file=sys.stderr)  # noqa: T201
        return UNLOADABLE
    except Exception as error:  # noqa: BLE001 - whatever the module raises
        traceback.print_exception(error.with_traceback(_of_the_chaincode(error)))
        return UNLOADABLE
    try:
        run(
            chaincode,
            ccid=given.chaincode_id,
            peer_address=given.peer,
            server_address=given.server,
        )
    except (SettingMissing, ConnectionError, ImportError) as error:
        print(f"chaincode {given.entry}: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
