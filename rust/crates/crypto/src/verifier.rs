// SPDX-License-Identifier: Apache-2.0
//! The face of the crate: batches in, verdicts out.

use crate::cache::Cache;
use crate::der::Signature;
use crate::engine::Engine;
use crate::key::PublicKey;
use crate::p256::{self, Arithmetic, CHUNK, Claim, Point, Table};

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

/// How a [`Verifier`] works.
#[derive(Clone, Copy, Debug)]
pub struct VerifierOptions {
    /// The engine to use, or `None` for the one that the environment names ([`Engine::from_environment`]) or else the
    /// fastest that this machine has. One whose instructions it lacks becomes the fastest, too; [`Verifier::engine`]
    /// tells.
    pub engine: Option<Engine>,
    /// Most bytes that the tables of frequent keys may take, at 256 KiB each. Too few and frequent keys push each other
    /// out: their signatures cost what those of rare keys cost. More than the keys of the channel need is never used.
    pub table_bytes: usize,
}

impl Default for VerifierOptions {
    /// The fastest engine, and room for 2,048 keys.
    fn default() -> Self {
        Self { engine: None, table_bytes: 512 << 20 }
    }
}

/// Verifies batches of signatures. Share one between all threads: they share its tables.
pub struct Verifier {
    method: Method,
}

enum Method {
    /// One by one.
    Library,
    /// By tables for frequent keys.
    Tables { engine: Engine, arithmetic: &'static dyn Arithmetic, cache: Cache<Table> },
}

impl Verifier {
    /// Chooses the engine. Memory for tables is taken as keys earn theirs.
    #[must_use]
    pub fn new(options: VerifierOptions) -> Self {
        let asked = options.engine.or_else(|| Engine::from_environment().unwrap_or_default());
        let engine = asked.filter(|engine| engine.is_available()).unwrap_or_else(Engine::fastest);
        let method = match engine.arithmetic() {
            Some(arithmetic) => {
                let cache = Cache::new(options.table_bytes / p256::TABLE_BYTES, engine.worth());
                Method::Tables { engine, arithmetic, cache }
            }
            None => Method::Library,
        };
        Self { method }
    }

    /// The engine in use.
    #[must_use]
    pub fn engine(&self) -> Engine {
        match &self.method {
            Method::Library => Engine::Library,
            Method::Tables { engine, .. } => *engine,
        }
    }

    /// Writes to `valid[i]` whether `jobs[i]` holds a valid signature.
    ///
    /// # Panics
    /// If the two slices differ in length.
    pub fn verify_batch(&self, jobs: &[Job<'_>], valid: &mut [bool]) {
        assert_eq!(jobs.len(), valid.len(), "one verdict per job");
        match &self.method {
            Method::Library => {
                for (job, valid) in jobs.iter().zip(valid) {
                    *valid = verify_by_library(job);
                }
            }
            Method::Tables { arithmetic, cache, .. } => {
                // Chunks of equal size: a small rest would cost more than its share.
                let size = jobs.len().div_ceil(jobs.len().div_ceil(CHUNK).max(1)).max(1);
                for (jobs, valid) in jobs.chunks(size).zip(valid.chunks_mut(size)) {
                    verify_chunk(*arithmetic, cache, jobs, valid);
                }
            }
        }
    }
}

fn verify_by_library(job: &Job<'_>) -> bool {
    job.key.library().is_some_and(|key| key.verify(&job.digest, &job.signature))
}

/// Jobs of one kind, and where they stand in their chunk.
struct Group<K> {
    places: Vec<usize>,
    claims: Vec<Claim>,
    keys: Vec<K>,
}

impl<K> Group<K> {
    fn with_capacity(capacity: usize) -> Self {
        Self {
            places: Vec::with_capacity(capacity),
            claims: Vec::with_capacity(capacity),
            keys: Vec::with_capacity(capacity),
        }
    }

    fn push(&mut self, place: usize, claim: Claim, key: K) {
        self.places.push(place);
        self.claims.push(claim);
        self.keys.push(key);
    }

    /// Verifies the group and spreads its verdicts over the chunk's.
    fn verify(&self, valid: &mut [bool], verify: impl FnOnce(&[Claim], &[K], &mut [bool])) {
        if self.places.is_empty() {
            return;
        }
        let mut verdicts = [false; CHUNK];
        let verdicts = &mut verdicts[..self.places.len()];
        verify(&self.claims, &self.keys, verdicts);
        for (&place, verdict) in self.places.iter().zip(verdicts) {
            valid[place] = *verdict;
        }
    }
}

fn verify_chunk(arithmetic: &dyn Arithmetic, cache: &Cache<Table>, jobs: &[Job<'_>], valid: &mut [bool]) {
    let mut tables = cache.snapshot();
    let mut missed = jobs.iter().map(|job| job.key).filter(|key| tables.find(key).is_none()).peekable();
    if missed.peek().is_some() {
        let build = |keys: &[PublicKey]| {
            let points: Vec<Point> = keys.iter().map(|key| *key.point()).collect();
            arithmetic.build(&points)
        };
        if cache.missed(missed, build) {
            tables = cache.snapshot();
        }
    }
    let mut frequent = Group::<&Table>::with_capacity(jobs.len());
    let mut rare = Group::<Point>::with_capacity(0);
    for (place, job) in jobs.iter().enumerate() {
        valid[place] = false;
        let Some(claim) = Claim::new(&job.digest, &job.signature.r, &job.signature.s) else { continue };
        match tables.find(job.key) {
            Some(table) => frequent.push(place, claim, table),
            None if arithmetic.lanes() > 1 => rare.push(place, claim, *job.key.point()),
            None => valid[place] = verify_by_library(job),
        }
    }
    frequent.verify(valid, |claims, tables, valid| arithmetic.verify_tabled(claims, tables, valid));
    if let [place] = rare.places[..] {
        // One alone leaves the other lanes empty.
        valid[place] = verify_by_library(&jobs[place]);
    } else {
        rare.verify(valid, |claims, points, valid| arithmetic.verify_untabled(claims, points, valid));
    }
}
