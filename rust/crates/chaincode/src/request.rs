// SPDX-License-Identifier: Apache-2.0
//! What a chaincode asks during a transaction, and who answers it.

use fastledger_simulator::{Failure, Result};
use fastledger_wire::shim::{
    DelState, GetState, GetStateByRange, GetStateMetadata, GetStateMultiple, PutState, PutStateMetadata, QueryMetadata,
    QueryStateClose, QueryStateNext, WriteBatchState, WriteRecord,
};
use fastledger_wire::{DecodeError, Message};

use crate::limits::Limits;
use crate::message::kind;

/// Who answers a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The core, at once.
    Ours,
    /// The core, where it holds up nobody: it may take long.
    OursSlowly,
    /// Whoever began the transaction: it touches private data, or asks for more than reads and writes.
    Theirs,
}

/// Which page of the rows is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageAsked<'a> {
    /// Not positive: a page of all, as in Fabric.
    pub(crate) size: i32,
    pub(crate) bookmark: &'a str,
}

/// A request that the core can answer.
#[derive(Debug)]
pub(crate) enum Request<'a> {
    Get(&'a str),
    GetMultiple(Vec<&'a str>),
    GetMetadata(&'a str),
    Write(Vec<WriteRecord<'a>>),
    Range { start: &'a str, end: &'a str, page: Option<PageAsked<'a>> },
    Next(&'a str),
    Close(&'a str),
}

impl<'a> Request<'a> {
    /// Decodes a request; none when it is not the core's to answer.
    pub(crate) fn decode(kind: i32, payload: &'a [u8]) -> Result<Option<Self>> {
        Ok(match kind {
            kind::GET_STATE => {
                let get: GetState<'_> = decode(payload)?;
                public(get.collection, Self::Get(get.key))
            }
            kind::GET_STATE_MULTIPLE => {
                let get: GetStateMultiple<'_> = decode(payload)?;
                public(get.collection, Self::GetMultiple(get.keys))
            }
            kind::GET_STATE_METADATA => {
                let get: GetStateMetadata<'_> = decode(payload)?;
                public(get.collection, Self::GetMetadata(get.key))
            }
            kind::PUT_STATE => {
                let put: PutState<'_> = decode(payload)?;
                let record = WriteRecord { key: put.key, value: put.value, r#type: kind, ..WriteRecord::default() };
                public(put.collection, Self::Write(vec![record]))
            }
            kind::DEL_STATE => {
                let delete: DelState<'_> = decode(payload)?;
                let record = WriteRecord { key: delete.key, r#type: kind, ..WriteRecord::default() };
                public(delete.collection, Self::Write(vec![record]))
            }
            kind::PUT_STATE_METADATA => {
                let put: PutStateMetadata<'_> = decode(payload)?;
                let metadata = put.metadata;
                let record = WriteRecord { key: put.key, metadata, r#type: kind, ..WriteRecord::default() };
                public(put.collection, Self::Write(vec![record]))
            }
            kind::WRITE_BATCH_STATE => {
                let batch: WriteBatchState<'_> = decode(payload)?;
                let is_private =
                    |one: &WriteRecord<'_>| !one.collection.is_empty() || one.r#type == kind::PURGE_PRIVATE_DATA;
                (!batch.rec.iter().any(is_private)).then_some(Self::Write(batch.rec))
            }
            kind::GET_STATE_BY_RANGE => {
                let get: GetStateByRange<'_> = decode(payload)?;
                let asked: QueryMetadata<'_> = decode(get.metadata)?;
                let page = PageAsked { size: asked.page_size, bookmark: asked.bookmark };
                let page = (page.size != 0 || !page.bookmark.is_empty()).then_some(page);
                public(get.collection, Self::Range { start: get.start_key, end: get.end_key, page })
            }
            kind::QUERY_STATE_NEXT => Some(Self::Next(decode::<QueryStateNext<'_>>(payload)?.id)),
            kind::QUERY_STATE_CLOSE => Some(Self::Close(decode::<QueryStateClose<'_>>(payload)?.id)),
            _ => None,
        })
    }

    /// Whether whoever asks chose that it takes long: how long a page is, or how much a batch holds.
    pub(crate) fn is_large(&self, kind: i32, payload: &[u8], limits: &Limits) -> bool {
        match self {
            Self::Range { page: Some(page), .. } => {
                !usize::try_from(page.size).is_ok_and(|size| size <= limits.page_rows)
            }
            _ => {
                matches!(kind, kind::GET_STATE_MULTIPLE | kind::WRITE_BATCH_STATE)
                    && payload.len() > limits.large_batch_bytes
            }
        }
    }
}

/// Decodes what a request holds.
pub(crate) fn decode<'a, M: Message<'a>>(encoded: &'a [u8]) -> Result<M> {
    M::decode(encoded).map_err(|error: DecodeError| Failure::Refused(format!("unmarshal failed: {error}")))
}

fn public<'a>(collection: &str, request: Request<'a>) -> Option<Request<'a>> {
    collection.is_empty().then_some(request)
}
