# SPDX-License-Identifier: Apache-2.0
"""What stands in a topic, and what a block keeps of it (Fabric: ``protos/orderer/kafka.proto``)."""

from dataclasses import dataclass

from google.protobuf.message import DecodeError

from fastledger.common.errors import LedgerCorrupted
from fastledger.protos.common.common_pb2 import Metadata
from fastledger.protos.orderer.kafka_pb2 import (
    KafkaMessage,
    KafkaMessageConnect,
    KafkaMessageRegular,
    KafkaMessageTimeToCut,
    KafkaMetadata,
)

_BEFORE_OLDEST = -3
"""Of a channel without metadata: the offset before the one that says "the oldest" to Kafka."""

CONNECT = KafkaMessage(connect=KafkaMessageConnect()).SerializeToString()
"""Says nothing: whoever has put it there can write, and read what is there."""


@dataclass(slots=True)
class Offsets:
    """How far a chain has come in its topic."""

    persisted: int = _BEFORE_OLDEST
    """Of the last message whose effect is in a block."""

    original: int = 0
    """Of the last message that was put there again and is processed: as it was first received."""

    resubmitted_config: int = 0
    """Of the last configuration that had to be put there again: as it was first received."""

    @staticmethod
    def read(consenter_metadata: bytes, channel_id: str) -> "Offsets":
        """Read what the last block keeps, empty for nothing.

        Raises:
            LedgerCorrupted: It cannot be read.
        """
        if not consenter_metadata:
            return Offsets()
        try:
            value = Metadata.FromString(consenter_metadata).value
            kept = KafkaMetadata.FromString(value)
        except DecodeError as error:
            raise LedgerCorrupted(
                f"channel {channel_id}: the last block's Kafka metadata cannot be read: {error}"
            ) from error
        if not value:
            return Offsets()
        return Offsets(
            kept.last_offset_persisted,
            kept.last_original_offset_processed,
            kept.last_resubmitted_config_offset,
        )

    def kept(self, persisted: int, *, with_config: bool = True) -> bytes:
        """Encode what a block keeps whose last message has the offset ``persisted``."""
        self.persisted = persisted
        metadata = KafkaMetadata(
            last_offset_persisted=persisted,
            last_original_offset_processed=self.original,
            last_resubmitted_config_offset=self.resubmitted_config if with_config else 0,
        )
        return Metadata(value=metadata.SerializeToString()).SerializeToString()

    @property
    def is_config_on_its_way(self) -> bool:
        """Whether a configuration was put there again that has not come back."""
        return self.resubmitted_config > self.original


def normal(envelope: bytes, sequence: int, original_offset: int = 0) -> bytes:
    """Encode a message that the configuration of that sequence lets in."""
    return _regular(envelope, sequence, KafkaMessageRegular.NORMAL, original_offset)


def config(envelope: bytes, sequence: int, original_offset: int = 0) -> bytes:
    """Encode a configuration that follows the one of that sequence."""
    return _regular(envelope, sequence, KafkaMessageRegular.CONFIG, original_offset)


def time_to_cut(block: int) -> bytes:
    """Encode: the block of that number is to be cut."""
    return KafkaMessage(time_to_cut=KafkaMessageTimeToCut(block_number=block)).SerializeToString()


def _regular(envelope: bytes, sequence: int, kind: int, original_offset: int) -> bytes:
    regular = KafkaMessageRegular(
        payload=envelope,
        config_seq=sequence,
        **{"class": kind},
        original_offset=original_offset,
    )
    return KafkaMessage(regular=regular).SerializeToString()
