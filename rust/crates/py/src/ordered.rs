// SPDX-License-Identifier: Apache-2.0
//! Blocks that an orderer makes, or takes out of its log: their transactions stay in the core.

use std::convert::Infallible;

use bytes::Bytes;
use fastledger_wire::common::BlockHeader;
use fastledger_wire::encode::{bytes_field, field_head, field_len, present_field, varint_field, varint_len};
use fastledger_wire::hash;
use fastledger_wire::protobuf::Reader;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::delivered::{CoreBytes, Encoded};
use crate::{door, error};

/// Tags of what a `common.Block` has, and of a transaction in its data.
const HEADER: u8 = 0x0a;
const DATA: u8 = 0x12;
const METADATA: u8 = 0x1a;
const TRANSACTION: u8 = 0x0a;

/// Encoded header, number of transactions and encoded metadata of a block.
type Opened<'py> = (Bound<'py, PyBytes>, usize, Bound<'py, PyBytes>);

/// The next block of transactions, encoded, with so many empty metadata slots; and its header, encoded.
#[pyfunction]
pub(crate) fn new_block(
    py: Python<'_>,
    number: u64,
    previous_hash: PyBackedBytes,
    transactions: Vec<PyBackedBytes>,
    slots: usize,
) -> PyResult<(Bound<'_, PyBytes>, CoreBytes)> {
    let make = || {
        let parts: Vec<&[u8]> = transactions.iter().map(|part| &**part).collect();
        let data_hash = hash::data_hash(&parts);
        let header = encoded_header(&BlockHeader { number, previous_hash: &previous_hash, data_hash: &data_hash });
        let data: usize = parts.iter().map(|part| field_len(part.len())).sum();
        let metadata = [TRANSACTION, 0].repeat(slots);
        let mut block = Vec::with_capacity(field_len(header.len()) + field_len(data) + field_len(metadata.len()));
        present_field(&mut block, 1, &header);
        field_head(&mut block, 2, data);
        for part in parts {
            present_field(&mut block, 1, part);
        }
        present_field(&mut block, 3, &metadata);
        Ok::<_, Infallible>((header, block))
    };
    let (header, block) = door::work(py, make, |_, never| match never {})?;
    Ok((PyBytes::new(py, &header), CoreBytes(block.into())))
}

fn encoded_header(header: &BlockHeader<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    varint_field(&mut out, 1, header.number);
    bytes_field(&mut out, 2, header.previous_hash);
    bytes_field(&mut out, 3, header.data_hash);
    out
}

/// Takes a block apart, but not its transactions; none where anything about it is out of the ordinary.
///
/// It has header, data and metadata in this order and nothing else, each length as short as can be: as whoever decodes it would
/// encode it again.
#[pyfunction]
pub(crate) fn open_block(py: Python<'_>, block: Encoded) -> Option<Opened<'_>> {
    let block = block.into_bytes();
    let (header, rest) = field(&block, HEADER)?;
    let (mut data, rest) = field(rest, DATA)?;
    let (metadata, rest) = field(rest, METADATA)?;
    let mut count = 0;
    while !data.is_empty() {
        (_, data) = field(data, TRANSACTION)?;
        count += 1;
    }
    rest.is_empty().then(|| (PyBytes::new(py, header), count, PyBytes::new(py, metadata)))
}

/// A block that `open_block` opens, with other metadata, which are encoded.
#[pyfunction]
pub(crate) fn block_with_metadata(py: Python<'_>, block: Encoded, metadata: PyBackedBytes) -> PyResult<CoreBytes> {
    let block = block.into_bytes();
    let replace = || {
        let (_, rest) = field(&block, HEADER)?;
        let (_, rest) = field(rest, DATA)?;
        let kept = block.len() - rest.len();
        let mut out = Vec::with_capacity(kept + field_len(metadata.len()));
        out.extend_from_slice(&block[..kept]);
        present_field(&mut out, 3, &metadata);
        Some(Bytes::from(out))
    };
    let replaced = door::work(py, || Ok::<_, Infallible>(replace()), |_, never| match never {})?;
    replaced.map(CoreBytes).ok_or_else(|| error::input(py, "it does not begin as a block".to_owned()))
}

/// The content of the field that bytes begin with, and what is behind it.
fn field(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let mut reader = Reader::new(rest);
    let length = reader.varint().ok().filter(|_| *first == tag)?;
    let content = reader.rest();
    let is_short = rest.len() - content.len() == varint_len(length);
    content.split_at_checked(usize::try_from(length).ok()?).filter(|_| is_short)
}
