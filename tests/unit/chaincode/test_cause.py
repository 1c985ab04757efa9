# SPDX-License-Identifier: Apache-2.0
"""Why a program ended, out of what programs really print."""

import pytest

from fastledger.chaincode.launcher.cause import MAX_CAUSE_CHARS, Cause, ending

NODE = """
> ts@1.0.0 start
> fabric-chaincode-node start --peer.address 127.0.0.1:7052

node:internal/modules/cjs/loader:1210
  throw err;
  ^

Error: Cannot find module '/builds/ts/src/dist/index.js'. Please verify that the package.json has
    at tryPackage (node:internal/modules/cjs/loader:487:19)
    at async Command.handler (/builds/ts/src/node_modules/fabric-shim/cli.js:12:5) {
  code: 'MODULE_NOT_FOUND',
  path: '/builds/ts/src/package.json'
}

Node.js v20.20.2
"""

NODE_SYNTAX = """/builds/cc/src/index.js:3
  async Create(ctx {
                   ^

SyntaxError: missing ) after argument list
    at internalCompileFunction (node:internal/vm:76:18)

Node.js v20.20.2
npm error Lifecycle script `start` failed with error:
npm error code 1
"""

PYTHON = """Traceback (most recent call last):
  File "/usr/lib/python3.11/runpy.py", line 198, in _run_module_as_main
    return _run_code(code, main_globals, None,
ImportError: cannot import name 'x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "chaincode.py", line 3, in <module>
    raise Broken("no ledger today")
chaincode.Broken: no ledger today
"""

GO = """2024/01/02 03:04:05 starting
panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x481a2b]

goroutine 1 [running]:
main.main()
	/src/main.go:7 +0x1b
exit status 2
"""

GO_MEMORY = """fatal error: runtime: out of memory

runtime stack:
runtime.throw({0x4a1b2c?, 0x0?})
"""

JAVA = """Exception in thread "main" java.lang.ExceptionInInitializerError
	at org.example.Main.main(Main.java:5)
Caused by: java.lang.IllegalStateException: no contracts were found
	at org.example.Contracts.find(Contracts.java:9)
	... 1 more
"""

JAVA_MEMORY = """#
# There is insufficient memory for the Java Runtime Environment to continue.
# Native memory allocation (mmap) failed to map 31916032 bytes for committing reserved memory.
# An error report file with more information is saved as:
# /tmp/hs_err_pid12.log
"""

JVM = """Error occurred during initialization of VM
Could not reserve enough space for 8388608KB object heap
"""


@pytest.mark.parametrize(
    ("printed", "cause"),
    [
        (NODE, "Error: Cannot find module '/builds/ts/src/dist/index.js'."),
        (NODE_SYNTAX, "SyntaxError: missing ) after argument list"),
        ("TypeError [ERR_INVALID_ARG_TYPE]: The path\n    at x\n", "TypeError [ERR_INVALID"),
        ("FATAL ERROR: Reached heap limit Allocation failed\n----- Native -----\n", "FATAL ERROR"),
        ("\x1b[31mReferenceError: x is not defined\x1b[39m\n", "ReferenceError: x is not defined"),
        (PYTHON, "chaincode.Broken: no ledger today"),
        ("Traceback (most recent call last):\n  File x\nKeyboardInterrupt\n", "KeyboardInterrupt"),
        (GO, "panic: runtime error: invalid memory address or nil pointer dereference"),
        (GO_MEMORY, "fatal error: runtime: out of memory"),
        (JAVA, "java.lang.IllegalStateException: no contracts were found"),
        ('Exception in thread "main" java.lang.Error: x\n\tat y\n', "java.lang.Error: x"),
        (JAVA_MEMORY, "There is insufficient memory for the Java Runtime Environment"),
        (JVM, "Error occurred during initialization of VM Could not reserve enough space"),
        ("Error: Could not find or load main class org.Main\n", "Error: Could not find or load"),
        ("no main manifest attribute, in chaincode.jar\n", "no main manifest attribute"),
        (
            "thread 'main' panicked at src/main.rs:4:5:\nno peer\nnote: run\n",
            "main.rs:4:5: no peer",
        ),
        ('npm error Missing script: "start"\nnpm error\nnpm error To see\n', "Missing script"),
        ("env: 'python9': No such file or directory\n", "env: 'python9': No such file or dir"),
        ("/usr/bin/python3: No module named fastledger\n", "No module named fastledger"),
        ("sh: 1: fabric-chaincode-node: not found\n", "fabric-chaincode-node: not found"),
        ("cc: error while loading shared libraries: libx.so.1: cannot open\n", "libx.so.1"),
        ("bash: ./start: cannot execute binary file: Exec format error\n", "cannot execute binary"),
    ],
)
def test_the_cause_is_found(printed: str, cause: str) -> None:
    found = Cause()
    for line in printed.splitlines():
        found.look(line)
    assert cause in found.text
    assert "\n" not in found.text


@pytest.mark.parametrize("printed", ["", "listening\n}\n", "INFO no Error: here\n"])
def test_nothing_is_made_up(printed: str) -> None:
    found = Cause()
    for line in printed.splitlines():
        found.look(line)
    assert found.text == ""


def test_a_cause_is_cut_short() -> None:
    found = Cause()
    found.look("ValueError: " + "x" * 5000)
    assert len(found.text) == MAX_CAUSE_CHARS


def test_endings() -> None:
    assert ending("the process", -11, "", "") == "the process was ended by SIGSEGV"
    assert ending("the container", 137, "", "") == "the container exited with 137 (SIGKILL)"
    told = ending("the process", 1, "Error: no", "Error: no\n}")
    assert told == "the process exited with 1: Error: no; it printed:\nError: no\n}"


def test_last_words_have_to_do_where_there_is_no_cause() -> None:
    told = ending("the process", 2, "", "reading\nno such colour: blue\n  }\n--\n")
    assert told.startswith("the process exited with 2: no such colour: blue; it printed:\nreading")
    assert (
        ending("the process", 2, "", "}\n--\n") == "the process exited with 2; it printed:\n}\n--\n"
    )
