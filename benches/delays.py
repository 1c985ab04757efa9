# SPDX-License-Identifier: Apache-2.0
"""Orderers of this machine that are far away from each other, though not from their clients.

An orderer listens for other orderers at a port of its own, and what goes to those ports or comes
from them is held back:

- by the kernel (``tc netem``) in a network namespace, in which the program is started anew. That
  takes Linux with netem, root, iproute2 and util-linux;
- elsewhere by a relay (``relay.py``), which others reach an orderer through.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from fastledger.network.plan import Node

LISTENING, RELAYED = 1000, 2000
"""From an orderer's port for clients to that for others, and to a relay's before it."""

_INSIDE = "FASTLEDGER_BENCH_NAMESPACE"
_QUEUE_PACKETS = 1_000_000
"""Room for what is on its way: 10 ms of a loopback device at its fastest."""

_PROBE = ("tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms")
_RESET = ("tc", "qdisc", "del", "dev", "lo", "root")


class Delays(Protocol):
    """What holds back."""

    port_offset: int
    """From an orderer's port for clients to the port that others know it by."""

    def set(self, milliseconds: float) -> None:
        """Hold everything back for so long from now on, in each direction."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def no_netem() -> str:
    """Go on in a network namespace, if there can be one; say why netem cannot be used there.

    In a namespace all ports are free, whether or not it can hold anything back.
    """
    missing = [name for name in ("unshare", "ip", "tc") if shutil.which(name) is None]
    if missing:
        return f"{' and '.join(missing)} not found"
    if os.geteuid():
        return "not run as root"
    if not os.environ.get(_INSIDE):
        tried = subprocess.run(["unshare", "--net", "true"], capture_output=True, text=True)
        if tried.returncode:
            return f"unshare --net: {tried.stderr.strip()}"
        command = ["unshare", "--net", sys.executable, *sys.orig_argv[1:]]
        os.execvpe(command[0], command, os.environ | {_INSIDE: "1"})
    _run("ip", "link", "set", "lo", "up")
    tried = subprocess.run(_PROBE, capture_output=True, text=True)
    subprocess.run(_RESET, capture_output=True)
    return f"{' '.join(_PROBE)}: {tried.stderr.strip()}" if tried.returncode else ""


def between(orderers: Sequence[Node], *, has_netem: bool, any_delay: bool) -> Delays:
    """Return what can hold back between some orderers."""
    if not any_delay:
        return Undelayed()
    return Netem(orderers) if has_netem else Relay(orderers)


class Undelayed:
    """Holds nothing back."""

    port_offset = LISTENING

    def set(self, milliseconds: float) -> None:
        """Do nothing."""

    def __enter__(self) -> Self:
        """Do nothing."""
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing."""


class Netem:
    """Has the kernel hold back."""

    port_offset = LISTENING

    def __init__(self, orderers: Sequence[Node]) -> None:
        """Know the ports."""
        self._ports = [node.port + LISTENING for node in orderers]

    def set(self, milliseconds: float) -> None:
        """Put packets to and from the ports into a band that is slow."""
        self.__exit__()
        device = "dev", "lo"
        _run("tc", "qdisc", "add", *device, "root", "handle", "1:", "prio", "bands", "2",
             "priomap", *["0"] * 16)  # fmt: skip
        _run("tc", "qdisc", "add", *device, "parent", "1:2", "netem", "delay",
             f"{milliseconds}ms", "limit", str(_QUEUE_PACKETS))  # fmt: skip
        for port in self._ports:
            for end in ("sport", "dport"):
                _run("tc", "filter", "add", *device, "parent", "1:", "protocol", "ip", "u32",
                     "match", "ip", end, str(port), "0xffff", "flowid", "1:2")  # fmt: skip

    def __enter__(self) -> Self:
        """Begin without delay."""
        return self

    def __exit__(self, *_: object) -> None:
        """Hold nothing back."""
        subprocess.run(_RESET, capture_output=True)


class Relay:
    """Has a process hold back."""

    port_offset = RELAYED

    def __init__(self, orderers: Sequence[Node]) -> None:
        """Know the ports."""
        self._pairs = [f"{node.port + RELAYED}:{node.port + LISTENING}" for node in orderers]

    def set(self, milliseconds: float) -> None:
        """Tell the relay."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{milliseconds}\n")
        self._process.stdin.flush()

    def __enter__(self) -> Self:
        """Start the relay."""
        command = [sys.executable, str(Path(__file__).with_name("relay.py")), "0", *self._pairs]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._process.communicate()


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr.strip()}")
