// SPDX-License-Identifier: Apache-2.0
//! What a committed block tells those who wait for its transactions, as Python sees it.

use fastledger_wire::common::Block;
use fastledger_wire::events::{self, EmittedEvent};
use fastledger_wire::{DecodeError, Message};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::delivered::Encoded;
use crate::{door, error};

/// A transaction's id, its code, and the chaincode and encoding of its event, if it emits one.
type Emitted<'py> = (String, u8, Option<(String, Bound<'py, PyBytes>)>);

/// Ids of the transactions of an encoded `common.Block`, as their headers have them; empty where there is none.
#[pyfunction]
pub(crate) fn transaction_ids(py: Python<'_>, block: Encoded) -> PyResult<Vec<String>> {
    let block = block.into_bytes();
    let ids = || Block::decode(&block).map(|block| events::transaction_ids(&block));
    Ok(door::work(py, ids, not_a_block)?.into_iter().map(str::to_owned).collect())
}

/// Turns an encoded `common.Block` that was committed into an encoded `protos.FilteredBlock`.
#[pyfunction]
pub(crate) fn filtered_block(py: Python<'_>, block: Encoded) -> PyResult<Bound<'_, PyBytes>> {
    let block = block.into_bytes();
    let filter = || Block::decode(&block).map(|block| events::filtered_block(&block));
    Ok(PyBytes::new(py, &door::work(py, filter, not_a_block)?))
}

/// What the transactions of an encoded `common.Block` that was committed have emitted.
#[pyfunction]
pub(crate) fn emitted_events(py: Python<'_>, block: Encoded) -> PyResult<Vec<Emitted<'_>>> {
    let block = block.into_bytes();
    let emitted = door::work(py, || Block::decode(&block).map(|block| events::emitted_events(&block)), not_a_block)?;
    let listed = |EmittedEvent { tx_id, code, event }: EmittedEvent<'_>| {
        (tx_id.to_owned(), code, event.map(|(chaincode, encoded)| (chaincode.to_owned(), PyBytes::new(py, encoded))))
    };
    Ok(emitted.into_iter().map(listed).collect())
}

fn not_a_block(py: Python<'_>, failure: DecodeError) -> PyErr {
    error::input(py, format!("not a block: {failure}"))
}
