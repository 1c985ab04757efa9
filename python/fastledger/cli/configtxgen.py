# SPDX-License-Identifier: Apache-2.0
"""``fastledger configtxgen``, with the single-dash flags of Go's ``flag`` package."""

import itertools
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import click

from fastledger.common import log
from fastledger.common.errors import FastledgerError

logger = log.get("common.tools.configtxgen")

FAILED = 1
USAGE = 2
"""Exit code for a flag that does not exist or lacks its value."""

FATAL = logging.CRITICAL + 10

FILE_MODE = 0o640
FOLDER_MODE = 0o750


class GoFlagsCommand(click.Command):
    """A command whose flags end at the first argument that is none, and whose errors are Go's."""

    allow_interspersed_args = False

    def make_context(
        self, info_name: str | None, args: list[str], *rest: Any, **extra: Any
    ) -> click.Context:
        """Take the flags."""
        try:
            return super().make_context(info_name, _double_dashed(args), *rest, **extra)
        except click.NoSuchOption as error:
            text = f"flag provided but not defined: -{error.option_name.lstrip('-')}"
            self._refuse(text, error)
        except click.BadOptionUsage as error:
            self._refuse(f"flag needs an argument: -{error.option_name.lstrip('-')}", error)

    def _refuse(self, text: str, error: click.UsageError) -> NoReturn:
        click.echo(text, err=True)
        if error.ctx is not None:
            click.echo(error.ctx.get_help(), err=True)
        sys.exit(USAGE)


def _double_dashed(args: list[str]) -> list[str]:
    """Write flags with the two dashes that click wants of long ones; Go takes either."""
    result: list[str] = []
    left = iter(args)
    for arg in left:
        if not arg.startswith("-") or arg in ("-", "--"):
            return [*result, arg, *left]
        flag = f"--{arg.lstrip('-')}"
        result.append(flag)
        if "=" not in flag and flag not in _WITHOUT_VALUE:
            result.extend(itertools.islice(left, 1))
    return result


_WITHOUT_VALUE = ("--version", "--help", "--h")

_Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


def _flag(name: str, variable: str, text: str) -> _Decorator:
    return click.option(f"--{name}", variable, default="", metavar="string", help=text)


@click.command(cls=GoFlagsCommand, context_settings={"help_option_names": ["--h", "--help"]})
@_flag("profile", "profile", "The profile of configtx.yaml to use.")
@_flag("channelID", "channel_id", "The channel's name.")
@_flag("configPath", "folder", "The folder with configtx.yaml, instead of FABRIC_CFG_PATH.")
@_flag("outputBlock", "block", "Where to write a genesis block.")
@_flag("outputCreateChannelTx", "creation", "Where to write a channel creation transaction.")
@_flag(
    "channelCreateTxBaseProfile",
    "base",
    "The system channel's profile, for a new channel that differs from it in its orderers.",
)
@_flag("outputAnchorPeersUpdate", "anchors", "Where to write an update of -asOrg's anchor peers.")
@_flag("asOrg", "organization", "The organization, by name, for which to make the update.")
@_flag("inspectBlock", "inspected_block", "A block to print as JSON.")
@_flag("inspectChannelCreateTx", "inspected_tx", "A transaction to print as JSON.")
@_flag("printOrg", "printed", "An organization, by name, to print as JSON.")
@click.option("--version", "version", is_flag=True, help="Show version information.")
@click.argument("rest", nargs=-1, type=click.UNPROCESSED, metavar="")
def configtxgen(version: bool, rest: tuple[str, ...], **flags: str) -> None:  # noqa: ARG001 (as Go)
    """Make genesis blocks and channel transactions from a configtx.yaml."""
    log.start()
    if not flags["channel_id"] and (flags["block"] or flags["creation"] or flags["anchors"]):
        _fail("Missing channelID, please specify it with '-channelID'")
    if version:
        from fastledger.tools.version import version_info

        click.echo(version_info("configtxgen"))
        return
    logger.info("Loading configuration")
    try:
        _write_artifacts(flags)
        _print(flags)
    except (FastledgerError, OSError) as error:
        _fail(str(error))


def _write_artifacts(flags: dict[str, str]) -> None:
    from fastledger.tools.configtxgen import artifacts
    from fastledger.tools.configtxgen.load import load_profile

    block, creation, anchors = flags["block"], flags["creation"], flags["anchors"]
    base = None
    if flags["base"]:
        if not creation:
            logger.warning(
                "Specified 'channelCreateTxBaseProfile', but did not specify "
                "'outputChannelCreateTx', 'channelCreateTxBaseProfile' will not affect output."
            )
        base = load_profile(flags["base"], flags["folder"])
    if not (block or creation or anchors):
        return
    if not flags["profile"]:
        _fail(
            "The '-profile' is required when '-outputBlock', '-outputChannelCreateTx', or "
            "'-outputAnchorPeersUpdate' is specified"
        )
    profile, channel_id = load_profile(flags["profile"], flags["folder"]), flags["channel_id"]
    if block:
        with _Task("outputBlock", "Generating genesis block"):
            _write(block, artifacts.genesis_block(profile, channel_id))
    if creation:
        with _Task("outputChannelCreateTx", "Generating new channel configtx"):
            _write(creation, artifacts.channel_creation(profile, channel_id, base))
    if anchors:
        with _Task("inspectChannelCreateTx", "Generating anchor peer update"):
            made = artifacts.anchor_peers_update(profile, channel_id, flags["organization"])
            _write(anchors, made)


def _print(flags: dict[str, str]) -> None:
    from fastledger.protos.common.common_pb2 import Block, Envelope

    if flags["inspected_block"]:
        with _Task("inspectBlock", "Inspecting block"):
            _inspect(flags["inspected_block"], Block)
    if flags["inspected_tx"]:
        with _Task("inspectChannelCreateTx", "Inspecting transaction"):
            _inspect(flags["inspected_tx"], Envelope)
    if flags["printed"]:
        with _Task("printOrg", "Printing organization"):
            _print_organization(flags["printed"], flags["folder"])


def _inspect(path: str, kind: Any) -> None:
    from google.protobuf.message import DecodeError

    from fastledger.common.errors import InputError
    from fastledger.tools.configtxlator.protolator import to_json

    try:
        message = kind.FromString(Path(path).read_bytes())
    except OSError as error:
        raise InputError(f"could not read {path}: {error.strerror}") from error
    except DecodeError as error:
        raise InputError(f"error unmarshalling {path}: {error}") from error
    click.echo(to_json(message), nl=False)


def _print_organization(name: str, folder: str) -> None:
    from fastledger.common.errors import InputError, NotFound
    from fastledger.tools.configtxgen import encoder
    from fastledger.tools.configtxgen.load import load_top_level
    from fastledger.tools.configtxgen.policy import Defaults
    from fastledger.tools.configtxlator.places import APPLICATION_ORG, ORDERER_ORG
    from fastledger.tools.configtxlator.protolator import to_json

    top = load_top_level(folder)
    organization = next((one for one in top.organizations if one.name == name), None)
    if organization is None:
        raise NotFound(f"organization {name} not found")
    defaults = Defaults(top.is_of_1_x)
    try:
        if organization.orderer_endpoints:
            capabilities = top.capabilities.get("Channel", {})
            group = encoder.orderer_org_group(organization, capabilities, defaults)
            place = ORDERER_ORG
        else:
            group = encoder.application_org_group(organization, defaults)
            place = APPLICATION_ORG
    except FastledgerError as error:
        raise InputError(f"bad org definition for org {name}: {error}") from error
    click.echo(to_json(group, place), nl=False)


class _Task:
    """Says what is being done, and in errors by which flag it was asked for."""

    def __init__(self, flag: str, doing: str) -> None:
        self._flag = flag
        logger.info(doing)

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: Any, error: BaseException | None, _traceback: Any) -> None:
        if isinstance(error, FastledgerError | OSError):
            _fail(f"Error on {self._flag}: {error}")


def _write(path: str, message: Any) -> None:
    target = Path(path)
    if not target.parent.exists():
        target.parent.mkdir(mode=FOLDER_MODE, parents=True)
    target.touch(mode=FILE_MODE)
    target.write_bytes(message.SerializeToString(deterministic=True))


def _fail(text: str) -> NoReturn:
    logger.log(FATAL, text)
    sys.exit(FAILED)
