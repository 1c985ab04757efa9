// SPDX-License-Identifier: Apache-2.0
//! A configuration tree as a map from path to element, which is how updates are compared (`configtx/configmap.go`).

use std::collections::BTreeMap;
use std::fmt;

use fastledger_wire::configtx::{ConfigGroup, ConfigPolicy, ConfigValue};

/// Groups within groups of a configuration or an update. Fabric's own trees are four deep, and it refuses deeper ones
/// wherever they end up in a configuration.
pub const MAX_CONFIG_DEPTH: usize = 64;

/// Longest name of a channel or a configuration element, in bytes.
const MAX_NAME_LENGTH: usize = 249;

/// A group, value or policy.
#[derive(Debug, Clone, Copy)]
pub(super) enum Content<'t, 'a> {
    Group(&'t ConfigGroup<'a>),
    Value(&'t ConfigValue<'a>),
    Policy(&'t ConfigPolicy<'a>),
}

/// Kinds of elements; the same name may stand for one of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Group,
    Value,
    Policy,
}

impl Kind {
    /// What Fabric writes before an element's path.
    fn prefix(self) -> &'static str {
        match self {
            Self::Group => "[Group]  ",
            Self::Value => "[Value]  ",
            Self::Policy => "[Policy] ",
        }
    }
}

/// An element's kind and the names that lead to it, the root's first and its own last.
///
/// It is written as Fabric writes it, `[Group]  /Channel/Application`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key<'a> {
    pub(super) kind: Kind,
    pub(super) path: Vec<&'a str>,
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.kind.prefix(), self.path.join("/"))
    }
}

/// Elements by key.
pub(super) type Elements<'t, 'a> = BTreeMap<Key<'a>, Content<'t, 'a>>;

impl<'a> Content<'_, 'a> {
    pub(super) fn version(&self) -> u64 {
        match self {
            Self::Group(group) => group.version,
            Self::Value(value) => value.version,
            Self::Policy(policy) => policy.version,
        }
    }

    pub(super) fn mod_policy(&self) -> &'a str {
        match self {
            Self::Group(group) => group.mod_policy,
            Self::Value(value) => value.mod_policy,
            Self::Policy(policy) => policy.mod_policy,
        }
    }
}

/// Lists every element of a tree, whose root is named Channel, and checks the names; nothing for no tree.
///
/// Errors are texts of Fabric's.
pub(super) fn map<'t, 'a>(root: Option<&'t ConfigGroup<'a>>) -> Result<Elements<'t, 'a>, String> {
    let mut elements = Elements::new();
    if let Some(root) = root {
        check_depth(root)?;
        add_group(&mut elements, vec!["Channel"], root)?;
    }
    Ok(elements)
}

fn add_group<'t, 'a>(
    elements: &mut Elements<'t, 'a>,
    path: Vec<&'a str>,
    group: &'t ConfigGroup<'a>,
) -> Result<(), String> {
    let below = |kind: Kind, name: &&'a str| -> Result<Key<'a>, String> {
        check_name(name).map_err(|reason| format!("illegal characters in key: {}: {reason}", kind.prefix()))?;
        Ok(Key { kind, path: path.iter().chain([name]).copied().collect() })
    };
    for (name, value) in &group.values {
        elements.insert(below(Kind::Value, name)?, Content::Value(value));
    }
    for (name, policy) in &group.policies {
        elements.insert(below(Kind::Policy, name)?, Content::Policy(policy));
    }
    for (name, sub_group) in &group.groups {
        add_group(elements, below(Kind::Group, name)?.path, sub_group)?;
    }
    elements.insert(Key { kind: Kind::Group, path }, Content::Group(group));
    Ok(())
}

/// Refuses trees that nest deeper than [`MAX_CONFIG_DEPTH`]; everything after may recurse.
pub(super) fn check_depth(root: &ConfigGroup<'_>) -> Result<(), String> {
    let mut level: Vec<_> = vec![root];
    for _ in 0..=MAX_CONFIG_DEPTH {
        if level.is_empty() {
            return Ok(());
        }
        level = level.iter().flat_map(|group| group.groups.values()).collect();
    }
    Err(format!("groups are nested deeper than {MAX_CONFIG_DEPTH} levels"))
}

/// `validateConfigID`.
fn check_name(name: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
    match name {
        "" => Err("config ID illegal, cannot be empty".to_owned()),
        _ if name.len() > MAX_NAME_LENGTH => Err(format!("config ID illegal, cannot be longer than {MAX_NAME_LENGTH}")),
        "." | ".." => Err(format!("name '{name}' for config ID is not allowed")),
        _ if !name.bytes().all(allowed) => Err(format!("config ID '{name}' contains illegal characters")),
        _ => Ok(()),
    }
}

/// `ValidateChannelID`: a lower-case letter, then lower-case letters, digits, dots or dashes.
pub fn check_channel_id(channel_id: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'-');
    let starts_well = channel_id.starts_with(|first: char| first.is_ascii_lowercase());
    match channel_id {
        "" => Err("channel ID illegal, cannot be empty".to_owned()),
        _ if channel_id.len() > MAX_NAME_LENGTH => {
            Err(format!("channel ID illegal, cannot be longer than {MAX_NAME_LENGTH}"))
        }
        _ if !starts_well || !channel_id.bytes().all(allowed) => {
            Err(format!("'{channel_id}' contains illegal characters"))
        }
        _ => Ok(()),
    }
}

/// `validateModPolicy`: names separated by slashes, perhaps after one more.
pub(super) fn check_mod_policy(mod_policy: &str) -> Result<(), String> {
    if mod_policy.is_empty() {
        return Err("mod_policy not set".to_owned());
    }
    let names = mod_policy.strip_prefix('/').unwrap_or(mod_policy).split('/').enumerate();
    for (index, name) in names {
        check_name(name).map_err(|reason| format!("path element at {index} is invalid: {reason}"))?;
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests say what they expect")]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked() {
        for good in ["Org1MSP", "a.b-c", "0"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a b", "a/b", "ü", &"x".repeat(250)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        assert!(check_mod_policy("/Channel/Orderer/Admins").is_ok());
        assert!(check_mod_policy("Admins").is_ok());
        for bad in ["", "/", "a//b", "//a"] {
            assert!(check_mod_policy(bad).is_err(), "{bad}");
        }
        assert!(check_channel_id("my-channel.1").is_ok());
        for bad in ["", "1abc", "Abc", "a_b"] {
            assert!(check_channel_id(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let mut tree = ConfigGroup::default();
        for _ in 0..MAX_CONFIG_DEPTH - 1 {
            tree = ConfigGroup { groups: [("g", tree)].into(), ..ConfigGroup::default() };
        }
        assert!(check_depth(&tree).is_ok());
        let deeper = ConfigGroup { groups: [("g", tree)].into(), ..ConfigGroup::default() };
        assert!(check_depth(&deeper).is_err());
    }
}
