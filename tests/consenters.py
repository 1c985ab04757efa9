# SPDX-License-Identifier: Apache-2.0
"""Channels of networks that ``fastledger up`` plans, with other consenters and addresses."""

from collections.abc import Callable, Sequence

from fastledger.channelconfig import Bundle
from fastledger.msp import SigningIdentity
from fastledger.network.plan import HOST, Node, Plan
from fastledger.protos.common.common_pb2 import HeaderType
from fastledger.protos.common.configtx_pb2 import Config, ConfigEnvelope
from fastledger.protos.common.configuration_pb2 import OrdererAddresses
from fastledger.protos.orderer.configuration_pb2 import BatchSize, BatchTimeout, ConsensusType
from fastledger.protos.orderer.etcdraft import configuration_pb2 as raft
from fastledger.protoutil.blocks import new_block
from fastledger.protoutil.envelope import signed_envelope
from fastledger.tools.configtxgen.artifacts import genesis_block
from fastledger.tools.configtxgen.load import load_profile

Write = Callable[[Config], None]
"""Changes a configuration."""


def genesis_with(plan: Plan, write: Write) -> bytes:
    """Return the plan's genesis block, changed; each block after it holds one message."""
    block = genesis_block(load_profile("ChannelUsingRaft", str(plan.state), {}), plan.channel)
    config = Config.FromString(Bundle.from_block(block.SerializeToString()).config)
    write(config)
    values = config.channel_group.groups["Orderer"].values
    size = BatchSize.FromString(values["BatchSize"].value)
    size.max_message_count = 1
    values["BatchSize"].value = size.SerializeToString()
    signer = SigningIdentity.load(plan.orderer.identity / "msp", plan.orderer.mspid)
    content = ConfigEnvelope(config=config).SerializeToString()
    envelope = signed_envelope(HeaderType.CONFIG, plan.channel, content, signer)
    return new_block(0, b"", [envelope.SerializeToString()]).SerializeToString()


def consenter_of(node: Node) -> raft.Consenter:
    """Return an orderer of the plan as a consenter."""
    pem = (node.identity / "tls" / "server.crt").read_bytes()
    return raft.Consenter(host=HOST, port=node.port, client_tls_cert=pem, server_tls_cert=pem)


def with_consenters(config: Config, consenters: Sequence[raft.Consenter]) -> None:
    value = config.channel_group.groups["Orderer"].values["ConsensusType"]
    kind = ConsensusType.FromString(value.value)
    metadata = raft.ConfigMetadata.FromString(kind.metadata)
    del metadata.consenters[:]
    metadata.consenters.extend(consenters)
    kind.metadata = metadata.SerializeToString()
    value.value = kind.SerializeToString()


def with_snapshots(config: Config, interval_bytes: int) -> None:
    value = config.channel_group.groups["Orderer"].values["ConsensusType"]
    kind = ConsensusType.FromString(value.value)
    metadata = raft.ConfigMetadata.FromString(kind.metadata)
    metadata.options.snapshot_interval_size = interval_bytes
    kind.metadata = metadata.SerializeToString()
    value.value = kind.SerializeToString()


def with_addresses(config: Config, addresses: list[str]) -> None:
    org = config.channel_group.groups["Orderer"].groups["OrdererOrg"]
    value = org.values["Endpoints"]
    value.value = OrdererAddresses(addresses=addresses).SerializeToString()


def with_timeout(config: Config, timeout: str) -> None:
    value = config.channel_group.groups["Orderer"].values["BatchTimeout"]
    value.value = BatchTimeout(timeout=timeout).SerializeToString()
