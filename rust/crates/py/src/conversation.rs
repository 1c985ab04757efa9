// SPDX-License-Identifier: Apache-2.0
//! A chaincode's stream as its peer's Python sees it: what begins transactions, and decides what the core does not.

use std::sync::Arc;

use fastledger_chaincode::{Beginning, Conversation, Limits, Rows, Setting, Transaction, Whose, kv};
use fastledger_comm::{Line, Responder};
use fastledger_simulator::Failure;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::simulation::Simulation;
use crate::{door, error};

/// The stream of one chaincode that has registered.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct ChaincodeConversation(Arc<Conversation>);

impl ChaincodeConversation {
    pub(crate) fn responder(&self) -> Arc<dyn Responder> {
        Arc::clone(&self.0) as Arc<dyn Responder>
    }

    pub(crate) fn connect(&self, line: Line) {
        self.0.connect(line);
    }
}

#[pymethods]
impl ChaincodeConversation {
    #[new]
    #[pyo3(signature = (ccid, *, payload_bytes, values_bytes, page_rows, query_rows, open_queries, transaction_bytes, request_bytes, large_batch_bytes))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
    fn new(
        ccid: String,
        payload_bytes: usize,
        values_bytes: usize,
        page_rows: usize,
        query_rows: usize,
        open_queries: usize,
        transaction_bytes: usize,
        request_bytes: usize,
        large_batch_bytes: usize,
    ) -> Self {
        let limits = Limits {
            payload_bytes,
            values_bytes,
            page_rows,
            query_rows,
            open_queries,
            transaction_bytes,
            request_bytes,
            large_batch_bytes,
        };
        Self(Arc::new(Conversation::new(ccid, limits)))
    }

    #[pyo3(signature = (channel_id, tx_id, namespace, simulation, *, key_level_endorsement, is_init, chaincode_input, proposal))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
    fn begin(
        &self,
        py: Python<'_>,
        channel_id: String,
        tx_id: String,
        namespace: String,
        simulation: Option<&Simulation>,
        key_level_endorsement: Option<bool>,
        is_init: bool,
        chaincode_input: &[u8],
        proposal: &[u8],
    ) -> PyResult<ChaincodeTransaction> {
        let simulation = simulation.map(|simulation| Arc::clone(&simulation.0));
        let setting = Setting { channel_id, tx_id, namespace, simulation, key_level_endorsement };
        let beginning = Beginning { is_init, input: chaincode_input, proposal };
        let begun = door::work(py, || self.0.begin(setting, &beginning), error::simulation)?;
        Ok(ChaincodeTransaction { conversation: Arc::clone(&self.0), transaction: begun })
    }

    fn refuse(&self, py: Python<'_>, kind: i32, tx_id: &str, channel_id: &str) {
        py.detach(|| self.0.refuse(kind, tx_id, channel_id));
    }
}

/// One INIT or TRANSACTION in flight at one chaincode.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct ChaincodeTransaction {
    conversation: Arc<Conversation>,
    transaction: Arc<Transaction>,
}

impl ChaincodeTransaction {
    fn send(&self, py: Python<'_>, kind: i32, answer: Result<Vec<u8>, Failure>) {
        py.detach(|| self.conversation.reply(&self.transaction, self.transaction.written(kind, answer)));
    }
}

#[pymethods]
impl ChaincodeTransaction {
    /// Whether a request is the core's to answer, where that may take long; else it is Python's.
    fn is_ours(&self, py: Python<'_>, kind: i32, payload: &[u8]) -> bool {
        py.detach(|| self.transaction.whose(kind, payload)) != Whose::Theirs
    }

    /// Answers a request that is the core's; false for one that is not.
    fn answer(&self, py: Python<'_>, kind: i32, payload: &[u8]) -> bool {
        py.detach(|| {
            let answer = self.transaction.answer(kind, payload);
            answer.map(|answer| self.conversation.reply(&self.transaction, answer)).is_some()
        })
    }

    fn reply(&self, py: Python<'_>, kind: i32, payload: &[u8]) {
        self.send(py, kind, Ok(payload.to_vec()));
    }

    /// Says why a request is not answered.
    fn fail(&self, py: Python<'_>, kind: i32, raised: Bound<'_, PyAny>) {
        let failure = error::failure(py, &PyErr::from_value(raised));
        self.send(py, kind, Err(failure));
    }

    fn charge(&self, py: Python<'_>, size: usize) -> PyResult<()> {
        self.transaction.charge(size).map_err(|failure| error::simulation(py, failure))
    }

    fn check_key_level_endorsement(&self, py: Python<'_>) -> PyResult<()> {
        self.transaction.check_key_level_endorsement().map_err(|failure| error::simulation(py, failure))
    }

    /// Writes public state as an encoded `WriteRecord` says.
    fn write(&self, py: Python<'_>, record: &[u8]) -> PyResult<()> {
        door::work(py, || self.transaction.write(record), error::simulation)
    }

    /// Opens a query whose rows Python reads; returns the payload of the first answer.
    #[pyo3(signature = (rows, *, page=None, paged=false))]
    fn open<'py>(
        &self,
        py: Python<'py>,
        rows: Py<PyAny>,
        page: Option<usize>,
        paged: bool,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let rows = Box::new(Read { rows, namespace: self.transaction.namespace().to_owned() });
        let payload = door::work(py, || self.transaction.open(rows, page, paged), error::simulation)?;
        Ok(PyBytes::new(py, &payload))
    }

    /// Raises the defect for which a request was not answered, if there was one.
    fn check(&self, py: Python<'_>) -> PyResult<()> {
        self.transaction.defect().map_or(Ok(()), |found| Err(error::defect(py, found)))
    }

    fn end(&self, py: Python<'_>) {
        py.detach(|| self.conversation.end(&self.transaction));
    }
}

/// Rows that Python reads: keys with values, or messages.
struct Read {
    rows: Py<PyAny>,
    namespace: String,
}

impl Rows for Read {
    fn next(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        Python::attach(|py| {
            let row = self.rows.bind(py).try_iter().and_then(|mut rows| rows.next().transpose());
            row.and_then(|row| row.map(|row| self.encoded(&row)).transpose())
                .map_err(|raised| error::failure(py, &raised))
        })
    }

    fn bookmark_and_close(&mut self) -> Result<String, Failure> {
        Python::attach(|py| {
            let bookmark = self.rows.bind(py).call_method0("bookmark_and_close").and_then(|text| text.extract());
            bookmark.map_err(|raised| error::failure(py, &raised))
        })
    }
}

impl Read {
    fn encoded(&self, row: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
        match row.extract::<(String, Vec<u8>)>() {
            Ok((key, value)) => Ok(kv(&self.namespace, &key, &value)),
            Err(_) => row.call_method0("SerializeToString")?.extract(),
        }
    }
}

impl Drop for Read {
    fn drop(&mut self) {
        Python::attach(|py| {
            if let Err(raised) = self.rows.bind(py).call_method0("close") {
                log::error!(target: "core.chaincode", "a query cannot be closed: {raised}");
            }
        });
    }
}
