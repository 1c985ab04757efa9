// SPDX-License-Identifier: Apache-2.0
//! Committed state that counts what is asked of it: work is told from it, whatever the time.

use std::borrow::Cow;
use std::convert::Infallible;
use std::ops::ControlFlow;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use fastledger_wire::Height;

use super::MemoryState;
use crate::state::{StateKey, StateReader, VersionedValue};

/// Counts the rows that ranges visit, and the bytes that are read.
pub struct Counting<'m> {
    inner: &'m MemoryState,
    rows: AtomicUsize,
    bytes: AtomicUsize,
}

impl<'m> Counting<'m> {
    /// Nothing is counted yet.
    #[must_use]
    pub fn new(inner: &'m MemoryState) -> Self {
        Self { inner, rows: AtomicUsize::new(0), bytes: AtomicUsize::new(0) }
    }

    /// Rows that ranges visited.
    pub fn rows(&self) -> usize {
        self.rows.load(Relaxed)
    }

    /// Bytes of values and metadata that were read.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }
}

impl StateReader for Counting<'_> {
    type Error = Infallible;

    fn version(&self, key: StateKey<'_>) -> Result<Option<Height>, Infallible> {
        self.inner.version(key)
    }

    fn get(&self, key: StateKey<'_>) -> Result<Option<VersionedValue<'static>>, Infallible> {
        let found = self.inner.get(key)?;
        self.bytes.fetch_add(found.as_ref().map_or(0, |found| found.value.len() + found.metadata.len()), Relaxed);
        Ok(found)
    }

    fn metadata_up_to(&self, most: usize, key: StateKey<'_>) -> Result<Option<Cow<'static, [u8]>>, Infallible> {
        let found = self.inner.metadata(key)?;
        Ok((found.len() <= most).then_some(found))
    }

    fn range(
        &self,
        namespace: &str,
        start: &[u8],
        end: &str,
        visit: &mut dyn FnMut(&[u8], Height) -> ControlFlow<()>,
    ) -> Result<(), Infallible> {
        self.inner.range(namespace, start, end, &mut |key, version| {
            self.rows.fetch_add(1, Relaxed);
            visit(key, version)
        })
    }
}
