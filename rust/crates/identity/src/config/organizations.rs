// SPDX-License-Identifier: Apache-2.0
//! Organizations of a configuration and their MSPs (`organization.go`, `msp.go`).

use std::collections::BTreeMap;

use fastledger_wire::messages;
use fastledger_wire::msp::MspConfig;
use fastledger_wire::{Message, configtx::ConfigGroup};

use super::values::{Group, refused};
use crate::error::{IdentityError, Result};
use crate::msp::{Msp, MspManager, MspVersion, Provider};

messages! {
    /// `msp.IdemixMSPConfig`, as far as it is looked at.
    IdemixMspConfig<'a> {
        1 => name: &'a str,
    }

    /// `protos.AnchorPeers`.
    AnchorPeers<'a> {
        1 => anchor_peers: Vec<AnchorPeerView<'a>>,
    }

    /// `protos.AnchorPeer`.
    AnchorPeerView<'a> {
        1 => host: &'a str,
        2 => port: i32,
    }
}

/// A peer that other organizations' peers may dial first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorPeer {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: i32,
}

/// An organization: its place in the configuration and the MSP that it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// The MSP's name.
    pub mspid: String,
    /// Anchor peers of an application organization.
    pub anchor_peers: Vec<AnchorPeer>,
    /// Addresses of an orderer organization's nodes.
    pub endpoints: Vec<String>,
}

/// Organizations by their name in the configuration, which is not their MSP's.
pub type Organizations = BTreeMap<String, Organization>;

/// What Fabric says, and which MSP it is.
fn manager_failed(error: IdentityError) -> IdentityError {
    let reason = match error {
        IdentityError::MspSetup { msp, reason } => format!("{reason} (MSP {msp:?})"),
        other => other.to_string(),
    };
    refused(format!("setting up the MSP manager failed: {reason}"))
}

/// Collects the MSPs of a configuration; the same MSP may stand in several groups.
pub(super) struct MspCollector<'a> {
    version: MspVersion,
    definitions: BTreeMap<Box<str>, MspConfig<'a>>,
    providers: BTreeMap<Box<str>, Provider>,
}

impl<'a> MspCollector<'a> {
    pub(super) fn new(version: MspVersion) -> Self {
        Self { version, definitions: BTreeMap::new(), providers: BTreeMap::new() }
    }

    pub(super) fn finish(self) -> MspManager {
        MspManager::new(self.version, self.providers)
    }

    /// Reads the organizations of a group, whose values may have these keys beside the MSP's; `sub_groups` is what to
    /// say of one with groups of its own.
    pub(super) fn organizations(
        &mut self,
        parent: Group<'_, 'a>,
        sub_groups: &str,
        keys: &[&str],
    ) -> Result<Organizations> {
        let groups = parent.group.groups.iter();
        groups
            .map(|(name, group)| {
                let path = format!("{}/{name}", parent.path);
                if !group.groups.is_empty() {
                    return Err(refused(sub_groups));
                }
                Ok(((*name).to_owned(), self.organization(name, &path, group, keys)?))
            })
            .collect()
    }

    fn organization(&mut self, name: &str, path: &str, group: &ConfigGroup<'a>, keys: &[&str]) -> Result<Organization> {
        let organization = Group { path, group };
        organization.allow(&[&["MSP"], keys].concat())?;
        let anchors: AnchorPeers<'_> = organization.value("AnchorPeers")?;
        let endpoints: fastledger_wire::configtx::OrdererAddresses<'_> = organization.value("Endpoints")?;
        let mspid = self.add(&organization.value("MSP")?)?;
        if mspid.is_empty() {
            return Err(refused(format!("MSP for org {name} has empty MSP ID")));
        }
        let anchor = |peer: AnchorPeerView<'_>| AnchorPeer { host: peer.host.to_owned(), port: peer.port };
        Ok(Organization {
            mspid,
            anchor_peers: anchors.anchor_peers.into_iter().map(anchor).collect(),
            endpoints: endpoints.addresses.into_iter().map(str::to_owned).collect(),
        })
    }

    /// Sets the MSP up, unless it stands already under the same definition.
    fn add(&mut self, config: &MspConfig<'a>) -> Result<String> {
        if let Some((name, _)) = self.definitions.iter().find(|(_, known)| *known == config) {
            return Ok(name.to_string());
        }
        let (name, provider): (Box<str>, _) = match config.r#type {
            0 => {
                let set_up = Msp::new(config.config, self.version);
                let msp = set_up.map_err(manager_failed)?;
                (msp.name().into(), Provider::Fabric(Box::new(msp)))
            }
            1 if matches!(self.version, MspVersion::V1_1 | MspVersion::V1_3 | MspVersion::V1_4_3) => {
                let idemix = IdemixMspConfig::decode(config.config)
                    .map_err(|reason| IdentityError::ConfigUndecodable { what: "IdemixMSPConfig".into(), reason })?;
                (idemix.name.into(), Provider::Idemix)
            }
            1 => {
                let version = self.version as i32;
                return Err(refused(format!(
                    "creating the MSP manager failed: Invalid *IdemixNewOpts. Version not recognized [{version}]"
                )));
            }
            other => return Err(refused(format!("Setup error: unsupported msp type {other}"))),
        };
        if self.definitions.insert(name.clone(), config.clone()).is_some() {
            return Err(refused(format!("Attempted to define two different versions of MSP: {name}")));
        }
        self.providers.insert(name.clone(), provider);
        Ok(name.into())
    }
}
