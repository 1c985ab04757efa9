// SPDX-License-Identifier: Apache-2.0
//! State as Python sees it.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use fastledger_ledger::{LedgerError, View};
use fastledger_mvcc as mvcc;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::{door, error};

/// A key's committed state.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct VersionedValue(mvcc::VersionedValue<'static>);

impl From<mvcc::VersionedValue<'static>> for VersionedValue {
    fn from(value: mvcc::VersionedValue<'static>) -> Self {
        Self(value)
    }
}

#[pymethods]
impl VersionedValue {
    #[getter]
    fn value<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.value)
    }

    #[getter]
    fn metadata<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.metadata)
    }

    #[getter]
    fn version(&self) -> (u64, u64) {
        (self.0.version.block, self.0.version.tx)
    }
}

/// Rows that are read at once.
const PAGE_ROWS: usize = 1024;

/// Bytes of keys and values after which a page ends early.
const PAGE_BYTES: usize = 4 << 20;

struct Row {
    namespace: String,
    collection: String,
    key: Vec<u8>,
    value: mvcc::VersionedValue<'static>,
}

struct Cursor {
    page: VecDeque<Row>,
    /// Where the next page begins; none at the end.
    next: Option<Start>,
}

/// What an iterator goes through.
#[derive(Clone)]
pub(crate) enum Scope {
    /// Public keys of a namespace, below `end` unless that is empty.
    Namespace { namespace: String, end: String },
    /// All state.
    Everything,
}

struct Start {
    namespace: String,
    collection: String,
    key: Vec<u8>,
}

/// Keys in byte order, as of the moment when the iterator was made.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct StateIterator {
    view: Arc<View>,
    scope: Scope,
    cursor: Mutex<Cursor>,
}

impl StateIterator {
    pub(crate) fn new(view: Arc<View>, scope: Scope, start: &str) -> Self {
        let namespace = match &scope {
            Scope::Namespace { namespace, .. } => namespace.clone(),
            Scope::Everything => String::new(),
        };
        let start = Start { namespace, collection: String::new(), key: start.as_bytes().to_vec() };
        let cursor = Mutex::new(Cursor { page: VecDeque::new(), next: Some(start) });
        Self { view, scope, cursor }
    }

    fn next(&self) -> Result<Option<Row>, LedgerError> {
        let mut cursor = self.cursor.lock().unwrap_or_else(PoisonError::into_inner);
        if cursor.page.is_empty()
            && let Some(start) = cursor.next.take()
        {
            (cursor.page, cursor.next) = self.read_page(&start)?;
        }
        Ok(cursor.page.pop_front())
    }

    fn read_page(&self, start: &Start) -> Result<(VecDeque<Row>, Option<Start>), LedgerError> {
        let (mut page, mut bytes, mut next) = (VecDeque::new(), 0usize, None);
        let mut take = |key: mvcc::StateKey<'_>, value: mvcc::VersionedValue<'static>| {
            let (namespace, collection, key) = (key.namespace.to_owned(), key.collection.to_owned(), key.key.to_vec());
            if page.len() >= PAGE_ROWS || bytes >= PAGE_BYTES {
                next = Some(Start { namespace, collection, key });
                return ControlFlow::Break(());
            }
            bytes += key.len() + value.value.len();
            page.push_back(Row { namespace, collection, key, value });
            ControlFlow::Continue(())
        };
        match &self.scope {
            Scope::Namespace { namespace, end } => {
                self.view.range_values((namespace, ""), &start.key, end.as_bytes(), &mut |key, value| {
                    take(mvcc::StateKey { namespace, collection: "", key }, value)
                })?;
            }
            Scope::Everything => {
                let from =
                    mvcc::StateKey { namespace: &start.namespace, collection: &start.collection, key: &start.key };
                self.view.all_states_from(from, &mut take)?;
            }
        }
        Ok((page, next))
    }
}

type PyRow<'py> = (String, String, Bound<'py, PyAny>, VersionedValue);

#[pymethods]
impl StateIterator {
    fn __iter__(iterator: PyRef<'_, Self>) -> PyRef<'_, Self> {
        iterator
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<PyRow<'py>>> {
        let row = door::work(py, || self.next(), error::ledger)?;
        Ok(row.map(|row| {
            let key = PyBytes::new(py, &row.key).into_any();
            (row.namespace, row.collection, key, VersionedValue(row.value))
        }))
    }
}
