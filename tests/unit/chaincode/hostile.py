# SPDX-License-Identifier: Apache-2.0
"""Chaincode that does what none should; packaged by the tests."""

import ctypes
import errno
import mmap
import os
import socket
import subprocess
import sys
import threading
import time

from fastledger import shim


class Hostile(shim.Contract):
    @shim.query
    def Fine(self, ctx: shim.Context) -> str:
        return "fine"

    @shim.query
    def Loop(self, ctx: shim.Context) -> None:
        while True:
            pass

    @shim.query
    def Sleep(self, ctx: shim.Context, seconds: float) -> None:
        time.sleep(seconds)

    @shim.query
    def Die(self, ctx: shim.Context) -> None:
        os._exit(7)

    @shim.query
    def Eat(self, ctx: shim.Context) -> None:
        eaten = []
        while True:
            eaten.append(bytearray(64 * 1024 * 1024))

    @shim.query
    def Share(self, ctx: shim.Context, mebibytes: int) -> int:
        """Touch memory that two processes could share, a mebibyte at a time."""
        shared = []
        for _ in range(mebibytes):
            shared.append(mmap.mmap(-1, 1024 * 1024))
            shared[-1].write(b"x" * 1024 * 1024)
        return len(shared)

    @shim.query
    def Spread(self, ctx: shim.Context, processes: int, mebibytes: int) -> int:
        """Use memory in many processes at once, in each less than a limit of one."""
        code = f"b = b'x' * ({mebibytes} << 20); print(len(b), flush=True); input()"
        command, pipe = [sys.executable, "-I", "-S", "-c", code], subprocess.PIPE
        started = [subprocess.Popen(command, stdin=pipe, stdout=pipe) for _ in range(processes)]
        for process in started:
            # It has all of its memory, or has ended.
            process.stdout.readline()
        for process in started:
            process.communicate(b"\n")
        return sum(process.returncode == 0 for process in started)

    @shim.query
    def Call(self, ctx: shim.Context, number: int, first: int, third: int) -> str:
        """Make a system call; return its error's name."""
        libc = ctypes.CDLL(None, use_errno=True)
        libc.syscall(number, first, 0, third, 0, 0, 0)
        return errno.errorcode.get(ctypes.get_errno(), "")

    @shim.query
    def Print(self, ctx: shim.Context) -> None:
        for _ in range(20_000):
            sys.stdout.write("x" * 200 + "\n")

    @shim.query
    def Read(self, ctx: shim.Context, path: str) -> str:
        with open(path, "rb") as file:
            return str(len(file.read()))

    @shim.query
    def Write(self, ctx: shim.Context, path: str, size: int) -> None:
        with open(path, "wb") as file:
            file.write(b"x" * size)

    @shim.query
    def Dial(self, ctx: shim.Context, host: str, port: int) -> None:
        socket.create_connection((host, port), timeout=2).close()

    @shim.query
    def Processes(self, ctx: shim.Context) -> int:
        return sum(name.isdecimal() for name in os.listdir("/proc"))

    @shim.query
    def Multiply(self, ctx: shim.Context) -> None:
        while True:
            threading.Thread(target=time.sleep, args=(60,), daemon=True).start()

    @shim.transaction
    def Flood(self, ctx: shim.Context, size: int) -> None:
        while True:
            ctx.stub.put_state("k", b"v" * size)

    @shim.query
    def Big(self, ctx: shim.Context, size: int) -> bytes:
        return b"x" * size

    @shim.query
    def BigError(self, ctx: shim.Context, size: int) -> None:
        raise ValueError("the message fit into a message: " + "x" * size)

    @shim.transaction
    def BigWrite(self, ctx: shim.Context, size: int) -> None:
        ctx.stub.put_state("k", b"v" * size)

    @shim.transaction
    def BigEvent(self, ctx: shim.Context, size: int) -> None:
        ctx.stub.set_event("e", b"v" * size)

    @shim.transaction
    def BigCall(self, ctx: shim.Context, size: int) -> None:
        ctx.stub.invoke_chaincode("other", [b"v" * size])

    @shim.query
    def Raise(self, ctx: shim.Context) -> None:
        raise KeyError("oops")

    @shim.query
    def Environment(self, ctx: shim.Context) -> list[str]:
        return sorted(os.environ)
