// SPDX-License-Identifier: Apache-2.0
//! The values of a configuration group, each under the key that is its message's name (`standardvalues.go`).
//!
//! Here and in the groups' own files, texts of errors are those of Fabric: an orderer's clients get to see them.

use fastledger_wire::Message;
use fastledger_wire::configtx::{Capabilities, ConfigGroup};

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
            Some(key) => Err(refused(format!("failed to deserialize values: Unexpected key {key}"))),
            None => Ok(()),
        }
    }

    /// The value of this key, empty where there is none.
    pub(super) fn value<M: Message<'a>>(&self, key: &str) -> Result<M> {
        let Some(value) = self.group.values.get(key) else { return Ok(M::default()) };
        M::decode(value.value).map_err(|reason| {
            let wire = "failed to deserialize values: proto: cannot parse invalid wire-format data";
            refused(format!("{wire}: {}/{key}: {reason}", self.path))
        })
    }

    /// Names of what the group's Capabilities ask for, sorted.
    pub(super) fn capability_names(&self) -> Result<Vec<String>> {
        let capabilities: Capabilities<'_> = self.value("Capabilities")?;
        Ok(capabilities.capabilities.keys().map(|name| (*name).to_owned()).collect())
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.group.values.contains_key(key)
    }
}

/// A configuration that breaks a rule.
pub(super) fn refused(reason: impl Into<String>) -> IdentityError {
    IdentityError::Config(reason.into())
}

/// Says where in the configuration an error came up. A capability that is missing here is nobody's mistake, and stays.
pub(super) fn within(place: &str, error: IdentityError) -> IdentityError {
    match error {
        IdentityError::UnsupportedCapability { .. } => error,
        IdentityError::Config(reason) => refused(format!("{place}: {reason}")),
        other => refused(format!("{place}: {other}")),
    }
}
