// SPDX-License-Identifier: Apache-2.0
//! The values of a configuration group, each under the key that is its message's name (`standardvalues.go`).

use fastledger_wire::Message;
use fastledger_wire::configtx::ConfigGroup;

use crate::error::{IdentityError, Result};

/// A group and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Group<'g, 'a> {
    pub(super) path: &'g str,
    pub(super) group: &'g ConfigGroup<'a>,
}

impl<'a> Group<'_, 'a> {
    /// Refuses values with other keys than these.
    pub(super) fn allow(&self, keys: &[&str]) -> Result<()> {
        match self.group.values.keys().find(|key| !keys.contains(*key)) {
            Some(key) => Err(self.refused(format!("unexpected value {key:?}"))),
            None => Ok(()),
        }
    }

    /// The value of this key, empty where there is none.
    pub(super) fn value<M: Message<'a>>(&self, key: &str) -> Result<M> {
        let Some(value) = self.group.values.get(key) else { return Ok(M::default()) };
        M::decode(value.value)
            .map_err(|reason| IdentityError::ConfigUndecodable { what: format!("{}/{key}", self.path), reason })
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.group.values.contains_key(key)
    }

    pub(super) fn refused(&self, reason: impl std::fmt::Display) -> IdentityError {
        IdentityError::Config(format!("{}: {reason}", self.path))
    }
}
