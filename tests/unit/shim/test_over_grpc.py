# SPDX-License-Identifier: Apache-2.0
"""The shim in a child process against the peer's handler, over gRPC, in both dial modes.

The same functions that the shims of other languages are held to in tests/interop.
"""

import importlib.util
import sys

import pytest

from corpora import ROOT

_PATH = ROOT / "tests" / "interop" / "test_chaincode_runtimes.py"
_SPEC = importlib.util.spec_from_file_location("chaincode_runtimes", _PATH)
runtimes = importlib.util.module_from_spec(_SPEC)
sys.modules[_SPEC.name] = runtimes
_SPEC.loader.exec_module(runtimes)


@pytest.mark.parametrize("service", [False, True], ids=["dials", "service"])
def test_every_function(service: bool) -> None:
    runtimes.test_every_function(runtimes.Runtime("python", service=service))
