// SPDX-License-Identifier: Apache-2.0
//! The configuration as a whole, and the policies that transactions bring along.

use std::sync::Arc;

use fastledger_wire::Message;
use fastledger_wire::common::{Block, ChannelHeader, Envelope, Payload};
use fastledger_wire::configtx::{
    BlockDataHashingStructure, Config, ConfigEnvelope, ConfigGroup, Consortium, HashingAlgorithm, OrdererAddresses,
    Orderers,
};
use fastledger_wire::policies::{ApplicationPolicy, SignaturePolicyEnvelope};

use super::capabilities::{ApplicationCapabilities, ChannelCapabilities};
use super::organizations::MspCollector;
use super::sections::{Application, Consortiums, Orderer, consortiums};
use super::values::{Group, refused, within};
use super::{elements, encode};
use crate::cache::GenerationCache;
use crate::error::{IdentityError, Result};
use crate::msp::MspManager;
use crate::policy::{Policy, PolicyManager, SignaturePolicy, compile_envelope};

/// Bytes that compiled policies of each kind (2.x chaincodes, 1.x chaincodes, keys) may take, by a rough count.
pub const POLICY_CACHE_BYTES: usize = 16 << 20;

/// One configuration of a channel. It never changes; [`ChannelConfig::apply`] makes the next one.
#[derive(Debug)]
pub struct ChannelConfig {
    channel_id: String,
    sequence: u64,
    source: Source,
    capabilities: ChannelCapabilities,
    capability_names: Vec<String>,
    msps: MspManager,
    policies: PolicyManager,
    orderer_addresses: Vec<String>,
    consortium: String,
    application: Option<Application>,
    orderer: Option<Orderer>,
    consortiums: Option<Consortiums>,
    application_policies: GenerationCache<Result<Arc<Policy>>>,
    signature_policies: GenerationCache<Result<Arc<Policy>>>,
    key_policies: GenerationCache<Result<Arc<Policy>>>,
}

/// The message that the configuration was read from, kept for the next update.
#[derive(Debug)]
enum Source {
    Envelope(Box<[u8]>),
    Config(Box<[u8]>),
}

impl Source {
    fn config(&self) -> Result<Config<'_>> {
        match self {
            Self::Config(config) => decode("Config", config),
            Self::Envelope(envelope) => {
                let envelope: ConfigEnvelope<'_> = decode("ConfigEnvelope", envelope)?;
                envelope.config.ok_or_else(|| refused("channelconfig Config cannot be nil"))
            }
        }
    }
}

pub(super) fn decode<'a, M: Message<'a>>(what: &str, bytes: &'a [u8]) -> Result<M> {
    M::decode(bytes).map_err(|reason| IdentityError::ConfigUndecodable { what: what.to_owned(), reason })
}

impl ChannelConfig {
    /// Reads an encoded `common.ConfigEnvelope`, the data of a CONFIG transaction's payload.
    pub fn from_envelope(channel_id: &str, config_envelope: &[u8]) -> Result<Self> {
        Self::from_source(channel_id, Source::Envelope(config_envelope.into()))
    }

    /// Reads an encoded `common.Config`, as state and snapshots keep it.
    pub fn from_config(channel_id: &str, config: &[u8]) -> Result<Self> {
        Self::from_source(channel_id, Source::Config(config.into()))
    }

    /// Reads a CONFIG transaction, an encoded `common.Envelope`: the only one of a configuration block.
    ///
    /// Nothing but the configuration itself is checked; this is for a channel's first block.
    pub fn from_transaction(envelope: &[u8]) -> Result<Self> {
        let envelope: Envelope<'_> = decode("Envelope", envelope)?;
        let payload: Payload<'_> = decode("Payload", envelope.payload)?;
        let header = payload.header.ok_or_else(|| refused("envelope header cannot be nil"))?;
        let channel_header: ChannelHeader<'_> = decode("ChannelHeader", header.channel_header)?;
        Self::from_envelope(channel_header.channel_id, payload.data)
    }

    /// Reads an encoded configuration block; see [`Self::from_transaction`].
    pub fn from_block(block: &[u8]) -> Result<Self> {
        let block: Block<'_> = decode("Block", block)?;
        match block.data.as_ref().map_or([].as_slice(), |data| &data.data) {
            [transaction] => Self::from_transaction(transaction),
            other => Err(refused(format!("a configuration block holds one transaction, not {}", other.len()))),
        }
    }

    fn from_source(channel_id: &str, source: Source) -> Result<Self> {
        let config = source.config()?;
        let root = config.channel_group.ok_or_else(|| refused("config must contain a channel group"))?;
        elements::check_depth(&root).map_err(IdentityError::Config)?;
        check_capability_order(&root)?;
        let group = Group { path: "/Channel", group: &root };
        let channel_config = |error| within("initializing channelconfig failed", error);
        let capabilities = check_channel_values(group).map_err(channel_config)?;
        let sections = Sections::new(group, capabilities).map_err(channel_config)?;
        let policies = PolicyManager::new("Channel", &root, &sections.msps)?;
        let manager = |reason| refused(format!("initializing configtx manager failed: {reason}"));
        elements::check_channel_id(channel_id).map_err(|reason| manager(format!("bad channel ID: {reason}")))?;
        elements::map(Some(&root)).map_err(|reason| manager(format!("error converting config to map: {reason}")))?;
        let addresses: OrdererAddresses<'_> = group.value("OrdererAddresses")?;
        let consortium: Consortium<'_> = group.value("Consortium")?;
        Ok(Self {
            channel_id: channel_id.to_owned(),
            sequence: config.sequence,
            capabilities,
            capability_names: group.capability_names()?,
            policies,
            orderer_addresses: addresses.addresses.into_iter().map(str::to_owned).collect(),
            consortium: consortium.name.to_owned(),
            msps: sections.msps,
            application: sections.application,
            orderer: sections.orderer,
            consortiums: sections.consortiums,
            application_policies: GenerationCache::new(POLICY_CACHE_BYTES),
            signature_policies: GenerationCache::new(POLICY_CACHE_BYTES),
            key_policies: GenerationCache::new(POLICY_CACHE_BYTES),
            source,
        })
    }

    /// This configuration, unless it asks peers for something that those of this version cannot do.
    ///
    /// Channel capabilities are looked at whenever a configuration is read; those of the application concern peers
    /// alone, and orderers take what they do not know (`capabilitiesSupportedOrPanic`).
    pub fn supported_by_peers(self) -> Result<Self> {
        let known = |application: &Application| ApplicationCapabilities::check_known(&application.capability_names);
        self.application.as_ref().map_or(Ok(()), known)?;
        Ok(self)
    }

    /// The channel's name.
    #[must_use]
    pub fn channel_id(&self) -> &str {
        &self.channel_id
    }

    /// How many updates led to this configuration.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// The configuration, an encoded `common.Config`.
    pub fn encoded(&self) -> Result<Vec<u8>> {
        Ok(encode::config(&self.source.config()?))
    }

    /// The channel's MSPs.
    #[must_use]
    pub fn msps(&self) -> &MspManager {
        &self.msps
    }

    /// Channel capabilities.
    #[must_use]
    pub fn capabilities(&self) -> ChannelCapabilities {
        self.capabilities
    }

    /// Names of the channel capabilities, sorted.
    #[must_use]
    pub fn capability_names(&self) -> &[String] {
        &self.capability_names
    }

    /// The application section; a peer cannot join a channel without one.
    #[must_use]
    pub fn application(&self) -> Option<&Application> {
        self.application.as_ref()
    }

    /// The orderer section.
    #[must_use]
    pub fn orderer(&self) -> Option<&Orderer> {
        self.orderer.as_ref()
    }

    /// The consortiums of a system channel.
    #[must_use]
    pub fn consortiums(&self) -> Option<&Consortiums> {
        self.consortiums.as_ref()
    }

    /// Name of the consortium that the channel was made under, empty since 2.x without system channel.
    #[must_use]
    pub fn consortium(&self) -> &str {
        &self.consortium
    }

    /// Where the orderers are: the endpoints of their organizations, or else the list of the channel (before `V1_4_2`).
    #[must_use]
    pub fn orderer_addresses(&self) -> Vec<&str> {
        let organizations = self.orderer.iter().flat_map(|orderer| orderer.organizations.values());
        let endpoints: Vec<_> = organizations.flat_map(|one| &one.endpoints).map(String::as_str).collect();
        if endpoints.is_empty() { self.orderer_addresses.iter().map(String::as_str).collect() } else { endpoints }
    }

    /// The configuration's policies.
    #[must_use]
    pub fn policies(&self) -> &PolicyManager {
        &self.policies
    }

    /// The policy of this path, such as `/Channel/Application/Writers`.
    #[must_use]
    pub fn policy(&self, path: &str) -> Option<&Arc<Policy>> {
        self.policies.policy(path)
    }

    /// The policy that an encoded `protos.ApplicationPolicy` stands for: one of its own, or one of the channel's.
    ///
    /// To Fabric an error here is a policy that does not hold (`core/policy.ApplicationPolicyEvaluator`).
    pub fn application_policy(&self, encoded: &[u8]) -> Result<Arc<Policy>> {
        self.application_policies.get_or_insert_with(encoded, || self.compile_application_policy(encoded))
    }

    fn compile_application_policy(&self, encoded: &[u8]) -> Result<Arc<Policy>> {
        let policy = ApplicationPolicy::decode(encoded)
            .map_err(|error| IdentityError::Policy(format!("not an ApplicationPolicy: {error}")))?;
        self.compile(&policy)
    }

    /// [`Self::application_policy`] of a decoded policy; a policy of its own is compiled anew each time.
    pub fn compile(&self, policy: &ApplicationPolicy<'_>) -> Result<Arc<Policy>> {
        match policy {
            ApplicationPolicy::SignaturePolicy(envelope) => {
                SignaturePolicy::compile(envelope, &self.msps).map(|policy| Arc::new(Policy::Signature(policy)))
            }
            ApplicationPolicy::ChannelConfigPolicyReference(path) => {
                let policy = self.policy(path).cloned();
                policy.ok_or_else(|| IdentityError::UnknownPolicy((*path).to_owned()))
            }
            ApplicationPolicy::Unset => Err(IdentityError::Policy("an ApplicationPolicy without a type".into())),
        }
    }

    /// The policy of an encoded `common.SignaturePolicyEnvelope` of version 0, as 1.x chaincodes and keys have it.
    pub fn signature_policy(&self, encoded: &[u8]) -> Result<Arc<Policy>> {
        self.signature_policies.get_or_insert_with(encoded, || {
            compile_envelope(&decode_envelope(encoded)?, &self.msps).map(|policy| Arc::new(Policy::Signature(policy)))
        })
    }

    /// The policy of an encoded `common.SignaturePolicyEnvelope` of any version, as keys have it from `V2_0` on.
    pub fn key_policy(&self, encoded: &[u8]) -> Result<Arc<Policy>> {
        self.key_policies.get_or_insert_with(encoded, || {
            let envelope = decode_envelope(encoded)?;
            SignaturePolicy::compile(&envelope, &self.msps).map(|policy| Arc::new(Policy::Signature(policy)))
        })
    }

    /// The configuration tree, decoded anew.
    pub(super) fn tree(&self) -> Result<ConfigGroup<'_>> {
        let config = self.source.config()?;
        config.channel_group.ok_or_else(|| refused("config must contain a channel group"))
    }
}

fn decode_envelope(encoded: &[u8]) -> Result<SignaturePolicyEnvelope<'_>> {
    SignaturePolicyEnvelope::decode(encoded)
        .map_err(|error| IdentityError::Policy(format!("not a SignaturePolicyEnvelope: {error}")))
}

/// What the groups below the root hold.
struct Sections {
    msps: MspManager,
    application: Option<Application>,
    orderer: Option<Orderer>,
    consortiums: Option<Consortiums>,
}

impl Sections {
    fn new(root: Group<'_, '_>, capabilities: ChannelCapabilities) -> Result<Self> {
        let mut msps = MspCollector::new(capabilities.msp_version);
        let (mut application, mut orderer, mut all_consortiums) = (None, None, None);
        for (name, group) in &root.group.groups {
            let place = |error| within(&format!("could not create channel {name} sub-group config"), error);
            match *name {
                "Application" => application = Some(Application::new(group, &mut msps).map_err(place)?),
                "Orderer" => orderer = Some(Orderer::new(group, &mut msps, capabilities).map_err(place)?),
                "Consortiums" => all_consortiums = Some(consortiums(group, &mut msps).map_err(place)?),
                other => return Err(refused(format!("Disallowed channel group: {other}"))),
            }
        }
        Ok(Self { msps: msps.finish(), application, orderer, consortiums: all_consortiums })
    }
}

/// Capabilities must come to the orderer before the channel and the application (`preValidate`).
fn check_capability_order(root: &ConfigGroup<'_>) -> Result<()> {
    let has = |group: Option<&ConfigGroup<'_>>| group.is_some_and(|group| group.values.contains_key("Capabilities"));
    let orderer = root.groups.get("Orderer");
    let enabled = match (has(Some(root)), has(root.groups.get("Application"))) {
        _ if orderer.is_none() || has(orderer) => return Ok(()),
        (true, _) => "channel",
        (false, true) => "application",
        (false, false) => return Ok(()),
    };
    Err(refused(format!("cannot enable {enabled} capabilities without orderer support first")))
}

fn check_channel_values(root: Group<'_, '_>) -> Result<ChannelCapabilities> {
    root.allow(&[
        "HashingAlgorithm",
        "BlockDataHashingStructure",
        "OrdererAddresses",
        "Orderers",
        "Consortium",
        "Capabilities",
    ])?;
    let capabilities = ChannelCapabilities::new(&root.capability_names()?)?;
    let hashing: HashingAlgorithm<'_> = root.value("HashingAlgorithm")?;
    if !matches!(hashing.name, "SHA256" | "SHA3_256") {
        return Err(refused(format!("Unknown hashing algorithm type: {}", hashing.name)));
    }
    let structure: BlockDataHashingStructure = root.value("BlockDataHashingStructure")?;
    if structure.width != u32::MAX {
        return Err(refused("BlockDataHashStructure width only supported at MaxUint32 in this version"));
    }
    root.value::<Orderers<'_>>("Orderers")?;
    let addresses: OrdererAddresses<'_> = root.value("OrdererAddresses")?;
    if !capabilities.org_specific_orderer_endpoints && addresses.addresses.is_empty() {
        return Err(refused("Must set some OrdererAddresses"));
    }
    if capabilities.consensus_type_bft && !addresses.addresses.is_empty() {
        let reason = "global OrdererAddresses are not allowed with V3_0 capability, use org specific addresses only";
        return Err(refused(reason));
    }
    Ok(capabilities)
}
