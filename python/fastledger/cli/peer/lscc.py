# SPDX-License-Identifier: Apache-2.0
"""What the commands of the 1.x lifecycle have in common."""

from typing import Any, cast

import click

from fastledger.cli.peer.arguments import chaincode_args
from fastledger.cli.peer.cobra import UsageFailed, options
from fastledger.cli.peer.packaging import LANGUAGES
from fastledger.common import log
from fastledger.common.errors import InputError
from fastledger.protos.peer.chaincode_pb2 import (
    ChaincodeDeploymentSpec,
    ChaincodeID,
    ChaincodeInput,
    ChaincodeSpec,
)

LOGGER = "chaincodeCmd"
LSCC = "lscc"
_logger = log.get(LOGGER)

NAME_OPTIONS = options(
    click.option("-n", "--name", default="", help="Name of the chaincode"),
    click.option("-v", "--version", default="", help="Its version"),
    click.option("-l", "--lang", default="golang", help="Its language"),
)
POLICY_OPTIONS = options(
    click.option("-P", "--policy", default="", help="The endorsement policy"),
    click.option("-E", "--escc", default="", help="Name of the endorsement plugin"),
    click.option("-V", "--vscc", default="", help="Name of the validation plugin"),
    click.option("--collections-config", default="", help="JSON file of the collections"),
)


def chaincode_type(language: str) -> "ChaincodeSpec.Type.ValueType":
    """Return the number of a language.

    Raises:
        InputError: There is none of that name.
    """
    number = LANGUAGES.get(language.lower())
    if number is None:
        names = ", ".join(LANGUAGES)
        raise InputError(f"chaincode language {language!r} is none of {names}")
    return cast("ChaincodeSpec.Type.ValueType", number)


def check_name(values: dict[str, Any]) -> None:
    """Require name and version."""
    if not values["name"]:
        raise UsageFailed("must supply value for chaincode name parameter")
    if not values["version"]:
        raise UsageFailed("chaincode version is not provided for the command")


def note_defaults(escc: str, vscc: str) -> tuple[str, str]:
    """Return the plugins' names, and tell when they are the default ones."""
    if not escc:
        _logger.info("Using default escc")
    if not vscc:
        _logger.info("Using default vscc")
    return escc or "escc", vscc or "vscc"


def deployment_spec(
    values: dict[str, Any], path: str = "", code: bytes = b""
) -> ChaincodeDeploymentSpec:
    """Return what lscc is handed about a chaincode."""
    ctor = values.get("ctor", "{}")
    args = chaincode_args(ctor) if ctor != "{}" else []
    spec = ChaincodeSpec(
        type=chaincode_type(values["lang"]),
        chaincode_id=ChaincodeID(path=path, name=values["name"], version=values["version"]),
        input=ChaincodeInput(args=args),
    )
    return ChaincodeDeploymentSpec(chaincode_spec=spec, code_package=code)
