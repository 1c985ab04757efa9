// SPDX-License-Identifier: Apache-2.0
//! Batches of signatures from Python.

use fastledger_crypto as crypto;
use fastledger_crypto::{Engine, Job, PublicKey, Signature, VerifierOptions};
use pyo3::exceptions::PyImportError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

use crate::{door, error};

/// Verifies batches of P-256 signatures; its tables of frequent keys live as long as it does.
#[pyclass(frozen, module = "fastledger._core")]
pub(crate) struct Verifier(crypto::Verifier);

/// Refuses an engine that the environment names and that is not to be had, before anything is verified.
pub(crate) fn check_environment() -> PyResult<()> {
    Engine::from_environment().map(|_| ()).map_err(|error| PyImportError::new_err(error.to_string()))
}

#[pymethods]
impl Verifier {
    #[new]
    #[pyo3(signature = (*, engine="auto", table_bytes=None))]
    fn new(py: Python<'_>, engine: &str, table_bytes: Option<usize>) -> PyResult<Self> {
        let engine = match engine {
            "auto" => None,
            name => Some(Engine::named(name).ok_or_else(|| {
                let names = Engine::ALL.map(Engine::name).join(", ");
                error::input(py, format!("engine {name:?} is not one of auto, {names}"))
            })?),
        };
        let mut options = VerifierOptions { engine, ..VerifierOptions::default() };
        options.table_bytes = table_bytes.unwrap_or(options.table_bytes);
        Ok(Self(crypto::Verifier::new(options)))
    }

    /// The engine in use.
    #[getter]
    fn engine(&self) -> &'static str {
        self.0.engine().name()
    }

    /// One verdict for each (public key, digest, signature): an uncompressed SEC1 point, 32 bytes, DER.
    fn verify_batch(
        &self,
        py: Python<'_>,
        jobs: Vec<(PyBackedBytes, PyBackedBytes, PyBackedBytes)>,
    ) -> PyResult<Vec<bool>> {
        let verify = || -> Result<Vec<bool>, String> {
            let mut verdicts = vec![false; jobs.len()];
            let mut sound = Vec::with_capacity(jobs.len());
            for (index, (key, digest, signature)) in jobs.iter().enumerate() {
                let key = PublicKey::from_sec1(key).map_err(|error| format!("key of job {index}: {error}"))?;
                let digest = digest[..]
                    .try_into()
                    .map_err(|_| format!("digest of job {index} has {} bytes instead of 32", digest.len()))?;
                if let Ok(signature) = Signature::from_der(signature) {
                    sound.push((index, key, digest, signature));
                }
            }
            let batch: Vec<_> = sound
                .iter()
                .map(|(_, key, digest, signature)| Job { key, digest: *digest, signature: *signature })
                .collect();
            let mut valid = vec![false; batch.len()];
            self.0.verify_batch(&batch, &mut valid);
            for ((index, ..), valid) in sound.iter().zip(valid) {
                verdicts[*index] = valid;
            }
            Ok(verdicts)
        };
        door::work(py, verify, error::input)
    }
}
