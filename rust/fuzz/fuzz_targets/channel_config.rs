// SPDX-License-Identifier: Apache-2.0
//! Channel configurations and their updates: read or refused, applied or refused, the same each time.
//!
//! An update may be signed anew by every administrator, and its result computed by a naive merge, so that what is behind
//! the signatures and the comparison is reached.
#![no_main]

use std::sync::LazyLock;

use fastledger_fuzz::message::{Bytes, Number, map_entry, message, repeated};
use fastledger_fuzz::network::{CHANNEL, Network, Rules, config_block};
use fastledger_fuzz::{on_deep_stack, tree};
use fastledger_identity::ChannelConfig;
use fastledger_wire::common::Payload;
use fastledger_wire::configtx::{Config, ConfigEnvelope, ConfigGroup, ConfigUpdate, ConfigUpdateEnvelope};
use fastledger_wire::{Message, encode};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

/// A byte that chooses the configuration to begin from, and what is made to fit.
const HEADER: usize = 1;
const SIGNED: u8 = 4;
const COMPUTED: u8 = 8;

struct Base {
    envelope: Vec<u8>,
    config: ChannelConfig,
}

static BASES: LazyLock<Vec<Base>> = LazyLock::new(|| {
    Rules::ALL
        .map(|rules| {
            let (_, envelope) = config_block(Network::get(), rules);
            let config = ChannelConfig::from_envelope(CHANNEL, &envelope).expect("a good configuration");
            Base { envelope, config }
        })
        .into()
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    tree::mutate(&mut data[..max_size], size, seed, HEADER, fuzzer_mutate)
});

fuzz_target!(|data: &[u8]| on_deep_stack(|| {
    let Some((choice, bytes)) = data.split_first() else { return };
    let base = &BASES[usize::from(choice & 3)];
    read(bytes);
    apply(base, bytes);
    if choice & SIGNED != 0
        && let Some(envelope) = fitting(base, bytes, choice & COMPUTED != 0)
    {
        apply(base, &envelope);
    }
}));

fn read(bytes: &[u8]) {
    let Ok(config) = ChannelConfig::from_envelope(CHANNEL, bytes) else { return };
    let again = ChannelConfig::from_envelope(CHANNEL, bytes).expect("it was read once");
    assert_eq!(format!("{:?}", again.capabilities()), format!("{:?}", config.capabilities()));
    assert_eq!(again.application(), config.application());
    assert_eq!(again.orderer(), config.orderer());
    let identity = config.msps().identity(&Network::get().client(0).serialized());
    let signers: Vec<_> = identity.into_iter().collect();
    for path in ["/Channel/Readers", "/Channel/Application/Admins", "/Channel/Orderer/BlockValidation"] {
        if let Some(policy) = config.policy(path) {
            assert_eq!(policy.evaluate(&signers).is_ok(), policy.is_satisfied_by(&signers));
        }
    }
    let Ok(ConfigEnvelope { config: Some(inner), .. }) = ConfigEnvelope::decode(bytes) else {
        panic!("a configuration without a Config was read");
    };
    assert_eq!(config.sequence(), inner.sequence);
    assert!(ChannelConfig::from_config(CHANNEL, &encoded_config(&inner)).is_ok());
}

fn apply(base: &Base, envelope: &[u8]) {
    let Ok(next) = base.config.apply(envelope) else { return };
    assert_eq!(next.sequence(), base.config.sequence() + 1);
    assert!(ChannelConfig::from_envelope(CHANNEL, envelope).is_ok());
    assert!(next.apply(envelope).is_err(), "an update applies once");
}

/// The configuration envelope of an update that administrators sign.
fn fitting(base: &Base, bytes: &[u8], computed: bool) -> Option<Vec<u8>> {
    let envelope = ConfigEnvelope::decode(bytes).ok()?;
    let payload = Payload::decode(envelope.last_update.as_ref()?.payload).ok()?;
    let update = ConfigUpdateEnvelope::decode(payload.data).ok()?.config_update;
    let header = payload.header?;
    let header = message(&[Bytes(1, header.channel_header), Bytes(2, header.signature_header)]);
    let signatures = Network::get().members().filter(|member| member.unit == "admin").map(|member| {
        let header = message(&[Bytes(1, &member.serialized()), Bytes(2, b"nonce")]);
        let signature = member.key.sign(&[&header, update]);
        message(&[Bytes(1, &header), Bytes(2, &signature)])
    });
    let signed = [message(&[Bytes(1, update)]), repeated(2, signatures)].concat();
    let last_update = message(&[Bytes(1, &message(&[Bytes(1, &header), Bytes(2, &signed)]))]);
    let config = match computed {
        true => updated(base, update)?,
        false => encoded_config(envelope.config.as_ref()?),
    };
    Some(message(&[Bytes(1, &config), Bytes(2, &last_update)]))
}

/// The configuration that an update makes.
fn updated(base: &Base, update: &[u8]) -> Option<Vec<u8>> {
    let current = ConfigEnvelope::decode(&base.envelope).ok()?.config?;
    let ConfigUpdate { read_set, write_set, .. } = ConfigUpdate::decode(update).ok()?;
    let group = merged(current.channel_group.as_ref(), read_set.as_ref(), write_set.as_ref())?;
    let config = Config { sequence: current.sequence + 1, channel_group: Some(group) };
    Some(encoded_config(&config))
}

type Group<'a> = ConfigGroup<'a>;

fn merged<'a>(current: Option<&Group<'a>>, read: Option<&Group<'a>>, write: Option<&Group<'a>>) -> Option<Group<'a>> {
    let is_new = |write: u64, read: Option<u64>| read != Some(write);
    let changed = write.filter(|write| is_new(write.version, read.map(|read| read.version)));
    let shape = changed.or(current)?;
    let mut group = Group { version: shape.version, mod_policy: shape.mod_policy, ..Group::default() };
    for name in shape.groups.keys() {
        let below = |group: Option<&Group<'a>>| group.and_then(|group| group.groups.get(name)).cloned();
        let (current, read, write) = (below(current), below(read), below(write));
        group.groups.insert(name, merged(current.as_ref(), read.as_ref(), write.as_ref())?);
    }
    for name in shape.values.keys() {
        let find = |group: Option<&Group<'a>>| group.and_then(|group| group.values.get(name)).cloned();
        let read = find(read).map(|read| read.version);
        let new = find(write).filter(|write| is_new(write.version, read));
        group.values.insert(name, new.or_else(|| find(current))?);
    }
    for name in shape.policies.keys() {
        let find = |group: Option<&Group<'a>>| group.and_then(|group| group.policies.get(name)).cloned();
        let read = find(read).map(|read| read.version);
        let new = find(write).filter(|write| is_new(write.version, read));
        group.policies.insert(name, new.or_else(|| find(current))?);
    }
    Some(group)
}

fn encoded_config(config: &Config<'_>) -> Vec<u8> {
    let mut out = message(&[Number(1, config.sequence)]);
    if let Some(group) = &config.channel_group {
        encode::present_field(&mut out, 2, &encoded_group(group));
    }
    out
}

fn encoded_group(group: &Group<'_>) -> Vec<u8> {
    let mut out = message(&[Number(1, group.version)]);
    for (name, group) in &group.groups {
        out.extend(map_entry(2, name, &encoded_group(group)));
    }
    for (name, value) in &group.values {
        let value = message(&[Number(1, value.version), Bytes(2, value.value), Bytes(3, value.mod_policy.as_bytes())]);
        out.extend(map_entry(3, name, &value));
    }
    for (name, policy) in &group.policies {
        let mut encoded = message(&[Number(1, policy.version)]);
        if let Some(policy) = &policy.policy {
            #[expect(clippy::cast_sign_loss, reason = "protobuf extends the sign")]
            let kind = i64::from(policy.r#type) as u64;
            encode::present_field(&mut encoded, 2, &message(&[Number(1, kind), Bytes(2, policy.value)]));
        }
        encoded.extend(message(&[Bytes(3, policy.mod_policy.as_bytes())]));
        out.extend(map_entry(4, name, &encoded));
    }
    out.extend(message(&[Bytes(5, group.mod_policy.as_bytes())]));
    out
}
