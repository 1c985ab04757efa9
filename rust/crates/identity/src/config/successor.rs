// SPDX-License-Identifier: Apache-2.0
//! What must not change from one configuration to the next (`Bundle.ValidateNew`, whose texts the errors have).

use super::channel::ChannelConfig;
use super::organizations::Organizations;
use crate::error::{IdentityError, Result};

impl ChannelConfig {
    pub(super) fn check_successor(&self, next: &Self) -> Result<()> {
        if let Some(orderer) = self.orderer() {
            let new = next.orderer().ok_or_else(|| dropped("orderer"))?;
            if !self.capabilities().consensus_type_migration && orderer.consensus_type != new.consensus_type {
                let (old, new) = (&orderer.consensus_type, &new.consensus_type);
                return Err(refused(format!("attempted to change consensus type from {old} to {new}")));
            }
            check_mspids("orderer org", &orderer.organizations, &new.organizations)?;
        }
        if let Some(application) = self.application() {
            let new = next.application().ok_or_else(|| dropped("application"))?;
            check_mspids("application org", &application.organizations, &new.organizations)?;
        }
        match (self.consortiums(), next.consortiums()) {
            (None, None) => Ok(()),
            (None, Some(_)) => Err(refused("current config has no consortiums section, but new config does".into())),
            (Some(_), None) => Err(dropped("consortiums")),
            (Some(current), Some(new)) => {
                let both = current.iter().filter_map(|(name, old)| Some((name, old, new.get(name)?)));
                both.into_iter()
                    .try_for_each(|(name, old, new)| check_mspids(&format!("consortium {name} org"), old, new))
            }
        }
    }
}

fn refused(reason: String) -> IdentityError {
    IdentityError::ConfigUpdate(reason)
}

fn dropped(section: &str) -> IdentityError {
    refused(format!("current config has {section} section, but new config does not"))
}

/// An organization keeps its MSP's name.
fn check_mspids(section: &str, current: &Organizations, new: &Organizations) -> Result<()> {
    for (name, organization) in current {
        let Some(successor) = new.get(name) else { continue };
        if organization.mspid != successor.mspid {
            let (old, new) = (&organization.mspid, &successor.mspid);
            return Err(refused(format!("{section} {name} attempted to change MSP ID from {old} to {new}")));
        }
    }
    Ok(())
}
