# SPDX-License-Identifier: Apache-2.0
"""Every command tells what it does and what its options are, and no mistake shows a traceback."""

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from fastledger.cli import main as program
from fastledger.cli.main import COMMANDS, DEBUG_VARIABLE, main


def commands(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(group, click.Group):
        context = click.Context(group)
        for name in group.list_commands(context):
            found = group.get_command(context, name)
            assert found is not None
            yield from commands(found, (*path, name))


def command(path: tuple[str, ...]) -> click.Command:
    found: click.Command = main
    for name in path:
        assert isinstance(found, click.Group)
        following = found.get_command(click.Context(found), name)
        assert following is not None
        found = following
    return found


@pytest.mark.parametrize("path", list(commands(main)), ids=" ".join)
def test_help(path: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(main, [*path, "--help"])
    assert shown.exit_code == 0
    assert "..." not in shown.stdout.replace("ARGS]...", "")
    untold = [
        option.opts[0]
        for option in command(path).params
        if isinstance(option, click.Option) and not option.hidden and not option.help
    ]
    assert not untold


def test_a_mistake_of_ours_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command
    def broken() -> None:
        raise KeyError("a key")

    monkeypatch.setitem(COMMANDS, "broken", "broken_module:broken")
    monkeypatch.setattr(
        program.importlib, "import_module", lambda _: type("M", (), {"broken": broken})
    )
    done = CliRunner().invoke(main, ["broken"])
    assert done.exit_code == 2
    assert done.stderr.startswith("fastledger: KeyError: 'a key'")
    assert len(done.stderr.splitlines()) == 1
    monkeypatch.setenv(DEBUG_VARIABLE, "1")
    assert isinstance(CliRunner().invoke(main, ["broken"]).exception, KeyError)
