# SPDX-License-Identifier: Apache-2.0
"""``peer chaincode install``, ``package`` and ``signpackage``: the 1.x lifecycle."""

from pathlib import Path
from typing import Any

import click
from google.protobuf.message import DecodeError

from fastledger.cli.peer.cobra import CobraCommand, UsageFailed, options
from fastledger.cli.peer.connections import PEER_OPTIONS, PeerFlags, connected
from fastledger.cli.peer.lifecycle.installed import tell_building
from fastledger.cli.peer.lscc import (
    LOGGER,
    LSCC,
    NAME_OPTIONS,
    check_name,
    deployment_spec,
    note_defaults,
)
from fastledger.cli.peer.packaging import source_code
from fastledger.cli.peer.prototext import one_line
from fastledger.cli.peer.settings import OrdererFlags, load_settings, orderer_options
from fastledger.client.endorsement import SUCCESS, endorse, invocation
from fastledger.client.progress import while_told
from fastledger.common import log
from fastledger.common.errors import InputError, RpcFailed
from fastledger.msp import SigningIdentity
from fastledger.policies import from_string
from fastledger.protos.common.common_pb2 import ChannelHeader, Envelope, HeaderType, Payload
from fastledger.protos.common.policies_pb2 import SignaturePolicyEnvelope
from fastledger.protos.peer.chaincode_pb2 import ChaincodeDeploymentSpec, ChaincodeSpec
from fastledger.protos.peer.proposal_response_pb2 import Endorsement
from fastledger.protos.peer.signed_cc_dep_spec_pb2 import SignedChaincodeDeploymentSpec
from fastledger.protoutil.envelope import signed_envelope

_logger = log.get(LOGGER)

_SOURCE_OPTIONS = options(
    NAME_OPTIONS,
    click.option("-p", "--path", default="", help="Where its sources are"),
    click.option("-c", "--ctor", default="{}", hidden=True),
)


@click.command(cls=CobraCommand)
@click.argument("args", nargs=-1, metavar="[packagefile]")
@_SOURCE_OPTIONS
@PEER_OPTIONS
@click.option("--targetPeer", "target_peer", default="", help="Peer of the connection profile")
@orderer_options
async def install(
    args: tuple[str, ...],
    ordering: OrdererFlags,  # noqa: ARG001
    **values: Any,
) -> None:
    """Give a chaincode, from its sources or in a package, to a peer."""
    settings = load_settings()
    package = _read_package(args[0]) if args else _from_source(values)
    targets = PeerFlags.take(values).targets(settings, "install")
    async with connected(targets, "install") as peers:
        spec = invocation(LSCC, [b"install", package], language=ChaincodeSpec.GOLANG)
        try:
            asked = endorse(peers, settings.signer, "", spec)
            answer = await while_told(asked, tell_building)
        except RpcFailed as error:
            raise InputError(f"error endorsing chaincode install: {error}") from error
    response = answer.responses[0].response
    if response.status != SUCCESS:
        raise InputError(f"Bad response: {response.status} - {response.message}")
    _logger.info("Installed remotely response:<%s>", one_line(response))


def _from_source(values: dict[str, Any]) -> bytes:
    if not values["path"] or not values["version"] or not values["name"]:
        raise UsageFailed(
            f"must supply value for chaincode name, path and version parameters: "
            f"name '{values['name']}', version '{values['version']}', path '{values['path']}'"
        )
    return _packaged(values).SerializeToString()


def _packaged(values: dict[str, Any]) -> ChaincodeDeploymentSpec:
    note_defaults("", "")
    try:
        path, code = source_code(values["lang"].lower(), values["path"])
    except InputError as error:
        raise InputError(f"error getting chaincode code {values['name']}: {error}") from error
    return deployment_spec(values, path, code)


def _read_package(file: str) -> bytes:
    try:
        content = Path(file).read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"error reading package {file}: {reason}") from error
    try:
        Envelope.FromString(content)
    except DecodeError:
        _decode(content, file)
    return content


def _decode(content: bytes, file: str) -> ChaincodeDeploymentSpec:
    try:
        return ChaincodeDeploymentSpec.FromString(content)
    except DecodeError as error:
        raise InputError(f"{file} is no chaincode package of the 1.x lifecycle") from error


@click.command(cls=CobraCommand)
@click.argument("args", nargs=-1, metavar="[outputfile]")
@_SOURCE_OPTIONS
@click.option("-s", "--cc-package", "with_policy", is_flag=True, help="For owners to sign")
@click.option("-S", "--sign", is_flag=True, help="Sign as the first owner")
@click.option("-i", "--instantiate-policy", "policy", default="", help="Who may instantiate it")
@orderer_options
def package(
    args: tuple[str, ...],
    with_policy: bool,
    sign: bool,
    policy: str,
    ordering: OrdererFlags,  # noqa: ARG001
    **values: Any,
) -> None:
    """Write a chaincode's package of the 1.x lifecycle to a file."""
    settings = load_settings()
    if len(args) != 1:
        raise UsageFailed(
            "output file not specified or invalid number of args (filename should be the only arg)"
        )
    check_name(values)
    spec = _packaged(values)
    if with_policy:
        owner = settings.signer if sign else None
        content = _owned(spec, policy, settings.signer, owner).SerializeToString()
    else:
        content = spec.SerializeToString()
    Path(args[0]).write_bytes(content)


def _owned(
    spec: ChaincodeDeploymentSpec,
    policy: str,
    signer: SigningIdentity,
    owner: SigningIdentity | None,
) -> Envelope:
    """Wrap a package with its instantiation policy and the first owner's signature."""
    encoded = _instantiation_policy(policy, signer)
    signed = SignedChaincodeDeploymentSpec(
        chaincode_deployment_spec=spec.SerializeToString(), instantiation_policy=encoded
    )
    if owner:
        _add_owner(signed, owner)
    return _package_envelope(signed, signer)


def _instantiation_policy(policy: str, signer: SigningIdentity) -> bytes:
    text = policy or f"OR('{signer.mspid}.admin')"
    try:
        envelope: SignaturePolicyEnvelope = from_string(text)
    except InputError as error:
        raise InputError(f"invalid instantiation policy {policy}: {error}") from error
    return envelope.SerializeToString()


def _add_owner(signed: SignedChaincodeDeploymentSpec, owner: SigningIdentity) -> None:
    message = signed.chaincode_deployment_spec + signed.instantiation_policy + owner.serialized
    signature = owner.sign(message)
    signed.owner_endorsements.append(Endorsement(endorser=owner.serialized, signature=signature))


def _package_envelope(signed: SignedChaincodeDeploymentSpec, signer: SigningIdentity) -> Envelope:
    content = signed.SerializeToString()
    return signed_envelope(HeaderType.CHAINCODE_PACKAGE, "", content, signer)


@click.command(cls=CobraCommand)
@click.argument("args", nargs=-1, metavar="<package> <outputfile>")
@orderer_options
def signpackage(args: tuple[str, ...], ordering: OrdererFlags) -> None:  # noqa: ARG001
    """Add an owner's signature to a package."""
    settings = load_settings()
    if len(args) != 2:
        raise UsageFailed(
            "peer chaincode signpackage <inputpackage> <outputpackage>: two files are needed"
        )
    signed = _open_owned(args[0])
    if not signed.owner_endorsements:
        raise InputError("Package not signed: its first owner signs it with package -s -S")
    _add_owner(signed, settings.signer)
    content = _package_envelope(signed, settings.signer).SerializeToString()
    Path(args[1]).write_bytes(content)
    click.echo(f"Wrote signed package to {args[1]} successfully")


def _open_owned(file: str) -> SignedChaincodeDeploymentSpec:
    content = Path(file).read_bytes()
    try:
        payload = Payload.FromString(Envelope.FromString(content).payload)
        header = ChannelHeader.FromString(payload.header.channel_header)
        if header.type == HeaderType.CHAINCODE_PACKAGE:
            return SignedChaincodeDeploymentSpec.FromString(payload.data)
    except DecodeError:
        pass
    raise InputError(f"{file} is no package that owners sign; make one with package -s")
