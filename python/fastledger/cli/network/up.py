# SPDX-License-Identifier: Apache-2.0
"""``fastledger up``, ``down``, ``status`` and ``logs``."""

import asyncio
import time
from pathlib import Path
from typing import Any

import click

from fastledger.cli.command import Command
from fastledger.cli.network.place import DIRECTORY, folder_of, network
from fastledger.common.errors import InputError, NotFound
from fastledger.node.network import lifetime, processes
from fastledger.node.network.deployment import language_of
from fastledger.node.network.plan import Plan

_LOG_LINES = 50
_FOLLOW_S = 0.2


@click.command(cls=Command)
@DIRECTORY
@click.option("--orgs", type=int, default=2, show_default=True, help="Organizations with peers.")
@click.option("--peers", type=int, default=1, show_default=True, help="Peers of each.")
@click.option("--channel", default="mychannel", show_default=True)
@click.option(
    "--chaincode",
    "source",
    type=click.Path(path_type=Path),
    help="Folder or Python file of the chaincode; without it, a sample.",
)
@click.option("--name", default="basic", show_default=True, help="Name of the chaincode.")
@click.option("--watch", is_flag=True, help="Keep running, and take saved sources up at once.")
@click.option("--port-base", type=int, default=0, help="First port; 0: those of fabric-samples.")
def up(directory: Path | None, watch: bool, **choices: Any) -> None:
    """Bring a network up: an orderer, organizations with peers, a channel with a chaincode.

    It stays until `fastledger down`, and what it knows stays after that. Identities are in the
    folder organizations, as Fabric's samples have them; everything else is in .fastledger.
    """
    began = time.monotonic()
    plan = _plan(directory or folder_of(None), watch, choices)
    asyncio.run(lifetime.up(plan, lambda text: _say(text, began)))
    _show(plan, time.monotonic() - began)
    if watch:
        from fastledger.cli.network.watch import run

        run(plan)


def _say(text: str, began: float) -> None:
    click.echo(f"{time.monotonic() - began:5.2f} s  {text}")


def _plan(folder: Path, watch: bool, choices: dict[str, Any]) -> Plan:
    source: Path | None = choices.pop("source")
    name = choices.pop("name")
    try:
        old = Plan.load(folder)
    except NotFound:
        old = None
    if old is not None and source is None:
        source = Path(old.source)
    source = (source or _sample()).absolute()
    if not source.exists():
        raise InputError(f"--chaincode {source}: no such file or folder")
    plan = Plan(
        folder=folder,
        chaincode=name,
        source=str(source),
        language=language_of(source),
        watch=watch,
        **choices,
    )
    if old is not None:
        lifetime.check_same(old, plan)
    return plan


def _sample() -> Path:
    """Return the sample chaincode, which lies beside the sources."""
    sample = Path(__file__).parents[4] / "examples" / "chaincode" / "asset_transfer"
    if not sample.is_dir():
        raise InputError("the sample chaincode is not installed: name yours with --chaincode PATH")
    return sample


def _show(plan: Plan, seconds: float) -> None:
    click.echo(f"\nThe network is up after {seconds:.2f} s.\n")
    click.echo(f"  orderer  {plan.orderer.address}  {plan.orderer.name}")
    for org in plan.organization:
        for peer in org.peers:
            click.echo(f"  peer     {peer.address}  {peer.name}  {org.mspid}")
    click.echo(f"\n  channel    {plan.channel}")
    click.echo(f"  chaincode  {plan.chaincode} {plan.version}, {plan.source}")
    for org in plan.organization:
        profile = org.folder / f"connection-org{org.number}.json"
        click.echo(f"  profile    {profile}")
    click.echo(
        "\n  fastledger invoke InitLedger\n  fastledger query GetAllAssets\n"
        "  fastledger blocks\n  fastledger down\n"
    )


@click.command(cls=Command)
@DIRECTORY
@click.option("--clean", is_flag=True, help="Remove ledgers and identities, too.")
def down(directory: Path | None, clean: bool) -> None:
    """Stop the network; it keeps its state unless --clean is given."""
    plan = network(directory)
    ended = lifetime.down(plan, clean=clean)
    for node in ended:
        click.echo(f"{node.name} stopped")
    if not ended:
        click.echo("no node was running")
    if clean:
        click.echo(f"{plan.state} and {plan.organizations} removed")


@click.command(cls=Command)
@DIRECTORY
def status(directory: Path | None) -> None:
    """Show the nodes, and how many blocks they have. Exit code 1: one does not run."""
    plan = network(directory)
    from fastledger.cli.network.heights import heights

    known = asyncio.run(heights(plan))
    for node in plan.nodes:
        process = processes.running(node.folder)
        state = f"running, pid {process.pid}" if process else "stopped"
        height = known.get(node.name)
        blocks = f", {height} blocks of {plan.channel}" if height is not None else ""
        click.echo(f"{node.name:28} {node.address:16} {state}{blocks}")
    if not all(processes.running(node.folder) for node in plan.nodes):
        raise SystemExit(1)


@click.command(cls=Command)
@DIRECTORY
@click.argument("node", required=False)
@click.option("-n", "--lines", type=int, default=_LOG_LINES, show_default=True)
@click.option("-f", "--follow", is_flag=True, help="Go on showing new lines.")
def logs(directory: Path | None, node: str | None, lines: int, follow: bool) -> None:
    """Show the end of the nodes' logs, or of one NODE's."""
    plan = network(directory)
    chosen = [known for known in plan.nodes if not node or known.name.startswith(node)]
    if not chosen:
        names = ", ".join(known.name for known in plan.nodes)
        raise NotFound(f"no node {node}, there are {names}")
    files = [(known.name.partition(".example")[0], known.folder / "log") for known in chosen]
    places = {}
    for name, file in files:
        content = file.read_bytes() if file.exists() else b""
        places[file] = len(content)
        for line in content.decode("utf-8", "replace").splitlines()[-lines:]:
            click.echo(f"{name} | {line}" if len(files) > 1 else line)
    while follow:
        time.sleep(_FOLLOW_S)
        for name, file in files:
            places[file] = _show_new(file, places[file], f"{name} | " if len(files) > 1 else "")


def _show_new(file: Path, place: int, prefix: str) -> int:
    if not file.exists():
        return 0
    with file.open("rb") as log:
        log.seek(place)
        new = log.read()
    for line in new.decode("utf-8", "replace").splitlines():
        click.echo(prefix + line)
    return place + len(new)
