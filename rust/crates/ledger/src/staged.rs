// SPDX-License-Identifier: Apache-2.0
//! A block that is committed but not flushed.

use std::sync::Arc;

use crate::layer::Layer;
use crate::record::ChainTip;
use crate::values::Savepoint;

/// Everything a block changes in the derived data.
#[derive(Debug)]
pub(crate) struct StagedBlock {
    pub(crate) savepoint: Savepoint,
    pub(crate) layer: Arc<Layer>,
    pub(crate) explanations: Vec<u8>,
    /// Namespaces that have key metadata since this block.
    pub(crate) metadata_namespaces: Vec<String>,
}

impl StagedBlock {
    pub(crate) fn tip(&self) -> &ChainTip {
        &self.savepoint.tip
    }

    /// About how much memory it takes, in bytes.
    pub(crate) fn memory(&self) -> usize {
        self.layer.memory() + self.explanations.len()
    }
}
