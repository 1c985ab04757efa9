// SPDX-License-Identifier: Apache-2.0
//! The sections of a channel's configuration: application, orderer, consortiums.

use std::collections::BTreeMap;

use fastledger_wire::configtx::ConfigGroup;
use fastledger_wire::configtx::{Acls, BatchSize, BatchTimeout, ConsensusType, Consenter, Orderers};
use fastledger_wire::messages;

use super::capabilities::{ApplicationCapabilities, ChannelCapabilities, OrdererCapabilities};
use super::duration;
use super::organizations::{MspCollector, Organizations};
use super::values::{Group, refused};
use crate::error::Result;

messages! {
    /// `orderer.KafkaBrokers`, kept by channels that began on Kafka.
    KafkaBrokers<'a> {
        1 => brokers: Vec<&'a str>,
    }

    /// `orderer.ChannelRestrictions`.
    ChannelRestrictions {
        1 => max_count: u64,
    }

    /// `common.Policy` of a consortium.
    ChannelCreationPolicy<'a> {
        1 => r#type: i32,
        2 => value: &'a [u8],
    }
}

/// What the application group holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// What peers must do.
    pub capabilities: ApplicationCapabilities,
    /// Names of the capabilities, sorted.
    pub capability_names: Vec<String>,
    /// The organizations.
    pub organizations: Organizations,
    /// Resources of the ACLs and the absolute path of the policy that guards each.
    pub acls: BTreeMap<String, String>,
}

impl Application {
    pub(super) fn new<'a>(group: &ConfigGroup<'a>, msps: &mut MspCollector<'a>) -> Result<Self> {
        let group = Group { path: "/Channel/Application", group };
        group.allow(&["ACLs", "Capabilities"])?;
        let capability_names = group.capability_names()?;
        let capabilities = ApplicationCapabilities::new(&capability_names);
        if group.has("ACLs") && !capabilities.acls {
            return Err(refused("ACLs may not be specified without the required capability"));
        }
        let organizations =
            msps.organizations(group, "ApplicationOrg config does not allow sub-groups", &["AnchorPeers"])?;
        Ok(Self { capabilities, capability_names, organizations, acls: acls(&group.value("ACLs")?) })
    }

    /// The MSPs of the application's organizations, each once, sorted.
    #[must_use]
    pub fn mspids(&self) -> Vec<&str> {
        let mut mspids: Vec<_> = self.organizations.values().map(|organization| organization.mspid.as_str()).collect();
        mspids.sort_unstable();
        mspids.dedup();
        mspids
    }
}

/// Relative references are to the application's policies; an empty one leaves the default in force.
fn acls(acls: &Acls<'_>) -> BTreeMap<String, String> {
    let named = acls.acls.iter().filter(|(_, resource)| !resource.policy_ref.is_empty());
    named
        .map(|(name, resource)| {
            let absolute = match resource.policy_ref {
                path if path.starts_with('/') => path.to_owned(),
                relative => format!("/Channel/Application/{relative}"),
            };
            ((*name).to_owned(), absolute)
        })
        .collect()
}

/// An orderer of a BFT channel: its number signs blocks in place of its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelConsenter {
    /// The number, unique in the channel.
    pub id: u32,
    /// Its MSP.
    pub mspid: String,
    /// Its certificate in PEM.
    pub identity: Vec<u8>,
    /// Its address.
    pub host: String,
    /// Its TCP port.
    pub port: u32,
    /// Its certificate as a TLS client, in PEM.
    pub client_tls_cert: Vec<u8>,
    /// Its certificate as a TLS server, in PEM.
    pub server_tls_cert: Vec<u8>,
}

/// What the orderer group holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Orderer {
    /// `solo`, `kafka`, `etcdraft` or `BFT`.
    pub consensus_type: String,
    /// Metadata of the consensus type, encoded.
    pub consensus_metadata: Vec<u8>,
    /// `ConsensusType.State`: 0 normal, 1 maintenance.
    pub consensus_state: i32,
    /// Limits of a block.
    pub batch_size: BatchSize,
    /// How long a transaction may wait for others, in nanoseconds.
    pub batch_timeout_ns: i64,
    /// Channels that a system channel may make; 0 for any number.
    pub max_channels: u64,
    /// Addresses of the brokers of a channel that began on Kafka.
    pub kafka_brokers: Vec<String>,
    /// The orderers of a BFT channel.
    pub consenters: Vec<ChannelConsenter>,
    /// What orderers must do.
    pub capabilities: OrdererCapabilities,
    /// Names of the capabilities, sorted; a peer need not know them.
    pub capability_names: Vec<String>,
    /// The organizations.
    pub organizations: Organizations,
}

impl Orderer {
    pub(super) fn new<'a>(
        group: &ConfigGroup<'a>,
        msps: &mut MspCollector<'a>,
        channel: ChannelCapabilities,
    ) -> Result<Self> {
        let group = Group { path: "/Channel/Orderer", group };
        group.allow(&[
            "ConsensusType",
            "BatchSize",
            "BatchTimeout",
            "KafkaBrokers",
            "ChannelRestrictions",
            "Orderers",
            "Capabilities",
        ])?;
        let consensus: ConsensusType<'_> = group.value("ConsensusType")?;
        let kafka: KafkaBrokers<'_> = group.value("KafkaBrokers")?;
        let restrictions: ChannelRestrictions = group.value("ChannelRestrictions")?;
        let capability_names = group.capability_names()?;
        let orderers: Orderers<'_> = group.value("Orderers")?;
        let (batch_size, batch_timeout_ns) = (batch_size(group)?, batch_timeout(group)?);
        let keys: &[&str] = if channel.org_specific_orderer_endpoints { &["Endpoints"] } else { &[] };
        let organizations = msps.organizations(group, "OrdererOrg config does not allow sub-groups", keys)?;
        let without = organizations.iter().filter(|(_, organization)| organization.endpoints.is_empty());
        let missing: Vec<_> = without.map(|(name, _)| name.as_str()).collect();
        if channel.consensus_type_bft && !missing.is_empty() {
            return Err(refused(format!("some orderer organizations endpoints are empty: [{}]", missing.join(" "))));
        }
        Ok(Self {
            consensus_type: consensus.r#type.to_owned(),
            consensus_metadata: consensus.metadata.to_vec(),
            consensus_state: consensus.state,
            batch_size,
            batch_timeout_ns,
            max_channels: restrictions.max_count,
            kafka_brokers: kafka.brokers.into_iter().map(str::to_owned).collect(),
            consenters: orderers.consenter_mapping.iter().map(consenter).collect(),
            capabilities: OrdererCapabilities::new(&capability_names),
            capability_names,
            organizations,
        })
    }
}

fn consenter(consenter: &Consenter<'_>) -> ChannelConsenter {
    ChannelConsenter {
        id: consenter.id,
        mspid: consenter.msp_id.to_owned(),
        identity: consenter.identity.to_vec(),
        host: consenter.host.to_owned(),
        port: consenter.port,
        client_tls_cert: consenter.client_tls_cert.to_vec(),
        server_tls_cert: consenter.server_tls_cert.to_vec(),
    }
}

fn batch_size(group: Group<'_, '_>) -> Result<BatchSize> {
    let size: BatchSize = group.value("BatchSize")?;
    let limits = [
        ("max message count", size.max_message_count),
        ("absolute max bytes", size.absolute_max_bytes),
        ("preferred max bytes", size.preferred_max_bytes),
    ];
    if let Some((name, _)) = limits.iter().find(|(_, limit)| *limit == 0) {
        return Err(refused(format!("Attempted to set the batch size {name} to an invalid value: 0")));
    }
    if size.preferred_max_bytes > size.absolute_max_bytes {
        let (preferred, absolute) = (size.preferred_max_bytes, size.absolute_max_bytes);
        return Err(refused(format!(
            "Attempted to set the batch size preferred max bytes ({preferred}) greater than the absolute max bytes \
             ({absolute})."
        )));
    }
    Ok(size)
}

fn batch_timeout(group: Group<'_, '_>) -> Result<i64> {
    let timeout: BatchTimeout<'_> = group.value("BatchTimeout")?;
    let text = timeout.timeout;
    match duration::nanoseconds(text) {
        Ok(nanoseconds) if nanoseconds > 0 => Ok(nanoseconds),
        Ok(nanoseconds) => {
            let written = duration::text(nanoseconds);
            Err(refused(format!("Attempted to set the batch timeout to a non-positive value: {written}")))
        }
        Err(reason) => Err(refused(format!("Attempted to set the batch timeout to a invalid value: {reason}"))),
    }
}

/// Consortiums of a system channel, by name.
pub type Consortiums = BTreeMap<String, Organizations>;

pub(super) fn consortiums<'a>(group: &ConfigGroup<'a>, msps: &mut MspCollector<'a>) -> Result<Consortiums> {
    let consortiums = group.groups.iter();
    consortiums
        .map(|(name, group)| {
            let path = format!("/Channel/Consortiums/{name}");
            let group = Group { path: &path, group };
            group.allow(&["ChannelCreationPolicy"])?;
            group.value::<ChannelCreationPolicy<'_>>("ChannelCreationPolicy")?;
            Ok(((*name).to_owned(), msps.organizations(group, "organizations do not support sub-groups", &[])?))
        })
        .collect()
}
