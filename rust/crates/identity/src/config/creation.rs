// SPDX-License-Identifier: Apache-2.0
//! Channels that were created through an orderer's system channel (`msgprocessor.DefaultTemplator`, until 2.x).
//!
//! Whoever asks for a channel names a consortium and some of its organizations; everything else is copied from the
//! system channel. What comes of it is the template, to which the request is applied like any update. The orderer signs
//! the result twice: as the new channel's first configuration, and around it as an `ORDERER_TRANSACTION`.
//! The texts of errors are Fabric's: clients of an orderer get to see them.

use fastledger_wire::common::{ChannelHeader, Envelope, Payload, SignatureHeader, header_type};
use fastledger_wire::configtx::{
    Config, ConfigEnvelope, ConfigGroup, ConfigPolicy, ConfigUpdate, ConfigUpdateEnvelope, ConfigValue, Consortium,
    Policy,
};
use fastledger_wire::encode::bytes_field;

use super::capabilities::OrdererCapabilities;
use super::channel::{ChannelConfig, decode};
use super::encode;
use crate::error::{IdentityError, Result};

const ADMINS: &str = "Admins";
const CREATION_POLICY: &str = "ChannelCreationPolicy";

impl ChannelConfig {
    /// The configuration to which a request for a new channel applies, an encoded envelope of type `CONFIG_UPDATE`.
    ///
    /// This configuration is the system channel's.
    pub fn channel_template(&self, request: &[u8]) -> Result<Self> {
        self.template(&decode("Envelope", request)?, ADMINS)
    }

    /// The first configuration of the channel that an `ORDERER_TRANSACTION` creates; `data` is its payload's data, an
    /// encoded envelope. This configuration is the system channel's.
    ///
    /// The request must be one that the consortium's policy allows, the configuration what comes of it, and the envelope
    /// signed by somebody whom the system channel knows.
    pub fn created_channel(&self, data: &[u8]) -> Result<Self> {
        self.create(data, Self::apply)
    }

    /// [`Self::created_channel`] as 1.0.0 did; see [`Self::apply_as_1_0_0`].
    pub fn created_channel_as_1_0_0(&self, data: &[u8]) -> Result<Self> {
        self.create(data, Self::apply_as_1_0_0)
    }

    fn create(&self, data: &[u8], apply: fn(&Self, &[u8]) -> Result<Self>) -> Result<Self> {
        let with = |consortium_policy| {
            let (template, config_envelope) = self.creation(data, consortium_policy)?;
            apply(&template, config_envelope)
        };
        match with(ADMINS) {
            // Orderers of 1.0 did not say who may change the consortium's name.
            Err(error) if !self.has_predictable_templates() => with("").map_err(|_| error),
            created => created,
        }
    }

    /// The template of a channel's creation, and the encoded `ConfigEnvelope` that was made of it.
    fn creation<'d>(&self, data: &'d [u8], consortium_policy: &'static str) -> Result<(Self, &'d [u8])> {
        let envelope: Envelope<'_> = decode("Envelope", data)?;
        let payload: Payload<'_> = decode("Payload", envelope.payload)?;
        let header = payload.header.ok_or_else(|| refused("the new channel's configuration has no header"))?;
        let channel_header: ChannelHeader<'_> = decode("ChannelHeader", header.channel_header)?;
        if channel_header.r#type != header_type::CONFIG {
            return Err(refused("the new channel does not begin with a transaction of type CONFIG"));
        }
        let config_envelope: ConfigEnvelope<'_> = decode("ConfigEnvelope", payload.data)?;
        let request = config_envelope.last_update.ok_or_else(|| refused("Must include a config update"))?;
        let template = self.template(&request, consortium_policy)?;
        if template.channel_id() != channel_header.channel_id {
            let (asked, made) = (template.channel_id(), channel_header.channel_id);
            return Err(refused(format!("channel '{asked}' was asked for, but the configuration is that of '{made}'")));
        }
        let signature_header: SignatureHeader<'_> = decode("SignatureHeader", header.signature_header)?;
        let signer = self.msps().identity(signature_header.creator)?;
        signer.validity().map_err(Clone::clone)?;
        signer.verify(&[envelope.payload], envelope.signature)?;
        Ok((template, payload.data))
    }

    fn template(&self, request: &Envelope<'_>, consortium_policy: &'static str) -> Result<Self> {
        let payload: Payload<'_> = decode("Payload", request.payload)?;
        let header = payload.header.ok_or_else(|| refused("the channel creation request has no header"))?;
        let channel_header: ChannelHeader<'_> = decode("ChannelHeader", header.channel_header)?;
        let envelope: ConfigUpdateEnvelope<'_> = decode("ConfigUpdateEnvelope", payload.data)?;
        let update: ConfigUpdate<'_> = decode("ConfigUpdate", envelope.config_update)?;
        if update.channel_id != channel_header.channel_id {
            let (update, header) = (update.channel_id, channel_header.channel_id);
            return Err(refused(format!(
                "Failing initial channel config creation: mismatched channel IDs: '{update}' != '{header}'"
            )));
        }
        let Requested { consortium, application } = Requested::of(&update)?;
        let mut value = Vec::new();
        bytes_field(&mut value, 1, consortium.as_bytes());
        let system = self.tree()?;
        let mut group = self.template_group(&system, consortium, application)?;
        let name = ConfigValue { value: &value, mod_policy: consortium_policy, ..ConfigValue::default() };
        group.values.insert("Consortium", name);
        let config = encode::config(&Config { sequence: 0, channel_group: Some(group) });
        Self::from_config(update.channel_id, &config)
    }

    fn template_group<'a>(
        &self,
        system: &ConfigGroup<'a>,
        consortium: &str,
        requested: &ConfigGroup<'_>,
    ) -> Result<ConfigGroup<'a>> {
        let consortiums = system
            .groups
            .get("Consortiums")
            .ok_or_else(|| refused("The ordering system channel does not appear to support creating channels"))?;
        let members = consortiums
            .groups
            .get(consortium)
            .ok_or_else(|| refused(format!("Unknown consortium name: {consortium}")))?;
        let mut group =
            ConfigGroup { values: system.values.clone(), policies: system.policies.clone(), ..ConfigGroup::default() };
        let orderer = system.groups.get("Orderer").cloned().unwrap_or_default();
        group.groups.insert("Orderer", orderer);
        group.groups.insert("Application", self.application_group(members, requested)?);
        if self.has_predictable_templates() {
            group.mod_policy = system.mod_policy;
            zero_versions(&mut group);
        }
        Ok(group)
    }

    fn application_group<'a>(
        &self,
        consortium: &ConfigGroup<'a>,
        requested: &ConfigGroup<'_>,
    ) -> Result<ConfigGroup<'a>> {
        if !consortium.groups.is_empty() && requested.groups.is_empty() {
            return Err(refused(
                "Proposed configuration has no application group members, but consortium contains members",
            ));
        }
        let policy: Policy<'a> = match consortium.values.get(CREATION_POLICY) {
            Some(value) => decode(CREATION_POLICY, value.value)?,
            None => Policy::default(),
        };
        let name = self.creation_policy_name(requested);
        let mut application = ConfigGroup { mod_policy: name, ..ConfigGroup::default() };
        let policy = ConfigPolicy { policy: Some(policy), mod_policy: name, ..ConfigPolicy::default() };
        application.policies.insert(name, policy);
        // A consortium without members lets a request bring any.
        for name in requested.groups.keys().filter(|_| !consortium.groups.is_empty()) {
            let (name, member) = consortium
                .groups
                .get_key_value(*name)
                .ok_or_else(|| refused("Attempted to include a member which is not in the consortium"))?;
            application.groups.insert(name, member.clone());
        }
        Ok(application)
    }

    /// Under which name the consortium's policy guards the new application group (`UseChannelCreationPolicyAsAdmins`):
    /// a request as configtxgen made it before 2.0 brings an Admins policy of version 0, and must not find one.
    fn creation_policy_name(&self, requested: &ConfigGroup<'_>) -> &'static str {
        let as_before =
            requested.policies.is_empty() || requested.policies.get(ADMINS).is_some_and(|policy| policy.version == 0);
        let as_admins = self.orderer_capabilities().use_channel_creation_policy_as_admins;
        if as_admins && !as_before { ADMINS } else { CREATION_POLICY }
    }

    /// `PredictableChannelTemplate`: orderers of 1.0 left versions as they were in the system channel, and the new
    /// channel's root without a policy.
    fn has_predictable_templates(&self) -> bool {
        self.orderer_capabilities().predictable_channel_template
    }

    fn orderer_capabilities(&self) -> OrdererCapabilities {
        self.orderer().map(|orderer| orderer.capabilities).unwrap_or_default()
    }
}

/// What a request for a channel names.
struct Requested<'u, 'a> {
    consortium: &'a str,
    application: &'u ConfigGroup<'a>,
}

impl<'u, 'a> Requested<'u, 'a> {
    fn of(update: &'u ConfigUpdate<'a>) -> Result<Self> {
        let write_set = update.write_set.as_ref().ok_or_else(|| refused("Config update has an empty writeset"))?;
        let application = write_set
            .groups
            .get("Application")
            .ok_or_else(|| refused("Config update has missing application group"))?;
        if application.version != 1 {
            let version = application.version;
            return Err(refused(format!(
                "Config update for channel creation does not set application group version to 1, was {version}"
            )));
        }
        let value = write_set.values.get("Consortium").ok_or_else(|| refused("Consortium config value missing"))?;
        let consortium: Consortium<'a> = decode("Consortium", value.value)?;
        Ok(Self { consortium: consortium.name, application })
    }
}

fn zero_versions(group: &mut ConfigGroup<'_>) {
    group.version = 0;
    group.values.values_mut().for_each(|value| value.version = 0);
    group.policies.values_mut().for_each(|policy| policy.version = 0);
    group.groups.values_mut().for_each(zero_versions);
}

fn refused(reason: impl Into<String>) -> IdentityError {
    IdentityError::ConfigUpdate(reason.into())
}
