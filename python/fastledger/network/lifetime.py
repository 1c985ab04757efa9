# SPDX-License-Identifier: Apache-2.0
"""A network brought up, and taken down."""

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path

from fastledger.common.errors import (
    ConnectionFailed,
    FastledgerError,
    InputError,
    NodeFailed,
    NotFound,
)
from fastledger.network import (
    channel,
    deployment,
    health,
    identities,
    kafka,
    processes,
    profiles,
    settings,
)
from fastledger.network.deployment import Say
from fastledger.network.plan import HOST, STATE_FOLDER, Node, Plan
from fastledger.network.session import Session
from fastledger.tools.configtxgen.artifacts import genesis_block
from fastledger.tools.configtxgen.load import load_profile

_FIXED = ("orgs", "peers", "orderers", "channel", "port_base", "consensus", "kafka")
"""What a network is made with, and keeps."""


async def up(plan: Plan, say: Say) -> Plan:
    """Bring a network up: a new one, or the one that the folder keeps.

    A chaincode that it does not have yet is deployed; changed sources of one that it has become
    its next version.

    Returns:
        The plan, with the version that runs.

    Raises:
        FastledgerError: A node does not start, or a step is refused.
    """
    plan.folder.mkdir(parents=True, exist_ok=True)
    with _alone(plan.folder, say):
        return await _up(plan, say)


async def _up(plan: Plan, say: Say) -> Plan:
    _keep(plan)
    if not plan.genesis_block.is_file():
        _prepare(plan, say)
        say("identities, genesis block and connection profiles are made")
    elif settings.follow(plan):
        _write_profiles(plan, say)
        say("the network is elsewhere than it was: its paths are corrected")
    plan, content = deployment.next_version(plan)
    started = start(plan)
    async with Session(plan) as session:
        await session.until_up(plan.nodes)
        started += await _restart_ailing(session, plan, started, say)
        await _check_health(plan)
        say(f"nodes are running: {', '.join(node.name for node in started) or 'all of them'}")
        if content:
            await deployment.join_all(session)
            say(f"channel {plan.channel} is joined by all")
            plan = await deployment.deploy(session, content, say)
            say(f"chaincode {plan.chaincode} {plan.version} is committed")
        plan.save()
        if not plan.watch:
            await deployment.warm_up(session)
            say(f"chaincode {plan.chaincode} {plan.version} is running")
    await _check_health(plan)
    return plan


async def _restart_ailing(
    session: Session, plan: Plan, started: list[Node], say: Say
) -> list[Node]:
    """Start nodes again that ran before and cannot go on; return them."""
    before = [node for node in plan.nodes if node not in started]
    reasons = await health.ailments(before)
    ailing = [node for node in before if node.name in reasons]
    for node in ailing:
        say(f"{node.name} cannot go on, and is started again: {reasons[node.name]}")
    processes.stop([node.folder for node in ailing])
    again = start(plan)
    await session.until_up(again)
    return again


async def _check_health(plan: Plan) -> None:
    """Raise when the network only seems to be up."""
    reasons = await health.ailments(plan.nodes)
    if reasons:
        told = "; ".join(f"{name}: {reason}" for name, reason in reasons.items())
        raise NodeFailed(f"the nodes run, but not all can go on: {told}")


@contextlib.contextmanager
def _alone(folder: Path, say: Say) -> Iterator[None]:
    """Wait until no other process brings the folder's network up."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another fastledger up is at work here; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _keep(plan: Plan) -> None:
    """Begin a network's folder, or let the one that is there run chaincode as wanted now."""
    try:
        before = Plan.load(plan.folder)
    except NotFound:
        _check_ports(plan.nodes, "choose others with --port-base PORT")
        kafka.begin(plan)
        plan.save()
        return
    check_same(before, plan)
    if plan.genesis_block.is_file():
        kafka.check(plan)
    if before.watch != plan.watch:
        processes.stop([peer.folder for peer in plan.all_peers])
        before.changed(watch=plan.watch).save()


def _prepare(plan: Plan, say: Say) -> None:
    for domain in identities.write(plan):
        say(f"{domain} had identities here, which the network takes; it never removes them")
    channel.write(plan)
    settings.write(plan)
    _write_profiles(plan, say)
    profile = load_profile(channel.PROFILES[plan.consensus], str(plan.state), {})
    block = genesis_block(profile, plan.channel).SerializeToString()
    temporary = plan.genesis_block.with_suffix(".new")
    temporary.write_bytes(block)
    temporary.replace(plan.genesis_block)


def _write_profiles(plan: Plan, say: Say) -> None:
    for file in profiles.write(plan):
        say(f"{file} was not written by this network, and stays as it is")


def start(plan: Plan) -> list[Node]:
    """Start the nodes that do not run; return them.

    Raises:
        ConnectionFailed: A port of theirs is taken; then none is started.
    """
    stopped = [node for node in plan.nodes if processes.running(node.folder) is None]
    _check_ports(stopped, "begin anew with fastledger down --clean and up --port-base PORT")
    mode = {"CORE_CHAINCODE_MODE": "dev" if plan.watch else "net"}
    for node in stopped:
        command = ["orderer", "start"] if node in plan.all_orderers else ["peer", "node", "start"]
        processes.start(node.folder, command, settings.read_env(node) | mode)
    return stopped


def _check_ports(nodes: Iterable[Node], otherwise: str) -> None:
    for node in nodes:
        for port in _ports(node):
            if not _is_free(port):
                raise ConnectionFailed(
                    f"port {port}, which {node.name} needs, is taken: {_who_has(port)}, or "
                    f"{otherwise}"
                )


def _ports(node: Node) -> tuple[int, ...]:
    return node.port, node.side_port, node.operations_port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # A port that was closed a moment ago is free, too.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def _who_has(port: int) -> str:
    """Say how to free a port: most often another network of ours has it."""
    for link in Path("/proc").glob("[0-9]*/cwd"):
        with contextlib.suppress(OSError, FastledgerError):
            state = link.readlink().parent.parent
            if state.name == STATE_FOLDER:
                other = Plan.load(state.parent)
                if any(port in _ports(node) for node in other.nodes):
                    return f"stop that network with fastledger down --dir {other.folder}"
    return "stop who has it"


def down(plan: Plan) -> list[Node]:
    """Stop the nodes; return those that ran."""
    ended = processes.stop([node.folder for node in plan.nodes])
    return [node for node in plan.nodes if node.folder in ended]


def check_same(old: Plan, new: Plan) -> None:
    """Refuse other choices than those that a network was made with.

    Raises:
        InputError: One differs.
    """
    for name in _FIXED:
        before, now = getattr(old, name), getattr(new, name)
        if before != now:
            option = name.replace("_", "-")
            raise InputError(
                f"the network in {old.folder} was made with --{option} {before}, not {now}; keep "
                "that, or begin anew with fastledger down --clean"
            )
