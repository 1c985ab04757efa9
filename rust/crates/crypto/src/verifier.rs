// SPDX-License-Identifier: Apache-2.0
//! The face of the crate: batches in, verdicts out.

use crate::der::Signature;
use crate::key::PublicKey;

/// One signature to verify.
#[derive(Clone, Copy, Debug)]
pub struct Job<'a> {
    /// Who is said to have signed.
    pub key: &'a PublicKey,
    /// SHA-256 of what was signed.
    pub digest: [u8; 32],
    /// The signature. Verification is plain ECDSA: low S was demanded by [`Signature::from_der`].
    pub signature: Signature,
}

/// The code that does the arithmetic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// Eight signatures side by side in AVX-512 IFMA registers.
    Ifma,
    /// One signature after the other in 64-bit registers, on any machine.
    Portable,
    /// AWS-LC: the judge of the other two.
    Library,
}

/// How a [`Verifier`] works.
#[derive(Clone, Debug)]
pub struct VerifierOptions {
    /// The engine to use, or `None` for the fastest that this machine has.
    pub engine: Option<Engine>,
    /// Most bytes that the tables of frequent keys may take.
    pub table_bytes: usize,
}

impl Default for VerifierOptions {
    fn default() -> Self {
        Self { engine: None, table_bytes: 512 << 20 }
    }
}

/// Verifies batches of signatures. Share one between all threads: they share its tables.
pub struct Verifier {
    engine: Engine,
}

impl Verifier {
    /// Chooses the engine.
    #[must_use]
    pub fn new(_options: VerifierOptions) -> Self {
        Self { engine: Engine::Library }
    }

    /// The engine in use.
    #[must_use]
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Writes to `valid[i]` whether `jobs[i]` holds a valid signature.
    ///
    /// # Panics
    /// If the two slices differ in length.
    pub fn verify_batch(&self, jobs: &[Job<'_>], valid: &mut [bool]) {
        assert_eq!(jobs.len(), valid.len(), "one verdict per job");
        for (job, valid) in jobs.iter().zip(valid) {
            *valid = job.key.library().verify(&job.digest, &job.signature);
        }
    }
}
