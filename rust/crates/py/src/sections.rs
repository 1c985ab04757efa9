// SPDX-License-Identifier: Apache-2.0
//! The sections of a channel's configuration as Python reads them: made once, each field a value that never changes.

use std::time::Duration;

use fastledger_identity::config;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyMappingProxy, PyTuple};

use crate::capabilities::{ApplicationCapabilities, OrdererCapabilities};

/// A peer that other organizations' peers may dial first.
#[pyclass(frozen, get_all, eq, module = "fastledger._core")]
#[derive(PartialEq)]
pub(crate) struct AnchorPeer {
    host: String,
    port: i32,
}

#[pymethods]
impl AnchorPeer {
    #[new]
    fn new(host: String, port: i32) -> Self {
        Self { host, port }
    }
}

/// An organization in one section of the configuration.
#[pyclass(frozen, get_all, module = "fastledger._core")]
pub(crate) struct Organization {
    name: String,
    anchor_peers: Py<PyTuple>,
    endpoints: Py<PyTuple>,
}

impl Organization {
    fn new(py: Python<'_>, name: &str, read: &config::Organization) -> PyResult<Self> {
        let anchor_peers = read.anchor_peers.iter().map(|peer| AnchorPeer::new(peer.host.clone(), peer.port));
        Ok(Self {
            name: name.to_owned(),
            anchor_peers: PyTuple::new(py, anchor_peers.collect::<Vec<_>>())?.unbind(),
            endpoints: PyTuple::new(py, &read.endpoints)?.unbind(),
        })
    }
}

/// The section that concerns peers.
#[pyclass(frozen, get_all, module = "fastledger._core")]
pub(crate) struct Application {
    orgs: Py<PyMappingProxy>,
    acls: Py<PyMappingProxy>,
    capabilities: Py<ApplicationCapabilities>,
}

impl Application {
    pub(crate) fn new(py: Python<'_>, read: &config::Application) -> PyResult<Self> {
        Ok(Self {
            orgs: by_mspid(py, &read.organizations)?,
            acls: mapping(py, &read.acls)?,
            capabilities: Py::new(py, ApplicationCapabilities::of(read.capability_names.clone()))?,
        })
    }
}

/// Limits of a block.
#[pyclass(frozen, get_all, eq, module = "fastledger._core")]
#[derive(PartialEq)]
pub(crate) struct BatchSize {
    max_message_count: u32,
    absolute_max_bytes: u32,
    preferred_max_bytes: u32,
}

#[pymethods]
impl BatchSize {
    #[new]
    fn new(max_message_count: u32, absolute_max_bytes: u32, preferred_max_bytes: u32) -> Self {
        Self { max_message_count, absolute_max_bytes, preferred_max_bytes }
    }
}

/// An orderer of a BFT channel.
#[pyclass(frozen, get_all, module = "fastledger._core")]
pub(crate) struct Consenter {
    id: u32,
    host: String,
    port: u32,
    mspid: String,
    identity: Py<PyBytes>,
    client_tls_cert: Py<PyBytes>,
    server_tls_cert: Py<PyBytes>,
}

impl Consenter {
    fn new(py: Python<'_>, read: &config::ChannelConsenter) -> Self {
        Self {
            id: read.id,
            host: read.host.clone(),
            port: read.port,
            mspid: read.mspid.clone(),
            identity: PyBytes::new(py, &read.identity).unbind(),
            client_tls_cert: PyBytes::new(py, &read.client_tls_cert).unbind(),
            server_tls_cert: PyBytes::new(py, &read.server_tls_cert).unbind(),
        }
    }
}

/// The section that concerns orderers.
#[pyclass(frozen, get_all, module = "fastledger._core")]
pub(crate) struct Orderer {
    consensus_type: String,
    consensus_metadata: Py<PyBytes>,
    state: String,
    batch_size: Py<BatchSize>,
    batch_timeout: f64,
    max_channels: u64,
    kafka_brokers: Py<PyTuple>,
    consenters: Py<PyTuple>,
    capabilities: Py<OrdererCapabilities>,
    orgs: Py<PyMappingProxy>,
}

impl Orderer {
    pub(crate) fn new(py: Python<'_>, read: &config::Orderer) -> PyResult<Self> {
        let size = &read.batch_size;
        let size = BatchSize::new(size.max_message_count, size.absolute_max_bytes, size.preferred_max_bytes);
        let consenters = read.consenters.iter().map(|consenter| Consenter::new(py, consenter));
        Ok(Self {
            consensus_type: read.consensus_type.clone(),
            consensus_metadata: PyBytes::new(py, &read.consensus_metadata).unbind(),
            state: state_name(read.consensus_state),
            batch_size: Py::new(py, size)?,
            batch_timeout: Duration::from_nanos(read.batch_timeout_ns.unsigned_abs()).as_secs_f64(),
            max_channels: read.max_channels,
            kafka_brokers: PyTuple::new(py, &read.kafka_brokers)?.unbind(),
            consenters: PyTuple::new(py, consenters.collect::<Vec<_>>())?.unbind(),
            capabilities: Py::new(py, OrdererCapabilities::of(read.capability_names.clone()))?,
            orgs: by_mspid(py, &read.organizations)?,
        })
    }
}

/// `ConsensusType.State` by its name, as Fabric writes it.
fn state_name(state: i32) -> String {
    match state {
        0 => "STATE_NORMAL".to_owned(),
        1 => "STATE_MAINTENANCE".to_owned(),
        other => other.to_string(),
    }
}

/// The consortiums of a system channel: each one's organizations.
pub(crate) fn consortiums(py: Python<'_>, read: &config::Consortiums) -> PyResult<Py<PyMappingProxy>> {
    let consortiums = read.iter().map(|(name, organizations)| Ok((name, by_mspid(py, organizations)?)));
    mapping(py, consortiums.collect::<PyResult<Vec<_>>>()?)
}

/// Organizations by their MSP, in the order of their names.
fn by_mspid(py: Python<'_>, organizations: &config::Organizations) -> PyResult<Py<PyMappingProxy>> {
    let named = organizations.iter().map(|(name, one)| Ok((&one.mspid, Organization::new(py, name, one)?)));
    mapping(py, named.collect::<PyResult<Vec<_>>>()?)
}

fn mapping<'py, K, V>(py: Python<'py>, entries: impl IntoIterator<Item = (K, V)>) -> PyResult<Py<PyMappingProxy>>
where
    K: IntoPyObject<'py>,
    V: IntoPyObject<'py>,
{
    let dict = PyDict::new(py);
    entries.into_iter().try_for_each(|(key, value)| dict.set_item(key, value))?;
    Ok(PyMappingProxy::new(py, dict.as_mapping()).unbind())
}
