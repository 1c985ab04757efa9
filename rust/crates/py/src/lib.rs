// SPDX-License-Identifier: Apache-2.0
//! `fastledger._core`: the only crate that knows Python.
//!
//! Bytes go in, handles and plain values come out. Every call that does work leaves the GIL through [`door::work`].

#![allow(clippy::needless_pass_by_value, reason = "arguments come from Python owned")]

mod blockstore;
mod capabilities;
mod certificate;
mod cluster;
mod comm;
mod config;
mod conversation;
mod crypto;
mod definition;
mod delivered;
mod door;
mod envelope;
mod error;
mod events;
mod excerpt;
mod identity;
mod ledger;
mod ordered;
mod private;
mod proposal;
mod raft;
mod result;
mod sections;
mod shim;
mod simulation;
mod state;
mod telemetry;
mod transaction;
mod view;
mod workload;

use std::path::PathBuf;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use fastledger_pages::HugePages;
use fastledger_wire::{Message, block, common, hash};

/// Blocks come and go in megabytes; the system's allocator would map and unmap each of them.
///
/// It asks for no huge pages (`no_thp`): its size classes touch a little of many, and the system clears each as a whole,
/// which cost a third of a replay. What is as large as a huge page gets one.
#[global_allocator]
static ALLOCATOR: HugePages<mimalloc::MiMalloc> = HugePages::over(mimalloc::MiMalloc);

/// The Rust core of fastledger.
#[pymodule]
fn _core(module: &Bound<'_, PyModule>) -> PyResult<()> {
    telemetry::start();
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add_class::<blockstore::BlockStore>()?;
    module.add_class::<capabilities::ApplicationCapabilities>()?;
    module.add_class::<capabilities::OrdererCapabilities>()?;
    module.add_class::<certificate::Certificate>()?;
    module.add_class::<conversation::ChaincodeConversation>()?;
    module.add_class::<conversation::ChaincodeTransaction>()?;
    module.add_class::<shim::ShimPeers>()?;
    module.add_class::<shim::ShimTransaction>()?;
    module.add_class::<definition::ChaincodeDefinition>()?;
    module.add_class::<delivered::BlockResponse>()?;
    module.add_class::<delivered::CoreBytes>()?;
    module.add_class::<delivered::StepMessage>()?;
    module.add_class::<ledger::Ledger>()?;
    module.add_class::<comm::GrpcCall>()?;
    module.add_class::<comm::GrpcChannel>()?;
    module.add_class::<comm::GrpcHub>()?;
    module.add_class::<comm::GrpcServer>()?;
    module.add_class::<config::ChannelConfig>()?;
    module.add_class::<excerpt::Examined>()?;
    module.add_class::<excerpt::Excerpt>()?;
    module.add_class::<identity::Identity>()?;
    module.add_class::<identity::Msp>()?;
    module.add_class::<identity::SigningKey>()?;
    module.add_class::<proposal::EndorsedResponse>()?;
    module.add_class::<proposal::Proposal>()?;
    module.add_class::<raft::RaftEntry>()?;
    module.add_class::<raft::RaftMessage>()?;
    module.add_class::<raft::RaftNode>()?;
    module.add_class::<raft::RaftReady>()?;
    module.add_class::<raft::RaftSnapshot>()?;
    module.add_class::<sections::AnchorPeer>()?;
    module.add_class::<sections::Application>()?;
    module.add_class::<sections::BatchSize>()?;
    module.add_class::<sections::Consenter>()?;
    module.add_class::<sections::Orderer>()?;
    module.add_class::<sections::Organization>()?;
    module.add_class::<result::CommitResult>()?;
    module.add_class::<result::Location>()?;
    module.add_class::<crypto::Verifier>()?;
    module.add_class::<simulation::RangeScan>()?;
    module.add_class::<simulation::ReadWriteSet>()?;
    module.add_class::<simulation::Simulation>()?;
    module.add_class::<state::VersionedValue>()?;
    module.add_class::<state::StateIterator>()?;
    module.add_class::<view::StateView>()?;
    module.add_class::<workload::Workload>()?;
    crypto::check_environment()?;
    comm::constants(module)?;
    telemetry::functions(module)?;
    module.add_function(wrap_pyfunction!(block_from_record, module)?)?;
    module.add_function(wrap_pyfunction!(block_header, module)?)?;
    module.add_function(wrap_pyfunction!(block_header_bytes, module)?)?;
    module.add_function(wrap_pyfunction!(block_header_hash, module)?)?;
    module.add_function(wrap_pyfunction!(delivered::block_number, module)?)?;
    module.add_function(wrap_pyfunction!(check_channel_id, module)?)?;
    module.add_function(wrap_pyfunction!(deflate, module)?)?;
    module.add_function(wrap_pyfunction!(delivered::delivered, module)?)?;
    module.add_function(wrap_pyfunction!(duration_ns, module)?)?;
    module.add_function(wrap_pyfunction!(environment_damage, module)?)?;
    module.add_function(wrap_pyfunction!(door::provoke_defect, module)?)?;
    module.add_function(wrap_pyfunction!(certificate::expires_at, module)?)?;
    module.add_function(wrap_pyfunction!(envelope::open_envelope, module)?)?;
    module.add_function(wrap_pyfunction!(envelope::route_envelopes, module)?)?;
    module.add_function(wrap_pyfunction!(expiring_block, module)?)?;
    module.add_function(wrap_pyfunction!(transaction::proposal_parts, module)?)?;
    module.add_function(wrap_pyfunction!(transaction::transaction_payload, module)?)?;
    module.add_function(wrap_pyfunction!(proposal::proposal_response, module)?)?;
    module.add_function(wrap_pyfunction!(proposal::response_payload, module)?)?;
    module.add_function(wrap_pyfunction!(ordered::block_with_metadata, module)?)?;
    module.add_function(wrap_pyfunction!(ordered::new_block, module)?)?;
    module.add_function(wrap_pyfunction!(ordered::open_block, module)?)?;
    module.add_function(wrap_pyfunction!(cluster::open_step_requests, module)?)?;
    module.add_function(wrap_pyfunction!(cluster::submit_request, module)?)?;
    module.add_function(wrap_pyfunction!(raft::raft_route, module)?)?;
    module.add_function(wrap_pyfunction!(raft::remove_raft_log, module)?)?;
    module.add_function(wrap_pyfunction!(transaction_id, module)?)?;
    module.add_function(wrap_pyfunction!(events::emitted_events, module)?)?;
    module.add_function(wrap_pyfunction!(events::filtered_block, module)?)?;
    module.add_function(wrap_pyfunction!(events::transaction_ids, module)?)
}

/// Compresses bytes as Go does, written in portions of these sizes.
#[pyfunction]
fn deflate(py: Python<'_>, data: PyBackedBytes, portions: Vec<usize>) -> PyResult<Bound<'_, PyBytes>> {
    let work = || Ok::<_, String>(fastledger_deflate::deflate(&data, &portions));
    Ok(PyBytes::new(py, &door::work(py, work, error::input)?))
}

/// What is wrong with the LMDB environment in a folder, if anything is.
#[pyfunction]
fn environment_damage(py: Python<'_>, path: PathBuf, sealed: Vec<String>) -> Option<String> {
    py.detach(|| fastledger_ledger::check_environment(&path, &|name| sealed.iter().any(|one| one == name)).err())
}

/// Turns a block file's record into an encoded `common.Block`.
#[pyfunction]
fn block_from_record<'py>(py: Python<'py>, record: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    let decoded = block::decode_record(record)
        .map_err(|error| error::input(py, format!("not a record of a block file: {error}")))?;
    Ok(PyBytes::new(py, &result::encode(&decoded)))
}

/// Number, previous hash, data hash and header hash of an encoded `common.Block`.
#[pyfunction]
#[expect(clippy::type_complexity, reason = "a plain tuple is what Python gets")]
fn block_header<'py>(
    py: Python<'py>,
    block: &[u8],
) -> PyResult<(u64, Bound<'py, PyBytes>, Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
    let decoded = common::Block::decode(block).map_err(|error| error::input(py, format!("not a block: {error}")))?;
    let header = decoded.header.ok_or_else(|| error::input(py, "the block has no header".to_owned()))?;
    let bytes = |bytes: &[u8]| PyBytes::new(py, bytes);
    Ok((header.number, bytes(header.previous_hash), bytes(header.data_hash), bytes(&hash::header_hash(&header))))
}

/// A block's header as orderers sign it.
#[pyfunction]
fn block_header_bytes<'py>(
    py: Python<'py>,
    number: u64,
    previous_hash: &[u8],
    data_hash: &[u8],
) -> Bound<'py, PyBytes> {
    PyBytes::new(py, &hash::header_der(&common::BlockHeader { number, previous_hash, data_hash }))
}

/// The hash of a block's header, which the next block holds.
#[pyfunction]
fn block_header_hash<'py>(py: Python<'py>, number: u64, previous_hash: &[u8], data_hash: &[u8]) -> Bound<'py, PyBytes> {
    PyBytes::new(py, &hash::header_hash(&common::BlockHeader { number, previous_hash, data_hash }))
}

/// The id of a transaction with this nonce and creator.
#[pyfunction]
fn transaction_id(nonce: &[u8], creator: &[u8]) -> String {
    hash::tx_id(nonce, creator)
}

/// Refuses what is no channel's name.
#[pyfunction]
fn check_channel_id(py: Python<'_>, channel_id: &str) -> PyResult<()> {
    fastledger_identity::config::check_channel_id(channel_id).map_err(|reason| error::input(py, reason))
}

/// The block whose commit deletes what a block wrote into a collection, if one does.
#[pyfunction]
fn expiring_block(committing_block: u64, block_to_live: u64) -> Option<u64> {
    fastledger_ledger::expiring_block(committing_block, block_to_live)
}

/// Nanoseconds of a duration as Go's `time.ParseDuration` reads it.
#[pyfunction]
fn duration_ns(py: Python<'_>, text: &str) -> PyResult<i64> {
    fastledger_identity::config::nanoseconds(text).map_err(|reason| error::input(py, reason))
}
