# SPDX-License-Identifier: Apache-2.0
"""The channel and its chaincode: joined, installed, approved, committed.

Steps that do not need each other go side by side: all peers install while they join, all
organizations approve at once.
"""

import asyncio
import json
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from fastledger.chaincode import package as packages
from fastledger.chaincode.platforms.python import entry
from fastledger.client.endorsement import SUCCESS, call, endorse, invocation
from fastledger.client.progress import while_told
from fastledger.common.codes import code_name
from fastledger.common.errors import InputError, NodeFailed, NotFound
from fastledger.network import words
from fastledger.network.plan import HOST, Node, Org, Plan
from fastledger.network.session import Session, spokesman
from fastledger.protos.common.common_pb2 import HeaderType
from fastledger.protos.peer.lifecycle import lifecycle_pb2 as lb
from fastledger.protos.peer.query_pb2 import ChannelQueryResponse
from fastledger.tools.osnadmin import OsnAdmin

ADMIN = "Admin"
LIFECYCLE = "_lifecycle"
WARM_UP = b"org.hyperledger.fabric:GetMetadata"
VALID = 0

Say = Callable[[str], None]
"""Takes a line of progress."""

_DEPLOYED = "chaincodes.json"
_DEFINED = ("policy", "collections")
_Args = TypeVar(
    "_Args", lb.ApproveChaincodeDefinitionForMyOrgArgs, lb.CommitChaincodeDefinitionArgs
)
_HTTP_CREATED = 201
_HTTP_ALREADY = 405
_LANGUAGES = {"go.mod": "golang", "package.json": "node", "chaincode.jar": "java"}


def language_of(source: Path) -> str:
    """Tell a chaincode's language by its files.

    Raises:
        InputError: There are none of a chaincode.
    """
    if not source.exists():
        raise InputError(f"--chaincode {source}: no such file or folder")
    for name, language in _LANGUAGES.items():
        if (source / name).is_file():
            return language
    if source.suffix != ".py" and not any(source.glob("*.py")):
        raise InputError(
            f"--chaincode {source}: neither a Python file nor a folder with one, or with "
            f"{', '.join(_LANGUAGES)}"
        )
    entry_of(source)
    return "python"


def entry_of(source: Path) -> str:
    """Return what of Python sources, a folder or a file, is the chaincode.

    Raises:
        ChaincodeError: It cannot be told.
    """
    return entry(source, source.name) if source.is_dir() else source.stem


def package(plan: Plan) -> bytes:
    """Package the chaincode's sources: a folder, or one Python file.

    Raises:
        InputError: There are none.
    """
    source = Path(plan.source)
    label = f"{plan.chaincode}_{plan.version}"
    if source.is_dir():
        return packages.build_from(source, label, plan.language)
    if source.is_file():
        return packages.build(label, plan.language, {f"src/{source.name}": source.read_bytes()})
    raise InputError(f"--chaincode {source}: no such file or folder")


def package_id(plan: Plan, content: bytes) -> str:
    """Return the id under which the peers know the chaincode."""
    if plan.watch:
        # Dev mode: the process that dials the peer says this name.
        return f"{plan.chaincode}:{plan.version}"
    return packages.package_id(f"{plan.chaincode}_{plan.version}", content)


def next_version(plan: Plan) -> tuple[Plan, bytes]:
    """Return the plan with the version that its sources are, and the package to deploy.

    The package is empty when the network has just that. The state folder keeps what it has, by the
    chaincode's name.

    Raises:
        InputError: There are no sources.
    """
    known = deployed(plan).get(plan.chaincode)
    chosen = {name: getattr(plan, name) for name in _DEFINED}
    before = {name: (known or {}).get(name, "") for name in _DEFINED}
    now = {name: before[name] if chosen[name] is None else chosen[name] for name in _DEFINED}
    plan = plan.changed(**now)
    if known is None:
        return _at(plan, 1)
    plan = plan.changed(version=known["version"], sequence=known["sequence"])
    content = package(plan) if Path(plan.source).exists() else b""
    if now == before and (not content or package_id(plan, content) == known["package"]):
        return plan, b""
    return _at(plan, plan.sequence + 1)


def _at(plan: Plan, sequence: int) -> tuple[Plan, bytes]:
    plan = plan.changed(version=f"1.{sequence - 1}", sequence=sequence)
    return plan, package(plan)


def source_of(plan: Plan, chaincode: str) -> Path:
    """Return where the sources of a chaincode are that the network has.

    Raises:
        NotFound: It has no such chaincode.
    """
    known = deployed(plan).get(chaincode)
    if known is None:
        raise NotFound(f"there is no chaincode {chaincode} yet: name its sources with --chaincode")
    return Path(known["source"])


def deployed(plan: Plan) -> dict[str, Any]:
    """Return what is known of the network's chaincodes, by their names.

    Raises:
        InputError: The file that keeps it is broken.
    """
    file = plan.state / _DEPLOYED
    try:
        return cast("dict[str, Any]", json.loads(file.read_text("utf-8")))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise InputError(f"{file}: {error}") from error


def _keep(plan: Plan, name: str) -> None:
    """Remember that a package is deployed."""
    known = {
        "version": plan.version,
        "sequence": plan.sequence,
        "package": name,
        "source": plan.source,
        **{name: getattr(plan, name) for name in _DEFINED},
    }
    text = json.dumps(deployed(plan) | {plan.chaincode: known}, indent=2) + "\n"
    temporary = plan.state / f"{_DEPLOYED}.new"
    temporary.write_text(text, "utf-8")
    temporary.replace(plan.state / _DEPLOYED)


def join_orderer(plan: Plan, node: Node) -> None:
    """Let an orderer have the channel, unless it has.

    Raises:
        FastledgerError: It refuses.
    """
    tls = node.identity / "tls"
    admin = OsnAdmin(
        f"{HOST}:{node.side_port}",
        tls / "ca.crt",
        tls / "server.crt",
        tls / "server.key",
    )
    answer = admin.join(plan.genesis_block.read_bytes())
    if answer.status not in (_HTTP_CREATED, _HTTP_ALREADY):
        reason = answer.body.decode("utf-8", "replace").strip()
        raise NodeFailed(f"{node.name} does not join {plan.channel}: {reason}")


async def join_peer(session: Session, org: Org, node: Node) -> None:
    """Let a peer join the channel, unless it has."""
    signer = session.identity(org, ADMIN)
    peer = await session.peer(node)
    joined = ChannelQueryResponse.FromString(await call(peer, signer, "cscc", [b"GetChannels"]))
    if session.plan.channel in (channel.channel_id for channel in joined.channels):
        return
    block = session.plan.genesis_block.read_bytes()
    await call(peer, signer, "cscc", [b"JoinChain", block], header_type=HeaderType.CONFIG)


async def install(
    session: Session, org: Org, node: Node, content: bytes, say: Say | None = None
) -> None:
    """Give a peer the package, unless it has it; say that it is being built while it is."""
    args = lb.InstallChaincodeArgs(chaincode_install_package=content)
    spec = invocation(LIFECYCLE, [b"InstallChaincode", args.SerializeToString()])
    signer = session.identity(org, ADMIN)

    def tell(seconds: float) -> None:
        if say is not None:
            plan = session.plan
            say(
                f"{node.name} builds chaincode {plan.chaincode} {plan.version} ({plan.language}): "
                f"{seconds:.0f} s so far"
            )

    answer = await while_told(endorse([await session.peer(node)], signer, "", spec), tell)
    response = answer.responses[0].response
    if response.status != SUCCESS and not words.is_installed(response.message):
        raise NodeFailed(f"{node.name} does not install the chaincode: {response.message}")


async def approve(session: Session, org: Org, package_id: str) -> None:
    """Approve the definition for an organization, at all of its peers.

    Each peer endorses, since what an organization approves is private to it and reaches a peer
    with the endorsement.
    """
    plan = session.plan
    args = _defined(lb.ApproveChaincodeDefinitionForMyOrgArgs(), plan)
    args.source.local_package.package_id = package_id
    await _lifecycle(
        session, org, org.peers, b"ApproveChaincodeDefinitionForMyOrg", args.SerializeToString()
    )


def _defined(args: _Args, plan: Plan) -> _Args:
    """Fill in the definition, which approval and commit have in common."""
    args.name, args.version, args.sequence = plan.chaincode, plan.version, plan.sequence
    args.validation_parameter = b64decode(plan.policy or "")
    if plan.collections:
        args.collections.ParseFromString(b64decode(plan.collections))
    return args


async def commit(session: Session) -> None:
    """Commit the definition, endorsed by a peer of each organization."""
    plan = session.plan
    args = _defined(lb.CommitChaincodeDefinitionArgs(), plan)
    peers = tuple(org.peers[0] for org in plan.organizations)
    org = plan.organizations[0]
    await _lifecycle(session, org, peers, b"CommitChaincodeDefinition", args.SerializeToString())


async def committed(session: Session, chaincode: str) -> int:
    """Return how often a chaincode's definition was committed."""
    org = session.plan.organizations[0]
    args = lb.QueryChaincodeDefinitionArgs(name=chaincode).SerializeToString()
    answer = await session.endorse(
        session.identity(org, ADMIN),
        [spokesman(org)],
        LIFECYCLE,
        [b"QueryChaincodeDefinition", args],
    )
    response = answer.responses[0].response
    if response.status == SUCCESS:
        return lb.QueryChaincodeDefinitionResult.FromString(response.payload).sequence
    if words.is_undefined(response.message):
        return 0
    raise NodeFailed(f"chaincode {chaincode}: {response.message}")


async def _lifecycle(
    session: Session, org: Org, peers: tuple[Node, ...], function: bytes, args: bytes
) -> None:
    signer = session.identity(org, ADMIN)
    answer = await session.endorse(signer, peers, LIFECYCLE, [function, args])
    for node, response in zip(peers, answer.responses, strict=True):
        if words.is_approved(response.response.message):
            return
        if response.response.status != SUCCESS:
            name = function.decode()
            raise NodeFailed(f"{node.name} refuses {name}: {response.response.message}")
    _, code = await session.submit(signer, answer, session.plan.all_peers)
    if code != VALID:
        raise NodeFailed(f"{function.decode()} of {org.name} is invalid: {code_name(code)}")


async def warm_up(session: Session) -> None:
    """Start the chaincode at all peers, by asking for its description; the answer is no matter.

    Raises:
        FastledgerError: It does not start.
    """
    await asyncio.gather(
        *(_warm_up(session, org, peer) for org in session.plan.organizations for peer in org.peers)
    )


async def _warm_up(session: Session, org: Org, peer: Node) -> None:
    name = session.plan.chaincode
    answer = await session.endorse(session.identity(org, ADMIN), [peer], name, [WARM_UP])
    reason = words.not_launched(answer.responses[0].response.message)
    if reason is not None:
        raise NodeFailed(
            f"chaincode {name} does not start at {peer.name}: {reason} (all of it: "
            f"fastledger logs {peer.name}); the network is up, mend that and call up again"
        )


async def deploy(session: Session, content: bytes, say: Say | None = None) -> Plan:
    """Install, approve and commit the plan's chaincode, given its package.

    Returns:
        The plan with the version that it became: others may have defined it, too.
    """
    plan = session.plan
    following = await committed(session, plan.chaincode) + 1
    if following != plan.sequence:
        plan, content = _at(plan, following)
        session.plan = plan
    if not plan.watch:
        await asyncio.gather(
            *(
                install(session, org, peer, content, say)
                for org in plan.organizations
                for peer in org.peers
            )
        )
    name = package_id(plan, content)
    await asyncio.gather(*(approve(session, org, name) for org in plan.organizations))
    await commit(session)
    _keep(plan, name)
    return plan


async def join_all(session: Session) -> None:
    """Let the orderers and all peers have the channel."""
    plan = session.plan
    await asyncio.gather(
        *(asyncio.to_thread(join_orderer, plan, node) for node in plan.all_orderers)
    )
    await asyncio.gather(
        *(join_peer(session, org, peer) for org in plan.organizations for peer in org.peers)
    )
