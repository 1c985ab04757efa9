# SPDX-License-Identifier: Apache-2.0
"""A filter of system calls for chaincode, and the program that runs another one behind it.

It refuses what Docker's default profile refuses, so that a sandbox is a container's equal: what
loads code into the kernel, changes mounts, namespaces, clocks or keys, looks into other processes,
or is a wide and young door such as io_uring and bpf. Sockets are Unix's, those of IP, and netlink's
routing, which lists network interfaces. Calls newer than this list do not exist for chaincode.

Used as a program, by its path and without the package, since it runs inside of the sandbox:
``python -I -S seccomp.py PROGRAM ARGUMENT…``. ``PR_SET_NO_NEW_PRIVS`` must be set before.
"""

import ctypes
import errno
import os
import platform
import struct
import sys
from dataclasses import dataclass

_NEWEST = 462
"""``mseal``, the last call that was known when this was written."""

_EVERYWHERE = {
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "pidfd_getfd": 438,
    "mount_setattr": 442,
    "quotactl_fd": 443,
    "set_mempolicy_home_node": 450,
    "statmount": 457,
    "listmount": 458,
    "lsm_get_self_attr": 459,
    "lsm_set_self_attr": 460,
    "lsm_list_modules": 461,
}
"""Calls since Linux 5.1 have one number on all processors."""

_X86_64 = {
    "ptrace": 101,
    "syslog": 103,
    "uselib": 134,
    "personality": 135,
    "ustat": 136,
    "sysfs": 139,
    "vhangup": 153,
    "pivot_root": 155,
    "_sysctl": 156,
    "chroot": 161,
    "acct": 163,
    "settimeofday": 164,
    "mount": 165,
    "umount2": 166,
    "swapon": 167,
    "swapoff": 168,
    "reboot": 169,
    "sethostname": 170,
    "setdomainname": 171,
    "iopl": 172,
    "ioperm": 173,
    "create_module": 174,
    "init_module": 175,
    "delete_module": 176,
    "get_kernel_syms": 177,
    "query_module": 178,
    "quotactl": 179,
    "nfsservctl": 180,
    "lookup_dcookie": 212,
    "clock_settime": 227,
    "mbind": 237,
    "set_mempolicy": 238,
    "get_mempolicy": 239,
    "kexec_load": 246,
    "add_key": 248,
    "request_key": 249,
    "keyctl": 250,
    "migrate_pages": 256,
    "unshare": 272,
    "move_pages": 279,
    "perf_event_open": 298,
    "fanotify_init": 300,
    "name_to_handle_at": 303,
    "open_by_handle_at": 304,
    "clock_adjtime": 305,
    "setns": 308,
    "process_vm_readv": 310,
    "process_vm_writev": 311,
    "kcmp": 312,
    "finit_module": 313,
    "kexec_file_load": 320,
    "bpf": 321,
    "userfaultfd": 323,
}

_AARCH64 = {
    "lookup_dcookie": 18,
    "umount2": 39,
    "mount": 40,
    "pivot_root": 41,
    "nfsservctl": 42,
    "chroot": 51,
    "vhangup": 58,
    "quotactl": 60,
    "acct": 89,
    "personality": 92,
    "unshare": 97,
    "kexec_load": 104,
    "init_module": 105,
    "delete_module": 106,
    "clock_settime": 112,
    "syslog": 116,
    "ptrace": 117,
    "reboot": 142,
    "sethostname": 161,
    "setdomainname": 162,
    "settimeofday": 170,
    "add_key": 217,
    "request_key": 218,
    "keyctl": 219,
    "swapon": 224,
    "swapoff": 225,
    "mbind": 235,
    "get_mempolicy": 236,
    "set_mempolicy": 237,
    "migrate_pages": 238,
    "move_pages": 239,
    "perf_event_open": 241,
    "fanotify_init": 262,
    "name_to_handle_at": 264,
    "open_by_handle_at": 265,
    "clock_adjtime": 266,
    "setns": 268,
    "process_vm_readv": 270,
    "process_vm_writev": 271,
    "kcmp": 272,
    "finit_module": 273,
    "bpf": 280,
    "userfaultfd": 282,
    "kexec_file_load": 294,
}

_CLONE3 = 435
_NEW_NAMESPACES = 0x7E020000
"""The flags of ``clone`` that make namespaces."""

_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16
_NETLINK_ROUTE = 0

# Instructions of the filter's machine (classic BPF), and what its programs return.
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW = 0x7FFF0000
_REFUSE = 0x00050000
# Where a program finds the call: `struct seccomp_data`.
_NUMBER, _ARCHITECTURE = 0, 4
_ARGUMENT = (16, 24, 32)

_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2


@dataclass(frozen=True, slots=True)
class _Machine:
    """The numbers of a processor's calls."""

    architecture: int
    refused: dict[str, int]
    socket: int
    clone: int


_MACHINES = {
    "x86_64": _Machine(0xC000003E, _X86_64, socket=41, clone=56),
    "aarch64": _Machine(0xC00000B7, _AARCH64, socket=198, clone=220),
}

Instruction = tuple[int, int, int, int]
"""Operation, how many instructions to skip if it holds and if not, and its operand."""


def program(machine: str = "") -> bytes | None:
    """Return the filter, as the kernel takes it.

    Args:
        machine: The processor's name as ``uname`` has it; this one's where it is left out.

    Returns:
        None for a processor whose calls are not known here.
    """
    known = _MACHINES.get(machine or platform.machine())
    if known is None:
        return None
    return b"".join(struct.pack("=HBBI", *step) for step in _steps(known))


def _steps(machine: _Machine) -> list[Instruction]:
    steps = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        # Another architecture's calls have other numbers: there are none.
        *_unless(_EQUAL, machine.architecture, errno.ENOSYS),
        (_LOAD, 0, 0, _NUMBER),
        *_if(_AT_LEAST, _NEWEST + 1, errno.ENOSYS),
        # Its flags lie in memory, where a filter cannot look; the C library then calls clone.
        *_if(_EQUAL, _CLONE3, errno.ENOSYS),
    ]
    for number in sorted((machine.refused | _EVERYWHERE).values()):
        steps += _if(_EQUAL, number, errno.EPERM)
    steps += _when(machine.clone, _if(_ANY_BIT, _NEW_NAMESPACES, errno.EPERM), _ARGUMENT[0])
    steps += _when(machine.socket, _families(), _ARGUMENT[0])
    return [*steps, (_RETURN, 0, 0, _ALLOW)]


def _families() -> list[Instruction]:
    protocol = [(_LOAD, 0, 0, _ARGUMENT[2]), *_unless(_EQUAL, _NETLINK_ROUTE, errno.EPERM)]
    allowed = [(_EQUAL, 0, 1, family) for family in (_AF_UNIX, _AF_INET, _AF_INET6)]
    steps: list[Instruction] = []
    for test in allowed:
        steps += [test, (_RETURN, 0, 0, _ALLOW)]
    return [*steps, *_unless(_EQUAL, _AF_NETLINK, errno.EPERM), *protocol]


def _when(call: int, steps: list[Instruction], argument: int) -> list[Instruction]:
    """Judge an argument of one call."""
    body = [(_LOAD, 0, 0, argument), *steps, (_RETURN, 0, 0, _ALLOW)]
    return [(_EQUAL, 0, len(body), call), *body]


def _if(test: int, operand: int, error: int) -> list[Instruction]:
    return [(test, 0, 1, operand), (_RETURN, 0, 0, _REFUSE | error)]


def _unless(test: int, operand: int, error: int) -> list[Instruction]:
    return [(test, 1, 0, operand), (_RETURN, 0, 0, _REFUSE | error)]


def _install(steps: bytes) -> None:
    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("steps", ctypes.c_char_p))

    libc = ctypes.CDLL(None, use_errno=True)
    given = Program(len(steps) // 8, steps)
    arguments = (_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(given), 0, 0)
    if libc.prctl(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"the filter of system calls is refused: {os.strerror(number)}")


def main(argv: list[str]) -> None:
    """Become another program, behind the filter.

    Raises:
        OSError: The kernel takes no filter, or the program cannot be run.
    """
    steps = program()
    if steps is not None:
        _install(steps)
    os.execvp(argv[0], argv)  # noqa: S606 (a program given by the sandbox)


if __name__ == "__main__":
    main(sys.argv[1:])
