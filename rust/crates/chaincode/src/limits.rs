// SPDX-License-Identifier: Apache-2.0
//! What bounds a chaincode, whatever it does.

/// Bounds of a conversation; whoever begins one says why they are as they are.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a payload, or of an input with its proposal, that a message holds.
    pub payload_bytes: usize,
    /// Bytes of the values that one request may ask for.
    pub values_bytes: usize,
    /// Rows in one answer to a query that is not paged.
    pub page_rows: usize,
    /// Rows that one query may return in all.
    pub query_rows: usize,
    /// Queries that one transaction may hold open.
    pub open_queries: usize,
    /// Bytes that one transaction may read and write.
    pub transaction_bytes: usize,
    /// What a request costs beside its keys and values.
    pub request_bytes: usize,
    /// Bytes of a batch of reads or writes from which on it takes long.
    pub large_batch_bytes: usize,
}
