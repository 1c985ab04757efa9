// SPDX-License-Identifier: Apache-2.0
//! Configuration updates: judged, and applied (`configtx.ValidatorImpl`).
//!
//! An orderer makes the whole new configuration of an update and puts it beside the update; a peer makes it again when
//! it commits the transaction. Either way the read set is held against current versions, and modification policies
//! against the signatures; the peer's result must be the configuration given, down to the fields that no definition
//! knows. The errors' texts are Fabric's, which clients of the orderer get to see; where several
//! elements are wrong, ours name the first one in order and Fabric's any.

use fastledger_wire::common::{ChannelHeader, Envelope, Payload, SignatureHeader, header_type};
use fastledger_wire::configtx::{Config, ConfigEnvelope, ConfigGroup, ConfigUpdate, ConfigUpdateEnvelope};
use fastledger_wire::{DecodeError, Message};

use super::channel::{ChannelConfig, decode};
use super::elements::{self, Content, Elements, Key, Kind};
use super::encode;
use crate::error::{IdentityError, Result};
use crate::policy::{Policy, PolicyManager, Signers};

/// What a channel made by Fabric 1.0 may have left unset is set to this by the first update under orderer capabilities.
const DEFAULT_MOD_POLICY: &str = "Admins";

impl ChannelConfig {
    /// The configuration that an encoded `common.ConfigEnvelope`, the data of a CONFIG transaction, makes of this one.
    ///
    /// An error means that the block which holds it must not be committed.
    pub fn apply(&self, config_envelope: &[u8]) -> Result<Self> {
        self.apply_with(config_envelope, ModPolicies::Required)
    }

    /// [`Self::apply`] as 1.0.0 did: its configtxgen left policies of modification away, also in the usual updates of
    /// anchor peers, and it did not ask for them. Every release since refuses such an update.
    pub fn apply_as_1_0_0(&self, config_envelope: &[u8]) -> Result<Self> {
        self.apply_with(config_envelope, ModPolicies::MayBeMissing)
    }

    fn apply_with(&self, config_envelope: &[u8], mod_policies: ModPolicies) -> Result<Self> {
        let envelope: ConfigEnvelope<'_> = decode("ConfigEnvelope", config_envelope)?;
        self.check_update(&envelope, mod_policies)?;
        let next = Self::from_envelope(self.channel_id(), config_envelope)?;
        self.check_successor(&next)?;
        Ok(next)
    }

    /// The `common.ConfigEnvelope` that an update makes of this configuration: the data of the CONFIG transaction that
    /// an orderer puts into a block (`ProposeConfigUpdate`).
    ///
    /// `update` is the encoded `common.Envelope` of type `CONFIG_UPDATE`. The new configuration is complete, but
    /// whether it makes sense is for [`Self::apply`] to say.
    pub fn propose_update(&self, update: &[u8]) -> Result<Vec<u8>> {
        let envelope = Envelope::decode(update).map_err(|error| undecodable("Envelope", error))?;
        let update_envelope = config_update_envelope(&envelope)
            .map_err(|reason| refused(format!("error converting envelope to config update: {reason}")))?;
        let root = self
            .updated(&update_envelope, ModPolicies::Required)
            .map_err(|reason| refused(format!("error authorizing update: {reason}")))?;
        let config = Config { sequence: self.sequence() + 1, channel_group: Some(root) };
        Ok(encode::config_envelope(&encode::config(&config), update))
    }

    fn check_update(&self, envelope: &ConfigEnvelope<'_>, mod_policies: ModPolicies) -> Result<()> {
        let Some(Config { sequence, channel_group }) = &envelope.config else {
            return Err(refused("config envelope has nil config"));
        };
        if sequence.checked_sub(1) != Some(self.sequence()) {
            let current = self.sequence();
            return Err(refused(format!(
                "config currently at sequence {current}, cannot validate config at sequence {sequence}"
            )));
        }
        let last_update =
            envelope.last_update.as_ref().ok_or_else(|| refused("config envelope has nil last update"))?;
        let result = config_update_envelope(last_update)
            .and_then(|update| self.updated(&update, mod_policies))
            .map_err(refused)?;
        if channel_group.as_ref() != Some(&result) {
            return Err(refused("ConfigEnvelope LastUpdate did not produce the supplied config result"));
        }
        Ok(())
    }

    /// The configuration tree that an update makes of this one's, where everyone has signed whom the policies ask for.
    fn updated<'a>(
        &'a self,
        envelope: &ConfigUpdateEnvelope<'a>,
        mod_policies: ModPolicies,
    ) -> Result<ConfigGroup<'a>, String> {
        let update =
            ConfigUpdate::decode(envelope.config_update).map_err(|error| undecodable_text("ConfigUpdate", error))?;
        let tree = self.tree().map_err(|error| error.to_string())?;
        let mut current = elements::map(Some(&tree))?;
        if update.channel_id != self.channel_id() {
            let (theirs, ours) = (update.channel_id, self.channel_id());
            return Err(format!("ConfigUpdate for channel '{theirs}' but envelope for channel '{ours}'"));
        }
        let read_set =
            elements::map(update.read_set.as_ref()).map_err(|reason| format!("error mapping ReadSet: {reason}"))?;
        check_read_set(&read_set, &current).map_err(|reason| format!("error validating ReadSet: {reason}"))?;
        let write_set =
            elements::map(update.write_set.as_ref()).map_err(|reason| format!("error mapping WriteSet: {reason}"))?;
        let delta = delta_set(&read_set, &write_set);
        let signers = self.update_signers(envelope)?;
        if mod_policies == ModPolicies::Required {
            check_mod_policies(&delta).map_err(|reason| format!("error validating DeltaSet: {reason}"))?;
        }
        self.check_delta_set(&delta, &current, &signers)
            .map_err(|reason| format!("error validating DeltaSet: {reason}"))?;
        current.extend(delta);
        if let Some(key) = write_set.keys().find(|key| !current.contains_key(*key)) {
            return Err(format!(
                "full config did not verify: writeset contained key {key} which did not appear in proposed config"
            ));
        }
        group_at(&current, &["Channel"])
            .map_err(|reason| format!("could not turn configMap back to channelGroup: {reason}"))
    }

    fn check_delta_set(
        &self,
        delta: &Elements<'_, '_>,
        current: &Elements<'_, '_>,
        signers: &Signers,
    ) -> Result<(), String> {
        if delta.is_empty() {
            return Err("delta set was empty -- update would have no effect".to_owned());
        }
        delta.iter().try_for_each(|(key, content)| self.check_change(key, content, current.get(key), signers))
    }

    fn check_change(
        &self,
        key: &Key<'_>,
        new: &Content<'_, '_>,
        existing: Option<&Content<'_, '_>>,
        signers: &Signers,
    ) -> Result<(), String> {
        let Some(existing) = existing else {
            return match new.version() {
                0 => Ok(()),
                version => Err(format!("attempted to set key {key} to version {version}, but key does not exist")),
            };
        };
        if new.version().checked_sub(1) != Some(existing.version()) {
            let (new, existing) = (new.version(), existing.version());
            return Err(format!("attempt to set key {key} to version {new}, but key is at version {existing}"));
        }
        let mod_policy = existing.mod_policy();
        let policy = mod_policy_of(self.policies(), key, mod_policy)
            .ok_or_else(|| format!("unexpected missing policy {mod_policy} for item {key}"))?;
        if policy.is_satisfied_by(signers.as_slice()) {
            return Ok(());
        }
        Err(format!("policy for {key} not satisfied: {}", policy.refusal(signers.as_slice())))
    }

    /// Those whose signatures over the update are good, each once.
    fn update_signers(&self, envelope: &ConfigUpdateEnvelope<'_>) -> Result<Signers, String> {
        let mut signers = Signers::default();
        for signature in &envelope.signatures {
            let header = SignatureHeader::decode(signature.signature_header)
                .map_err(|error| undecodable_text("SignatureHeader", error))?;
            let Ok(identity) = self.msps().identity(header.creator) else { continue };
            let message = [signature.signature_header, envelope.config_update];
            if !signers.contains(&identity) && identity.verify(&message, signature.signature).is_ok() {
                signers.add(identity);
            }
        }
        Ok(signers)
    }
}

fn refused(reason: impl Into<String>) -> IdentityError {
    IdentityError::ConfigUpdate(reason.into())
}

fn undecodable(what: &str, reason: DecodeError) -> IdentityError {
    refused(undecodable_text(what, reason))
}

fn undecodable_text(what: &str, reason: DecodeError) -> String {
    format!("error unmarshalling {what}: proto: cannot parse invalid wire-format data: {reason}")
}

/// Opens the `CONFIG_UPDATE` transaction that the orderer was sent (`UnmarshalEnvelopeOfType`).
fn config_update_envelope<'a>(envelope: &Envelope<'a>) -> Result<ConfigUpdateEnvelope<'a>, String> {
    let payload = Payload::decode(envelope.payload).map_err(|error| undecodable_text("Payload", error))?;
    let header = payload.header.ok_or("envelope must have a Header")?;
    let channel_header =
        ChannelHeader::decode(header.channel_header).map_err(|error| undecodable_text("ChannelHeader", error))?;
    if channel_header.r#type != header_type::CONFIG_UPDATE {
        return Err(format!("invalid type {}, expected CONFIG_UPDATE", header_type_name(channel_header.r#type)));
    }
    ConfigUpdateEnvelope::decode(payload.data)
        .map_err(|error| undecodable_text("message for type CONFIG_UPDATE", error))
}

/// The name of a `common.HeaderType`, the number where it has none.
fn header_type_name(number: i32) -> String {
    let name = match number {
        0 => "MESSAGE",
        1 => "CONFIG",
        2 => "CONFIG_UPDATE",
        3 => "ENDORSER_TRANSACTION",
        4 => "ORDERER_TRANSACTION",
        5 => "DELIVER_SEEK_INFO",
        6 => "CHAINCODE_PACKAGE",
        other => return other.to_string(),
    };
    name.to_owned()
}

/// Whether elements must name the policy that guards them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum ModPolicies {
    Required,
    MayBeMissing,
}

fn check_mod_policies(delta: &Elements<'_, '_>) -> Result<(), String> {
    delta.iter().try_for_each(|(key, content)| {
        elements::check_mod_policy(content.mod_policy())
            .map_err(|reason| format!("invalid mod_policy for element {key}: {reason}"))
    })
}

fn check_read_set(read_set: &Elements<'_, '_>, current: &Elements<'_, '_>) -> Result<(), String> {
    for (key, read) in read_set {
        let existing = current
            .get(key)
            .ok_or_else(|| format!("existing config does not contain element for {key} but was in the read set"))?;
        if existing.version() != read.version() {
            let (read, existing) = (read.version(), existing.version());
            return Err(format!(
                "proposed update requires that key {key} be at version {read}, but it is currently at version {existing}"
            ));
        }
    }
    Ok(())
}

/// The elements of the write set that the read set does not hold at the same version.
fn delta_set<'t, 'a>(read_set: &Elements<'_, 'a>, write_set: &Elements<'t, 'a>) -> Elements<'t, 'a> {
    let is_read = |key: &Key<'a>, content: &Content<'_, 'a>| {
        read_set.get(key).is_some_and(|read| read.version() == content.version())
    };
    let changed = write_set.iter().filter(|(key, content)| !is_read(key, content));
    changed.map(|(key, content)| (key.clone(), *content)).collect()
}

/// The policy that guards an element: an absolute path, or one relative to the group that the element is in (or is).
fn mod_policy_of<'p>(root: &'p PolicyManager, key: &Key<'_>, mod_policy: &str) -> Option<&'p Policy> {
    let is_root = key.path.len() == 1;
    let manager = if mod_policy.starts_with('/') || is_root {
        root
    } else {
        let end = if key.kind == Kind::Group { key.path.len() } else { key.path.len() - 1 };
        root.manager(&key.path[1..end])?
    };
    manager.policy(mod_policy).map(AsRef::as_ref)
}

/// Puts the tree together again (`recurseConfigMap`).
fn group_at<'a>(elements: &Elements<'_, 'a>, path: &[&'a str]) -> Result<ConfigGroup<'a>, String> {
    let below = |name: &'a str| -> Vec<&'a str> { path.iter().copied().chain([name]).collect() };
    let missing = |key: &Key<'_>| {
        let kind = match key.kind {
            Kind::Group => "group",
            Kind::Value => "value",
            Kind::Policy => "policy",
        };
        format!("missing {kind} at path: {key}")
    };
    let key = Key { kind: Kind::Group, path: path.to_vec() };
    let Some(Content::Group(listed)) = elements.get(&key) else { return Err(missing(&key)) };
    let mut group = ConfigGroup {
        version: listed.version,
        mod_policy: listed.mod_policy,
        unknown: listed.unknown.clone(),
        ..ConfigGroup::default()
    };
    for name in listed.groups.keys() {
        group.groups.insert(name, group_at(elements, &below(name))?);
    }
    for name in listed.values.keys() {
        let key = Key { kind: Kind::Value, path: below(name) };
        let Some(Content::Value(value)) = elements.get(&key) else { return Err(missing(&key)) };
        group.values.insert(name, (*value).clone());
    }
    for name in listed.policies.keys() {
        let key = Key { kind: Kind::Policy, path: below(name) };
        let Some(Content::Policy(policy)) = elements.get(&key) else { return Err(missing(&key)) };
        group.policies.insert(name, (*policy).clone());
    }
    let capabilities = Key { kind: Kind::Value, path: vec!["Channel", "Orderer", "Capabilities"] };
    if elements.contains_key(&capabilities) {
        set_missing_mod_policies(&mut group);
    }
    Ok(group)
}

fn set_missing_mod_policies(group: &mut ConfigGroup<'_>) {
    let values = group.values.values_mut().map(|value| &mut value.mod_policy);
    let policies = group.policies.values_mut().map(|policy| &mut policy.mod_policy);
    for mod_policy in values.chain(policies).chain([&mut group.mod_policy]) {
        if mod_policy.is_empty() {
            *mod_policy = DEFAULT_MOD_POLICY;
        }
    }
}
