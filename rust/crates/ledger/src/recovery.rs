// SPDX-License-Identifier: Apache-2.0
//! Opening a ledger: brings what a crash, a full disk or a deleted folder left behind back into agreement.
//!
//! Opening looks at the block that the savepoint names, at the sizes of the files before it, and at the headers of the
//! blocks behind it, so it takes as long as what is to be replayed, not as long as the chain.

use std::fs::{self, OpenOptions};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fastledger_wire::hash;
use fastledger_wire::protobuf::Reader;
use heed::MdbError;
use rustc_hash::FxHashSet;

use crate::blockfile::{self, BlockFile, Location};
use crate::error::{IoContext, LedgerError, Result};
use crate::flush::{METADATA_NAMESPACES, ORIGIN, SAVEPOINT, file_end};
use crate::layer::Kind;
use crate::layers::Layers;
use crate::ledger::{Chain, Derived, Options};
use crate::lmdb::Lmdb;
use crate::lock::LedgerLock;
use crate::recent::Recent;
use crate::record::{self, ChainTip};
use crate::snapshot;
use crate::tail::{self, Keeper, Tail, TornTail};
use crate::values::Savepoint;
use crate::writer::sync_dir;

/// The folder of the block files.
pub(crate) const CHAINS: &str = "chains";

/// The folder of the LMDB environment.
pub(crate) const DERIVED: &str = "derived";

/// Version of what [`crate::keys`] and [`crate::values`] describe; other versions are rebuilt.
const FORMAT: &[u8] = &[2];

const FORMAT_KEY: &[u8] = b"format";

/// What opening a ledger found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The blocks that are in the block files but not in the derived data; the caller replays them.
    pub replay: Range<u64>,
    /// The half-written block that was cut off.
    pub torn: Option<TornTail>,
    /// Why the derived data is built anew from the first block (or from the snapshot) on.
    pub rebuilding: Option<String>,
}

/// The parts of an open ledger.
pub(crate) struct Opened {
    pub(crate) lock: LedgerLock,
    pub(crate) lmdb: Lmdb,
    pub(crate) chains: PathBuf,
    pub(crate) chain: Chain,
    pub(crate) derived: Derived,
    /// Number and size of the last block file.
    pub(crate) end: Option<(u32, u64)>,
    pub(crate) recovery: Recovery,
}

pub(crate) fn open(dir: &Path, options: &Options) -> Result<Opened> {
    let chains = dir.join(CHAINS);
    fs::create_dir_all(&chains).context("create folder", &chains)?;
    let lock = LedgerLock::take(dir)?;
    sync_dir(dir)?;
    let (lmdb, journaled, rebuilding) = open_derived(&dir.join(DERIVED), &chains, options)?;
    let mut flushed = read_savepoint(&lmdb, SAVEPOINT)?;
    let snapshot = dir.join(snapshot::FOLDER);
    if flushed.is_none() && snapshot.exists() {
        snapshot::load(&snapshot, &lmdb)?;
        flushed = read_savepoint(&lmdb, SAVEPOINT)?;
    }
    let origin = read_savepoint(&lmdb, ORIGIN)?.map(|origin| origin.tip);
    let tip = flushed.map(|savepoint| savepoint.tip);
    let start = flushed.and_then(|savepoint| savepoint.location).map_or((0, 0), |last| (last.file, last.end()));
    let tail = tail::scan(&chains, Keeper::Peer, start, tip)?;
    cut(&tail)?;
    let recovery = Recovery {
        replay: height(tip)..height(tail.tip),
        torn: tail.torn.map(|(_, torn)| torn),
        rebuilding: rebuilding.filter(|_| height(tail.tip) > 0),
    };
    let metadata_namespaces = Arc::new(read_metadata_namespaces(&lmdb)?);
    let recent = Arc::new(Recent::default());
    journaled.iter().for_each(|layer| recent.learn(layer));
    let derived =
        Derived { flushed, journaled, recent, staged: Vec::new(), metadata_namespaces, definitions: height(tip) };
    let chain = Chain { origin, tip: tail.tip, unindexed: tail.blocks.into() };
    let end = last_file(&chains)?;
    Ok(Opened { lock, lmdb, chains, chain, derived, end, recovery })
}

/// Deletes the derived data of a closed ledger.
pub(crate) fn drop_derived(dir: &Path) -> Result<()> {
    let _lock = LedgerLock::take(dir)?;
    let path = dir.join(DERIVED);
    if path.exists() {
        fs::remove_dir_all(&path).context("remove", &path)?;
    }
    Ok(())
}

fn height(tip: Option<ChainTip>) -> u64 {
    tip.map_or(0, |tip| tip.number + 1)
}

/// Opens the derived data; begins it anew, and says why, if what is there cannot be used.
fn open_derived(path: &Path, chains: &Path, options: &Options) -> Result<(Lmdb, Layers, Option<String>)> {
    let reason = if path.join("data.mdb").exists() {
        match Lmdb::open(path, options.map_bytes).and_then(|lmdb| use_derived(lmdb, chains)) {
            Ok(Usable::Yes(usable)) => return Ok((usable.0, usable.1, None)),
            Ok(Usable::No(reason)) => reason,
            Err(error) if is_damage(&error) => error.to_string(),
            Err(error) => return Err(error),
        }
    } else {
        "the derived data is missing".into()
    };
    if path.exists() {
        fs::remove_dir_all(path).context("remove", path)?;
    }
    let lmdb = Lmdb::open(path, options.map_bytes)?;
    lmdb.write(|txn, stores| stores.meta.put(txn, FORMAT_KEY, FORMAT))?;
    Ok((lmdb, Layers::default(), Some(reason)))
}

/// Derived data, or why it cannot be used with the block files.
enum Usable {
    Yes(Box<(Lmdb, Layers)>),
    No(String),
}

fn use_derived(lmdb: Lmdb, chains: &Path) -> Result<Usable> {
    let format = read_meta(&lmdb, FORMAT_KEY)?;
    if format.as_deref() != Some(FORMAT) {
        return Ok(Usable::No("the derived data is in another format".into()));
    }
    let Some(savepoint) = read_savepoint(&lmdb, SAVEPOINT)? else {
        if is_empty(&lmdb)? {
            return Ok(Usable::Yes(Box::new((lmdb, Layers::default()))));
        }
        return Ok(Usable::No("a snapshot was not loaded to its end".into()));
    };
    if let Some(last) = savepoint.location {
        for file in 0..last.file {
            check_full_file(&lmdb, chains, file)?;
        }
        if let Some(reason) = check_last_block(chains, &savepoint, &last)? {
            return Ok(Usable::No(reason));
        }
    }
    let layers = Layers::load(&lmdb, savepoint.tip.number)?;
    Ok(Usable::Yes(Box::new((lmdb, layers))))
}

fn is_damage(error: &LedgerError) -> bool {
    match error {
        LedgerError::DamagedDerived { .. } => true,
        LedgerError::Derived { source: heed::Error::Mdb(source), .. } => matches!(
            source,
            MdbError::Invalid | MdbError::Corrupted | MdbError::VersionMismatch | MdbError::PageNotFound
        ),
        _ => false,
    }
}

/// Only loading a snapshot fills stores before there is a savepoint.
fn is_empty(lmdb: &Lmdb) -> Result<bool> {
    let txn = lmdb.read()?;
    let empty = Kind::ALL.into_iter().map(|kind| kind.store(&lmdb.stores).is_empty(&txn));
    empty.reduce(|a, b| Ok(a? && b?)).unwrap_or(Ok(true)).map_err(|source| lmdb.read_error(source))
}

/// A file before the last one must end where its last block does.
fn check_full_file(lmdb: &Lmdb, chains: &Path, number: u32) -> Result<()> {
    let file = BlockFile::open(chains, number)?;
    let end = read_meta(lmdb, &file_end(number))?.and_then(|end| end.try_into().ok()).map_or(0, u64::from_be_bytes);
    if file.size == end {
        return Ok(());
    }
    Err(file.damage(file.size.min(end), format!("the file has {} bytes, its blocks {end}", file.size)))
}

/// The savepoint's block must stand where it stood. If it is torn, the derived data is ahead of the block files.
fn check_last_block(chains: &Path, savepoint: &Savepoint, last: &Location) -> Result<Option<String>> {
    let file = BlockFile::open(chains, last.file)?;
    if file.size < last.offset {
        let reason = format!(
            "the file ends before block {}, which was committed at offset {}; if these block files are \
            right, delete the ledger's {DERIVED} folder",
            savepoint.tip.number, last.offset
        );
        return Err(file.damage(file.size, reason));
    }
    if file.size < last.end() {
        return Ok(Some(format!("block {}, which it includes, is torn", savepoint.tip.number)));
    }
    let record = file.record(last)?;
    let header_hash = record::header(&record).map(|header| hash::header_hash(&header));
    if header_hash != Ok(savepoint.tip.header_hash) {
        return Err(file.damage(last.offset, format!("block {} does not stand there", savepoint.tip.number)));
    }
    record::check(&record).map_err(|reason| file.damage(last.offset, reason))?;
    Ok(None)
}

pub(crate) fn cut(tail: &Tail) -> Result<()> {
    let Some((_, torn)) = &tail.torn else { return Ok(()) };
    let file = OpenOptions::new().write(true).open(&torn.path).context("open for writing", &torn.path)?;
    file.set_len(torn.offset).and_then(|()| file.sync_all()).context("cut back", &torn.path)
}

pub(crate) fn last_file(chains: &Path) -> Result<Option<(u32, u64)>> {
    let Some(last) = blockfile::count(chains)?.checked_sub(1) else { return Ok(None) };
    Ok(Some((last, BlockFile::open(chains, last)?.size)))
}

fn read_meta(lmdb: &Lmdb, key: &[u8]) -> Result<Option<Vec<u8>>> {
    let txn = lmdb.read()?;
    let found = lmdb.stores.meta.get(&txn, key).map_err(|source| lmdb.read_error(source))?;
    Ok(found.map(<[u8]>::to_vec))
}

fn read_savepoint(lmdb: &Lmdb, key: &[u8]) -> Result<Option<Savepoint>> {
    let Some(encoded) = read_meta(lmdb, key)? else { return Ok(None) };
    Savepoint::decode(&encoded).map(Some).ok_or_else(|| lmdb.damaged("the savepoint"))
}

fn read_metadata_namespaces(lmdb: &Lmdb) -> Result<FxHashSet<String>> {
    let list = read_meta(lmdb, METADATA_NAMESPACES)?.unwrap_or_default();
    let mut reader = Reader::new(&list);
    let mut namespaces = FxHashSet::default();
    while !reader.rest().is_empty() {
        let name = reader.length_prefixed().ok().and_then(|name| std::str::from_utf8(name).ok());
        namespaces.insert(name.ok_or_else(|| lmdb.damaged("the list of namespaces"))?.to_owned());
    }
    Ok(namespaces)
}
