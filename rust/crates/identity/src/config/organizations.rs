// SPDX-License-Identifier: Apache-2.0
//! Organisations of a configuration and their MSPs (`organization.go`, `msp.go`).

use std::collections::BTreeMap;

use fastledger_wire::messages;
use fastledger_wire::msp::MspConfig;
use fastledger_wire::{Message, configtx::ConfigGroup};

use super::values::Group;
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

/// A peer that other organisations' peers may dial first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnchorPeer {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: i32,
}

/// An organisation: its place in the configuration and the MSP that it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// The MSP's name.
    pub mspid: String,
    /// Anchor peers of an application organisation.
    pub anchor_peers: Vec<AnchorPeer>,
    /// Addresses of an orderer organisation's nodes.
    pub endpoints: Vec<String>,
}

/// Organisations by their name in the configuration, which is not their MSP's.
pub type Organizations = BTreeMap<String, Organization>;

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

    /// Reads the organisations of a group, whose values may have these keys beside the MSP's.
    pub(super) fn organizations(&mut self, parent: Group<'_, 'a>, keys: &[&str]) -> Result<Organizations> {
        let groups = parent.group.groups.iter();
        groups
            .map(|(name, group)| {
                let path = format!("{}/{name}", parent.path);
                Ok(((*name).to_owned(), self.organization(&path, group, keys)?))
            })
            .collect()
    }

    fn organization(&mut self, path: &str, group: &ConfigGroup<'a>, keys: &[&str]) -> Result<Organization> {
        let organization = Group { path, group };
        if !group.groups.is_empty() {
            return Err(organization.refused("an organization has no sub-groups"));
        }
        organization.allow(&[&["MSP"], keys].concat())?;
        let anchors: AnchorPeers<'_> = organization.value("AnchorPeers")?;
        let endpoints: fastledger_wire::configtx::OrdererAddresses<'_> = organization.value("Endpoints")?;
        let mspid = self.add(&organization.value("MSP")?).map_err(|error| organization.refused(error))?;
        if mspid.is_empty() {
            return Err(organization.refused("its MSP has no name"));
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
                let msp = Msp::new(config.config, self.version)?;
                (msp.name().into(), Provider::Fabric(Box::new(msp)))
            }
            1 if matches!(self.version, MspVersion::V1_1 | MspVersion::V1_3 | MspVersion::V1_4_3) => {
                let idemix = IdemixMspConfig::decode(config.config)
                    .map_err(|reason| IdentityError::ConfigUndecodable { what: "IdemixMSPConfig".into(), reason })?;
                (idemix.name.into(), Provider::Idemix)
            }
            other => {
                return Err(IdentityError::Config(format!(
                    "MSP type {other} is not supported at this capability level"
                )));
            }
        };
        if self.definitions.insert(name.clone(), config.clone()).is_some() {
            return Err(IdentityError::Config(format!("MSP {name:?} is defined in two different ways")));
        }
        self.providers.insert(name.clone(), provider);
        Ok(name.into())
    }
}
