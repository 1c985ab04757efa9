# SPDX-License-Identifier: Apache-2.0
"""The 163 steps of a real peer command's transcript, driven through ours against our nodes.

A step is a command, its environment, and what the real one answered. Keys differ from run to run,
so hashes, certificates and times are blanked on both sides before they are compared; so are the
ports, which are whatever is free.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from classic_network import free_ports
from corpora import ROOT
from fastledger.node.network import processes

COMMAND_S = 60
BATCH_S = 2.6
"""The channel's batch timeout and a bit: transactions of different steps get different blocks."""

PORTS = (7050, 7051, 7052, 8051, 8052, 9051, 9052, 10051, 10052)
PEERS = {"peer0.org1": 7051, "peer1.org1": 8051, "peer0.org2": 9051, "peer1.org2": 10051}
GO_CHAINCODE = "github.com/hyperledger/fabric/examples/chaincode/go/chaincode_example02"
ACCOUNT = ROOT / "examples" / "chaincode" / "account"


@dataclass(frozen=True)
class Step:
    """A step of the transcript and what came of it here."""

    title: str
    argv: list[str]
    real: tuple[int, str, str]
    """Exit code, stdout, and the line that begins with ``Error:``."""

    ours: tuple[int, str, str]

    @property
    def number(self) -> str:
        return self.title.partition(" ")[0]


class Transcript:
    """One run of a transcript in a folder."""

    def __init__(self, corpus: Path, folder: Path, tls: bool) -> None:
        self.corpus = corpus
        self.net = folder
        self.tls = tls
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        self._chaincodes: list[subprocess.Popen[bytes]] = []

    def steps(self) -> Iterator[Step]:
        """Run all steps, and what was done beside them."""
        self._prepare()
        beside = {
            "008": self._start_nodes,
            "043": lambda: self._start_chaincode("1.0", "peer0.org1", "peer0.org2", "peer1.org2"),
            "070": self._invoke_side_by_side,
            "074": lambda: self._start_chaincode("2.0", "peer0.org1", "peer0.org2"),
            "162": self._restart,
        }
        with ExitStack() as stack:
            stack.callback(self._stop)
            for line in (self.corpus / "transcript.jsonl").read_text("utf-8").splitlines():
                record = json.loads(line)
                step = self._step(record)
                yield step
                if _orders(record["argv"]) and step.ours[0] == 0:
                    time.sleep(BATCH_S)
                beside.get(step.number, lambda: None)()

    def run(self, argv: list[str], env: dict[str, str]) -> "subprocess.CompletedProcess[str]":
        """Run a command of ours."""
        return subprocess.run(
            [sys.executable, "-m", "fastledger", *argv],
            cwd=self.net,
            env=self._env(env),
            check=False,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
        )

    def log(self, name: str) -> str:
        """A node's log."""
        return (self.net / "production" / name / "log").read_text("utf-8", "replace")

    def _prepare(self) -> None:
        for name in ("configtx.yaml", "crypto-config.yaml"):
            text = (self.corpus / "config" / name).read_text("utf-8")
            text = re.sub(r"Port: (\d+)", lambda m: f"Port: {self._port(m[1])}", self._here(text))
            (self.net / name).write_text(text, "utf-8")
        for folder in ("art", "corpus/mychannel", "corpus/syschannel"):
            (self.net / folder).mkdir(parents=True)
        source = self.net / "gopath" / "src" / GO_CHAINCODE
        source.mkdir(parents=True)
        (source / "chaincode.go").write_text("package main\n", "utf-8")

    def _step(self, record: dict[str, Any]) -> Step:
        argv = [self._here(word) for word in record["argv"]]
        env = {name: self._here(value) for name, value in record["env"].items()}
        done = self.run(argv, env)
        real = (record["rc"], blank(record["stdout"]), blank(error_line(record["stderr"])))
        ours = (
            done.returncode,
            blank(self._there(done.stdout)),
            blank(self._there(error_line(done.stderr))),
        )
        return Step(record["title"], argv, real, ours)

    def _here(self, text: str) -> str:
        text = re.sub(r"127\.0\.0\.1:(\d+)", lambda m: f"127.0.0.1:{self._port(m[1])}", text)
        return text.replace("NET", str(self.net))

    def _there(self, text: str) -> str:
        for real, ours in self.ports.items():
            text = re.sub(rf"\b{ours}\b", str(real), text)
        return text.replace(str(self.net), "NET")

    def _port(self, number: str) -> int:
        return self.ports.get(int(number), int(number))

    def _env(self, env: dict[str, str]) -> dict[str, str]:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CORE_", "ORDERER_", "CONFIGTX_"))
        }
        return {**kept, "GOPATH": str(self.net / "gopath"), **env}

    def _start_nodes(self) -> None:
        for file in (self.net / "art").iterdir():
            shutil.copy(file, self.net)
        orderers = self.net / "crypto-config/ordererOrganizations/example.com/orderers"
        crypto = orderers / "orderer.example.com"
        tls = {
            "ORDERER_GENERAL_TLS_ENABLED": "true",
            "ORDERER_GENERAL_TLS_PRIVATEKEY": str(crypto / "tls/server.key"),
            "ORDERER_GENERAL_TLS_CERTIFICATE": str(crypto / "tls/server.crt"),
            "ORDERER_GENERAL_TLS_ROOTCAS": f"[{crypto / 'tls/ca.crt'}]",
        }
        env = {
            "ORDERER_GENERAL_LISTENADDRESS": "127.0.0.1",
            "ORDERER_GENERAL_LISTENPORT": str(self.ports[7050]),
            "ORDERER_GENERAL_GENESISMETHOD": "file",
            "ORDERER_GENERAL_GENESISFILE": str(self.net / "art/genesis.block"),
            "ORDERER_GENERAL_LOCALMSPID": "OrdererMSP",
            "ORDERER_GENERAL_LOCALMSPDIR": str(crypto / "msp"),
            "ORDERER_FILELEDGER_LOCATION": str(self.net / "production/orderer"),
            "ORDERER_OPERATIONS_LISTENADDRESS": "127.0.0.1:0",
            "ORDERER_ADMIN_LISTENADDRESS": "127.0.0.1:0",
        }
        self._start("orderer", ["orderer", "start"], env | (tls if self.tls else {}))
        for name in PEERS:
            self._start_peer(name)
        self._wait()

    def _start_peer(self, name: str) -> None:
        domain = f"{name.partition('.')[2]}.example.com"
        host = f"{name}.example.com"
        crypto = self.net / "crypto-config/peerOrganizations" / domain / "peers" / host
        port = PEERS[name]
        address = f"127.0.0.1:{self.ports[port]}"
        chaincode = f"127.0.0.1:{self.ports[port + 1]}"
        tls = {
            "CORE_PEER_TLS_ENABLED": "true",
            "CORE_PEER_TLS_CERT_FILE": str(crypto / "tls/server.crt"),
            "CORE_PEER_TLS_KEY_FILE": str(crypto / "tls/server.key"),
            "CORE_PEER_TLS_ROOTCERT_FILE": str(crypto / "tls/ca.crt"),
        }
        env = {
            # As the real peers' were: step 110 shows it.
            "FABRIC_LOGGING_SPEC": "debug:gossip=info:grpc=info",
            "CORE_PEER_ID": host,
            "CORE_PEER_NETWORKID": "e2e",
            "CORE_PEER_LISTENADDRESS": address,
            "CORE_PEER_ADDRESS": address,
            "CORE_PEER_CHAINCODELISTENADDRESS": chaincode,
            "CORE_PEER_CHAINCODEADDRESS": chaincode,
            "CORE_PEER_LOCALMSPID": f"{name.partition('.')[2].capitalize()}MSP",
            "CORE_PEER_MSPCONFIGPATH": str(crypto / "msp"),
            "CORE_PEER_FILESYSTEMPATH": str(self.net / "production" / name),
            "CORE_OPERATIONS_LISTENADDRESS": "127.0.0.1:0",
        }
        command = ["peer", "node", "start", "--peer-chaincodedev=true"]
        self._start(name, command, env | (tls if self.tls else {}))

    def _start(self, name: str, command: list[str], env: dict[str, str]) -> None:
        folder = self.net / "production" / name
        processes.start(folder, command, {"FABRIC_CFG_PATH": str(self.net), **env})

    def _wait(self) -> None:
        from classic_network import answers

        wanted = {"orderer": 7050, **PEERS}
        deadline = time.monotonic() + COMMAND_S
        for name, port in wanted.items():
            while not answers(self.ports[port]):
                folder = self.net / "production" / name
                assert processes.running(folder), f"{name} ended:\n{self.log(name)[-2000:]}"
                assert time.monotonic() < deadline, f"{name} does not answer"
                time.sleep(0.05)

    def _start_chaincode(self, version: str, *peers: str) -> None:
        for peer in peers:
            env = {
                "CORE_CHAINCODE_ID_NAME": f"mycc:{version}",
                "CORE_PEER_ADDRESS": f"127.0.0.1:{self.ports[PEERS[peer] + 1]}",
                "CORE_PEER_TLS_ENABLED": "false",
                "PYTHONDONTWRITEBYTECODE": "1",
            }
            command = [sys.executable, "-m", "fastledger.shim", "start", "chaincode"]
            log = (self.net / f"chaincode-{version}-{peer}.log").open("wb")
            with log:
                process = subprocess.Popen(
                    command, cwd=ACCOUNT, env=self._env(env), stdout=log, stderr=log
                )
            self._chaincodes.append(process)
        time.sleep(1.5)

    def _invoke_side_by_side(self) -> None:
        """Two transfers that read the same balance: one of them comes too late."""
        record = json.loads((self.corpus / "transcript.jsonl").read_text("utf-8").splitlines()[55])
        env = {name: self._here(value) for name, value in record["env"].items()}
        commands = []
        for amount in ("5", "6"):
            argv = [self._here(word).replace('"10"', f'"{amount}"') for word in record["argv"]]
            commands.append(
                subprocess.Popen(
                    [sys.executable, "-m", "fastledger", *argv],
                    cwd=self.net,
                    env=self._env(env),
                    stderr=subprocess.DEVNULL,
                )
            )
        assert [command.wait(COMMAND_S) for command in commands] == [0, 0]
        time.sleep(BATCH_S)

    def _restart(self) -> None:
        processes.stop([self.net / "production" / "peer0.org1"])
        self._start_peer("peer0.org1")
        self._wait()

    def _stop(self) -> None:
        for process in self._chaincodes:
            process.kill()
            process.wait()
        processes.stop([self.net / "production" / name for name in ("orderer", *PEERS)])


def _orders(argv: list[str]) -> bool:
    return argv[:2] == ["peer", "chaincode"] and argv[2] in ("invoke", "instantiate", "upgrade")


def error_line(stderr: str) -> str:
    """The line that says what failed."""
    for line in stderr.splitlines():
        if line.startswith("Error: "):
            return line
    return ""


_BLANKS = (
    # Certificates, hashes and signatures, in base64 and in hexadecimal.
    (re.compile(r"[A-Za-z0-9+/=]{40,}"), "<bytes>"),
    (re.compile(r"\b[0-9a-f]{60,}\b"), "<bytes>"),
    (re.compile(r'"(nonce|signature|Hash)": "[^"]*"'), r'"\1": "<bytes>"'),
    (re.compile(r'BlockHash":"[^"]*"'), 'BlockHash":"<bytes>"'),
    (re.compile(r'"timestamp": "[^"]*"'), '"timestamp": "<time>"'),
    (re.compile(r"\b[0-9a-f]{64}\b"), "<bytes>"),
    # Names of the test network's certificates hold no secrets, but serial numbers do.
    (re.compile(r"serial number \d+"), "serial number <number>"),
)


def blank(text: str) -> str:
    """Blank what differs from run to run."""
    for pattern, stand_in in _BLANKS:
        text = pattern.sub(stand_in, text)
    return text
