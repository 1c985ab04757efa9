// SPDX-License-Identifier: Apache-2.0
//! Applying a configuration transaction, as a peer does when it commits one (`configtx.ValidatorImpl.Validate`).
//!
//! The orderer has put the whole new configuration beside the update that it was made by. The peer makes the update
//! again: read set against current versions, modification policies against the signatures, and the result must be
//! the configuration given. Fields that no definition knows are not compared.

use fastledger_wire::Message;
use fastledger_wire::common::{ChannelHeader, Envelope, Payload, SignatureHeader, header_type};
use fastledger_wire::configtx::{Config, ConfigEnvelope, ConfigGroup, ConfigUpdate, ConfigUpdateEnvelope};

use super::channel::{ChannelConfig, decode};
use super::elements::{self, Content, Elements, Key, Kind};
use crate::error::{IdentityError, Result};
use crate::policy::{Policy, PolicyManager, Signers};

/// What a channel made by Fabric 1.0 may have left unset is set to this by the first update under orderer capabilities.
const DEFAULT_MOD_POLICY: &str = "Admins";

impl ChannelConfig {
    /// The configuration that an encoded `common.ConfigEnvelope`, the data of a CONFIG transaction, makes of this one.
    ///
    /// An error means that the block which holds it must not be committed.
    pub fn apply(&self, config_envelope: &[u8]) -> Result<Self> {
        let envelope: ConfigEnvelope<'_> = decode("ConfigEnvelope", config_envelope)?;
        self.check_update(&envelope)?;
        let next = Self::from_envelope(self.channel_id(), config_envelope)?;
        self.check_successor(&next)?;
        Ok(next)
    }

    fn check_update(&self, envelope: &ConfigEnvelope<'_>) -> Result<()> {
        let Some(Config { sequence, channel_group }) = &envelope.config else {
            return Err(refused("it holds no configuration"));
        };
        if sequence.checked_sub(1) != Some(self.sequence()) {
            return Err(refused(format!("its sequence is {sequence}, the current one is {}", self.sequence())));
        }
        let last_update = envelope.last_update.as_ref().ok_or_else(|| refused("it holds no update"))?;
        let update_envelope = config_update_envelope(last_update)?;
        let update: ConfigUpdate<'_> = decode("ConfigUpdate", update_envelope.config_update)?;
        let tree = self.tree()?;
        let mut current = elements::map(Some(&tree))?;
        let write_set = elements::map(update.write_set.as_ref())?;
        let delta = self.authorize(&update, &update_envelope, &current, &write_set)?;
        current.extend(delta);
        if let Some(key) = write_set.keys().find(|key| !current.contains_key(*key)) {
            return Err(refused(format!("{key} of the write set does not appear in the result")));
        }
        let result = group_at(&current, &["Channel"])?;
        if channel_group.as_ref() != Some(&result) {
            return Err(refused("the update does not produce the configuration that stands beside it"));
        }
        Ok(())
    }

    /// The elements that the update changes, where everyone has signed whom their policies ask for.
    fn authorize<'t, 'a>(
        &self,
        update: &ConfigUpdate<'a>,
        envelope: &ConfigUpdateEnvelope<'_>,
        current: &Elements<'_, 'a>,
        write_set: &Elements<'t, 'a>,
    ) -> Result<Elements<'t, 'a>> {
        if update.channel_id != self.channel_id() {
            return Err(refused(format!("it is for channel {:?}, this is {:?}", update.channel_id, self.channel_id())));
        }
        let read_set = elements::map(update.read_set.as_ref())?;
        check_read_set(&read_set, current)?;
        let is_read = |key: &Key<'a>, content: &Content<'_, 'a>| {
            read_set.get(key).is_some_and(|read| read.version() == content.version())
        };
        let changed = write_set.iter().filter(|(key, content)| !is_read(key, content));
        let delta: Elements<'t, 'a> = changed.map(|(key, content)| (key.clone(), *content)).collect();
        if delta.is_empty() {
            return Err(refused("it changes nothing"));
        }
        let signers = self.update_signers(envelope)?;
        for (key, content) in &delta {
            self.check_change(key, content, current.get(key), &signers)?;
        }
        Ok(delta)
    }

    fn check_change(
        &self,
        key: &Key<'_>,
        new: &Content<'_, '_>,
        existing: Option<&Content<'_, '_>>,
        signers: &Signers,
    ) -> Result<()> {
        elements::check_mod_policy(new.mod_policy())
            .map_err(|reason| refused(format!("the mod_policy of {key} {reason}")))?;
        let Some(existing) = existing else {
            return match new.version() {
                0 => Ok(()),
                version => Err(refused(format!("{key} is new, but its version is {version}"))),
            };
        };
        if new.version().checked_sub(1) != Some(existing.version()) {
            let (new, existing) = (new.version(), existing.version());
            return Err(refused(format!("{key} is to be set to version {new}, but it is at version {existing}")));
        }
        let mod_policy = existing.mod_policy();
        let policy = mod_policy_of(self.policies(), key, mod_policy)
            .ok_or_else(|| refused(format!("mod_policy {mod_policy:?} of {key} does not exist")))?;
        policy.evaluate(signers.as_slice()).map_err(|reason| refused(format!("{key} may not be changed: {reason}")))
    }

    /// Those whose signatures over the update are good, each once.
    fn update_signers(&self, envelope: &ConfigUpdateEnvelope<'_>) -> Result<Signers> {
        let mut signers = Signers::default();
        for signature in &envelope.signatures {
            let header: SignatureHeader<'_> =
                decode("SignatureHeader of a ConfigSignature", signature.signature_header)?;
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

/// Opens the `CONFIG_UPDATE` transaction that the orderer was sent.
fn config_update_envelope<'a>(envelope: &Envelope<'a>) -> Result<ConfigUpdateEnvelope<'a>> {
    let payload: Payload<'a> = decode("Payload of the update", envelope.payload)?;
    let header = payload.header.ok_or_else(|| refused("the update has no header"))?;
    let channel_header = ChannelHeader::decode(header.channel_header)
        .map_err(|reason| IdentityError::ConfigUndecodable { what: "ChannelHeader of the update".into(), reason })?;
    if channel_header.r#type != header_type::CONFIG_UPDATE {
        return Err(refused(format!("the update is a transaction of type {}", channel_header.r#type)));
    }
    decode("ConfigUpdateEnvelope", payload.data)
}

fn check_read_set(read_set: &Elements<'_, '_>, current: &Elements<'_, '_>) -> Result<()> {
    for (key, read) in read_set {
        let existing = current.get(key).ok_or_else(|| refused(format!("{key} was read, but it does not exist")))?;
        if existing.version() != read.version() {
            let (read, existing) = (read.version(), existing.version());
            return Err(refused(format!("{key} was read at version {read}, but it is at version {existing}")));
        }
    }
    Ok(())
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
fn group_at<'a>(elements: &Elements<'_, 'a>, path: &[&'a str]) -> Result<ConfigGroup<'a>> {
    let below = |name: &'a str| -> Vec<&'a str> { path.iter().copied().chain([name]).collect() };
    let missing = |key: &Key<'_>| refused(format!("{key} is missing"));
    let key = Key { kind: Kind::Group, path: path.to_vec() };
    let Some(Content::Group(listed)) = elements.get(&key) else { return Err(missing(&key)) };
    let mut group = ConfigGroup { version: listed.version, mod_policy: listed.mod_policy, ..ConfigGroup::default() };
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
