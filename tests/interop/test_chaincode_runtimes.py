# SPDX-License-Identifier: Apache-2.0
"""Real shims against the peer's handler: fabric-shim (Node), fabric-chaincode-go,
fabric-chaincode-java, fabric-chaincode-python, and fastledger's own, in both dial modes.

Foreign runtimes are fetched by their own package managers. FABRIC_PYTHON names an interpreter
that has fabric-chaincode-python.
"""

import asyncio
import gzip
import hashlib
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fabric_tools import CACHE
from fastledger.chaincode import package
from fastledger.chaincode.config import ChaincodeConfig
from fastledger.chaincode.context import TransactionContext
from fastledger.chaincode.launcher import sandbox
from fastledger.chaincode.launcher.external import ExternalLauncher
from fastledger.chaincode.launcher.process import ProcessConfig, ProcessLauncher
from fastledger.chaincode.services import EndorsementInfo
from fastledger.chaincode.support import ChaincodeSupport
from fastledger.common.errors import ChaincodeError
from fastledger.protos.peer.chaincode_event_pb2 import ChaincodeEvent
from real_nodes import answers
from registries import build, build_with_maven, fetch, need
from stand_in import PackageLauncherOf, Peer, args, tx
from waiting import elapse, pause

HERE = Path(__file__).parent
FABRIC_PYTHON = os.environ.get("FABRIC_PYTHON", "")
BUILDS = CACHE / "chaincode"


@dataclass
class Runtime:
    """One shim, and how the peer and it find each other."""

    language: str
    service: bool = False
    lacks: tuple[str, ...] = ()
    only: tuple[str, ...] = ()

    def has(self, check: str) -> bool:
        return check not in self.lacks and (not self.only or check in self.only)

    def fetch(self) -> None:
        """Have the shim fetched; skip the test if it cannot be."""
        if self.language == "node":
            need("node")
            fetch(HERE / "node", "npm", "view", "fabric-shim@2.5.8", "version")
        elif self.language == "golang":
            fetch(HERE / "golang", "go", "mod", "download")
        elif self.language == "java":
            _jar()
        elif self.language == "fabric_python" and not FABRIC_PYTHON:
            pytest.skip("needs FABRIC_PYTHON")


ALL = [
    pytest.param(Runtime("python"), id="fastledger-dials"),
    pytest.param(Runtime("python", service=True), id="fastledger-service"),
    pytest.param(Runtime("node", lacks=("batch", "who", "purge")), id="node-dials"),
    pytest.param(Runtime("golang"), id="go-dials"),
    pytest.param(Runtime("golang", service=True), id="go-service"),
    pytest.param(Runtime("java", lacks=("batch", "who")), id="java-dials"),
    pytest.param(Runtime("java", service=True, lacks=("batch", "who")), id="java-service"),
    pytest.param(
        Runtime(
            "fabric_python",
            service=True,
            # It sends no events, and its stub has no more than the others' first functions.
            only=("put", "range"),
        ),
        id="fabric-chaincode-python-service",
    ),
]


def _free_address() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def _service_command(language: str) -> tuple[list[str], Path]:
    folder = HERE / language
    if language == "fabric_python":
        return [FABRIC_PYTHON, "service.py"], folder
    if language == "python":
        return [sys.executable, "-m", "fastledger.shim", "start", "chaincode"], folder
    if language == "java":
        return ["java", "-jar", "chaincode.jar"], _jar()
    build(folder, "go", "build", "-o", str(BUILDS / "golang"))
    return [str(BUILDS / "golang")], folder


def _jar() -> Path:
    """Build Java chaincode before it is packaged; return the folder of the jar."""
    made = BUILDS / "java"
    sources = [file for file in (HERE / "java").rglob("*") if file.is_file()]
    jar = made / "chaincode.jar"
    if not jar.exists() or any(file.stat().st_mtime > jar.stat().st_mtime for file in sources):
        with tempfile.TemporaryDirectory() as scratch:
            shutil.copytree(HERE / "java", scratch, dirs_exist_ok=True)
            build_with_maven(Path(scratch), "package")
            made.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path(scratch, "target", jar.name), jar)
    return made


def _package(language: str) -> package.ChaincodePackage:
    if language != "java":
        return package.parse(package.build_from(HERE / language, "interop", language))
    # The same bytes as Fabric's command line takes us minutes for forty megabytes.
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        archive.add(_jar() / "chaincode.jar", "src/chaincode.jar")
    code = gzip.compress(plain.getvalue(), 1, mtime=0)
    return package.ChaincodePackage("java", "", "interop", code, b"{}")


@contextmanager
def _service(runtime: Runtime, ccid: str, address: str) -> Iterator[None]:
    command, folder = _service_command(runtime.language)
    env = {**os.environ, "CHAINCODE_ID": ccid, "CHAINCODE_SERVER_ADDRESS": address}
    if runtime.language == "java":
        env["CORE_CHAINCODE_ID_NAME"] = ccid
    process = subprocess.Popen(command, cwd=folder, env=env)
    try:
        # Nobody is dialled twice.
        while not answers(int(address.rpartition(":")[2])):
            assert process.poll() is None, f"the service of {runtime.language} has ended"
            pause(0.05, "before the port is tried again")
        yield
    finally:
        process.kill()
        process.wait()


class Talk:
    """Runs transactions, committing those that succeed."""

    def __init__(self, support: ChaincodeSupport, peer: Peer) -> None:
        self.support = support
        self.peer = peer
        self.event: ChaincodeEvent | None = None
        self.context: TransactionContext | None = None

    async def __call__(self, *arguments: str, transient: dict | None = None) -> bytes:
        self.context = tx(self.peer, "interop", transient=transient)
        response, self.event = await self.support.invoke(self.context, args(*arguments))
        if response.status != 200:
            raise ChaincodeError(response.message)
        self.context.simulator.commit()
        return response.payload

    async def json(self, *arguments: str) -> Any:
        return json.loads(await self(*arguments))


@pytest.mark.parametrize("runtime", ALL)
def test_every_function(runtime: Runtime) -> None:
    runtime.fetch()
    ccid = f"interop-{runtime.language}:1"
    peer = Peer({"interop": EndorsementInfo("1.0", ccid)})
    config = ChaincodeConfig(execute_timeout_s=10, startup_timeout_s=120, overdue_grace_s=0.3)

    async def main() -> None:
        if runtime.service:
            address = _free_address()
            connection = {"address": address, "dial_timeout": "20s", "tls_required": False}
            raw = package.build(
                "interop", "ccaas", {"connection.json": json.dumps(connection).encode()}
            )
            launcher = PackageLauncherOf(ExternalLauncher(), package.parse(raw))
            with _service(runtime, ccid, address):
                await talk(ChaincodeSupport(peer, launcher, config))
            return
        try:
            sandbox.choose(sandbox.Kind.AUTO)
        except ChaincodeError as error:
            pytest.skip(str(error))
        process = ProcessLauncher(ProcessConfig(folder=BUILDS, mspid="Org1MSP"))
        launcher = PackageLauncherOf(process, _package(runtime.language))
        await talk(ChaincodeSupport(peer, launcher, config))

    async def talk(support: ChaincodeSupport) -> None:
        try:
            await _state(Talk(support, peer))
            for name, check in CHECKS.items():
                if runtime.has(name):
                    await check(Talk(support, peer))
            if not runtime.service and runtime.has("loop"):
                await _survives(Talk(support, peer))
        finally:
            await support.stop()

    asyncio.run(main())


async def _state(call: Talk) -> None:
    for number in range(230):
        call.peer.ledgers["mychannel"].state[("interop", "", f"k{number:03}")] = b"v"
    await call("put", "a", "1")
    assert await call("get", "a") == b"1"
    assert await call("get", "none") == b""
    everything = await call.json("range", "", "")
    assert everything == ["a", *(f"k{number:03}" for number in range(230))]
    assert await call.json("range", "k01", "k012") == ["k010", "k011"]
    await call("del", "a")
    assert await call("get", "a") == b""


async def _event(call: Talk) -> None:
    await call("put", "e", "1")
    assert (call.event.event_name, call.event.payload) == ("put", b"e")
    assert call.event.chaincode_id == "interop"
    await call("del", "e")


async def _page(call: Talk) -> None:
    page = await call.json("page", "200", "")
    assert (page["count"], len(page["keys"]), page["bookmark"]) == (200, 200, "k200")
    page = await call.json("page", "200", "k200")
    assert (page["count"], page["keys"][0], page["bookmark"]) == (30, "k200", "")


async def _query(call: Talk) -> None:
    assert len(await call.json("query", '{"selector":{}}')) == 230
    with pytest.raises(ChaincodeError, match=r"ExecuteQuery not supported|Unsuccessful response"):
        await call("query", "broken")


async def _history(call: Talk) -> None:
    await call("put", "h", "1")
    await call("put", "h", "2")
    assert len(await call.json("history", "h")) == 2
    await call("del", "h")


async def _composite(call: Talk) -> None:
    assert await call.json("composite", "x", "1") == []
    assert await call.json("composite", "x", "2") == ["\0pair\0x\x001\0"]


async def _hidden(call: Talk) -> None:
    call.peer.ledgers["mychannel"].state[("interop", "coll", "kept")] = b"secret"
    told = await call("hidden", "coll", "p", transient={"value": b"hush"})
    assert told.decode() == hashlib.sha256(b"secret").hexdigest()
    assert call.context.simulator.writes == {("interop", "coll", "p"): b"hush"}


async def _purge(call: Talk) -> None:
    await call("purge", "coll", "p")
    assert call.context.simulator.purged == [("interop", "coll", "p")]


async def _policy(call: Talk) -> None:
    await call("policy", "k000")
    assert await call("policy", "k000") == b"policy"


async def _call(call: Talk) -> None:
    assert await call("call", "qscc", "", "x") == b"200:qscc on mychannel"
    assert await call("call", "qscc", "other", "x") == b"200:qscc on other"


async def _who(call: Talk) -> None:
    import base64

    assert base64.b64decode(await call("who")).decode() == (
        r"x509::CN=user1,OU=client+OU=org1\, inc,C=US::CN=ca.org1"
    )


async def _batch(call: Talk) -> None:
    assert await call("batch", "b1", "b2") == b"2"
    assert call.context.simulator.writes == {
        ("interop", "", "b1"): b"b",
        ("interop", "", "b2"): b"b",
    }


async def _fail(call: Talk) -> None:
    with pytest.raises(ChaincodeError, match="as asked"):
        await call("fail")


async def _survives(call: Talk) -> None:
    with pytest.raises(ChaincodeError, match="chaincode stream terminated"):
        await call("die")
    await elapse(0.3, "a service that died has to be started again")
    await call("put", "a", "2")
    with pytest.raises(ChaincodeError, match="timeout expired"):
        await call("loop")
    await elapse(1, "a service that loops has to be started again")
    assert await call("get", "a") == b"2"


CHECKS = {
    "event": _event,
    "page": _page,
    "query": _query,
    "history": _history,
    "composite": _composite,
    "hidden": _hidden,
    "purge": _purge,
    "policy": _policy,
    "call": _call,
    "who": _who,
    "batch": _batch,
    "fail": _fail,
}
