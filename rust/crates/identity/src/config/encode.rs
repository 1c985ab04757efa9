// SPDX-License-Identifier: Apache-2.0
//! Configurations as bytes, deterministic: the entries of maps are sorted by key, fields that no definition knows come
//! last.

use fastledger_wire::configtx::{Config, ConfigGroup, ConfigPolicy, ConfigValue};
use fastledger_wire::encode::{bytes_field, present_field, varint, varint_field};
use fastledger_wire::protobuf::{Map, Unknown};

/// Encodes a `common.ConfigEnvelope` of a configuration and the encoded envelope of the update that made it.
pub(super) fn config_envelope(config: &[u8], last_update: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    present_field(&mut out, 1, config);
    present_field(&mut out, 2, last_update);
    out
}

/// Encodes a `common.Config`.
pub(super) fn config(config: &Config<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    varint_field(&mut out, 1, config.sequence);
    if let Some(root) = &config.channel_group {
        present_field(&mut out, 2, &group(root));
    }
    out
}

/// Encodes a group; the caller has bounded how deep it nests.
fn group(tree: &ConfigGroup<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    varint_field(&mut out, 1, tree.version);
    entries(&mut out, 2, &tree.groups, group);
    entries(&mut out, 3, &tree.values, value);
    entries(&mut out, 4, &tree.policies, policy);
    bytes_field(&mut out, 5, tree.mod_policy.as_bytes());
    unknown(&mut out, &tree.unknown);
    out
}

fn unknown(out: &mut Vec<u8>, unknown: &Unknown<'_>) {
    for (tag, value) in unknown.fields() {
        varint(out, tag);
        out.extend_from_slice(value);
    }
}

fn entries<V>(out: &mut Vec<u8>, number: u32, map: &Map<'_, V>, encode: impl Fn(&V) -> Vec<u8>) {
    for (key, value) in map {
        let mut entry = Vec::new();
        present_field(&mut entry, 1, key.as_bytes());
        present_field(&mut entry, 2, &encode(value));
        present_field(out, number, &entry);
    }
}

fn value(value: &ConfigValue<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    varint_field(&mut out, 1, value.version);
    bytes_field(&mut out, 2, value.value);
    bytes_field(&mut out, 3, value.mod_policy.as_bytes());
    unknown(&mut out, &value.unknown);
    out
}

fn policy(policy: &ConfigPolicy<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    varint_field(&mut out, 1, policy.version);
    if let Some(content) = &policy.policy {
        let mut inner = Vec::new();
        // A negative number takes ten bytes, as every int32 does.
        varint_field(&mut inner, 1, i64::from(content.r#type).cast_unsigned());
        bytes_field(&mut inner, 2, content.value);
        unknown(&mut inner, &content.unknown);
        present_field(&mut out, 2, &inner);
    }
    bytes_field(&mut out, 3, policy.mod_policy.as_bytes());
    unknown(&mut out, &policy.unknown);
    out
}
