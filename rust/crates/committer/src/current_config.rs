// SPDX-License-Identifier: Apache-2.0
//! The configuration in force, which the committer sets and everybody else reads.

use std::sync::{Arc, PoisonError, RwLock};

use fastledger_identity::ChannelConfig;

/// A channel's configuration in force, none before block 0; copies share it.
#[derive(Clone, Default)]
pub(crate) struct CurrentConfig(Arc<RwLock<Option<Arc<ChannelConfig>>>>);

impl CurrentConfig {
    pub(crate) fn get(&self) -> Option<Arc<ChannelConfig>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set(&self, config: ChannelConfig) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(config));
    }
}
