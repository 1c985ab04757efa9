// SPDX-License-Identifier: Apache-2.0
//! Simulations as Python sees them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fastledger_mvcc as mvcc;
use fastledger_simulator::{Failure, Metadata, Page, RangeRead, Row, State};
use fastledger_wire::rwset::RangeQueryInfo;
use fastledger_wire::{Height, Message, encode};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::state::VersionedValue;
use crate::view::StateView;
use crate::{door, error};

type Version = Option<(u64, u64)>;

type Results<'py> = (Bound<'py, PyBytes>, Option<Bound<'py, PyBytes>>);

/// What one transaction read and wrote so far.
#[pyclass(frozen, module = "fastledger._core")]
#[derive(Default)]
pub(crate) struct ReadWriteSet(Mutex<fastledger_simulator::ReadWriteSet>);

impl ReadWriteSet {
    fn lock(&self) -> MutexGuard<'_, fastledger_simulator::ReadWriteSet> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl ReadWriteSet {
    #[new]
    fn new() -> Self {
        Self::default()
    }

    #[pyo3(signature = (ns, key, version))]
    fn read(&self, ns: &str, key: &str, version: Version) {
        self.lock().read(ns, key, height(version));
    }

    fn write(&self, ns: &str, key: &str, value: Vec<u8>) {
        self.lock().write(ns, key, value);
    }

    fn write_metadata(&self, ns: &str, key: &str, entries: Metadata) {
        self.lock().write_metadata(ns, key, entries);
    }

    /// Adds an encoded `RangeQueryInfo`.
    fn add_range(&self, py: Python<'_>, ns: &str, info: &[u8]) -> PyResult<()> {
        let read = RangeQueryInfo::decode(info).map_err(|problem| error::input(py, problem.to_string()))?;
        let mut head = Vec::new();
        encode::bytes_field(&mut head, 1, read.start_key.as_bytes());
        encode::bytes_field(&mut head, 2, read.end_key.as_bytes());
        encode::varint_field(&mut head, 3, u64::from(read.itr_exhausted));
        let results = info.strip_prefix(&*head).unwrap_or_default().to_vec();
        let (start, end) = (read.start_key.to_owned(), read.end_key.to_owned());
        self.lock().add_range(ns, RangeRead { start, end, exhausted: read.itr_exhausted, results });
        Ok(())
    }

    #[pyo3(signature = (ns, coll, key, version))]
    fn read_hash(&self, ns: &str, coll: &str, key: &str, version: Version) {
        self.lock().read_hash(ns, coll, key, height(version));
    }

    #[pyo3(signature = (ns, coll, key, value, *, is_purge=false))]
    fn write_private(&self, ns: &str, coll: &str, key: &str, value: Vec<u8>, is_purge: bool) {
        self.lock().write_private(ns, coll, key, value, is_purge);
    }

    fn write_private_metadata(&self, ns: &str, coll: &str, key: &str, entries: Metadata) {
        self.lock().write_private_metadata(ns, coll, key, entries);
    }

    fn build<'py>(&self, py: Python<'py>) -> Results<'py> {
        encoded(py, &self.lock().build())
    }
}

/// One transaction on one channel.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct Simulation(pub(crate) Arc<fastledger_simulator::Simulation>);

#[pymethods]
impl Simulation {
    /// On a view of a ledger's state, or on what else can be asked in the same way.
    #[new]
    fn new(py: Python<'_>, view: Bound<'_, PyAny>, tx_id: String) -> PyResult<Self> {
        let state: Arc<dyn State> = match view.cast::<StateView>() {
            Ok(view) => view.get().view(py)?,
            Err(_) => Arc::new(Asked(view.unbind())),
        };
        Ok(Self(Arc::new(fastledger_simulator::Simulation::new(state, tx_id))))
    }

    fn get(&self, py: Python<'_>, ns: &str, key: &str) -> PyResult<Option<VersionedValue>> {
        Ok(door::work(py, || self.0.get(ns, key), error::simulation)?.map(Into::into))
    }

    fn put(&self, py: Python<'_>, ns: &str, key: &str, value: &[u8]) -> PyResult<()> {
        door::work(py, || self.0.put(ns, key, value), error::simulation)
    }

    fn put_metadata(&self, py: Python<'_>, ns: &str, key: &str, entries: Metadata) -> PyResult<()> {
        door::work(py, || self.0.put_metadata(ns, key, entries), error::simulation)
    }

    #[pyo3(signature = (ns, start, end, page=None))]
    fn range(&self, py: Python<'_>, ns: &str, start: &str, end: &str, page: Option<usize>) -> PyResult<RangeScan> {
        door::work(py, || self.0.range(ns, start, end, page), error::simulation).map(RangeScan)
    }

    fn begin_page(&self, py: Python<'_>) -> PyResult<()> {
        door::work(py, || self.0.begin_page(), error::simulation)
    }

    fn begin_private_query(&self, py: Python<'_>) -> PyResult<()> {
        door::work(py, || self.0.begin_private_query(), error::simulation)
    }

    #[pyo3(signature = (ns, coll, key, version))]
    fn read_hash(&self, py: Python<'_>, ns: &str, coll: &str, key: &str, version: Version) {
        py.detach(|| self.0.read_hash(ns, coll, key, height(version)));
    }

    #[pyo3(signature = (ns, coll, key, value, *, is_purge=false))]
    fn put_private(
        &self,
        py: Python<'_>,
        ns: &str,
        coll: &str,
        key: &str,
        value: &[u8],
        is_purge: bool,
    ) -> PyResult<()> {
        door::work(py, || self.0.put_private(ns, coll, key, value, is_purge), error::simulation)
    }

    fn put_private_metadata(&self, py: Python<'_>, ns: &str, coll: &str, key: &str, entries: Metadata) -> PyResult<()> {
        door::work(py, || self.0.put_private_metadata(ns, coll, key, entries), error::simulation)
    }

    fn check_open(&self, py: Python<'_>) -> PyResult<()> {
        door::work(py, || self.0.check_open(), error::simulation)
    }

    fn results<'py>(&self, py: Python<'py>) -> PyResult<Results<'py>> {
        let results = door::work(py, || Ok::<_, Failure>(self.0.results()), error::simulation)?;
        Ok(encoded(py, &results))
    }

    fn namespaces(&self, py: Python<'_>) -> Vec<String> {
        py.detach(|| self.0.namespaces())
    }

    /// Namespace, collection, key and committed metadata of what is written.
    fn written<'py>(&self, py: Python<'py>) -> Vec<(String, String, String, Bound<'py, PyBytes>)> {
        let written = py.detach(|| self.0.written());
        let place = |((ns, coll, key), metadata): (_, Vec<u8>)| (ns, coll, key, PyBytes::new(py, &metadata));
        written.into_iter().map(place).collect()
    }

    fn done(&self, py: Python<'_>) {
        py.detach(|| self.0.done());
    }
}

/// A range of public keys; what was read of it stands in the read-write set.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct RangeScan(Arc<fastledger_simulator::RangeScan>);

#[pymethods]
impl RangeScan {
    fn __iter__(scan: PyRef<'_, Self>) -> PyRef<'_, Self> {
        scan
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<(String, Bound<'py, PyAny>)>> {
        let row = door::work(py, || self.0.next(), error::simulation)?;
        Ok(row.map(|(key, value)| (key, PyBytes::new(py, &value).into_any())))
    }

    fn bookmark_and_close(&self, py: Python<'_>) -> PyResult<String> {
        door::work(py, || self.0.bookmark_and_close(), error::simulation)
    }

    fn close(&self, py: Python<'_>) {
        py.detach(|| self.0.close());
    }
}

/// State that Python answers for.
struct Asked(Py<PyAny>);

impl Asked {
    fn ask<T>(&self, ask: impl FnOnce(&Bound<'_, PyAny>) -> PyResult<T>) -> Result<T, Failure> {
        Python::attach(|py| ask(self.0.bind(py)).map_err(|raised| error::failure(py, &raised)))
    }
}

impl State for Asked {
    fn get(&self, key: mvcc::StateKey<'_>) -> Result<Option<mvcc::VersionedValue<'static>>, Failure> {
        self.ask(|view| {
            let found = if key.collection.is_empty() {
                view.call_method1("get", (key.namespace, String::from_utf8_lossy(key.key)))?
            } else {
                view.call_method1("get_hash", (key.namespace, key.collection, PyBytes::new(view.py(), key.key)))?
            };
            if found.is_none() { Ok(None) } else { value(&found).map(Some) }
        })
    }

    fn page(&self, namespace: &str, start: &[u8], end: &str) -> Result<Page, Failure> {
        self.ask(|view| {
            let mut rows = VecDeque::new();
            for row in view.call_method1("range", (namespace, String::from_utf8_lossy(start), end))?.try_iter()? {
                let row = row?;
                let key = String::from_utf8_lossy(&row.get_item(2)?.extract::<Vec<u8>>()?).into_owned();
                rows.push_back(Row { key, value: value(&row.get_item(3)?)? });
            }
            Ok((rows, None))
        })
    }
}

fn value(found: &Bound<'_, PyAny>) -> PyResult<mvcc::VersionedValue<'static>> {
    let (block, tx) = found.getattr("version")?.extract()?;
    Ok(mvcc::VersionedValue {
        value: found.getattr("value")?.extract::<Vec<u8>>()?.into(),
        metadata: found.getattr("metadata")?.extract::<Vec<u8>>()?.into(),
        version: Height { block, tx },
    })
}

fn height(version: Version) -> Option<Height> {
    version.map(|(block, tx)| Height { block, tx })
}

fn encoded<'py>(py: Python<'py>, (public, private): &(Vec<u8>, Option<Vec<u8>>)) -> Results<'py> {
    (PyBytes::new(py, public), private.as_ref().map(|private| PyBytes::new(py, private)))
}
