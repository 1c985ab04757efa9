// SPDX-License-Identifier: Apache-2.0
//! The layers over the stores: what the journal holds, in memory.

use std::ops::Bound;
use std::sync::Arc;

use crate::error::Result;
use crate::layer::Layer;
use crate::lmdb::Lmdb;

/// Layers that are brought together into one.
const FAN_IN: usize = 16;

/// Layers, oldest first. Those that came together once more than others are older than those.
#[derive(Debug, Default)]
pub(crate) struct Layers(Vec<Leveled>);

#[derive(Debug, Clone)]
struct Leveled {
    layer: Arc<Layer>,
    /// How often its oldest part came together with others.
    level: u32,
}

/// Layers that may come together, and where they stand.
pub(crate) struct Ripe {
    first: usize,
    level: u32,
    layers: Vec<Arc<Layer>>,
}

impl Ripe {
    /// Brings them together; that takes a while.
    pub(crate) fn merged(&self) -> Result<Option<Layer>> {
        Layer::merged(&self.layers)
    }
}

impl Layers {
    /// Reads the journal, which must end at block `last`.
    pub(crate) fn load(lmdb: &Lmdb, last: u64) -> Result<Self> {
        let txn = lmdb.read()?;
        let mut layers = Self::default();
        let mut next = None;
        let rows = lmdb.stores.journal.from(&txn, Bound::Unbounded).map_err(|e| lmdb.read_error(e))?;
        for pair in rows {
            let (key, changes) = pair.map_err(|e| lmdb.read_error(e))?;
            let block = key.try_into().map(u64::from_be_bytes).ok();
            let block = block.filter(|block| next.is_none_or(|next| next == *block));
            let layer = block.and_then(|block| Layer::decode(block, changes));
            let layer = layer.ok_or_else(|| lmdb.damaged("the journal"))?;
            next = Some(layer.last + 1);
            layers.push(Arc::new(layer));
            // Once is enough for now: bringing everything together would take longer than reading it.
            if let Some(ripe) = layers.ripe(0).filter(|ripe| ripe.level == 0)
                && let Some(merged) = ripe.merged()?
            {
                layers.replace(&ripe, merged);
            }
        }
        if next.is_some_and(|next| next != last + 1) {
            return Err(lmdb.damaged("the journal does not end at the savepoint"));
        }
        Ok(layers)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Arc<Layer>> {
        self.0.iter().map(|leveled| &leveled.layer)
    }

    pub(crate) fn push(&mut self, layer: Arc<Layer>) {
        self.0.push(Leveled { layer, level: 0 });
    }

    /// About how much memory they take, in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.iter().map(|layer| layer.memory()).sum()
    }

    pub(crate) fn oldest(&self) -> Option<&Arc<Layer>> {
        self.iter().next()
    }

    /// The oldest layers that take so much memory, if all together take twice as much.
    ///
    /// The larger what is merged into the stores at once, the more changes share a page there.
    pub(crate) fn oldest_half(&self, bytes: usize) -> Option<Ripe> {
        if self.memory() <= bytes.saturating_mul(2) {
            return None;
        }
        let mut taken = 0;
        let enough = |layer: &Leveled| {
            taken += layer.layer.memory();
            taken >= bytes
        };
        let count = self.0.iter().position(enough).map_or(self.0.len(), |position| position + 1);
        let layers = self.0[..count].iter().map(|leveled| Arc::clone(&leveled.layer)).collect();
        let level = self.0.first().map_or(0, |leveled| leveled.level);
        Some(Ripe { first: 0, level, layers })
    }

    pub(crate) fn drop_oldest(&mut self) {
        if !self.0.is_empty() {
            self.0.remove(0);
        }
    }

    /// The newest [`FAN_IN`] layers if they are of one level, and none of them is one of the oldest `but`.
    pub(crate) fn ripe(&self, but: usize) -> Option<Ripe> {
        let first = self.0.len().checked_sub(FAN_IN).filter(|first| *first >= but)?;
        let level = self.0[first].level;
        let ripe = self.0[first..].iter().all(|leveled| leveled.level == level);
        let layers = self.0[first..].iter().map(|leveled| Arc::clone(&leveled.layer)).collect();
        ripe.then_some(Ripe { first, level, layers })
    }

    /// Puts what came together in the place of its parts; nothing older or among them may have changed.
    pub(crate) fn replace(&mut self, ripe: &Ripe, merged: Layer) {
        let layer = Leveled { layer: Arc::new(merged), level: ripe.level + 1 };
        self.0.splice(ripe.first..ripe.first + ripe.layers.len(), [layer]);
    }
}
