// SPDX-License-Identifier: Apache-2.0
//! Why a transaction is invalid, told so that a person can act on it.

use std::fmt::{Display, Formatter, Result};

use fastledger_wire::{Height, TxValidationCode};

use crate::state::StateKey;

/// The first thing that a transaction read, or kept, and that is no longer so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conflict<'a> {
    /// A key does not have the version that the simulation read.
    Read {
        /// Which key.
        key: StateKey<'a>,
        /// The version in the read set; `None`: the key did not exist.
        expected: Option<Height>,
        /// The version that the transaction would meet; `None`: the key does not exist.
        found: Option<Height>,
        /// The transaction that wrote the key earlier in this block.
        in_block: Option<u32>,
    },
    /// A range query would not give the same results again.
    Phantom {
        /// Chaincode name.
        namespace: &'a str,
        /// Inclusive.
        start_key: &'a str,
        /// Exclusive, unless the simulation stopped at this very key; empty: to the end of the namespace.
        end_key: &'a str,
        /// What is different.
        difference: Difference<'a>,
    },
    /// The writes leave a key without a value to store.
    Write {
        /// Which key.
        key: StateKey<'a>,
        /// The transaction that deleted the key earlier in this block; `None` when the write set alone is at fault.
        in_block: Option<u32>,
    },
}

/// How the results of a range query differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference<'a> {
    /// The first result that is not as the simulation saw it.
    Result {
        /// Key and version in the read set; `None`: its results end here. A result without a version is malformed.
        expected: Option<(&'a str, Option<Height>)>,
        /// Key and version now; `None`: the results end here.
        found: Option<(Box<[u8]>, Height)>,
    },
    /// The merkle summary is not that of the results; it does not tell which of them differ.
    Summary,
}

impl Conflict<'_> {
    /// Fabric's code.
    #[must_use]
    pub fn code(&self) -> TxValidationCode {
        match self {
            Self::Read { .. } | Self::Write { in_block: Some(_), .. } => TxValidationCode::MvccReadConflict,
            Self::Phantom { .. } => TxValidationCode::PhantomReadConflict,
            Self::Write { in_block: None, .. } => TxValidationCode::InvalidWriteset,
        }
    }
}

impl Display for Conflict<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        match self {
            Self::Read { key, expected, found, in_block } => {
                write!(formatter, "{key} was read {}, but ", Version(*expected))?;
                match in_block {
                    Some(index) if found.is_some() => write!(formatter, "transaction {index} of this block wrote it"),
                    Some(index) => write!(formatter, "transaction {index} of this block deleted it"),
                    None => write!(formatter, "is now {}", Version(*found)),
                }
            }
            Self::Phantom { namespace, start_key, end_key, difference } => {
                write!(formatter, "the range {start_key:?}..{end_key:?} of {namespace} {difference}")
            }
            Self::Write { key, in_block: Some(index) } => write!(
                formatter,
                "the write keeps the value of {key}, but transaction {index} of this block deleted the key"
            ),
            Self::Write { key, in_block: None } => {
                write!(formatter, "the writes of {key} add up to a value that is not there")
            }
        }
    }
}

impl Display for Difference<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        let Self::Result { expected, found } = self else {
            return formatter.write_str("does not have the merkle summary that the simulation saw");
        };
        match expected {
            Some((key, version)) => write!(formatter, "had key {key:?} {} here", Version(*version))?,
            None => formatter.write_str("had ended here")?,
        }
        match found {
            Some((key, version)) => write!(formatter, ", now it has key {} {}", Key(key), Version(Some(*version))),
            None => formatter.write_str(", now it ends"),
        }
    }
}

impl Display for StateKey<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        write!(formatter, "key {} of {}", Key(self.key), self.namespace)?;
        if self.collection.is_empty() { Ok(()) } else { write!(formatter, ", collection {}", self.collection) }
    }
}

struct Version(Option<Height>);

impl Display for Version {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        match self.0 {
            Some(height) => write!(formatter, "at version {height}"),
            None => formatter.write_str("as absent"),
        }
    }
}

/// Text where it is text, hexadecimal where it is not.
struct Key<'a>(&'a [u8]);

impl Display for Key<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        match std::str::from_utf8(self.0) {
            Ok(text) => write!(formatter, "{text:?}"),
            Err(_) => write!(formatter, "0x{}", fastledger_wire::hash::hex(self.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: StateKey<'_> = StateKey { namespace: "mycc", collection: "", key: b"a" };

    #[test]
    fn codes_are_those_of_the_failing_check() {
        let phantom =
            Conflict::Phantom { namespace: "mycc", start_key: "a", end_key: "", difference: Difference::Summary };
        let read = Conflict::Read { key: KEY, expected: None, found: None, in_block: None };
        assert_eq!(read.code(), TxValidationCode::MvccReadConflict);
        assert_eq!(phantom.code(), TxValidationCode::PhantomReadConflict);
        assert_eq!(Conflict::Write { key: KEY, in_block: Some(1) }.code(), TxValidationCode::MvccReadConflict);
        assert_eq!(Conflict::Write { key: KEY, in_block: None }.code(), TxValidationCode::InvalidWriteset);
    }

    #[test]
    fn a_conflict_reads_as_a_sentence() {
        let version = |block, tx| Some(Height { block, tx });
        let hashed = StateKey { namespace: "mycc", collection: "secret", key: &[0xfe, 0x01] };
        let cases: [(Conflict<'_>, &str); 4] = [
            (
                Conflict::Read { key: KEY, expected: version(3, 0), found: version(4, 1), in_block: None },
                r#"key "a" of mycc was read at version 3:0, but is now at version 4:1"#,
            ),
            (
                Conflict::Read { key: hashed, expected: None, found: version(9, 2), in_block: Some(2) },
                "key 0xfe01 of mycc, collection secret was read as absent, but transaction 2 of this block wrote it",
            ),
            (
                Conflict::Phantom {
                    namespace: "mycc",
                    start_key: "a",
                    end_key: "c",
                    difference: Difference::Result {
                        expected: Some(("b", version(1, 0))),
                        found: Some((Box::from(*b"aa"), Height { block: 2, tx: 7 })),
                    },
                },
                r#"the range "a".."c" of mycc had key "b" at version 1:0 here, now it has key "aa" at version 2:7"#,
            ),
            (
                Conflict::Write { key: KEY, in_block: Some(4) },
                r#"the write keeps the value of key "a" of mycc, but transaction 4 of this block deleted the key"#,
            ),
        ];
        for (conflict, text) in cases {
            assert_eq!(conflict.to_string(), text);
        }
    }
}
