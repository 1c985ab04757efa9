// SPDX-License-Identifier: Apache-2.0
//! A transaction's open queries, and the pages in which their rows travel.
//!
//! A query that is not paged sends a message of rows at a time and knows one row ahead whether there are more, as
//! Fabric's `QueryResponseGenerator` does. What is read becomes part of the read-write set, so the row ahead is not a
//! detail: the peers that endorse have to read equally far.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fastledger_simulator::{Failure, RangeScan, Result};
use fastledger_wire::encode;
use rustc_hash::FxHashMap;

use crate::limits::Limits;

/// Rows of a query; reading one records it where the query is validated at commit.
pub trait Rows: Send {
    /// The next row, as a message holds it (`resultBytes`); none at the end.
    fn next(&mut self) -> Result<Option<Vec<u8>>>;

    /// Closes a page, and says where the next one begins: empty after the last page.
    fn bookmark_and_close(&mut self) -> Result<String>;
}

/// A range of public keys.
pub(crate) struct Range {
    pub(crate) scan: Arc<RangeScan>,
    pub(crate) namespace: String,
}

impl Rows for Range {
    /// `queryresult.KV`.
    fn next(&mut self) -> Result<Option<Vec<u8>>> {
        Ok(self.scan.next()?.map(|(key, value)| kv(&self.namespace, &key, &value)))
    }

    fn bookmark_and_close(&mut self) -> Result<String> {
        self.scan.bookmark_and_close()
    }
}

impl Drop for Range {
    fn drop(&mut self) {
        self.scan.close();
    }
}

/// Encodes a `queryresult.KV`.
#[must_use]
pub fn kv(namespace: &str, key: &str, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(namespace.len() + key.len() + value.len() + 16);
    encode::bytes_field(&mut out, 1, namespace.as_bytes());
    encode::bytes_field(&mut out, 2, key.as_bytes());
    encode::bytes_field(&mut out, 3, value);
    out
}

/// A query as it is opened.
pub(crate) struct Query {
    pub(crate) rows: Box<dyn Rows>,
    /// Rows that may be returned in all.
    pub(crate) limit: usize,
    pub(crate) paged: bool,
    /// Whether reading a row may take long.
    pub(crate) slow: bool,
}

struct Open {
    query: Query,
    returned: usize,
    /// Rows that were read and not sent.
    pending: Vec<Vec<u8>>,
}

#[derive(Clone)]
struct Held {
    slow: bool,
    open: Arc<Mutex<Open>>,
}

/// Some rows of a query, as they are sent.
pub(crate) struct Page {
    pub(crate) rows: Vec<Vec<u8>>,
    has_more: bool,
    id: String,
    metadata: Vec<u8>,
}

impl Page {
    /// Encodes a `QueryResponse`.
    pub(crate) fn encoded(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for row in &self.rows {
            let mut result = Vec::with_capacity(row.len() + 6);
            encode::bytes_field(&mut result, 1, row);
            encode::present_field(&mut out, 1, &result);
        }
        encode::varint_field(&mut out, 2, u64::from(self.has_more));
        encode::bytes_field(&mut out, 3, self.id.as_bytes());
        encode::bytes_field(&mut out, 4, &self.metadata);
        out
    }

    /// What closing a query is answered with.
    pub(crate) fn closed(id: &str) -> Self {
        Self { rows: Vec::new(), has_more: false, id: id.to_owned(), metadata: Vec::new() }
    }
}

/// The queries of one transaction.
///
/// Somebody may be inside a slow query's next row when the transaction ends. Nobody waits for that: whoever holds the
/// query last closes it.
#[derive(Default)]
pub(crate) struct OpenQueries {
    queries: Mutex<FxHashMap<String, Held>>,
    next: AtomicU64,
    closed: AtomicBool,
}

impl OpenQueries {
    /// Registers a query and answers with its first rows.
    pub(crate) fn open(&self, query: Query, limits: &Limits) -> Result<Page> {
        let id = self.next.fetch_add(1, Ordering::Relaxed).to_string();
        let slow = query.slow;
        let open = Arc::new(Mutex::new(Open { query, returned: 0, pending: Vec::new() }));
        {
            let mut queries = self.lock();
            if queries.len() >= limits.open_queries {
                let most = limits.open_queries;
                return Err(Failure::Refused(format!("{most} queries are open in this transaction; close some")));
            }
            queries.insert(id.clone(), Held { slow, open: Arc::clone(&open) });
        }
        self.next_page(id, &open, limits)
    }

    /// Answers with the next rows of a query.
    pub(crate) fn next(&self, id: &str, limits: &Limits) -> Result<Page> {
        let held = self.lock().get(id).cloned();
        let held = held.ok_or_else(|| Failure::Refused("query iterator not found".to_owned()))?;
        self.next_page(id.to_owned(), &held.open, limits)
    }

    /// Whether reading the next rows of a query may take long.
    pub(crate) fn is_slow(&self, id: &str) -> bool {
        self.lock().get(id).is_some_and(|held| held.slow)
    }

    /// Closes a query; harmless when it is unknown.
    pub(crate) fn forget(&self, id: &str) {
        let held = self.lock().remove(id);
        drop(held);
    }

    /// Closes them all, and any that is opened later.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        let all = std::mem::take(&mut *self.lock());
        drop(all);
    }

    fn next_page(&self, id: String, open: &Mutex<Open>, limits: &Limits) -> Result<Page> {
        let page = open.lock().unwrap_or_else(PoisonError::into_inner).page(&self.closed, limits);
        let ended = self.closed.load(Ordering::Acquire);
        if ended || !page.as_ref().is_ok_and(|(_, has_more, _)| *has_more) {
            self.forget(&id);
        }
        page.map(|(rows, has_more, metadata)| Page { rows, has_more, id, metadata })
    }

    fn lock(&self) -> MutexGuard<'_, FxHashMap<String, Held>> {
        self.queries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// Rows, whether more follow, and the encoded `QueryResponseMetadata` of a page.
    fn page(&mut self, closed: &AtomicBool, limits: &Limits) -> Result<(Vec<Vec<u8>>, bool, Vec<u8>)> {
        while self.returned < self.query.limit {
            if closed.load(Ordering::Acquire) {
                return Err(Failure::Refused("the transaction has ended".to_owned()));
            }
            let Some(row) = self.query.rows.next()? else { break };
            self.returned += 1;
            if !self.query.paged && self.pending.len() == limits.page_rows {
                return Ok((std::mem::replace(&mut self.pending, vec![row]), true, Vec::new()));
            }
            self.pending.push(row);
        }
        let mut metadata = Vec::new();
        if self.query.paged {
            encode::varint_field(&mut metadata, 1, self.returned as u64);
            encode::bytes_field(&mut metadata, 2, self.query.rows.bookmark_and_close()?.as_bytes());
        }
        Ok((std::mem::take(&mut self.pending), false, metadata))
    }
}
