# SPDX-License-Identifier: Apache-2.0
"""Why a program ended, out of what it printed and how it exited.

The last line printed is rarely the reason: Node ends with a brace, npm with advice, Java with the
bottom of a stack.
"""

import re
import signal

_EXCEPTION = re.compile(
    r"(Uncaught )?[A-Za-z_$][\w.$]*(Error|Exception|Interrupt)( \[\w+\])?(: .*)?"
)
"""At the beginning of a line: Python's, Node's and Java's way to name what was thrown."""

_TOLD_OUTRIGHT = re.compile(
    r"Caused by: (?P<java>.+)"
    r"|Exception in thread \".*\" (?P<thread>.+)"
    r"|Exception: (?P<other>.+)"
    r"|panic: .+|fatal error: .+"
    r"|thread '.*' panicked at .+"
    r"|Error: .+|FATAL ERROR: .+"
    r"|# There is insufficient memory for the Java Runtime Environment to continue\."
    r"|Error occurred during initialization of VM"
    r"|no main manifest attribute, in .+"
    r"|.+: No module named .+|.+: Error while finding module specification for .+"
)
_TRACEBACK = "Traceback (most recent call last):"
_TOLD_ON_THE_NEXT_LINE = re.compile(
    r"Error occurred during initialization of VM|thread '.*' panicked at .+"
)
_SHELL = re.compile(
    r"(npm (error|ERR!) )?(?P<said>Missing script: .+"
    r"|.*error while loading shared libraries: .+"
    r"|.+: (not found|command not found|[Nn]o such file or directory|[Pp]ermission denied"
    r"|cannot execute.*|Exec format error))"
)
"""Said by whatever starts the program; it counts only where the program itself said nothing."""

MAX_CAUSE_CHARS = 500
"""Longer ones are cut: they are part of an answer to a client."""

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Cause:
    """Finds the reason in lines as they are printed; of several, the last."""

    def __init__(self) -> None:
        """Nothing was printed yet."""
        self._said = ""
        self._shell = ""
        self._in_traceback = False
        self._continues = False

    @property
    def text(self) -> str:
        """The reason in one line; empty when none was seen."""
        return (self._said or self._shell)[:MAX_CAUSE_CHARS]

    def look(self, line: str) -> None:
        """See a line."""
        line = _COLOURS.sub("", line).rstrip()
        if self._continues and line:
            self._said = f"{self._said} {line.strip()}"
            self._continues = False
        elif line == _TRACEBACK:
            self._in_traceback = True
        elif self._in_traceback and line[:1].strip():
            # The first line that is not indented names the exception, whatever it is called.
            self._said, self._in_traceback = line, False
        elif found := _TOLD_OUTRIGHT.fullmatch(line):
            self._said = next(filter(None, found.groups()), line).removeprefix("# ")
            self._continues = _TOLD_ON_THE_NEXT_LINE.fullmatch(line) is not None
        elif _EXCEPTION.fullmatch(line):
            self._said = line
        elif shell := _SHELL.fullmatch(line):
            self._shell = shell["said"]


def ending(what: str, status: int, cause: str, printed: str) -> str:
    r"""Say how a program ended: first line the reason, then what it printed.

    Where no reason was found, the last words have to do.

    Args:
        what: The program, such as ``the process``.
        status: Its exit status; negative for a signal, as Python counts.
        cause: What :class:`Cause` found.
        printed: The end of its output.

    Example:
        >>> ending("the process", -9, "", "")
        'the process was ended by SIGKILL'
        >>> ending("the process", 1, "Error: no", "Error: no\n}")
        'the process exited with 1: Error: no; it printed:\nError: no\n}'
    """
    text = f"{what} {_exit(status)}"
    if reason := cause or _last_words(printed):
        text += f": {reason}"
    return f"{text}; it printed:\n{printed}" if printed else text


def _last_words(printed: str) -> str:
    """The last line that has a word in it, for want of a better reason."""
    lines = (line.strip() for line in reversed(printed.splitlines()))
    found = next((line for line in lines if _WORD.search(line)), "")
    return _COLOURS.sub("", found)[:MAX_CAUSE_CHARS]


_WORD = re.compile(r"\w")


def _exit(status: int) -> str:
    if status < 0:
        return f"was ended by {_signal(-status)}"
    if _SHELL_SIGNALS < status <= _SHELL_SIGNALS + signal.NSIG:
        # How a shell, or a container, tells of its child.
        return f"exited with {status} ({_signal(status - _SHELL_SIGNALS)})"
    return f"exited with {status}"


_SHELL_SIGNALS = 128


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
