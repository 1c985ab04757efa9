# SPDX-License-Identifier: Apache-2.0
"""A network brought up, and taken down."""

import shutil
import socket
from collections.abc import Callable
from pathlib import Path

from fastledger.common.errors import ConnectionFailed, FastledgerError, InputError
from fastledger.node.network import (
    channel,
    deployment,
    identities,
    processes,
    profiles,
    settings,
)
from fastledger.node.network.plan import HOST, Node, Plan
from fastledger.node.network.session import Session
from fastledger.tools.configtxgen.artifacts import genesis_block
from fastledger.tools.configtxgen.load import load_profile

Say = Callable[[str], None]
"""Takes a line of progress."""


async def up(plan: Plan, say: Say) -> Plan:
    """Bring a network up: a new one, or the one that the folder keeps.

    A chaincode that it does not have yet is deployed; changed sources of one that it has become
    its next version.

    Returns:
        The plan, with the version that runs.

    Raises:
        FastledgerError: A node does not start, or a step is refused.
    """
    plan.save()
    if not plan.genesis_block.is_file():
        _prepare(plan)
        say("identities, genesis block and connection profiles are made")
    plan, content = deployment.next_version(plan)
    started = start(plan)
    async with Session(plan) as session:
        await session.until_up(plan.nodes)
        say(f"nodes are running: {', '.join(node.name for node in started) or 'all of them'}")
        if content:
            await deployment.join_all(session)
            say(f"channel {plan.channel} is joined by all")
            await deployment.deploy(session, content)
            plan.save()
            say(f"chaincode {plan.chaincode} {plan.version} is committed")
        if not plan.watch:
            await deployment.warm_up(session)
            say(f"chaincode {plan.chaincode} is running")
    return plan


def _prepare(plan: Plan) -> None:
    identities.write(plan)
    channel.write(plan)
    settings.write(plan)
    profiles.write(plan)
    profile = load_profile(channel.PROFILE, str(plan.state), {})
    block = genesis_block(profile, plan.channel).SerializeToString()
    temporary = plan.genesis_block.with_suffix(".new")
    temporary.write_bytes(block)
    temporary.replace(plan.genesis_block)


def start(plan: Plan) -> list[Node]:
    """Start the nodes that do not run; return them.

    Raises:
        ConnectionFailed: A port of theirs is taken; then none is started.
    """
    stopped = [node for node in plan.nodes if processes.running(node.folder) is None]
    for node in stopped:
        for port in (node.port, node.side_port, node.operations_port):
            _check_free(node, port)
    for node in stopped:
        command = ["orderer", "start"] if node is plan.orderer else ["peer", "node", "start"]
        processes.start(node.folder, command, settings.read_env(node))
    return stopped


def _check_free(node: Node, port: int) -> None:
    with socket.socket() as probe:
        # A port that was closed a moment ago is free, too.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise ConnectionFailed(
                f"port {port}, which {node.name} needs, is taken: stop who has it, or make the "
                "network elsewhere: fastledger down --clean, then up --port-base PORT"
            ) from error


def down(plan: Plan, *, clean: bool = False) -> list[Node]:
    """Stop the nodes; return those that ran.

    Args:
        plan: The network.
        clean: Forget ledgers and identities, too.
    """
    ended = processes.stop([node.folder for node in plan.nodes])
    if clean:
        _remove(plan.state)
        _remove(plan.organizations)
    return [node for node in plan.nodes if node.folder in ended]


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise FastledgerError(f"cannot remove {folder}: {error}") from error


def check_same(old: Plan, new: Plan) -> None:
    """Refuse other choices than those that a network was made with.

    Raises:
        InputError: One differs.
    """
    for name in ("orgs", "peers", "channel", "port_base", "watch"):
        before, now = getattr(old, name), getattr(new, name)
        if before != now:
            option = name.replace("_", "-")
            raise InputError(
                f"the network in {old.folder} was made with --{option} {before}, not {now}; keep "
                "that, or begin anew with fastledger down --clean"
            )
