# SPDX-License-Identifier: Apache-2.0
"""``fastledger up``, ``down`` and ``logs``."""

import asyncio
import time
from base64 import b64encode
from pathlib import Path
from typing import Any

import click

from fastledger.cli.command import PATH, LiveCommand
from fastledger.cli.network.place import DIRECTORY, folder_of, network
from fastledger.cli.peer.arguments import application_policy, collections
from fastledger.common.errors import InputError, NotFound, Unsupported
from fastledger.network import kafka, lifetime, removal
from fastledger.network.deployment import deployed, language_of, source_of
from fastledger.network.plan import Plan

_LOG_LINES = 50
_FOLLOW_S = 0.2
_SHOWN = 10
"""So many files of others are named that ``down --clean`` leaves."""

_SAMPLE = Path(__file__).resolve().parents[4] / "examples" / "chaincode" / "asset_transfer"
"""The sample chaincode, which lies beside the sources."""


@click.command(cls=LiveCommand)
@DIRECTORY
@click.option("--orgs", type=int, help="Organizations with peers.  [default: 2]")
@click.option("--peers", type=int, help="Peers of each.  [default: 1]")
@click.option("--orderers", type=int, help="Orderers: 1, 3, 5 or 7.  [default: 1]")
@click.option(
    "--consensus",
    help="What orders: etcdraft, which several orderers make a Raft cluster of, or kafka.  "
    "[default: etcdraft]",
)
@click.option(
    "--kafka",
    help="Brokers for --consensus kafka, which run already: HOST:PORT, several with commas.",
)
@click.option("--channel", help="Name of the channel.  [default: mychannel]")
@click.option(
    "--chaincode",
    "source",
    type=PATH,
    help="Folder or Python file of the chaincode.  [default: a sample]",
)
@click.option(
    "--name",
    "chaincode",
    help="Name of the chaincode.  [default: that of its folder or file; basic for the sample]",
)
@click.option(
    "--signature-policy",
    help="Its endorsement policy, such as \"OR('Org1MSP.peer','Org2MSP.peer')\"; \"\" for the "
    "channel's.  [default: the channel's, or what it has]",
)
@click.option(
    "--channel-config-policy",
    help="Its endorsement policy, as a reference to one of the channel's.",
)
@click.option(
    "--collections-config",
    help='JSON file of its collections of private data; "" for none.  [default: what it has]',
)
@click.option(
    "--watch/--no-watch",
    default=None,
    help="Keep running, and take saved sources up; or run chaincode in sandboxes.",
)
@click.option(
    "--port-base", type=int, help="First of its ports.  [default: the ports of fabric-samples]"
)
def up(directory: Path | None, **choices: Any) -> None:
    """Bring a network up: orderers, organizations with peers, a channel with a chaincode.

    It stays until `fastledger down`, and what it knows stays after that. Identities are in the
    folder organizations, as Fabric's samples have them; everything else is in .fastledger.
    A network that is there already keeps what it was made with; a chaincode that it does not have
    yet is added, and changed sources become the next version.
    """
    began = time.monotonic()
    plan = _plan(folder_of(directory), choices)
    plan = asyncio.run(lifetime.up(plan, lambda text: _say(text, began)))
    _show(plan, time.monotonic() - began)
    if plan.watch:
        from fastledger.cli.network.watch import run

        run(plan)


def _say(text: str, began: float) -> None:
    click.echo(f"{time.monotonic() - began:5.2f} s  {text}")


def _plan(folder: Path, choices: dict[str, Any]) -> Plan:
    """Return the network that is there with the choices made now, or a new one."""
    chosen = {name: value for name, value in choices.items() if value is not None}
    chosen |= _definition(chosen)
    try:
        old = Plan.load(folder)
    except NotFound:
        old = None
    if old is not None and "chaincode" in chosen and "source" not in chosen:
        chosen["source"] = source_of(old, chosen["chaincode"])
    if "source" in chosen or old is None:
        source = Path(chosen.get("source") or _sample()).resolve()
        if "source" in chosen:
            chosen.setdefault("chaincode", _name_of(source, old))
        chosen |= {"source": str(source), "language": language_of(source)}
    plan = old.changed(**chosen) if old else Plan(folder=folder, **chosen)
    if plan.watch and plan.language != "python":
        raise Unsupported("--watch runs chaincode in Python; run others by hand, in dev mode")
    if old:
        lifetime.check_same(old, plan)
    return plan


def _definition(chosen: dict[str, Any]) -> dict[str, str | None]:
    """Return the plan's policy and collections; None for those that keep what the network has."""
    texts = [chosen.pop(name, None) for name in ("signature_policy", "channel_config_policy")]
    file = chosen.pop("collections_config", None)
    policy = package = None
    if any(text is not None for text in texts):
        policy = b64encode(application_policy(*(text or "" for text in texts))).decode()
    if file is not None:
        given = collections(file)
        package = b64encode(given.SerializeToString(deterministic=True)).decode() if given else ""
    return {"policy": policy, "collections": package}


def _name_of(source: Path, old: Plan | None) -> str:
    """Return the name under which the network has the sources, or that of folder or file."""
    known = deployed(old) if old else {}
    names = [name for name, one in known.items() if one["source"] == str(source)]
    return names[0] if names else source.name.removesuffix(".py")


def _sample() -> Path:
    if not _SAMPLE.is_dir():
        raise InputError("the sample chaincode is not installed: name yours with --chaincode PATH")
    return _SAMPLE


def _show(plan: Plan, seconds: float) -> None:
    click.echo(f"\nThe network is up after {seconds:.2f} s.\n")
    for orderer in plan.all_orderers:
        click.echo(f"  orderer  {orderer.address}  {orderer.name}")
    if plan.brokers:
        click.echo(f"  kafka    {plan.kafka}  topic {plan.channel}")
    for org in plan.organizations:
        for peer in org.peers:
            click.echo(f"  peer     {peer.address}  {peer.name}  {org.mspid}")
    click.echo(f"\n  channel    {plan.channel}")
    click.echo(f"  chaincode  {plan.chaincode} {plan.version}, {plan.source}")
    for org in plan.organizations:
        profile = org.folder / f"connection-org{org.number}.json"
        click.echo(f"  profile    {profile}")
    calls = ("invoke FUNCTION ARGS", "query FUNCTION ARGS")
    if Path(plan.source) == _SAMPLE:
        calls = ("invoke InitLedger", "query GetAllAssets")
    click.echo()
    for call in (*calls, "blocks", "down"):
        click.echo(f"  fastledger {call}")
    click.echo()


@click.command(cls=LiveCommand)
@DIRECTORY
@click.option(
    "--clean",
    is_flag=True,
    help="Remove its ledgers and identities, too; what others put there stays.",
)
def down(directory: Path | None, clean: bool) -> None:
    """Stop the network; it keeps its state unless --clean is given."""
    plan = network(directory)
    ended = lifetime.down(plan)
    for node in ended:
        click.echo(f"{node.name} stopped")
    if not ended:
        click.echo("no node was running")
    if clean:
        if why := kafka.end(plan):
            click.echo(why)
        left = removal.clean(plan)
        click.echo(f"the network's ledgers and identities in {plan.folder} are removed")
        for path in left[:_SHOWN]:
            click.echo(f"left, since the network did not make it: {path}")
        if len(left) > _SHOWN:
            click.echo(f"left likewise: {len(left) - _SHOWN} more beside these")


@click.command(cls=LiveCommand)
@DIRECTORY
@click.argument("node", required=False)
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(0),
    default=_LOG_LINES,
    show_default=True,
    help="How many of each.",
)
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
        written = content.decode("utf-8", "replace").splitlines()
        for line in written[max(0, len(written) - lines) :]:
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
