# SPDX-License-Identifier: Apache-2.0
"""Changes of a channel's configuration, of which most are wrong in one way.

The channel is one of ``fastledger up``: etcdraft with one consenter, one organization with peers.
"""

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from google.protobuf.message import Message

from fastledger.network import channel, identities, settings
from fastledger.network.plan import ORDERER_MSP, Plan
from fastledger.protos.common import configuration_pb2 as common
from fastledger.protos.common.configtx_pb2 import Config, ConfigGroup, ConfigValue
from fastledger.protos.common.policies_pb2 import ImplicitMetaPolicy, Policy
from fastledger.protos.msp.msp_config_pb2 import FabricMSPConfig, MSPConfig
from fastledger.protos.orderer import configuration_pb2 as orderer_pb2
from fastledger.protos.orderer.etcdraft.configuration_pb2 import ConfigMetadata
from fastledger.protos.orderer.smartbft.configuration_pb2 import Options
from fastledger.protos.peer.configuration_pb2 import ACLs, AnchorPeers
from fastledger.tools.configtxgen.load import DEFAULT_SMART_BFT

Change = Callable[[Config], None]

_DAY = dt.timedelta(days=1)
_M = TypeVar("_M", bound=Message)


def plan_of(folder: Path, port_base: int) -> Plan:
    """Make a network's identities and settings; nothing runs."""
    plan = Plan(folder=folder, orgs=1, port_base=port_base)
    plan.save()
    identities.write(plan)
    channel.write(plan)
    settings.write(plan)
    return plan


@contextmanager
def _decoded(value: ConfigValue, kind: type[_M]) -> Iterator[_M]:
    message = kind.FromString(value.value)
    yield message
    value.value = message.SerializeToString()


def _orderer(config: Config) -> ConfigGroup:
    return config.channel_group.groups["Orderer"]


def _application(config: Config) -> ConfigGroup:
    return config.channel_group.groups["Application"]


def _in_value(
    group: Callable[[Config], ConfigGroup], key: str, kind: type[_M], edit: Callable[[_M], object]
) -> Change:
    def change(config: Config) -> None:
        value = group(config).values[key]
        value.mod_policy = value.mod_policy or "Admins"
        with _decoded(value, kind) as message:
            edit(message)

    return change


def _in_metadata(edit: Callable[[ConfigMetadata], object]) -> Change:
    def change(consensus: orderer_pb2.ConsensusType) -> None:
        metadata = ConfigMetadata.FromString(consensus.metadata)
        edit(metadata)
        consensus.metadata = metadata.SerializeToString()

    return _in_value(_orderer, "ConsensusType", orderer_pb2.ConsensusType, change)


def _assign(field: str, value: object) -> Callable[[Message], None]:
    return lambda message: setattr(message, field, value)


def _option(field: str, value: object) -> Change:
    return _in_metadata(lambda metadata: setattr(metadata.options, field, value))


def _consensus(**fields: object) -> Change:
    def change(consensus: orderer_pb2.ConsensusType) -> None:
        for field, value in fields.items():
            setattr(consensus, field, value)

    return _in_value(_orderer, "ConsensusType", orderer_pb2.ConsensusType, change)


def _capability(group: Callable[[Config], ConfigGroup], name: str) -> Change:
    return _in_value(
        group, "Capabilities", common.Capabilities, lambda it: it.capabilities[name].SetInParent()
    )


def _channel(config: Config) -> ConfigGroup:
    return config.channel_group


@dataclass(frozen=True)
class Certificates:
    """Certificates for consenters, made with the keys of a network's CAs."""

    plan: Plan

    def made(
        self,
        ca: str = "orderer/tlsca",
        *,
        begins: int = -1,
        ends: int = 1,
        usages: tuple[x509.ObjectIdentifier, ...] = (
            ExtendedKeyUsageOID.SERVER_AUTH,
            ExtendedKeyUsageOID.CLIENT_AUTH,
        ),
        key: ec.EllipticCurvePublicKey | None = None,
    ) -> bytes:
        """A certificate that is valid from and to some days from now."""
        issuer, signer = self._authority(ca)
        now = dt.datetime.now(dt.UTC)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "another")])
        public = key or ec.generate_private_key(ec.SECP256R1()).public_key()
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(issuer.subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begins * _DAY)
            .not_valid_after(now + ends * _DAY)
        )
        if usages:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        made = builder.sign(signer, hashes.SHA256())
        return made.public_bytes(serialization.Encoding.PEM)

    def own(self) -> x509.Certificate:
        """The certificate of the one consenter."""
        return x509.load_pem_x509_certificate(
            (self.plan.orderer.identity / "tls" / "server.crt").read_bytes()
        )

    def authority(self, ca: str = "orderer/tlsca") -> bytes:
        """A CA's own certificate."""
        return self._authority(ca)[0].public_bytes(serialization.Encoding.PEM)

    def _authority(self, ca: str) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        owner, folder = ca.split("/")
        org = self.plan.orderer.identity.parents[1]
        place = (org if owner == "orderer" else self.plan.organizations[0].folder) / folder
        [certificate] = place.glob("*.pem")
        [key] = place.glob("*_sk")
        loaded = serialization.load_pem_private_key(key.read_bytes(), None)
        assert isinstance(loaded, ec.EllipticCurvePrivateKey)
        return x509.load_pem_x509_certificate(certificate.read_bytes()), loaded


def _of_consenter(**fields: object) -> Change:
    def change(metadata: ConfigMetadata) -> None:
        for field, value in fields.items():
            setattr(metadata.consenters[0], field, value)

    return _in_metadata(change)


def _both(pem: bytes) -> Change:
    return _of_consenter(client_tls_cert=pem, server_tls_cert=pem)


def options() -> Iterator[tuple[str, Change]]:
    """Options of etcdraft."""
    for text in ("abc", "", "0", "0s", "500", "5x", "500 ms", "1s500", "250ms", "1h", "µs", '"\\'):
        yield f"tick_interval {text!r}", _option("tick_interval", text)
    for field in ("heartbeat_tick", "election_tick", "max_inflight_blocks"):
        yield f"{field} 0", _option(field, 0)
        yield f"{field} huge", _option(field, 0xFFFFFFFF)
    yield "heartbeat_tick as election_tick", _option("heartbeat_tick", 10)
    yield "election_tick 1", _option("election_tick", 1)
    yield "snapshot_interval_size 0", _option("snapshot_interval_size", 0)
    yield "snapshot_interval_size 1", _option("snapshot_interval_size", 1)
    yield "no options", _in_metadata(lambda metadata: metadata.ClearField("options"))
    yield "empty options", _in_metadata(lambda metadata: metadata.options.Clear())
    yield "garbled metadata", _consensus(metadata=b"\xff")


def consenters(made: Certificates) -> Iterator[tuple[str, Change]]:
    """Consenters of etcdraft; where they are accepted, it is still ours alone."""
    yield "no consenters", _in_metadata(lambda metadata: metadata.ClearField("consenters"))
    for role in ("client", "server"):
        certificate = f"{role}_tls_cert"
        of = partial(_replaced, certificate)
        yield f"{role} certificate junk", of(b"junk")
        yield f"{role} certificate empty", of(b"")
        yield f"{role} certificate of the enrollment CA", of(made.made("orderer/ca"))
        yield f"{role} certificate of a peers' CA", of(made.made("peer/tlsca"))
        yield (
            f"{role} certificate for signing code",
            of(made.made(usages=(ExtendedKeyUsageOID.CODE_SIGNING,))),
        )
    expired, early = made.made(begins=-3, ends=-1), made.made(begins=1, ends=3)
    for name, pem in (("expired", expired), ("not yet valid", early)):
        yield f"{name} client certificate", _of_consenter(client_tls_cert=pem)
        yield f"{name} server certificate", _of_consenter(server_tls_cert=pem)
    yield "expired certificate of nobody", _both(made.made("peer/tlsca", begins=-3, ends=-1))
    own = made.own().public_bytes(serialization.Encoding.PEM)
    yield "text around the certificate", _both(b"mine:\n" + own + b"and more\n")
    key = made.own().public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    yield "the same key certified anew", _both(made.made(key=key))
    yield "another client certificate", _of_consenter(client_tls_cert=made.made())
    only_client = made.made(usages=(ExtendedKeyUsageOID.CLIENT_AUTH,))
    yield "a client certificate for clients", _of_consenter(client_tls_cert=only_client)
    yield "a client certificate for any use", _of_consenter(client_tls_cert=made.made(usages=()))
    yield "no host", _of_consenter(host="")
    yield "no port", _of_consenter(port=0)
    yield "an impossible port", _of_consenter(port=99_999)
    yield (
        "the same consenter twice",
        _in_metadata(lambda metadata: metadata.consenters.add().CopyFrom(metadata.consenters[0])),
    )
    two = made.made(), made.made()
    yield (
        "the same certificate in another role",
        _in_metadata(
            lambda metadata: metadata.consenters.add(
                host="b", port=1, client_tls_cert=two[0], server_tls_cert=own
            )
        ),
    )
    yield "two more consenters", _in_metadata(lambda metadata: _add(metadata, *two))


def others(made: Certificates) -> Iterator[tuple[str, Change]]:
    """Consenters other than ours alone, which a real orderer takes and ours does not yet."""
    one = made.made()
    yield "one more consenter", _in_metadata(lambda metadata: _add(metadata, one))
    yield "another key", _both(one)


def _replaced(field: str, pem: bytes) -> Change:
    return _of_consenter(**{field: pem})


def _add(metadata: ConfigMetadata, *certificates: bytes) -> None:
    for number, pem in enumerate(certificates):
        metadata.consenters.add(
            host="127.0.0.1", port=7000 + number, client_tls_cert=pem, server_tls_cert=pem
        )


def without_endpoints() -> Iterator[tuple[str, Change]]:
    """BFT of organizations whose orderers have no addresses."""
    none = _in_value(_org, "Endpoints", common.OrdererAddresses, lambda it: it.Clear())
    yield "BFT without endpoints", _all(none, _consensus(type="BFT"))


def kinds() -> Iterator[tuple[str, Change]]:
    """Kinds of consensus, and maintenance."""
    yield "BFT at once", _consensus(type="BFT")
    yield "into maintenance", _consensus(state=1)

    def with_batch(config: Config) -> None:
        _consensus(state=1)(config)
        _batch("max_message_count", 77)(config)

    yield "into maintenance with a batch size", with_batch

    def with_tick(config: Config) -> None:
        _consensus(state=1)(config)
        _option("tick_interval", "1s")(config)

    yield "into maintenance with other options", with_tick
    yield "BFT into maintenance", _consensus(type="BFT", state=1)


def in_maintenance() -> Iterator[tuple[str, Change]]:
    """What a channel in maintenance is asked for."""
    for name, options in (
        ("a bad batch interval", {"request_batch_max_interval": "x"}),
        ("a batch count of 0", {"request_batch_max_count": 0}),
        ("a forward timeout above the next", {"request_forward_timeout": "1h"}),
        ("no view change timeout", {"view_change_timeout": "0s"}),
        ("leader rotation of nothing", {"leader_rotation": Options.ROTATION_ON}),
    ):
        yield f"BFT with {name}", _all(_mapping(1), _bft(**options))
    yield "BFT with garbled options", _all(_mapping(1), _consensus(type="BFT", metadata=b"\xff"))
    yield "BFT without consenters", _bft()
    yield "BFT with two consenters", _all(_mapping(2), _bft())
    yield "BFT with another consenter", _all(_mapping(1, port=1), _bft())
    yield "BFT with consenters out of maintenance", _all(_mapping(1), _bft(), _consensus(state=0))
    yield "BFT out of maintenance", _consensus(type="BFT", state=0)
    tick = _option("tick_interval", "1s")
    yield "other options out of maintenance", _all(tick, _consensus(state=0))
    yield "bad options", _option("tick_interval", "0s")
    yield "good options", tick
    yield "a batch size", _batch("max_message_count", 3)
    batch = _batch("max_message_count", 3)
    yield "out of maintenance with a batch size", _all(batch, _consensus(state=0))


def migrations() -> Iterator[tuple[str, Change]]:
    """What a real orderer takes in maintenance, and ours does not yet."""
    yield "BFT as it should be", _all(_mapping(1), _bft())


def _all(*changes: Change) -> Change:
    def change(config: Config) -> None:
        for each in changes:
            each(config)

    return change


def _bft(**fields: object) -> Change:
    options = Options(**dataclasses.asdict(DEFAULT_SMART_BFT))
    for field, value in fields.items():
        setattr(options, field, value)
    return _consensus(type="BFT", metadata=options.SerializeToString())


def _mapping(count: int, **fields: object) -> Change:
    """List the one consenter of etcdraft as consenters of BFT."""

    def change(config: Config) -> None:
        consensus = orderer_pb2.ConsensusType.FromString(
            _orderer(config).values["ConsensusType"].value
        )
        [raft] = ConfigMetadata.FromString(consensus.metadata).consenters
        value = _orderer(config).values["Orderers"]
        value.mod_policy = "Admins"
        with _decoded(value, common.Orderers) as orderers:
            for number in range(count):
                one = orderers.consenter_mapping.add(
                    id=number + 1,
                    msp_id=ORDERER_MSP,
                    host=raft.host,
                    port=raft.port,
                    client_tls_cert=raft.client_tls_cert,
                    server_tls_cert=raft.server_tls_cert,
                )
                for field, changed in fields.items():
                    setattr(one, field, changed)

    return change


def unanswered() -> Iterator[tuple[str, Change]]:
    """What makes a real orderer panic at once or when it is started again; ours refuses it."""
    for kind in ("solo", "kafka", "raft", ""):
        yield f"type {kind!r}", _consensus(type=kind)
    yield "empty metadata", _consensus(metadata=b"")
    yield "no policy for blocks", lambda config: _drop_policy(config, "BlockValidation")


def _batch(field: str, value: int) -> Change:
    return _in_value(_orderer, "BatchSize", orderer_pb2.BatchSize, _assign(field, value))


def orderer_values() -> Iterator[tuple[str, Change]]:
    """Values of the orderer group that are not the consensus'."""
    for field in ("max_message_count", "absolute_max_bytes", "preferred_max_bytes"):
        yield f"{field} 0", _batch(field, 0)
    yield "max_message_count 1", _batch("max_message_count", 1)
    yield "preferred above absolute", _batch("preferred_max_bytes", 200 << 20)
    for text in ("", "0", "0s", "-1s", "-90s", "-250ms", "5", "abc", "2d", "3s", "1h15m30.918s"):
        yield (
            f"timeout {text!r}",
            _in_value(_orderer, "BatchTimeout", orderer_pb2.BatchTimeout, _assign("timeout", text)),
        )
    yield (
        "channel restrictions",
        _in_value(
            _orderer,
            "ChannelRestrictions",
            orderer_pb2.ChannelRestrictions,
            _assign("max_count", 2),
        ),
    )
    yield (
        "Kafka brokers",
        _in_value(
            _orderer,
            "KafkaBrokers",
            orderer_pb2.KafkaBrokers,
            lambda it: it.brokers.append("not a broker"),
        ),
    )
    yield (
        "consenters as of BFT",
        _in_value(_orderer, "Orderers", common.Orderers, lambda it: it.consenter_mapping.add(id=1)),
    )
    for name in ("V9", "V3_0", "V1_4_2"):
        yield f"orderer capability {name}", _capability(_orderer, name)
    yield "an unknown orderer value", _put(_orderer, "Foo", b"bar")
    for key in ("BatchSize", "BatchTimeout", "ConsensusType", "Capabilities"):
        yield f"garbled {key}", _put(_orderer, key, b"\xff")


def _put(group: Callable[[Config], ConfigGroup], key: str, encoded: bytes) -> Change:
    def change(config: Config) -> None:
        value = group(config).values[key]
        value.value = encoded
        value.mod_policy = "Admins"

    return change


def _org(config: Config) -> ConfigGroup:
    [name] = _orderer(config).groups
    return _orderer(config).groups[name]


def _in_msp(edit: Callable[[FabricMSPConfig], object]) -> Change:
    def change(config: MSPConfig) -> None:
        msp = FabricMSPConfig.FromString(config.config)
        edit(msp)
        config.config = msp.SerializeToString()

    return _in_value(_org, "MSP", MSPConfig, change)


def organizations(made: Certificates) -> Iterator[tuple[str, Change]]:
    """The organization that runs the orderer."""
    yield "no orderer organization", lambda config: _orderer(config).ClearField("groups")
    yield "another name of its MSP", _in_msp(_assign("name", "OtherMSP"))
    yield "no name of its MSP", _in_msp(_assign("name", ""))
    yield "no TLS CAs", _in_msp(lambda msp: msp.ClearField("tls_root_certs"))
    yield (
        "other TLS CAs",
        _in_msp(
            lambda msp: msp.tls_root_certs.__setitem__(slice(None), [made.authority("peer/tlsca")])
        ),
    )
    yield (
        "more TLS CAs",
        _in_msp(lambda msp: msp.tls_root_certs.append(made.authority("peer/tlsca"))),
    )
    endpoints = partial(_in_value, _org, "Endpoints", common.OrdererAddresses)
    yield "an endpoint", endpoints(lambda it: it.addresses.append("127.0.0.1:1"))
    yield "an endpoint that is none", endpoints(lambda it: it.addresses.append("nowhere"))

    def nested(config: Config) -> None:
        _org(config).groups["Inner"].mod_policy = "Admins"

    yield "an organization within the organization", nested


def channel_values() -> Iterator[tuple[str, Change]]:
    """Values of the channel and of its application."""
    for name in ("MD5", "SHA3_256", ""):
        yield (
            f"hash {name!r}",
            _in_value(_channel, "HashingAlgorithm", common.HashingAlgorithm, _assign("name", name)),
        )
    yield (
        "width of hashing",
        _in_value(
            _channel,
            "BlockDataHashingStructure",
            common.BlockDataHashingStructure,
            _assign("width", 2),
        ),
    )
    yield "an unknown channel value", _put(_channel, "Foo", b"bar")
    addresses = partial(_in_value, _channel, "OrdererAddresses", common.OrdererAddresses)
    yield "no addresses", addresses(lambda it: it.ClearField("addresses"))
    yield "another address", addresses(lambda it: it.addresses.append("127.0.0.1:2"))
    yield "channel capability V3_0", _capability(_channel, "V3_0")
    yield "channel capability V9", _capability(_channel, "V9")

    def group(name: str) -> Change:
        return lambda config: setattr(config.channel_group.groups[name], "mod_policy", "Admins")

    yield "an unknown group", group("Foo")
    yield "consortiums", group("Consortiums")
    for name in ("Orderer", "Application"):
        yield f"no {name} group", partial(_without_group, name)
    for name in ("V9", "V3_0", "V1_2"):
        yield f"application capability {name}", _capability(_application, name)
    acls = partial(_in_value, _application, "ACLs", ACLs)
    yield "an ACL of nothing", acls(lambda it: setattr(it.acls["a/b"], "policy_ref", "/Nowhere"))
    yield "garbled ACLs", _put(_application, "ACLs", b"\xff")
    yield "an unknown application value", _put(_application, "Foo", b"bar")

    def anchors(config: Config) -> None:
        for org in _application(config).groups.values():
            with _decoded(org.values["AnchorPeers"], AnchorPeers) as peers:
                peers.anchor_peers.add(host="nowhere", port=-1)
            org.values["AnchorPeers"].mod_policy = "Admins"

    yield "an odd anchor peer", anchors
    yield "no peers' organizations", lambda config: _application(config).ClearField("groups")


def _without_group(name: str, config: Config) -> None:
    del config.channel_group.groups[name]


def policies() -> Iterator[tuple[str, Change]]:
    """Policies of the orderer group."""

    def change(name: str, edit: Callable[[Policy], object]) -> Change:
        def changed(config: Config) -> None:
            policy = _orderer(config).policies[name]
            policy.mod_policy = policy.mod_policy or "Admins"
            edit(policy.policy)

        return changed

    meta = ImplicitMetaPolicy(rule=ImplicitMetaPolicy.ANY, sub_policy="Nowhere")
    yield "a policy of nothing", change("BlockValidation", _assign("value", b""))
    yield "a garbled policy", change("BlockValidation", _assign("value", b"\xff"))
    yield "a policy of an unknown type", change("BlockValidation", _assign("type", 9))
    yield "a policy of no type", change("Readers", _assign("type", 0))
    yield (
        "a policy over others that are not there",
        change("Readers", _assign("value", meta.SerializeToString())),
    )
    yield (
        "a new policy",
        change("New", lambda it: it.CopyFrom(Policy(type=3, value=meta.SerializeToString()))),
    )


def _drop_policy(config: Config, name: str) -> None:
    del _orderer(config).policies[name]


def compared(made: Certificates) -> Iterator[tuple[str, Change]]:
    """All changes to which a real orderer and ours answer the same."""
    yield from options()
    yield from consenters(made)
    yield from kinds()
    yield from without_endpoints()
    yield from orderer_values()
    yield from organizations(made)
    yield from channel_values()
    yield from policies()


def administrators(plan: Plan) -> list[tuple[str, str]]:
    """MSP and folder of whoever has to sign, so that any update is allowed."""
    org = plan.organizations[0]
    orderer = plan.orderer.identity.parents[1]
    return [
        (ORDERER_MSP, str(orderer / "users" / f"Admin@{orderer.name}" / "msp")),
        (org.mspid, str(org.folder / "users" / f"Admin@{org.domain}" / "msp")),
    ]
