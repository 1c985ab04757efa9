// SPDX-License-Identifier: Apache-2.0
//! Writes a snapshot from a view, while commits go on.

use std::cmp::Ordering;
use std::fs;
use std::path::{Path, PathBuf};

use fastledger_wire::encode::bytes_field;
use fastledger_wire::{Hash, hash};
use heed::{RoTxn, WithoutTls};

use super::file::{CountedWriter, Writer};
use super::metadata::{ADDITIONAL, SIGNABLE, SignableMetadata, SnapshotMetadata};
use super::{CONFIG_HISTORY, FilePair, PAIRS, PRIVATE_STATE_HASHES, PUBLIC_STATE, TX_IDS};
use crate::error::{IoContext, LedgerError, Result};
use crate::keys;
use crate::layer::Kind;
use crate::ledger::Ledger;
use crate::merged::Merged;
use crate::values::{Savepoint, StateValue};
use crate::view::View;
use crate::writer::sync_dir;

/// The kind of state database that Fabric names for its embedded one; the files do not depend on it.
const STATE_DB_TYPE: &str = "SimpleKeyValueDB";

/// What a snapshot is made of: a view, with a read transaction for itself.
struct Source<'t> {
    view: &'t View,
    txn: &'t RoTxn<'static, WithoutTls>,
}

type FileHashes = Vec<(&'static str, Hash)>;

impl Ledger {
    /// Writes a snapshot as of the last staged block into a new folder `dir`, in Fabric's format.
    ///
    /// Blocks may be committed meanwhile. The folder appears when the snapshot is complete; until then it is written
    /// beside, under the same name with `.partial`.
    pub fn export_snapshot(&self, dir: &Path, channel: &str) -> Result<SnapshotMetadata> {
        let refuse = |reason: &str| LedgerError::Snapshot { path: dir.to_path_buf(), reason: reason.into() };
        if dir.exists() {
            return Err(refuse("the folder exists already; choose a new one"));
        }
        let view = self.view_with(1)?;
        let savepoint = view.savepoint.ok_or_else(|| refuse("a ledger without blocks has no snapshot"))?;
        let partial = dir.with_file_name(format!("{}.partial", dir.file_name().unwrap_or_default().display()));
        clear(&partial, &refuse)?;
        fs::create_dir_all(&partial).context("create folder", &partial)?;
        let metadata = Source { view: &view, txn: &view.lane() }.write_files(&partial, channel, &savepoint)?;
        sync_dir(&partial)?;
        fs::rename(&partial, dir).context("rename to", dir)?;
        sync_dir(dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
        Ok(metadata)
    }
}

/// Removes what an export left that was cut short: a folder with nothing but files of a snapshot.
fn clear(partial: &Path, refuse: &impl Fn(&str) -> LedgerError) -> Result<()> {
    if !partial.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(partial).context("list", partial)? {
        let name = entry.context("list", partial)?.file_name();
        let mut known = PAIRS.iter().flat_map(|pair| [pair.data, pair.metadata]).chain([SIGNABLE, ADDITIONAL]);
        if !known.any(|known| name == known) {
            return Err(refuse(&format!("{} is in the way, which holds other files; move it", partial.display())));
        }
        fs::remove_file(partial.join(&name)).context("remove", partial)?;
    }
    fs::remove_dir(partial).context("remove", partial)
}

impl<'t> Source<'t> {
    fn rows(&self, kind: Kind) -> Result<Merged<'t>> {
        Merged::new(&self.view.lmdb, self.txn, &self.view.layers, &self.view.long_keys, kind, &[])
    }

    fn damaged(&self, what: &str) -> LedgerError {
        self.view.lmdb.damaged(what)
    }

    fn write_files(&self, dir: &Path, channel: &str, savepoint: &Savepoint) -> Result<SnapshotMetadata> {
        let mut files = self.tx_ids(dir)?;
        files.extend(self.config_history(dir)?);
        files.extend(self.states(dir)?);
        let tip = &savepoint.tip;
        let signable = SignableMetadata {
            channel_name: channel.into(),
            last_block_number: tip.number,
            last_block_hash: hash::hex(&tip.header_hash),
            previous_block_hash: tip.previous_hash.map_or_else(String::new, |previous| hash::hex(&previous)),
            snapshot_files_raw_hashes: files
                .into_iter()
                .map(|(name, file_hash)| (name.into(), hash::hex(&file_hash)))
                .collect(),
            state_db_type: STATE_DB_TYPE.into(),
        };
        SnapshotMetadata::write(dir, signable, savepoint.commit_hash)
    }

    /// Every id once, by length and then bytes, as they lie in Fabric's index. The empty one is left out, as there.
    fn tx_ids(&self, dir: &Path) -> Result<FileHashes> {
        let mut writer = CountedWriter::new(dir, TX_IDS);
        let mut digests = self.rows(Kind::TxIds)?;
        let mut texts = self.rows(Kind::OtherTxIds)?;
        let mut digest = digests.next()?.map(|row| hash::hex(row.key));
        let mut text = self.next_text(&mut texts)?;
        loop {
            let order = match (&digest, text) {
                (None, None) => return writer.finish(),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(digest), Some(text)) => (digest.len(), digest.as_bytes()).cmp(&(text.len(), text)),
            };
            if order.is_lt() {
                writer.entry()?.bytes(digest.as_deref().unwrap_or_default().as_bytes())?;
                digest = digests.next()?.map(|row| hash::hex(row.key));
            } else {
                let id = text.unwrap_or_default();
                if !id.is_empty() {
                    writer.entry()?.bytes(id)?;
                }
                text = self.next_text(&mut texts)?;
            }
        }
    }

    fn next_text(&self, texts: &mut Merged<'t>) -> Result<Option<&'t [u8]>> {
        let Some(row) = texts.next()? else { return Ok(None) };
        let text = row.key.split_at_checked(4).ok_or_else(|| self.damaged("a transaction id"))?.1;
        Ok(Some(text))
    }

    fn config_history(&self, dir: &Path) -> Result<FileHashes> {
        let mut writer = CountedWriter::new(dir, CONFIG_HISTORY);
        let mut rows = self.rows(Kind::ConfigHistory)?;
        while let Some(row) = rows.next()? {
            let data = writer.entry()?;
            data.bytes(row.key)?;
            data.bytes(row.value)?;
        }
        writer.finish()
    }

    fn states(&self, dir: &Path) -> Result<FileHashes> {
        let mut public = StateWriter::new(dir, PUBLIC_STATE);
        let mut hashes = StateWriter::new(dir, PRIVATE_STATE_HASHES);
        let mut rows = self.rows(Kind::State)?;
        while let Some(row) = rows.next()? {
            let (namespace, key) = keys::split_state(row.key).ok_or_else(|| self.damaged("a state key"))?;
            let value = StateValue::decode(row.value).ok_or_else(|| self.damaged("a state"))?;
            let writer = if keys::is_hashed(namespace) { &mut hashes } else { &mut public };
            writer.add(namespace, key, &value)?;
        }
        let mut files = public.finish()?;
        files.extend(hashes.finish()?);
        Ok(files)
    }
}

/// Writes states, and counts them by namespace.
struct StateWriter {
    dir: PathBuf,
    pair: FilePair,
    data: Option<Writer>,
    namespaces: Vec<(Vec<u8>, u64)>,
    record: Vec<u8>,
}

impl StateWriter {
    fn new(dir: &Path, pair: FilePair) -> Self {
        Self { dir: dir.to_path_buf(), pair, data: None, namespaces: Vec::new(), record: Vec::new() }
    }

    fn add(&mut self, namespace: &[u8], key: &[u8], state: &StateValue<'_>) -> Result<()> {
        match self.namespaces.last_mut() {
            Some((last, count)) if last == namespace => *count += 1,
            _ => self.namespaces.push((namespace.to_vec(), 1)),
        }
        let mut version = Vec::with_capacity(18);
        keys::height(&mut version, state.version);
        self.record.clear();
        for (number, bytes) in [(1, key), (2, state.value), (3, state.metadata), (4, &version)] {
            bytes_field(&mut self.record, number, bytes);
        }
        let data = match self.data.take() {
            Some(data) => data,
            None => Writer::create(&self.dir, self.pair.data)?,
        };
        self.data.insert(data).bytes(&self.record)
    }

    fn finish(self) -> Result<FileHashes> {
        let Some(data) = self.data else { return Ok(Vec::new()) };
        let mut metadata = Writer::create(&self.dir, self.pair.metadata)?;
        metadata.varint(self.namespaces.len() as u64)?;
        for (namespace, count) in &self.namespaces {
            metadata.bytes(namespace)?;
            metadata.varint(*count)?;
        }
        Ok(vec![(self.pair.data, data.finish()?), (self.pair.metadata, metadata.finish()?)])
    }
}
