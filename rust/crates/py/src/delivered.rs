// SPDX-License-Identifier: Apache-2.0
//! Blocks on their way from a socket to the ledger, or to another: they stay where they came in, and Python says what becomes of them.

use std::ops::Deref;

use bytes::Bytes;
use fastledger_wire::common::Block;
use fastledger_wire::protobuf::Reader;
use fastledger_wire::{Message, encode};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::error;

/// Tags of the fields of an `orderer.DeliverResponse`.
const STATUS: u8 = 0x08;
const BLOCK: u8 = 0x12;

/// Tag of a block's header, and the longest header whose length is one byte.
const HEADER: u8 = 0x0a;
const LONGEST_HEADER: u8 = 0x7f;

/// Bytes that lie in the core's memory.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct CoreBytes(pub(crate) Bytes);

#[pymethods]
impl CoreBytes {
    fn __len__(&self) -> usize {
        self.0.len()
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0)
    }

    fn __contains__(&self, py: Python<'_>, part: PyBackedBytes) -> bool {
        py.detach(|| memchr::memmem::find(&self.0, &part).is_some())
    }

    fn __eq__(&self, other: Encoded) -> bool {
        *self.0 == *other
    }
}

/// Encoded bytes as Python hands them in: those that the core has already, or Python's own.
#[derive(FromPyObject)]
pub(crate) enum Encoded {
    Core(Py<CoreBytes>),
    Python(PyBackedBytes),
}

impl Encoded {
    /// The bytes, without a copy.
    pub(crate) fn into_bytes(self) -> Bytes {
        match self {
            Self::Core(bytes) => bytes.get().0.clone(),
            Self::Python(bytes) => Bytes::from_owner(bytes),
        }
    }
}

impl Deref for Encoded {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Core(bytes) => &bytes.get().0,
            Self::Python(bytes) => bytes,
        }
    }
}

/// An encoded `DeliverResponse` with a block, which stays where it lies; orderers and peers number the field alike.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct BlockResponse {
    head: Vec<u8>,
    block: Bytes,
}

#[pymethods]
impl BlockResponse {
    #[new]
    fn new(block: Encoded) -> Self {
        let block = block.into_bytes();
        let mut head = vec![BLOCK];
        encode::varint(&mut head, block.len() as u64);
        Self { head, block }
    }

    fn __len__(&self) -> usize {
        self.head.len() + self.block.len()
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        PyBytes::new_with(py, self.__len__(), |bytes| {
            let (head, block) = bytes.split_at_mut(self.head.len());
            head.copy_from_slice(&self.head);
            block.copy_from_slice(&self.block);
            Ok(())
        })
    }
}

/// An encoded `orderer.StepRequest` on its way, in parts; what is large in it stays where it lies.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct StepMessage(pub(crate) Vec<Bytes>);

#[pymethods]
impl StepMessage {
    fn __len__(&self) -> usize {
        self.0.iter().map(Bytes::len).sum()
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.concat())
    }
}

/// A message as Python hands it in.
#[derive(FromPyObject)]
pub(crate) enum Sent {
    Python(PyBackedBytes),
    Step(Py<StepMessage>),
    Block(Py<BlockResponse>),
    Core(Py<CoreBytes>),
}

impl From<Sent> for fastledger_comm::Message {
    fn from(message: Sent) -> Self {
        match message {
            Sent::Block(response) => Self::new(&response.get().head, response.get().block.clone()),
            Sent::Step(step) => Self::of(&step.get().0),
            Sent::Python(message) => Bytes::from_owner(message).into(),
            Sent::Core(message) => message.get().0.clone().into(),
        }
    }
}

/// What an encoded `orderer.DeliverResponse` brings: the block, where it lies in it, or the status.
#[pyfunction]
pub(crate) fn delivered(py: Python<'_>, response: Encoded) -> PyResult<Bound<'_, PyAny>> {
    let response = response.into_bytes();
    let refuse = |text: &str| error::input(py, text.to_owned());
    let Some(tag) = response.first() else { return Err(refuse("an empty response")) };
    let mut reader = Reader::new(&response[1..]);
    let number = reader.varint().map_err(|_| refuse("a response that does not decode"))?;
    let rest = reader.rest().len();
    match *tag {
        BLOCK if usize::try_from(number) == Ok(rest) => {
            CoreBytes(response.slice(response.len() - rest..)).into_bound_py_any(py)
        }
        STATUS => number.into_bound_py_any(py),
        _ => Err(refuse("a response that is neither a block nor a status")),
    }
}

/// The number of an encoded `common.Block`.
///
/// What orderers and peers write begins with the header, so the transactions are not looked at.
#[pyfunction]
pub(crate) fn block_number(py: Python<'_>, block: Encoded) -> PyResult<u64> {
    let part = match *block {
        [HEADER, length @ ..=LONGEST_HEADER, ..] => block.get(..2 + usize::from(length)).unwrap_or(&block),
        _ => &block,
    };
    let decoded =
        Block::decode(part).map_err(|failure| error::input(py, format!("not an encoded common.Block: {failure}")))?;
    let header = decoded.header.ok_or_else(|| error::input(py, "the block has no header".to_owned()))?;
    Ok(header.number)
}
