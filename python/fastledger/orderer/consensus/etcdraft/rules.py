# SPDX-License-Identifier: Apache-2.0
"""What an etcdraft configuration must be (Fabric: ``orderer/consensus/etcdraft``).

``util.go`` judges metadata by themselves, ``chain.go`` (``ValidateConsensusMetadata``) what may
follow them. The texts are Fabric's.
"""

from google.protobuf.message import DecodeError

from fastledger._core import Certificate, duration_ns
from fastledger.channelconfig import Bundle
from fastledger.common.errors import IdentityRefused, InputError
from fastledger.orderer.capabilities import orderer_of
from fastledger.orderer.consensus.etcdraft.membership import membership_changes
from fastledger.orderer.consensus.rules import Rules
from fastledger.orderer.consensus.smartbft.rules import check_endpoints
from fastledger.protos.orderer.etcdraft.configuration_pb2 import ConfigMetadata, Consenter, Options

MAX_SHOWN_BYTES = 256
"""Of what is no certificate, in a refusal: an answer must not be larger than its question."""


def check_config(bundle: Bundle) -> None:
    """Refuse metadata that no consenter could run by (``VerifyConfigMetadata``)."""
    _check_metadata(bundle, _metadata(bundle, "failed to unmarshal consensus metadata"))


def _check_metadata(bundle: Bundle, metadata: ConfigMetadata) -> None:
    _check_options(metadata)
    if not metadata.consenters:
        raise InputError("empty consenter set")
    for consenter in metadata.consenters:
        try:
            check_certificates(bundle, consenter, ignore_expiration=True)
        except InputError as error:
            where = f"{consenter.host}:{consenter.port}"
            raise InputError(f"consenter {where} has invalid certificate: {error}") from error
    _check_duplicates(metadata)


def check_update(current: Bundle, following: Bundle) -> None:
    """Refuse metadata that may not follow the current ones (``ValidateConsensusMetadata``).

    Fabric also asks whether enough consenters are alive; where there is one, it is.
    """
    kind = orderer_of(following).consensus_type
    if kind == "BFT":
        check_endpoints(following)
    if kind != "etcdraft":
        # Whether the kind may change is for the rules of maintenance.
        return
    new = _check_new(following)
    old = _metadata(current, "failed to unmarshal current etcdraft metadata configuration")
    for consenter in membership_changes(old.consenters, new.consenters).added:
        try:
            check_certificates(following, consenter)
        except InputError as error:
            where = f"{consenter.host}:{consenter.port}"
            raise InputError(f"consenter {where} has invalid certificates: {error}") from error


def check_new_channel(system: Bundle, channel: Bundle) -> None:
    """Refuse consenters that are not the system channel's."""
    new = _check_new(channel)
    old = _metadata(system, "failed to unmarshal current etcdraft metadata configuration")
    known = {consenter.client_tls_cert for consenter in old.consenters}
    if any(consenter.client_tls_cert not in known for consenter in new.consenters):
        raise InputError("new channel has consenter that is not part of system consenter set")


def check_certificates(
    bundle: Bundle, consenter: Consenter, *, ignore_expiration: bool = False
) -> None:
    """Refuse certificates without a chain to a TLS CA of the orderers' organizations."""
    where = f"{consenter.host}:{consenter.port}"
    read = []
    for role, pem in (("client", consenter.client_tls_cert), ("server", consenter.server_tls_cert)):
        try:
            read.append((role, _certificate(pem)))
        except InputError as error:
            raise InputError(f"parsing tls {role} cert of {where}: {error}") from error
    for role, certificate in read:
        try:
            bundle.verify_orderer_tls(certificate, ignore_expiration=ignore_expiration)
        except IdentityRefused as error:
            number = int.from_bytes(certificate.serial)
            raise InputError(
                f"verifying tls {role} cert with serial number {number}: {error}"
            ) from error


def check_migration(current: Bundle, following: Bundle) -> None:
    """Refuse metadata that no consenter could run by, after another kind of consensus."""
    del current
    _check_new(following)


def _check_new(following: Bundle) -> ConfigMetadata:
    metadata = _metadata(following, "failed to unmarshal new etcdraft metadata configuration")
    try:
        _check_metadata(following, metadata)
    except InputError as error:
        raise InputError(f"invalid new config metadata: {error}") from error
    return metadata


def _metadata(bundle: Bundle, what: str) -> ConfigMetadata:
    try:
        return ConfigMetadata.FromString(orderer_of(bundle).consensus_metadata)
    except DecodeError as error:
        raise InputError(f"{what}: {error}") from error


def _check_options(metadata: ConfigMetadata) -> None:
    if not metadata.HasField("options"):
        raise InputError("nil Raft config metadata options")
    options: Options = metadata.options
    heartbeat, election = options.heartbeat_tick, options.election_tick
    if 0 in (heartbeat, election, options.max_inflight_blocks):
        raise InputError(
            f"none of HeartbeatTick ({heartbeat}), ElectionTick ({election}) and "
            f"MaxInflightBlocks ({options.max_inflight_blocks}) can be zero"
        )
    if election <= heartbeat:
        raise InputError(
            f"ElectionTick ({election}) must be greater than HeartbeatTick ({heartbeat})"
        )
    try:
        interval = duration_ns(options.tick_interval)
    except InputError as error:
        raise InputError(
            f"failed to parse TickInterval ({options.tick_interval}) to time duration: {error}"
        ) from error
    if interval == 0:
        raise InputError("TickInterval cannot be zero")


def _certificate(pem: bytes) -> Certificate:
    try:
        return Certificate(pem)
    except IdentityRefused as error:
        raise InputError(f"x509: {error} TLS certificate has invalid ASN1 structure") from error
    except InputError as error:
        shown = pem[:MAX_SHOWN_BYTES].hex(" ") + (" ..." if len(pem) > MAX_SHOWN_BYTES else "")
        raise InputError(f"no PEM data found in cert[{shown}]") from error


def _check_duplicates(metadata: ConfigMetadata) -> None:
    """Refuse a certificate that two consenters have, in whichever of its two roles."""
    seen: set[bytes] = set()
    for consenter in metadata.consenters:
        certificates = {consenter.server_tls_cert, consenter.client_tls_cert}
        if certificates & seen:
            server, client = (
                one.decode("utf-8", "replace")
                for one in (consenter.server_tls_cert, consenter.client_tls_cert)
            )
            raise InputError(f"duplicate consenter: server cert: {server}, client cert: {client}")
        seen |= certificates


RULES = Rules(
    check_config=check_config,
    check_update=check_update,
    check_new_channel=check_new_channel,
    check_migration=check_migration,
)
"""The rules of etcdraft."""
