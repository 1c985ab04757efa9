// SPDX-License-Identifier: Apache-2.0
//! gRPC servers and channels for an event loop in Python.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use fastledger_comm::{
    ClientLimits, ClientRoots, ClientTls, CommError, Event, Happened, Hub, Limits, OutgoingCall, Server, ServerTls,
};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyList};

use crate::conversation::ChaincodeConversation;
use crate::delivered::{CoreBytes, Sent};
use crate::proposal::EndorsedResponse;
use crate::{door, error};

/// The one answer of a call.
#[derive(FromPyObject)]
enum Answer<'py> {
    Encoded(PyBackedBytes),
    Endorsed(Bound<'py, EndorsedResponse>),
}

/// A server that listens.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct GrpcServer {
    server: Server,
    /// Paths of methods whose calls are held.
    keeps: Mutex<HashSet<String>>,
    held: HeldCalls,
}

#[pymethods]
impl GrpcServer {
    #[staticmethod]
    #[pyo3(signature = (address, *, max_message_bytes, max_calls, keepalive_s, keepalive_timeout_s, cert=None, key=None, client_roots=None, require_client_cert=false, more_client_roots=None, time_shift_s=0.0))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
    fn start(
        py: Python<'_>,
        address: String,
        max_message_bytes: usize,
        max_calls: u32,
        keepalive_s: f64,
        keepalive_timeout_s: f64,
        cert: Option<Vec<u8>>,
        key: Option<Vec<u8>>,
        client_roots: Option<Vec<u8>>,
        require_client_cert: bool,
        more_client_roots: Option<Py<PyAny>>,
        time_shift_s: f64,
    ) -> PyResult<Self> {
        let time_shift = seconds(py, "time_shift_s", time_shift_s)?;
        let limits = Limits {
            max_message_bytes,
            max_calls,
            keepalive: seconds(py, "keepalive_s", keepalive_s)?,
            keepalive_timeout: seconds(py, "keepalive_timeout_s", keepalive_timeout_s)?,
            ..Limits::default()
        };
        let tls = cert.zip(key).map(|(cert, key)| ServerTls {
            cert,
            key,
            client_roots: client_roots.unwrap_or_default(),
            require_client_cert,
            more_client_roots: more_client_roots.map(ask),
            time_shift,
        });
        let server = door::work(py, || Server::start(&address, tls, limits), error::comm)?;
        Ok(Self { server, keeps: Mutex::default(), held: HeldCalls::default() })
    }

    /// The TCP port.
    #[getter]
    fn port(&self) -> u16 {
        self.server.port()
    }

    fn asks_once(&self, path: &str) {
        self.server.asks_once(path);
    }

    fn keeps(&self, path: String) {
        self.keeps.lock().unwrap_or_else(PoisonError::into_inner).insert(path);
    }

    fn fileno(&self) -> i32 {
        self.server.descriptor()
    }

    /// (call, what happened, what comes with it) of everything that has happened.
    fn drain<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let happened = self.server.drain();
        let keeps = self.keeps.lock().unwrap_or_else(PoisonError::into_inner);
        for event in &happened {
            if matches!(&event.happened, Happened::Begun { path, .. } if keeps.contains(path)) {
                self.held.hold(event.call);
            }
        }
        drop(keeps);
        self.held.listed(py, happened)
    }

    fn send(&self, call: u64, message: Sent) -> bool {
        self.server.send(call, message)
    }

    fn answer(&self, call: u64, message: Answer<'_>) {
        match message {
            Answer::Encoded(message) => self.server.answer(call, Bytes::from_owner(message)),
            Answer::Endorsed(response) => {
                let (make, bytes) = response.get().make();
                self.server.answer_made(call, bytes, make);
            }
        }
    }

    fn answer_with(&self, call: u64, conversation: &ChaincodeConversation) {
        if let Some(line) = self.server.answer_with(call, conversation.responder()) {
            conversation.connect(line);
        }
    }

    fn send_all(&self, calls: Vec<u64>, message: Sent) -> Vec<u64> {
        self.server.send_all(&calls, message)
    }

    #[pyo3(signature = (call, code=0, message="", details=None))]
    fn finish(&self, call: u64, code: i32, message: &str, details: Option<&[u8]>) {
        self.server.finish(call, code, message, Bytes::copy_from_slice(details.unwrap_or_default()));
    }

    fn consumed(&self, call: u64, size: usize) {
        self.server.consumed(call, size);
    }

    fn close(&self) {
        self.server.close();
    }

    fn ended(&self) -> bool {
        self.server.ended()
    }

    fn abort(&self) {
        self.server.abort();
    }
}

/// What the channels of an event loop share.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct GrpcHub {
    hub: Hub,
    held: Arc<HeldCalls>,
}

/// Calls whose messages stay in the core until Python says what becomes of them.
#[derive(Default)]
struct HeldCalls(Mutex<HashSet<u64>>);

impl HeldCalls {
    fn lock(&self) -> MutexGuard<'_, HashSet<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hold(&self, call: u64) {
        self.lock().insert(call);
    }

    /// Events as Python sees them; of calls that have ended, nothing more comes.
    fn listed<'py>(&self, py: Python<'py>, happened: Vec<Event>) -> PyResult<Bound<'py, PyList>> {
        let mut held = self.lock();
        let is_end = |event: &&Event| matches!(event.happened, Happened::Finished(_) | Happened::Ended);
        let ended: Vec<u64> = happened.iter().filter(is_end).map(|event| event.call).collect();
        let events = listed(py, happened, |call| held.contains(&call));
        held.retain(|call| !ended.contains(call));
        events
    }
}

#[pymethods]
impl GrpcHub {
    #[new]
    fn new(py: Python<'_>) -> PyResult<Self> {
        let hub = Hub::new().map_err(|error| error::comm(py, error))?;
        Ok(Self { hub, held: Arc::default() })
    }

    fn fileno(&self) -> i32 {
        self.hub.descriptor()
    }

    fn drain<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        self.held.listed(py, self.hub.drain())
    }

    #[pyo3(signature = (address, *, max_message_bytes, keepalive_s, keepalive_timeout_s, max_backoff_s, roots=None, cert=None, key=None, server_name=None, server_key=None, time_shift_s=0.0))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
    fn channel(
        &self,
        py: Python<'_>,
        address: &str,
        max_message_bytes: usize,
        keepalive_s: f64,
        keepalive_timeout_s: f64,
        max_backoff_s: f64,
        roots: Option<Vec<u8>>,
        cert: Option<Vec<u8>>,
        key: Option<Vec<u8>>,
        server_name: Option<String>,
        server_key: Option<Vec<u8>>,
        time_shift_s: f64,
    ) -> PyResult<GrpcChannel> {
        let limits = ClientLimits {
            max_message_bytes,
            keepalive: seconds(py, "keepalive_s", keepalive_s)?,
            keepalive_timeout: seconds(py, "keepalive_timeout_s", keepalive_timeout_s)?,
            max_backoff: seconds(py, "max_backoff_s", max_backoff_s)?,
        };
        let time_shift = seconds(py, "time_shift_s", time_shift_s)?;
        let tls = roots.map(|roots| ClientTls {
            roots,
            pair: cert.zip(key),
            server_name: server_name.unwrap_or_default(),
            server_key: server_key.unwrap_or_default(),
            time_shift,
        });
        let channel = door::work(py, || self.hub.channel(address, tls.as_ref(), limits), error::comm)?;
        Ok(GrpcChannel { channel, held: Arc::clone(&self.held) })
    }
}

/// A server and the connection to it.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct GrpcChannel {
    channel: fastledger_comm::GrpcChannel,
    held: Arc<HeldCalls>,
}

#[pymethods]
impl GrpcChannel {
    #[pyo3(signature = (timeout_s=None))]
    fn connect(&self, py: Python<'_>, timeout_s: Option<f64>) -> PyResult<(u64, GrpcCall)> {
        numbered(py, self.channel.connect(duration(timeout_s)))
    }

    #[pyo3(signature = (path, message, timeout_s=None))]
    fn ask(&self, py: Python<'_>, path: &str, message: &[u8], timeout_s: Option<f64>) -> PyResult<(u64, GrpcCall)> {
        numbered(py, self.channel.ask(path, message, duration(timeout_s)))
    }

    #[pyo3(signature = (path, timeout_s=None, *, held=false))]
    fn converse(&self, py: Python<'_>, path: &str, timeout_s: Option<f64>, held: bool) -> PyResult<(u64, GrpcCall)> {
        let call = numbered(py, self.channel.converse(path, duration(timeout_s)))?;
        if held {
            self.held.hold(call.0);
        }
        Ok(call)
    }

    #[getter]
    fn server_certificate<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.channel.server_certificate().map(|shown| PyBytes::new(py, &shown))
    }

    fn close(&self) {
        self.channel.close();
    }
}

/// A call that was made; it is taken back when it is dropped.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct GrpcCall(OutgoingCall);

#[pymethods]
impl GrpcCall {
    fn send(&self, message: Sent) -> bool {
        self.0.send(message)
    }

    fn send_some(&self, messages: Vec<Sent>) -> (usize, bool) {
        let mut sent = 0;
        for message in messages {
            sent += 1;
            if !self.0.send(message) {
                return (sent, false);
            }
        }
        (sent, true)
    }

    fn answer_with(&self, conversation: &ChaincodeConversation) {
        conversation.connect(self.0.answer_with(conversation.responder()));
    }

    fn half_close(&self) {
        self.0.half_close();
    }

    fn consumed(&self, size: usize) {
        self.0.consumed(size);
    }

    fn cancel(&self) {
        self.0.cancel();
    }
}

fn numbered(py: Python<'_>, call: Result<OutgoingCall, CommError>) -> PyResult<(u64, GrpcCall)> {
    let call = call.map_err(|error| error::comm(py, error))?;
    Ok((call.id(), GrpcCall(call)))
}

fn seconds(py: Python<'_>, name: &str, value: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(value).map_err(|error| error::input(py, format!("{name} is {value}: {error}")))
}

/// Nothing for no end, nor for one that is too far away to count.
fn duration(seconds: Option<f64>) -> Option<Duration> {
    seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds.max(0.0)).ok())
}

/// The kinds of [`Event`]s.
const BEGUN: u8 = 0;
const MESSAGE: u8 = 1;
const HALF_CLOSED: u8 = 2;
const WRITABLE: u8 = 3;
const ENDED: u8 = 4;
const FINISHED: u8 = 5;
const ASKED: u8 = 6;

/// What Python needs to know to take events.
pub(crate) fn constants(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("CALL_ASKED", ASKED)?;
    module.add("CALL_BEGUN", BEGUN)?;
    module.add("CALL_MESSAGE", MESSAGE)?;
    module.add("CALL_HALF_CLOSED", HALF_CLOSED)?;
    module.add("CALL_WRITABLE", WRITABLE)?;
    module.add("CALL_ENDED", ENDED)?;
    module.add("CALL_FINISHED", FINISHED)?;
    module.add("GRPC_THREAD", fastledger_comm::THREAD)
}

/// Events as Python sees them: call, kind, and what comes with it. Messages of calls that are `held` stay in the core.
fn listed(py: Python<'_>, happened: Vec<Event>, held: impl Fn(u64) -> bool) -> PyResult<Bound<'_, PyList>> {
    let events = PyList::empty(py);
    for event in happened {
        let (kind, with) = match event.happened {
            Happened::Begun { path, peer, certificates } => {
                (BEGUN, (path, &*peer, shown(py, &certificates)).into_pyobject(py)?.into_any())
            }
            Happened::Asked { path, peer, certificates, message } => {
                let message = PyBytes::new(py, &message);
                (ASKED, (path, &*peer, shown(py, &certificates), message).into_pyobject(py)?.into_any())
            }
            Happened::Message(message) if held(event.call) => (MESSAGE, CoreBytes(message).into_bound_py_any(py)?),
            Happened::Message(message) => (MESSAGE, PyBytes::new(py, &message).into_any()),
            Happened::HalfClosed => (HALF_CLOSED, py.None().into_bound(py)),
            Happened::Writable => (WRITABLE, py.None().into_bound(py)),
            Happened::Ended => (ENDED, py.None().into_bound(py)),
            Happened::Finished(status) => {
                let details = PyBytes::new(py, status.details());
                (FINISHED, (status.code() as i32, status.message(), details).into_pyobject(py)?.into_any())
            }
        };
        events.append((event.call, kind, with))?;
    }
    Ok(events)
}

fn shown<'py>(py: Python<'py>, certificates: &[Vec<u8>]) -> Vec<Bound<'py, PyBytes>> {
    certificates.iter().map(|der| PyBytes::new(py, der)).collect()
}

/// Asks Python for more authorities; what it raises is told, and counts as none.
fn ask(more: Py<PyAny>) -> ClientRoots {
    Box::new(move || {
        let roots = Python::attach(|py| {
            let roots = more.call0(py).and_then(|roots| roots.extract::<Vec<u8>>(py));
            roots.map_err(|error| error.to_string())
        });
        roots.unwrap_or_else(|error| {
            log::error!(target: "core.comm", "the channels' authorities of clients are not known: {error}");
            Vec::new()
        })
    })
}
