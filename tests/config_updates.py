# SPDX-License-Identifier: Apache-2.0
"""Updates of a configuration as administrators send them."""

from collections.abc import Sequence

from fastledger.msp import SigningIdentity
from fastledger.protos.common.common_pb2 import Envelope, HeaderType
from fastledger.protos.common.configtx_pb2 import Config, ConfigUpdateEnvelope
from fastledger.protoutil.envelope import signature_header, signed_envelope
from fastledger.tools.configtxlator.update import compute_update


def update_of(
    channel_id: str, current: Config, following: Config, admins: Sequence[SigningIdentity]
) -> Envelope:
    """Make the update that leads from one configuration to another, signed by all."""
    encoded = compute_update(channel_id, current, following).SerializeToString()
    envelope = ConfigUpdateEnvelope(config_update=encoded)
    for admin in admins:
        header = signature_header(admin.serialized).SerializeToString()
        envelope.signatures.add(signature_header=header, signature=admin.sign(header + encoded))
    content = envelope.SerializeToString()
    return signed_envelope(HeaderType.CONFIG_UPDATE, channel_id, content, admins[0])
