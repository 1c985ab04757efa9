// SPDX-License-Identifier: Apache-2.0
//! The values of the derived stores.

use std::borrow::Cow;

use fastledger_mvcc::state::VersionedValue;
use fastledger_wire::protobuf::Reader;
use fastledger_wire::{Hash, Height, encode};

use crate::blockfile::Location;
use crate::record::ChainTip;
use crate::tail::BlockEntry;

/// A state's value as it is stored: version, metadata, value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StateValue<'a> {
    pub(crate) version: Height,
    pub(crate) metadata: &'a [u8],
    pub(crate) value: &'a [u8],
}

impl<'a> StateValue<'a> {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        encode::varint(out, self.version.block);
        encode::varint(out, self.version.tx);
        encode::length_prefixed(out, self.metadata);
        out.extend_from_slice(self.value);
    }

    pub(crate) fn decode(stored: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(stored);
        let version = Height { block: reader.varint().ok()?, tx: reader.varint().ok()? };
        let metadata = reader.length_prefixed().ok()?;
        Some(Self { version, metadata, value: reader.rest() })
    }

    pub(crate) fn to_owned(self) -> VersionedValue<'static> {
        VersionedValue {
            value: Cow::Owned(self.value.to_vec()),
            metadata: Cow::Owned(self.metadata.to_vec()),
            version: self.version,
        }
    }
}

/// Where a transaction id was seen first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TxLocation {
    /// In a block of this ledger.
    Block {
        /// Block and index of the transaction.
        height: Height,
        /// Its validation code's number.
        code: u8,
    },
    /// In a block before the snapshot that the ledger began from; nothing more is known.
    Snapshot,
}

impl TxLocation {
    pub(crate) fn encode(self, out: &mut Vec<u8>) {
        match self {
            Self::Snapshot => out.push(0),
            Self::Block { height, code } => {
                out.extend_from_slice(&[1, code]);
                encode::varint(out, height.block);
                encode::varint(out, height.tx);
            }
        }
    }

    pub(crate) fn decode(stored: &[u8]) -> Option<Self> {
        match stored {
            [0] => Some(Self::Snapshot),
            [1, code, rest @ ..] => {
                let mut reader = Reader::new(rest);
                let height = Height { block: reader.varint().ok()?, tx: reader.varint().ok()? };
                reader.rest().is_empty().then_some(Self::Block { height, code: *code })
            }
            _ => None,
        }
    }
}

impl BlockEntry {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.header_hash);
        encode::varint(out, self.location.file.into());
        encode::varint(out, self.location.offset);
        encode::varint(out, self.location.length);
        out.extend_from_slice(self.seal.as_ref().map_or(&[], |seal| seal));
    }

    pub(crate) fn decode(stored: &[u8]) -> Option<Self> {
        let (header_hash, rest) = stored.split_first_chunk::<32>()?;
        let mut reader = Reader::new(rest);
        let file = u32::try_from(reader.varint().ok()?).ok()?;
        let location = Location { file, offset: reader.varint().ok()?, length: reader.varint().ok()? };
        let seal = match reader.rest() {
            [] => None,
            seal => Some(seal.try_into().ok()?),
        };
        Some(Self { location, header_hash: *header_hash, seal })
    }
}

/// Up to where the derived data reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Savepoint {
    /// The last block whose effects are there.
    pub tip: ChainTip,
    /// The commit hash after it, if the channel has any.
    pub commit_hash: Option<Hash>,
    /// Where that block stands; none if it came with a snapshot.
    pub location: Option<Location>,
}

impl Savepoint {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        encode::varint(out, self.tip.number);
        out.extend_from_slice(&self.tip.header_hash);
        for hash in [&self.tip.previous_hash, &self.commit_hash] {
            encode::length_prefixed(out, hash.as_ref().map_or(&[], |hash| hash));
        }
        if let Some(location) = self.location {
            encode::varint(out, location.file.into());
            encode::varint(out, location.offset);
            encode::varint(out, location.length);
        }
    }

    pub(crate) fn decode(stored: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(stored);
        let number = reader.varint().ok()?;
        let header_hash = reader.take(32).ok()?.try_into().ok()?;
        let previous_hash = optional_hash(&mut reader)?;
        let commit_hash = optional_hash(&mut reader)?;
        let location = if reader.rest().is_empty() {
            None
        } else {
            let file = u32::try_from(reader.varint().ok()?).ok()?;
            Some(Location { file, offset: reader.varint().ok()?, length: reader.varint().ok()? })
        };
        Some(Self { tip: ChainTip { number, header_hash, previous_hash }, commit_hash, location })
    }
}

#[expect(clippy::option_option, reason = "damaged, absent, or there")]
fn optional_hash(reader: &mut Reader<'_>) -> Option<Option<Hash>> {
    match reader.length_prefixed().ok()? {
        [] => Some(None),
        hash => Some(Some(hash.try_into().ok()?)),
    }
}
