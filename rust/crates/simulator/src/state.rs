// SPDX-License-Identifier: Apache-2.0
//! What a simulation sees of the world: committed state as of one height.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use fastledger_ledger::View;
use fastledger_mvcc::{StateKey, StateReader, VersionedValue};

use crate::failure::{Failure, Result};

/// Rows that are read at once: what the first answer to a query needs, and some more.
const PAGE_ROWS: usize = 256;

/// Bytes of keys and values after which a page ends early.
const PAGE_BYTES: usize = 4 << 20;

/// A key of a range and what is stored there.
#[derive(Debug)]
pub struct Row {
    /// The key.
    pub key: String,
    /// Its value and version.
    pub value: VersionedValue<'static>,
}

/// Some rows of a range, and the key where the rest begins; none at the end.
pub type Page = (VecDeque<Row>, Option<Vec<u8>>);

/// Committed state as of one height.
pub trait State: Send + Sync {
    /// A key's value, metadata and version; none when it does not exist.
    fn get(&self, key: StateKey<'_>) -> Result<Option<VersionedValue<'static>>>;

    /// Public keys of a namespace in byte order, from `start` up to `end`, which is no bound when it is empty. There are
    /// rows unless the range has no more.
    fn page(&self, namespace: &str, start: &[u8], end: &str) -> Result<Page>;
}

impl State for View {
    fn get(&self, key: StateKey<'_>) -> Result<Option<VersionedValue<'static>>> {
        Ok(StateReader::get(self, key)?)
    }

    fn page(&self, namespace: &str, start: &[u8], end: &str) -> Result<Page> {
        let (mut rows, mut bytes, mut next, mut odd) = (VecDeque::new(), 0, None, None);
        self.range_values((namespace, ""), start, end.as_bytes(), &mut |key, value| {
            if rows.len() == PAGE_ROWS || bytes >= PAGE_BYTES {
                next = Some(key.to_vec());
                return ControlFlow::Break(());
            }
            bytes += key.len() + value.value.len();
            match String::from_utf8(key.to_vec()) {
                Ok(key) => rows.push_back(Row { key, value }),
                Err(error) => {
                    odd = Some(error);
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        })?;
        match odd {
            None => Ok((rows, next)),
            Some(error) => Err(Failure::Refused(format!("a key of {namespace} is no text: {error}"))),
        }
    }
}
