// SPDX-License-Identifier: Apache-2.0
//! The LMDB environment of the derived data: opening, transactions, growth. All of the crate's `unsafe` is here.
//!
//! Commits use `MDB_NOMETASYNC`: pages are synced before the meta page that points to them is written, and that meta
//! page reaches the disk with the next commit at the latest. A power loss can take back the last commit, never damage
//! an earlier one: LMDB reuses no page that either of its two meta pages can reach. What is taken back is replayed from
//! the block files, which are synced on their own, so the second sync of a full commit would buy nothing.
//! `MDB_NOSYNC` and `MDB_WRITEMAP` are not used, as both can damage earlier commits.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use heed::types::Bytes;
use heed::{CommitOrAbort, EnvFlags, EnvOpenOptions, MdbError, RoTxn, RwTxn, WithoutTls};

use crate::error::{IoContext, LedgerError, Result};
use crate::gate::{Gate, Pass};
use crate::pages;
use crate::store::Store;

/// Read transactions that may be open at once.
const MAX_READERS: u32 = 1022;

/// Size of the reader table's file: that of [`MAX_READERS`] and its header, with room to spare.
const LOCK_FILE_BYTES: usize = (MAX_READERS as usize + 16) * 64;

/// How long growing waits for open views; one that the waiting thread itself holds would never be closed.
const GROWTH_PATIENCE: Duration = if cfg!(test) { Duration::from_millis(20) } else { Duration::from_secs(10) };

/// The smallest map that is tried when the address space is short, in bytes.
const MIN_MAP_BYTES: usize = 1 << 26;

/// The operating system's number of an I/O error.
const EIO: i32 = 5;

/// Bytes that a disk which is not full takes.
const PROBE_BYTES: usize = 4096;

/// The largest map that growing makes, in bytes.
const MAX_MAP_BYTES: usize = 1 << 44;

const STORES: [&str; 11] = [
    "state",
    "history",
    "blocks",
    "block_hashes",
    "tx_ids",
    "other_tx_ids",
    "config_history",
    "expiry",
    "explanations",
    "journal",
    "meta",
];

/// The environment's stores; [`crate::keys`] and [`crate::values`] say what is in them.
#[derive(Clone, Copy)]
pub(crate) struct Stores {
    pub(crate) state: Store,
    pub(crate) history: Store,
    pub(crate) blocks: Store,
    pub(crate) block_hashes: Store,
    pub(crate) tx_ids: Store,
    pub(crate) other_tx_ids: Store,
    pub(crate) config_history: Store,
    pub(crate) expiry: Store,
    pub(crate) explanations: Store,
    pub(crate) journal: Store,
    pub(crate) meta: Store,
}

/// The derived data of a ledger.
pub(crate) struct Lmdb {
    env: heed::Env<WithoutTls>,
    pub(crate) stores: Stores,
    gate: Arc<Gate>,
    path: PathBuf,
}

/// A read transaction; the map stays where it is until it is dropped.
pub(crate) struct ReadTxn {
    // Declared first, dropped first: the map may move only after the transaction has ended.
    txn: RoTxn<'static, WithoutTls>,
    _pass: Pass,
}

impl std::ops::Deref for ReadTxn {
    type Target = RoTxn<'static, WithoutTls>;

    fn deref(&self) -> &Self::Target {
        &self.txn
    }
}

impl Lmdb {
    /// Opens or makes the environment in `path`. `map_bytes` is where an empty one starts.
    ///
    /// The caller holds the ledger's lock: LMDB itself would let a second process in.
    pub(crate) fn open(path: &Path, map_bytes: usize) -> Result<Self> {
        fs::create_dir_all(path).context("create folder", path)?;
        pages::check_environment(path, &|_| true).map_err(|what| damaged(path, what))?;
        allocate_lock_file(&path.join("lock.mdb"))?;
        let env = open_env(path, map_bytes).map_err(|source| error("open", path, source))?;
        let gate = Arc::new(Gate::default());
        let lmdb = Self { stores: open_stores(&env, path)?, env, gate, path: path.to_path_buf() };
        lmdb.check_size()?;
        Ok(lmdb)
    }

    /// Begins a read transaction on the last commit.
    pub(crate) fn read(&self) -> Result<ReadTxn> {
        self.read_with(self.gate.enter())
    }

    /// The right to begin read transactions, unless the map is about to grow.
    pub(crate) fn try_enter(&self) -> Option<Pass> {
        self.gate.try_enter()
    }

    /// Waits until the map has grown.
    pub(crate) fn wait(&self) {
        drop(self.gate.enter());
    }

    /// Begins a read transaction with a pass taken before.
    pub(crate) fn read_with(&self, pass: Pass) -> Result<ReadTxn> {
        let txn = self.env.clone().static_read_txn().map_err(|source| error("read", &self.path, source))?;
        Ok(ReadTxn { txn, _pass: pass })
    }

    /// Runs `work` in a write transaction and commits it; runs it again from the start when the map had to grow.
    pub(crate) fn write(&self, mut work: impl FnMut(&mut RwTxn<'_>, &Stores) -> heed::Result<()>) -> Result<()> {
        loop {
            let attempt = {
                let _pass = self.gate.enter();
                self.env.write_txn().and_then(|mut txn| {
                    work(&mut txn, &self.stores)?;
                    txn.commit()
                })
            };
            match attempt {
                Err(heed::Error::Mdb(MdbError::MapFull)) => self.grow()?,
                Err(source) => return Err(error("write", &self.path, self.name_full_disk(source))),
                Ok(()) => return self.fill_file(),
            }
        }
    }

    /// LMDB calls it an I/O error when the disk takes only a part of what is written.
    fn name_full_disk(&self, source: heed::Error) -> heed::Error {
        let heed::Error::Io(io_error) = &source else { return source };
        let probe = self.path.join("probe");
        let tried = fs::write(&probe, [0; PROBE_BYTES]);
        drop(fs::remove_file(&probe));
        match tried {
            Err(full) if full.kind() == ErrorKind::StorageFull && io_error.raw_os_error() == Some(EIO) => {
                heed::Error::Io(full)
            }
            _ => source,
        }
    }

    /// LMDB does not write a last page that the same transaction took and gave back; see [`Self::check_size`].
    fn fill_file(&self) -> Result<()> {
        let file = self.env.try_clone_inner_file().map_err(|source| error("write", &self.path, source))?;
        let used = used_bytes(&self.env) as u64;
        if file.metadata().context("read", &self.path)?.len() < used {
            file.set_len(used).context("extend data.mdb in", &self.path)?;
        }
        Ok(())
    }

    fn grow(&self) -> Result<()> {
        let bytes = self.env.info().map_size;
        let doubled = bytes.saturating_mul(2);
        if doubled > MAX_MAP_BYTES {
            return Err(LedgerError::TooLarge { what: "derived data", size: doubled, limit: MAX_MAP_BYTES });
        }
        let closed = self.gate.close(GROWTH_PATIENCE);
        let _closed = closed.map_err(|views| LedgerError::GrowthBlocked { path: self.path.clone(), bytes, views })?;
        // SAFETY: mdb_env_set_mapsize requires that this process has no transaction open. Every transaction of this
        // environment is begun with a pass of the gate and ends before it is given back, and the gate is closed.
        #[expect(unsafe_code)]
        let resized = unsafe { self.env.resize(doubled) };
        resized.map_err(|source| error("grow", &self.path, source))
    }

    /// The file must hold every page that the last commit knows; reading past its end would be a bus error.
    fn check_size(&self) -> Result<()> {
        let used = used_bytes(&self.env);
        let length = self.env.real_disk_size().map_err(|source| error("read", &self.path, source))?;
        if used as u64 > length {
            return Err(self.damaged(format!("data.mdb has {length} bytes where {used} are in use")));
        }
        Ok(())
    }

    /// How often it was written.
    #[cfg(test)]
    pub(crate) fn commits(&self) -> usize {
        self.env.info().last_txn_id
    }

    pub(crate) fn damaged(&self, what: impl Into<String>) -> LedgerError {
        damaged(&self.path, what)
    }

    pub(crate) fn read_error(&self, source: heed::Error) -> LedgerError {
        match source {
            heed::Error::Decoding(what) => self.damaged(what.to_string()),
            source => error("read", &self.path, source),
        }
    }
}

fn damaged(path: &Path, what: impl Into<String>) -> LedgerError {
    LedgerError::DamagedDerived { path: path.to_path_buf(), what: what.into() }
}

fn error(action: &'static str, path: &Path, source: heed::Error) -> LedgerError {
    LedgerError::Derived { action, path: path.to_path_buf(), source }
}

fn used_bytes(env: &heed::Env<WithoutTls>) -> usize {
    (env.info().last_page_number + 1) * env.unnamed_database_stat().page_size as usize
}

/// Gives the reader table its blocks on disk: LMDB writes it through a map, where a full disk would be a bus error.
fn allocate_lock_file(path: &Path) -> Result<()> {
    if fs::metadata(path).is_ok_and(|found| found.len() >= LOCK_FILE_BYTES as u64) {
        return Ok(());
    }
    let mut file: File =
        OpenOptions::new().write(true).create(true).truncate(true).open(path).context("create", path)?;
    file.write_all(&vec![0; LOCK_FILE_BYTES]).and_then(|()| file.sync_all()).context("write", path)
}

fn open_env(path: &Path, map_bytes: usize) -> heed::Result<heed::Env<WithoutTls>> {
    let mut bytes = map_bytes;
    loop {
        match open_env_of(path, bytes) {
            Err(heed::Error::Io(error)) if error.kind() == ErrorKind::OutOfMemory && bytes > MIN_MAP_BYTES => {
                bytes /= 2;
            }
            other => return other,
        }
    }
}

fn open_env_of(path: &Path, map_bytes: usize) -> heed::Result<heed::Env<WithoutTls>> {
    let mut options = EnvOpenOptions::new().read_txn_without_tls();
    #[expect(clippy::cast_possible_truncation, reason = "twelve")]
    options.map_size(map_bytes).max_readers(MAX_READERS).max_dbs(STORES.len() as u32);
    // SAFETY: flags are unsafe because some of them drop LMDB's guarantees; NO_META_SYNC keeps integrity (see above)
    // and NO_READ_AHEAD only advises the kernel.
    #[expect(unsafe_code)]
    unsafe {
        options.flags(EnvFlags::NO_META_SYNC | EnvFlags::NO_READ_AHEAD);
    }
    // SAFETY: opening maps a file into memory, which is sound as long as nobody else changes it: the caller holds the
    // ledger's exclusive lock, which every process that opens a ledger takes first.
    #[expect(unsafe_code)]
    unsafe {
        options.open(path)
    }
}

fn open_stores(env: &heed::Env<WithoutTls>, path: &Path) -> Result<Stores> {
    let open = || {
        let txn = env.write_txn()?;
        env.create_databases_and_commit(txn, |opener, txn| {
            let mut stores = Vec::with_capacity(STORES.len());
            for name in STORES {
                stores.push(opener.create_database::<Bytes, Bytes>(txn, Some(name))?);
            }
            // The names and the fields below are the same stores in the same order.
            let stores: [_; STORES.len()] = stores.try_into().map_err(|_| heed::Error::Mdb(MdbError::DbsFull))?;
            Ok::<_, heed::Error>(CommitOrAbort::<_, ()>::Commit(stores))
        })
    };
    let stores = open().map_err(|source| error("open", path, source))?;
    let CommitOrAbort::Commit(stores) = stores else {
        return Err(LedgerError::DamagedDerived { path: path.to_path_buf(), what: "stores cannot be opened".into() });
    };
    let [
        state,
        history,
        blocks,
        block_hashes,
        tx_ids,
        other_tx_ids,
        config_history,
        expiry,
        explanations,
        journal,
        meta,
    ] = stores.map(Store);
    Ok(Stores {
        state,
        history,
        blocks,
        block_hashes,
        tx_ids,
        other_tx_ids,
        config_history,
        expiry,
        explanations,
        journal,
        meta,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    const SMALL: usize = 1 << 20;

    fn fill(lmdb: &Lmdb, round: u32) -> Result<()> {
        lmdb.write(|txn, stores| {
            (0..100u32).try_for_each(|i| stores.state.put(txn, &(round * 100 + i).to_be_bytes(), &[7; 3000]))
        })
    }

    #[test]
    fn a_full_map_grows_and_keeps_everything() {
        let dir = tempfile::tempdir().unwrap();
        let lmdb = Lmdb::open(dir.path(), SMALL).unwrap();
        for round in 0..20 {
            fill(&lmdb, round).unwrap();
        }
        assert!(lmdb.env.info().map_size > 4 << 20);
        assert_eq!(lmdb.stores.state.len(&lmdb.read().unwrap()).unwrap(), 2000);
        drop(lmdb);
        let lmdb = Lmdb::open(dir.path(), SMALL).unwrap();
        assert_eq!(lmdb.stores.state.len(&lmdb.read().unwrap()).unwrap(), 2000);
    }

    #[test]
    fn a_reader_that_stays_blocks_growth_with_an_error_and_nothing_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let lmdb = Lmdb::open(dir.path(), SMALL).unwrap();
        let reader = lmdb.read().unwrap();
        let (round, error) = (0..20).find_map(|round| Some((round, fill(&lmdb, round).err()?))).unwrap();
        assert!(matches!(error, LedgerError::GrowthBlocked { views: 1, .. }), "{error}");
        assert_eq!(lmdb.stores.state.len(&reader).unwrap(), 0);
        drop(reader);
        assert_eq!(lmdb.stores.state.len(&lmdb.read().unwrap()).unwrap(), u64::from(round) * 100);
        fill(&lmdb, round).unwrap();
        assert_eq!(lmdb.stores.state.len(&lmdb.read().unwrap()).unwrap(), u64::from(round) * 100 + 100);
    }
}
