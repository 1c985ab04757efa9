// SPDX-License-Identifier: Apache-2.0
//! What a run of blocks changes in the derived stores.

use std::ops::Index;

use crate::changes::{Changes, Keep};
use crate::error::Result;
use crate::lmdb::Stores;
use crate::store::{SEAL_BYTES, Store};

/// A store whose changes are kept in memory and in the journal for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    State,
    History,
    TxIds,
    OtherTxIds,
    ConfigHistory,
    Expiry,
    BlockHashes,
}

impl Kind {
    /// All of them, in the order of the journal.
    pub(crate) const ALL: [Self; 7] = [
        Self::State,
        Self::History,
        Self::TxIds,
        Self::OtherTxIds,
        Self::ConfigHistory,
        Self::Expiry,
        Self::BlockHashes,
    ];

    /// Of several transactions with one id the first is found; of anything else the last change holds.
    pub(crate) fn keep(self) -> Keep {
        match self {
            Self::TxIds | Self::OtherTxIds => Keep::First,
            _ => Keep::Last,
        }
    }

    /// Whether keys are looked up and found; transaction ids hardly ever are.
    fn is_looked_up(self) -> bool {
        self == Self::State
    }

    /// The store in LMDB.
    pub(crate) fn store(self, stores: &Stores) -> Store {
        match self {
            Self::State => stores.state,
            Self::History => stores.history,
            Self::TxIds => stores.tx_ids,
            Self::OtherTxIds => stores.other_tx_ids,
            Self::ConfigHistory => stores.config_history,
            Self::Expiry => stores.expiry,
            Self::BlockHashes => stores.block_hashes,
        }
    }
}

/// The changes of consecutive blocks, by store.
#[derive(Debug)]
pub(crate) struct Layer {
    /// The first block.
    pub(crate) first: u64,
    /// The last block.
    pub(crate) last: u64,
    stores: [Changes; Kind::ALL.len()],
}

impl Index<Kind> for Layer {
    type Output = Changes;

    fn index(&self, kind: Kind) -> &Changes {
        &self.stores[kind as usize]
    }
}

impl Layer {
    /// A layer of what was added to the changes of each store, in the order of [`Kind::ALL`].
    pub(crate) fn new(block: u64, mut stores: [Changes; Kind::ALL.len()]) -> Result<Self> {
        for (kind, changes) in Kind::ALL.into_iter().zip(&mut stores) {
            changes.seal(kind.keep())?;
            if kind.is_looked_up() {
                changes.build_index();
            }
        }
        Ok(Self { first: block, last: block, stores })
    }

    /// Brings layers together, oldest first; `None` for no layers.
    pub(crate) fn merged(layers: &[impl AsRef<Self>]) -> Result<Option<Self>> {
        let (Some(first), Some(last)) = (layers.first(), layers.last()) else { return Ok(None) };
        let mut stores: [Changes; Kind::ALL.len()] = Default::default();
        for (kind, changes) in Kind::ALL.into_iter().zip(&mut stores) {
            *changes = Changes::merged(layers.iter().map(|layer| &layer.as_ref()[kind]), kind.keep())?;
            if kind.is_looked_up() {
                changes.build_index();
            }
        }
        Ok(Some(Self { first: first.as_ref().first, last: last.as_ref().last, stores }))
    }

    /// How many changes.
    pub(crate) fn changes(&self) -> usize {
        self.stores.iter().map(Changes::len).sum()
    }

    /// About how much memory it takes, in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.stores.iter().map(Changes::memory).sum()
    }

    /// What the journal holds of a layer of one block.
    pub(crate) fn encode(&self) -> Vec<u8> {
        // With room for what seals it.
        let bytes = self.stores.iter().map(Changes::encoded_bytes).sum::<usize>() + SEAL_BYTES;
        let mut encoded = Vec::with_capacity(bytes);
        self.stores.iter().for_each(|changes| changes.encode(&mut encoded));
        encoded
    }

    /// Reads a block's layer from the journal; `None` if it is damaged.
    pub(crate) fn decode(block: u64, mut encoded: &[u8]) -> Option<Self> {
        let mut stores: [Changes; Kind::ALL.len()] = Default::default();
        for changes in &mut stores {
            *changes = Changes::decode(&mut encoded)?;
        }
        encoded.is_empty().then_some(Self { first: block, last: block, stores })
    }
}
