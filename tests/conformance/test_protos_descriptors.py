# SPDX-License-Identifier: Apache-2.0
"""Our wire contract against what other implementations of it say.

tests/vectors/protos holds the messages, fields, enums and services of four sources (see
fabric_protos_dump.py). Every element of a source must be in ours, unless a table below says why
not; and everything in ours must be in a source.
"""

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pool as default_pool
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from fabric_protos_dump import elements
from protos_walk import modules

Elements = dict[str, str | int]
VECTORS = Path(__file__).parents[1] / "vectors" / "protos"
DUMP = Path(__file__).with_name("fabric_protos_dump.py")

# The same messages, field by field, that a version had in another package. Ours are where 3.1 has
# them.
MOVED = {
    "common.CollectionConfigPackage": "protos.CollectionConfigPackage",
    "discovery.ChaincodeCall": "protos.ChaincodeCall",
    "discovery.ChaincodeInterest": "protos.ChaincodeInterest",
}

# Elements of a source that ours leave out, with all that is inside them, by the reason.
LEFT_OUT: dict[str, dict[str, str]] = {
    "fabric_protos": {},
    "fabric-1.4.12": {
        "FabToken: 1.4 does not register its service and refuses its transactions": """
            .InputId .PlainApprove .PlainDelegatedOutput .PlainImport .PlainOutput
            .PlainTokenAction .PlainTransfer .PlainTransferFrom .TokenTransaction
            protos.AllowanceRecipientShare protos.ApproveRequest protos.Command
            protos.CommandResponse protos.CommandResponseHeader protos.Error
            protos.ExpectationRequest protos.Header protos.ImportRequest protos.ListRequest
            protos.PlainExpectation protos.PlainTokenExpectation protos.Prover
            protos.RecipientTransferShare protos.RedeemRequest protos.SignedCommand
            protos.SignedCommandResponse protos.TokenExpectation protos.TokenOutput
            protos.TokenToIssue protos.TransferRequest protos.UnspentTokens
            protos.ChaincodeAction#5""",
        "a preview of _lifecycle without clients; 2.0 gave the field numbers other meanings": """
            lifecycle.InstallChaincodeArgs lifecycle.InstallChaincodeResult
            lifecycle.QueryInstalledChaincodeArgs lifecycle.QueryInstalledChaincodeResult""",
        "never serialized": """
            common.CollectionCriteria common.ConfigGroupSchema common.ConfigPolicySchema
            common.ConfigValueSchema protos.ConfidentialityLevel protos.PeerEndpoint
            protos.PeerID protos.SignedTransaction""",
    },
    "fabric-protos-go": {},
    "fabric-3.1.5": {
        "an orderer's own log on disk": "smartbftprotos.LogRecord",
        "a cache in memory": "statecouchdb.CacheValue",
        "Fabric's own tests": "testdata.MarshaledSignedData",
        "bookkeeping of the transient store": "transientstore.PendingDeleteStorageList",
    },
}


def source(name: str) -> Elements:
    """Load one list of elements, with moved messages at their new place."""
    text = (VECTORS / f"{name}.json").read_text("utf-8")
    return {moved(key): moved(value) for key, value in json.loads(text)["elements"].items()}


def moved(text: Any) -> Any:
    """Put the new name for a moved message in references, and in names without an old copy."""
    if not isinstance(text, str):
        return text
    for old, new in MOVED.items():
        if old.startswith("discovery.") or " " in text:
            text = re.sub(rf"(?<![\w.]){re.escape(old)}(?!\w)", new, text)
    return text


def enclosing(element: str) -> set[str]:
    """Return the name of an element and of everything that it is inside of."""
    return {element, *(element[: cut.start()] for cut in re.finditer(r"[.#/]", element))}


@pytest.fixture(scope="module")
def ours() -> Elements:
    """List the elements of all our modules."""
    found: Elements = {}
    for module in modules():
        found.update(elements(FileDescriptorProto.FromString(module.DESCRIPTOR.serialized_pb)))
    return found


@pytest.mark.parametrize("name", LEFT_OUT)
def test_every_element_of_the_source_is_ours(ours: Elements, name: str) -> None:
    left_out = set(" ".join(LEFT_OUT[name].values()).split())
    wrong = {
        element: f"theirs: {what}; ours: {ours.get(element)}"
        for element, what in source(name).items()
        if ours.get(element) != what and left_out.isdisjoint(enclosing(element))
    }
    assert wrong == {}


@pytest.mark.parametrize("name", LEFT_OUT)
def test_what_is_left_out_is_in_the_source_and_differs_from_ours(ours: Elements, name: str) -> None:
    elements = source(name)
    for top in " ".join(LEFT_OUT[name].values()).split():
        inside = [element for element in elements if top in enclosing(element)]
        assert inside, f"{top} is not in {name}"
        assert any(ours.get(element) != elements[element] for element in inside), (
            f"{top} is ours after all"
        )


def test_everything_of_ours_is_in_a_source(ours: Elements) -> None:
    theirs = {item for name in LEFT_OUT for item in source(name).items()}
    assert set(ours.items()) <= theirs


def test_the_list_of_the_package_is_what_the_package_says() -> None:
    python = os.environ.get("FABRIC_PYTHON")
    if not python:
        pytest.skip("needs FABRIC_PYTHON, an interpreter that has hyperledger-fabric-protos")
    command = [python, str(DUMP), "--package", "hyperledger-fabric-protos"]
    fresh = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    assert (
        fresh["elements"]
        == json.loads((VECTORS / "fabric_protos.json").read_text("utf-8"))["elements"]
    )


def test_protobufs_default_pool_stays_free_for_other_packages() -> None:
    modules()
    for name in ("common.Block", "protos.Transaction"):
        with pytest.raises(KeyError):
            default_pool.Default().FindMessageTypeByName(name)


def test_every_service_has_a_stub_and_a_servicer() -> None:
    services = [
        (module, name) for module in modules() for name in module.DESCRIPTOR.services_by_name
    ]
    assert len(services) == 13
    for module, name in services:
        grpc_module = importlib.import_module(f"{module.__name__}_grpc")
        assert hasattr(grpc_module, f"{name}Stub")
        assert hasattr(grpc_module, f"add_{name}Servicer_to_server")


def test_the_generated_modules_are_up_to_date() -> None:
    generate = Path(__file__).parents[2] / "protos" / "generate.py"
    run = subprocess.run(
        [sys.executable, str(generate), "--check"], stderr=subprocess.PIPE, text=True
    )
    if run.returncode == 2:
        pytest.skip(run.stderr)
    assert run.returncode == 0, run.stderr
