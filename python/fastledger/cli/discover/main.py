# SPDX-License-Identifier: Apache-2.0
"""The commands, with the flags of Fabric's ``discover``."""

import asyncio
import itertools
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn

import click

from fastledger.cli.discover.settings import Settings, read
from fastledger.cli.kingpin import KingpinGroup
from fastledger.common.errors import FastledgerError, InputError

TIMEOUT_S = 10.0
"""For an answer."""

_FILES = ("peerTLSCA", "tlsCert", "tlsKey", "userKey", "userCert")


class _Program(KingpinGroup):
    """The program, whose own flags may stand anywhere."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Bring the program's flags before the command."""
        own_flags = {f"--{name}" for name in (*_FILES, "configFile", "MSP")}
        own: list[str] = []
        rest: list[str] = []
        words = iter(args)
        for word in words:
            if word in own_flags:
                own += [word, *itertools.islice(words, 1)]
            elif word.partition("=")[0] in own_flags:
                own.append(word)
            else:
                rest.append(word)
        return super().parse_args(ctx, own + rest if rest else [])


def _file(name: str, help_text: str) -> Callable[..., Any]:
    return click.option(f"--{name}", name.lower(), default="", metavar=name.upper(), help=help_text)


@click.group(cls=_Program, name="discover")
@click.option(
    "--configFile",
    "config_file",
    default="",
    help="Specifies the config file to load the configuration from",
)
@_file(
    "peerTLSCA", "Sets the TLS CA certificate file path that verifies the TLS peer's certificate"
)
@_file(
    "tlsCert",
    "(Optional) Sets the client TLS certificate file path that is used when the peer enforces "
    "client authentication",
)
@_file(
    "tlsKey",
    "(Optional) Sets the client TLS key file path that is used when the peer enforces client "
    "authentication",
)
@_file(
    "userKey",
    "Sets the user's key file path that is used to sign messages sent to the peer",
)
@_file(
    "userCert",
    "Sets the user's certificate file path that is used to authenticate the messages sent to the "
    "peer",
)
@click.option(
    "--MSP",
    "mspid",
    default="",
    help="Sets the MSP ID of the user, which represents the CA(s) that issued its user certificate",
)
@click.pass_context
def discover(
    context: click.Context,
    config_file: str,
    peertlsca: str,
    tlscert: str,
    tlskey: str,
    userkey: str,
    usercert: str,
    mspid: str,
) -> None:
    """Command line client for fabric discovery service."""
    given = (peertlsca, tlscert, tlskey, userkey, usercert)
    for file in filter(None, given):
        _check_file(file)
    tls_ca, tls_cert, tls_key, user_key, user_cert = map(_absolute, given)
    flags = Settings(
        mspid=mspid,
        user_cert=user_cert,
        user_key=user_key,
        tls_ca=tls_ca,
        tls_cert=tls_cert,
        tls_key=tls_key,
    )
    context.obj = (config_file, flags)


_SERVER = click.option("--server", default="", help="Sets the endpoint of the server to connect")
_CHANNEL = click.option("--channel", default="", help="Sets the channel the query is intended to")


@discover.command("peers")
@_SERVER
@_CHANNEL
@click.pass_obj
def peers_(given: tuple[str, Settings], server: str, channel: str) -> None:
    """Discover peers."""
    from fastledger.cli.discover import answers
    from fastledger.protos.discovery.protocol_pb2 import (
        LocalPeerQuery,
        PeerMembershipQuery,
        Query,
    )

    query = Query(channel=channel)
    if channel:
        query.peer_query.CopyFrom(PeerMembershipQuery())
    else:
        query.local_peers.CopyFrom(LocalPeerQuery())
    result = _ask(given, server, query)
    click.echo(answers.peers(result.members, of_channel=bool(channel)))


@discover.command("config")
@_SERVER
@_CHANNEL
@click.pass_obj
def config_(given: tuple[str, Settings], server: str, channel: str) -> None:
    """Discover channel config."""
    from fastledger.cli.discover import answers
    from fastledger.protos.discovery.protocol_pb2 import ConfigQuery, Query

    query = Query(channel=channel, config_query=ConfigQuery())
    click.echo(answers.config(_ask(given, server, query, needs_channel=True).config_result))


@discover.command("endorsers")
@click.option("--chaincode", "chaincodes", multiple=True, help="Specifies the chaincode name(s)")
@click.option(
    "--collection",
    "collections",
    multiple=True,
    metavar="CC:C1,C2",
    help="Specifies the collection name(s) as a mapping from chaincode to a comma separated list "
    "of collections",
)
@click.option(
    "--noPrivateReads",
    "no_private_reads",
    multiple=True,
    metavar="CHAINCODE",
    help="Specifies chaincodes that are not expected to be have private data read",
)
@_SERVER
@_CHANNEL
@click.pass_obj
def endorsers_(
    given: tuple[str, Settings],
    chaincodes: tuple[str, ...],
    collections: tuple[str, ...],
    no_private_reads: tuple[str, ...],
    server: str,
    channel: str,
) -> None:
    """Discover chaincode endorsers."""
    from fastledger.cli.discover import answers
    from fastledger.protos.discovery.protocol_pb2 import ChaincodeQuery, Query
    from fastledger.protos.peer.proposal_response_pb2 import ChaincodeCall, ChaincodeInterest

    by_chaincode = _mapping(collections)

    def query() -> Query:
        _check_named(chaincodes, no_private_reads, by_chaincode)
        calls = [
            ChaincodeCall(
                name=name,
                collection_names=by_chaincode.get(name, []),
                no_private_reads=name in no_private_reads,
            )
            for name in chaincodes
        ]
        interest = ChaincodeInterest(chaincodes=calls)
        return Query(channel=channel, cc_query=ChaincodeQuery(interests=[interest]))

    from fastledger.client.discovery import QueryFailed

    settings = _settings(given)
    try:
        _check_places(server, channel, channel_first=True)
        result = asyncio.run(_answer(settings, server, query()))
    except QueryFailed as error:
        _leave(f"server returned: {error}")
    except (FastledgerError, TimeoutError) as error:
        _leave(str(error) or "context deadline exceeded")
    click.echo(answers.endorsers(result.cc_query_res.content))


@discover.command("saveConfig")
@click.pass_obj
def save_config(given: tuple[str, Settings]) -> None:
    """Save the config passed by flags into the file specified by --configFile."""
    file, settings = given
    if not file:
        click.echo("--configFile must be used to specify the configuration file", err=True)
        return
    try:
        settings.check()
    except FastledgerError as error:
        _leave(f"Failed persisting configuration: config isn't valid: {error}")
    try:
        settings.save(file)
    except OSError as error:
        reason = f"open {file}: {(error.strerror or '').lower()}"
        _leave(f"Failed persisting configuration: failed writing file {file}: {reason}")


def _check_file(path: str) -> None:
    try:
        read(path)
    except FastledgerError as error:
        discover.fail(f"{error}, try --help")


def _absolute(path: str) -> str:
    return str(Path(path).absolute()) if path else ""


def _settings(given: tuple[str, Settings]) -> Settings:
    file, flags = given
    if not file:
        return flags
    try:
        return Settings.load(file)
    except FastledgerError as error:
        _leave(f"Failed loading config {error}")


def _check_places(
    server: str, channel: str, *, needs_channel: bool = True, channel_first: bool = False
) -> None:
    wanted = [("server", server)]
    if needs_channel:
        wanted.insert(0 if channel_first else 1, ("channel", channel))
    for name, given in wanted:
        if not given:
            raise InputError(f"no {name} specified")


def _ask(
    given: tuple[str, Settings], server: str, query: Any, *, needs_channel: bool = False
) -> Any:
    """Ask, and leave when there is no answer."""
    from fastledger.client.discovery import QueryFailed
    from fastledger.common.errors import ConnectionFailed, RpcFailed

    settings = _settings(given)
    try:
        _check_places(server, query.channel, needs_channel=needs_channel)
        return asyncio.run(_answer(settings, server, query))
    except QueryFailed as error:
        _leave(str(error))
    except ConnectionFailed as error:
        _leave(f"failed connecting to {server}: failed connecting to discovery service: {error}")
    except RpcFailed as error:
        _leave(f"failed connecting to {server}: discovery service refused our Request: {error}")
    except (FastledgerError, TimeoutError) as error:
        _leave(str(error) or f"failed connecting to {server}: context deadline exceeded")


async def _answer(settings: Settings, server: str, query: Any) -> Any:
    from fastledger.client.discovery import discover as ask

    target, signer = settings.target(server), settings.signer()
    async with asyncio.timeout(TIMEOUT_S):
        return await ask(target, signer, query)


def _mapping(pairs: Iterable[str]) -> dict[str, list[str]]:
    """Read ``CC:C1,C2``, or ``CC=C1,C2``."""
    found = {}
    for pair in pairs:
        place = min((pair.find(mark) for mark in ":=" if mark in pair), default=-1)
        if place < 0:
            discover.fail(f"expected KEY=VALUE got '{pair}', try --help")
        found[pair[:place]] = pair[place + 1 :].split(",")
    return found


def _check_named(
    chaincodes: Iterable[str], no_private_reads: Iterable[str], collections: Iterable[str]
) -> None:
    known = list(chaincodes)
    for name in no_private_reads:
        if name not in known:
            raise InputError(
                f"chaincode {name} is specified as not containing private data reads but should be "
                "explicitly defined via a chaincode flag"
            )
    for name in collections:
        if name not in known:
            raise InputError(
                f"a collection specified chaincode {name} but it wasn't specified with a chaincode "
                "flag"
            )
    if not known:
        raise InputError("failed creating request: invocation chain should not be empty")
    if "" in known:
        raise InputError("failed creating request: chaincode name should not be empty")


def _leave(text: str) -> NoReturn:
    click.echo(text, err=True)
    sys.exit(1)
