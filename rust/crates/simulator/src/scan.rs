// SPDX-License-Identifier: Apache-2.0
//! A range of public keys as it is read.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::failure::Result;
use crate::results::RangeResults;
use crate::rwset::RangeRead;
use crate::state::{Row, State};

/// A key and its value.
type KeyValue = (String, Cow<'static, [u8]>);

/// A range of public keys; what was read of it becomes part of the read-write set.
pub struct RangeScan(Mutex<Reading>);

struct Reading {
    /// None once it is closed.
    state: Option<Arc<dyn State>>,
    namespace: String,
    end: String,
    rows: VecDeque<Row>,
    /// Where the rows that follow begin.
    next: Option<Vec<u8>>,
    /// Rows of the page that may still be read.
    left: Option<usize>,
    read: RangeRead,
    results: RangeResults,
}

impl RangeScan {
    /// Begins before the first row; there is no more than a page where one is given.
    pub(crate) fn new(state: Arc<dyn State>, namespace: &str, start: &str, end: &str, page: Option<usize>) -> Self {
        Self(Mutex::new(Reading {
            state: Some(state),
            namespace: namespace.to_owned(),
            end: end.to_owned(),
            rows: VecDeque::new(),
            next: Some(start.as_bytes().to_vec()),
            left: page,
            read: RangeRead { start: start.to_owned(), end: String::new(), exhausted: false, results: Vec::new() },
            results: RangeResults::default(),
        }))
    }

    /// The next key and value; none at the end.
    pub fn next(&self) -> Result<Option<KeyValue>> {
        let mut reading = self.lock();
        let row = if reading.left == Some(0) { None } else { reading.row()? };
        let Some(row) = row else {
            reading.read.exhausted = true;
            reading.read.end = reading.end.clone();
            return Ok(None);
        };
        if let Some(left) = &mut reading.left {
            *left -= 1;
        }
        reading.results.add(&row.key, row.value.version);
        reading.read.end.clone_from(&row.key);
        Ok(Some((row.key, row.value.value)))
    }

    /// Closes it, and names the first key behind the page; empty when there is none.
    pub fn bookmark_and_close(&self) -> Result<String> {
        let row = self.lock().row()?;
        self.close();
        Ok(row.map(|row| row.key).unwrap_or_default())
    }

    /// Lets go of the state; harmless when repeated.
    pub fn close(&self) {
        let state = {
            let mut reading = self.lock();
            reading.rows.clear();
            reading.next = None;
            reading.state.take()
        };
        drop(state);
    }

    /// Says what was read, once.
    pub(crate) fn finish(&self) -> RangeRead {
        let mut reading = self.lock();
        let mut read = reading.read.clone();
        std::mem::take(&mut reading.results).finish(&mut read.results);
        read
    }

    fn lock(&self) -> MutexGuard<'_, Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reading {
    fn row(&mut self) -> Result<Option<Row>> {
        if self.rows.is_empty()
            && let Some((state, start)) = self.state.as_ref().zip(self.next.take())
        {
            (self.rows, self.next) = state.page(&self.namespace, &start, &self.end)?;
        }
        Ok(self.rows.pop_front())
    }
}
