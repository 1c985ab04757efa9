// SPDX-License-Identifier: Apache-2.0
//! The ledger as Python sees it.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};
use std::time::Duration;

use bytes::Bytes;
use fastledger_committer::{CommitError, Options, PeerLedger};
use fastledger_ledger::{Ledger as Storage, LedgerError, StoredBlock, TxLocation, View};
use fastledger_mvcc::{StateKey, StateReader};
use fastledger_wire::{Height, block};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::delivered::{CoreBytes, Encoded};
use crate::result::{CommitResult, Location, encode};
use crate::state::{Scope, StateIterator, VersionedValue};
use crate::view::StateView;
use crate::{door, error, private};

/// A thread that waits for a block looks so often whether somebody interrupts it.
const SIGNALS_EVERY: Duration = Duration::from_millis(50);

/// One channel's ledger and the pipeline that commits to it.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct Ledger {
    path: PathBuf,
    options: Options,
    channel: RwLock<Option<Arc<PeerLedger>>>,
    /// The newest view that somebody holds: simulations of one height read through one.
    shared_view: Mutex<Weak<View>>,
}

impl Ledger {
    fn channel(&self, py: Python<'_>) -> PyResult<Arc<PeerLedger>> {
        let channel = self.channel.read().unwrap_or_else(PoisonError::into_inner).clone();
        channel.ok_or_else(|| error::input(py, format!("ledger {} is closed", self.path.display())))
    }

    /// Reads the ledger without the GIL.
    fn read<T: Send>(
        &self,
        py: Python<'_>,
        read: impl FnOnce(&Storage) -> fastledger_ledger::Result<T> + Send,
    ) -> PyResult<T> {
        let channel = self.channel(py)?;
        door::work(py, || read(channel.ledger()), error::ledger)
    }
}

#[pymethods]
impl Ledger {
    #[staticmethod]
    #[pyo3(signature = (path, *, create=true, workers=0, blocks_ahead=128, durable=true, verify_block_signatures=true, allow_malformed=false, delivered=false, engine="auto"))]
    #[expect(clippy::too_many_arguments, clippy::fn_params_excessive_bools, reason = "they are keywords in Python")]
    fn open(
        py: Python<'_>,
        path: PathBuf,
        create: bool,
        workers: usize,
        blocks_ahead: usize,
        durable: bool,
        verify_block_signatures: bool,
        allow_malformed: bool,
        delivered: bool,
        engine: &str,
    ) -> PyResult<Self> {
        let sequential_mvcc = match engine {
            "auto" | "parallel" => false,
            "sequential" => true,
            other => {
                return Err(error::input(py, format!("engine {other:?} is not one of auto, parallel, sequential")));
            }
        };
        if !create && !path.join("chains").is_dir() {
            return Err(error::input(py, format!("{} is not a ledger: it has no folder chains", path.display())));
        }
        let options = Options {
            workers,
            blocks_ahead,
            verify_block_signatures,
            allow_malformed,
            delivered,
            sequential_mvcc,
            durable,
            ..Options::default()
        };
        let channel = door::work(py, || PeerLedger::open(&path, &options), error::commit)?;
        Ok(Self { path, options, channel: RwLock::new(Some(Arc::new(channel))), shared_view: Mutex::new(Weak::new()) })
    }

    #[staticmethod]
    fn restore(py: Python<'_>, snapshot: PathBuf, path: PathBuf) -> PyResult<()> {
        let import = || Storage::import_snapshot(&snapshot, &path, Options::default().ledger).map(drop);
        door::work(py, import, error::ledger)
    }

    fn close(&self, py: Python<'_>) {
        let channel = self.channel.write().unwrap_or_else(PoisonError::into_inner).take();
        py.detach(|| drop(channel));
    }

    /// What opening cut off, if anything: file, offset, bytes.
    #[getter]
    fn torn(&self, py: Python<'_>) -> PyResult<Option<(String, u64, u64)>> {
        let channel = self.channel(py)?;
        Ok(channel.torn().map(|torn| (torn.path.display().to_string(), torn.offset, torn.bytes)))
    }

    /// Why opening made everything that is derived from the blocks anew, if it did.
    #[getter]
    fn rebuilt(&self, py: Python<'_>) -> PyResult<Option<String>> {
        Ok(self.channel(py)?.rebuilt().map(str::to_owned))
    }

    #[getter]
    fn height(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.channel(py)?.ledger().height())
    }

    #[getter]
    fn channel_id(&self, py: Python<'_>) -> PyResult<Option<String>> {
        Ok(self.channel(py)?.config().map(|config| config.channel_id().to_owned()))
    }

    #[getter]
    fn last_header_hash<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let tip = self.channel(py)?.ledger().tip();
        Ok(tip.map(|tip| PyBytes::new(py, &tip.header_hash)))
    }

    #[getter]
    fn last_commit_hash<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let hash = self.channel(py)?.ledger().last_commit_hash();
        Ok(hash.map(|hash| PyBytes::new(py, &hash)))
    }

    fn submit(&self, py: Python<'_>, block: Encoded) -> PyResult<()> {
        let (channel, block) = (self.channel(py)?, block.into_bytes());
        door::work(py, || channel.submit(block), error::commit)
    }

    fn result(&self, py: Python<'_>) -> PyResult<CommitResult> {
        let channel = self.channel(py)?;
        while !py.detach(|| channel.await_result(SIGNALS_EVERY)) {
            py.check_signals()?;
        }
        door::work(py, || channel.result(), error::commit).map(CommitResult)
    }

    /// How many results can be taken; waits for one if there is none, at most so long.
    #[pyo3(signature = (longest_s = 0.0))]
    fn ready(&self, py: Python<'_>, longest_s: f64) -> PyResult<usize> {
        let channel = self.channel(py)?;
        let longest = Duration::try_from_secs_f64(longest_s).unwrap_or_default();
        // What has stopped has no results, but is no reason to wait.
        let waits_no_longer = !longest.is_zero() && py.detach(|| channel.await_result(longest));
        Ok(channel.ready().max(usize::from(waits_no_longer)))
    }

    fn in_flight(&self, py: Python<'_>) -> PyResult<usize> {
        Ok(self.channel(py)?.in_flight())
    }

    fn validate(&self, py: Python<'_>, block: PyBackedBytes) -> PyResult<CommitResult> {
        let (channel, block) = (self.channel(py)?, Bytes::from_owner(block));
        let judge = || {
            channel.submit_for_judgement(block)?;
            channel.result()
        };
        door::work(py, judge, error::commit).map(CommitResult)
    }

    fn get(&self, py: Python<'_>, namespace: &str, key: &str) -> PyResult<Option<VersionedValue>> {
        self.get_hash(py, namespace, "", key.as_bytes())
    }

    fn get_hash(
        &self,
        py: Python<'_>,
        namespace: &str,
        collection: &str,
        key_hash: &[u8],
    ) -> PyResult<Option<VersionedValue>> {
        let key = StateKey { namespace, collection, key: key_hash };
        Ok(self.read(py, |ledger| ledger.view()?.get(key))?.map(Into::into))
    }

    fn range(&self, py: Python<'_>, namespace: String, start: &str, end: String) -> PyResult<StateIterator> {
        let view = self.read(py, Storage::view)?;
        Ok(StateIterator::new(Arc::new(view), Scope::Namespace { namespace, end }, start))
    }

    fn state(&self, py: Python<'_>) -> PyResult<StateIterator> {
        let view = self.read(py, Storage::view)?;
        Ok(StateIterator::new(Arc::new(view), Scope::Everything, ""))
    }

    fn view(&self, py: Python<'_>) -> PyResult<StateView> {
        let channel = self.channel(py)?;
        let share = || {
            let mut shared = self.shared_view.lock().unwrap_or_else(PoisonError::into_inner);
            let current = shared.upgrade().filter(|view| view.height() == channel.ledger().view_height());
            if let Some(view) = current {
                return Ok(view);
            }
            let view = Arc::new(channel.ledger().view()?);
            *shared = Arc::downgrade(&view);
            Ok(view)
        };
        door::work(py, share, error::ledger).map(StateView::new)
    }

    fn history(&self, py: Python<'_>, namespace: &str, key: &str) -> PyResult<Vec<(u64, u64)>> {
        let heights = self.read(py, |ledger| ledger.view()?.history(namespace, key))?;
        Ok(heights.into_iter().map(|Height { block, tx }| (block, tx)).collect())
    }

    fn block<'py>(&self, py: Python<'py>, number: u64) -> PyResult<Bound<'py, PyBytes>> {
        let stored = self.read(py, |ledger| ledger.block(number))?;
        block_bytes(py, &stored)
    }

    fn block_in_core(&self, py: Python<'_>, number: u64) -> PyResult<CoreBytes> {
        let channel = self.channel(py)?;
        let read = || encoded(&channel.ledger().block(number)?);
        door::work(py, read, error::ledger).map(|block| CoreBytes(block.into()))
    }

    fn block_by_hash<'py>(&self, py: Python<'py>, header_hash: &[u8]) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let hash = header_hash
            .try_into()
            .map_err(|_| error::input(py, format!("a header hash has 32 bytes, not {}", header_hash.len())))?;
        let stored = self.read(py, |ledger| ledger.block_by_hash(&hash))?;
        stored.map(|stored| block_bytes(py, &stored)).transpose()
    }

    fn find(&self, py: Python<'_>, tx_id: &str) -> PyResult<Option<Location>> {
        match self.read(py, |ledger| ledger.view()?.tx_location(tx_id))? {
            Some(TxLocation::Block { height, code }) => Ok(Some(Location { block: height.block, tx: height.tx, code })),
            Some(TxLocation::Snapshot) => Err(error::not_found(
                py,
                format!("transaction {tx_id} is older than the snapshot that this ledger began from"),
            )),
            None => Ok(None),
        }
    }

    fn explain(&self, py: Python<'_>, block: u64, tx: u32) -> PyResult<Option<String>> {
        let channel = self.channel(py)?;
        door::work(py, || channel.explain(block, tx), error::commit)
    }

    fn policy_of(&self, py: Python<'_>, namespace: &str) -> PyResult<Option<String>> {
        let channel = self.channel(py)?;
        door::work(py, || channel.policy_of(namespace), error::commit)
    }

    /// The newest collections of a chaincode that blocks before this one brought, if any.
    fn collections_before<'py>(
        &self,
        py: Python<'py>,
        chaincode: &str,
        block: u64,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let found = self.read(py, |ledger| ledger.view()?.collection_config_below(block, chaincode))?;
        Ok(found.map(|(_, package)| PyBytes::new(py, &package)))
    }

    fn private_effects<'py>(&self, py: Python<'py>, number: u64) -> PyResult<Bound<'py, PyAny>> {
        let channel = self.channel(py)?;
        let effects = door::work(py, || channel.private_effects(number), error::commit)?;
        private::tuples(&effects).into_bound_py_any(py)
    }

    fn snapshot(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        let channel = self.channel(py)?;
        door::work(py, || channel.snapshot_to(&path), error::commit)
    }

    fn rebuild(&self, py: Python<'_>) -> PyResult<u64> {
        self.open_again(py, true)
    }

    fn reopen(&self, py: Python<'_>) -> PyResult<u64> {
        self.open_again(py, false)
    }
}

impl Ledger {
    /// Closes the ledger and opens it, with or without what is derived from its blocks; returns the height.
    fn open_again(&self, py: Python<'_>, anew: bool) -> PyResult<u64> {
        self.close(py);
        let open = || -> Result<PeerLedger, CommitError> {
            if anew {
                Storage::drop_derived(&self.path)?;
            }
            PeerLedger::open(&self.path, &self.options)
        };
        let channel = door::work(py, open, error::commit)?;
        let height = channel.ledger().height();
        *self.channel.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(channel));
        Ok(height)
    }
}

fn block_bytes<'py>(py: Python<'py>, stored: &StoredBlock) -> PyResult<Bound<'py, PyBytes>> {
    Ok(PyBytes::new(py, &encoded(stored).map_err(|failure| error::ledger(py, failure))?))
}

/// The encoded `common.Block` of a record.
fn encoded(stored: &StoredBlock) -> fastledger_ledger::Result<Vec<u8>> {
    let decoded = block::decode_record(&stored.record)
        .map_err(|failure| LedgerError::NotARecord { reason: failure.to_string() })?;
    Ok(encode(&decoded))
}
