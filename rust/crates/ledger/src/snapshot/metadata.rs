// SPDX-License-Identifier: Apache-2.0
//! The two JSON files of a snapshot.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use fastledger_wire::{Hash, hash};
use serde::{Deserialize, Serialize};
use serde_json::ser::{PrettyFormatter, Serializer};

use super::file;
use crate::error::{IoContext, LedgerError, Result};
use crate::keys;
use crate::record::ChainTip;
use crate::values::Savepoint;

/// File of the [`SignableMetadata`].
pub(super) const SIGNABLE: &str = "_snapshot_signable_metadata.json";

/// File of what cannot be part of the signable metadata: its own hash, and the commit hash.
pub(super) const ADDITIONAL: &str = "_snapshot_additional_metadata.json";

/// The largest JSON file that is read, in bytes; Fabric's have about one thousand.
const MAX_JSON_BYTES: u64 = 1 << 16;

/// What identifies a snapshot (`SnapshotSignableMetadata`); hashes are in lower-case hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignableMetadata {
    /// The channel.
    pub channel_name: String,
    /// The block as of whose end the snapshot was taken.
    pub last_block_number: u64,
    /// Hash of that block's header.
    pub last_block_hash: String,
    /// Hash of the header before; empty for block 0.
    pub previous_block_hash: String,
    /// SHA-256 of every data and metadata file.
    pub snapshot_files_raw_hashes: BTreeMap<String, String>,
    /// `SimpleKeyValueDB`, or `CouchDB` where a peer with that made it.
    pub state_db_type: String,
}

impl SignableMetadata {
    /// Reads the file without checking anything that it states.
    pub(crate) fn read(dir: &Path) -> Result<Self> {
        Self::decode(dir, &read_file(&dir.join(SIGNABLE))?)
    }

    fn decode(dir: &Path, json: &[u8]) -> Result<Self> {
        serde_json::from_slice(json)
            .map_err(|error| LedgerError::Snapshot { path: dir.join(SIGNABLE), reason: error.to_string() })
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct AdditionalMetadata {
    snapshot_hash: String,
    last_block_commit_hash: String,
}

/// What the JSON files of a snapshot say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotMetadata {
    /// What identifies the snapshot.
    pub signable: SignableMetadata,
    /// SHA-256 of the signable metadata's file.
    pub snapshot_hash: Hash,
    /// The commit hash after the last block, if the channel has any.
    pub last_block_commit_hash: Option<Hash>,
}

impl SnapshotMetadata {
    /// Writes both files.
    pub(super) fn write(dir: &Path, signable: SignableMetadata, commit_hash: Option<Hash>) -> Result<Self> {
        let encoded = to_json(&signable, dir)?;
        let snapshot_hash = hash::sha256(&[&encoded]);
        let additional = AdditionalMetadata {
            snapshot_hash: hash::hex(&snapshot_hash),
            last_block_commit_hash: commit_hash.map_or_else(String::new, |commit_hash| hash::hex(&commit_hash)),
        };
        write_file(&dir.join(SIGNABLE), &encoded)?;
        write_file(&dir.join(ADDITIONAL), &to_json(&additional, dir)?)?;
        Ok(Self { signable, snapshot_hash, last_block_commit_hash: commit_hash })
    }

    /// Reads both files, and checks every hash that they state.
    pub fn verify(dir: &Path) -> Result<Self> {
        let wrong = |name: &str, reason: String| LedgerError::Snapshot { path: dir.join(name), reason };
        let encoded = read_file(&dir.join(SIGNABLE))?;
        let signable = SignableMetadata::decode(dir, &encoded)?;
        let additional: AdditionalMetadata = serde_json::from_slice(&read_file(&dir.join(ADDITIONAL))?)
            .map_err(|error| wrong(ADDITIONAL, error.to_string()))?;
        let snapshot_hash = hash::sha256(&[&encoded]);
        expect_hash(dir, SIGNABLE, &snapshot_hash, &additional.snapshot_hash)?;
        for (name, stated) in &signable.snapshot_files_raw_hashes {
            let known = super::PAIRS.iter().any(|pair| name == pair.data || name == pair.metadata);
            if !known {
                return Err(wrong(SIGNABLE, format!("it names a file {name:?}, which no snapshot has")));
            }
            expect_hash(dir, name, &file::hash(&dir.join(name))?, stated)?;
        }
        let last_block_commit_hash = optional_hash(&additional.last_block_commit_hash)
            .ok_or_else(|| wrong(ADDITIONAL, "last_block_commit_hash is not a hash".into()))?;
        let metadata = Self { signable, snapshot_hash, last_block_commit_hash };
        metadata.savepoint(dir)?;
        Ok(metadata)
    }

    /// The savepoint at which a ledger that begins here starts.
    pub(super) fn savepoint(&self, dir: &Path) -> Result<Savepoint> {
        let tip = || {
            Some(ChainTip {
                number: self.signable.last_block_number,
                header_hash: keys::digest(self.signable.last_block_hash.as_bytes())?,
                previous_hash: optional_hash(&self.signable.previous_block_hash)?,
            })
        };
        let reason = "last_block_hash or previous_block_hash is not a hash".into();
        let tip = tip().ok_or(LedgerError::Snapshot { path: dir.join(SIGNABLE), reason })?;
        Ok(Savepoint { tip, commit_hash: self.last_block_commit_hash, location: None })
    }
}

#[expect(clippy::option_option, reason = "malformed, absent, or there")]
fn optional_hash(text: &str) -> Option<Option<Hash>> {
    if text.is_empty() { Some(None) } else { keys::digest(text.as_bytes()).map(Some) }
}

fn expect_hash(dir: &Path, name: &str, found: &Hash, stated: &str) -> Result<()> {
    let found = hash::hex(found);
    if found == stated {
        return Ok(());
    }
    let reason = format!("its SHA-256 is {found}, but the snapshot states {stated}");
    Err(LedgerError::Snapshot { path: dir.join(name), reason })
}

/// JSON as Fabric writes it: four spaces, fields in the order of the struct, map keys sorted.
fn to_json(value: &impl Serialize, dir: &Path) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut out, PrettyFormatter::with_indent(b"    "));
    let written = value.serialize(&mut serializer);
    written.map_err(|error| LedgerError::Snapshot { path: dir.to_path_buf(), reason: error.to_string() })?;
    Ok(out)
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = file::create(path)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).context("write", path)
}

fn read_file(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path).context("open", path)?;
    file.take(MAX_JSON_BYTES + 1).read_to_end(&mut bytes).context("read", path)?;
    if bytes.len() as u64 > MAX_JSON_BYTES {
        let reason = format!("it is longer than {MAX_JSON_BYTES} bytes");
        return Err(LedgerError::Snapshot { path: path.to_path_buf(), reason });
    }
    Ok(bytes)
}
