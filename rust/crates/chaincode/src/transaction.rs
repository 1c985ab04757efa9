// SPDX-License-Identifier: Apache-2.0
//! A transaction as one chaincode executes it: its requests for public state, and what they may add up to.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use fastledger_defect::{Defect, catch};
use fastledger_simulator::{Failure, Metadata, Result, Simulation};
use fastledger_wire::encode;
use fastledger_wire::rwset::KvMetadataWrite;
use fastledger_wire::shim::WriteRecord;

use crate::limits::Limits;
use crate::message::{encoded, kind, refusal};
use crate::queries::{OpenQueries, Page, Query, Range, Rows};
use crate::request::{PageAsked, Request, Whose, decode};

/// What a chaincode learns of a failure that is this program's own.
const INTERNAL: &str = "internal error, see the log of this node";

/// Of what belongs to no transaction in flight, or to one that has no ledger to read.
pub(crate) const NO_LEDGER: &str = "no ledger context";

/// What whoever begins a transaction knows of it.
pub struct Setting {
    /// Empty for proposals to system chaincodes that belong to no channel.
    pub channel_id: String,
    /// The transaction's id.
    pub tx_id: String,
    /// The state that the chaincode reads and writes.
    pub namespace: String,
    /// None where there is no ledger to read: every request for state is then refused.
    pub simulation: Option<Arc<Simulation>>,
    /// Whether the channel has key-level endorsement; none where the peer is not on the channel.
    pub key_level_endorsement: Option<bool>,
}

/// One INIT or TRANSACTION in flight at one chaincode.
pub struct Transaction {
    pub(crate) setting: Setting,
    limits: Limits,
    queries: OpenQueries,
    charged: AtomicUsize,
    busy: AtomicBool,
    defect: Mutex<Option<Defect>>,
}

impl Transaction {
    /// Begins.
    #[must_use]
    pub fn new(setting: Setting, limits: Limits) -> Self {
        Self {
            setting,
            limits,
            queries: OpenQueries::default(),
            charged: AtomicUsize::new(0),
            busy: AtomicBool::new(false),
            defect: Mutex::default(),
        }
    }

    /// Whose a request is to answer; where it is the core's and cannot be decoded, that is the answer.
    #[must_use]
    pub fn whose(&self, kind: i32, payload: &[u8]) -> Whose {
        match self.request(kind, payload) {
            Ok(None) => Whose::Theirs,
            Ok(Some(request)) => self.pace(kind, &request, payload),
            Err(_) => Whose::Ours,
        }
    }

    /// Answers a request that is the core's; none for one that is not. What goes wrong is an answer, too.
    #[must_use]
    pub fn answer(&self, kind: i32, payload: &[u8]) -> Option<Vec<u8>> {
        let answered = self.request(kind, payload).and_then(|request| request.map(|one| self.run(&one)).transpose());
        Some(self.written(kind, answered.transpose()?))
    }

    /// Answers a request at once if that is to be; else says whose it is.
    pub(crate) fn answer_at_once(&self, kind: i32, payload: &[u8], may: bool) -> Result<Vec<u8>, Whose> {
        let request = match self.request(kind, payload) {
            Ok(None) => return Err(Whose::Theirs),
            Ok(Some(request)) => request,
            Err(failure) => return Ok(self.written(kind, Err(failure))),
        };
        match self.pace(kind, &request, payload) {
            Whose::Ours if may => Ok(self.written(kind, self.run(&request))),
            Whose::Ours | Whose::OursSlowly => Err(Whose::OursSlowly),
            Whose::Theirs => Err(Whose::Theirs),
        }
    }

    /// Counts what a request adds to the read-write set.
    pub fn charge(&self, size: usize) -> Result<()> {
        let size = size + self.limits.request_bytes;
        let most = self.limits.transaction_bytes;
        if self.charged.fetch_add(size, Ordering::Relaxed) + size > most {
            return Err(Failure::Refused(format!(
                "the transaction reads and writes more than {most} bytes; split it into smaller ones"
            )));
        }
        Ok(())
    }

    /// Refuses metadata where the channel has none.
    pub fn check_key_level_endorsement(&self) -> Result<()> {
        let channel_id = &self.setting.channel_id;
        Err(Failure::Refused(match self.setting.key_level_endorsement {
            Some(true) => return Ok(()),
            Some(false) => "key level endorsement is not enabled, channel application capability of V1_3 or later is \
                            required"
                .to_owned(),
            None => format!("application config does not exist for {channel_id}"),
        }))
    }

    /// Writes public state as an encoded `WriteRecord` says.
    pub fn write(&self, record: &[u8]) -> Result<()> {
        self.write_record(self.simulation()?, &decode(record)?)
    }

    /// Opens a query whose rows come from elsewhere, and reading them may take long; returns the payload of the first
    /// answer. A page has no more than `page` rows.
    pub fn open(&self, rows: Box<dyn Rows>, page: Option<usize>, paged: bool) -> Result<Vec<u8>> {
        self.open_query(Query { rows, limit: self.row_limit(page), paged, slow: true })
    }

    /// The message that answers a request; one that fails by a defect ends the transaction's hopes.
    #[must_use]
    pub fn written(&self, kind: i32, answer: Result<Vec<u8>>) -> Vec<u8> {
        let Setting { tx_id, channel_id, .. } = &self.setting;
        let most = self.limits.payload_bytes;
        let refused = match answer {
            Ok(payload) if payload.len() <= most => return encoded(kind::RESPONSE, &payload, tx_id, &[], channel_id),
            Ok(payload) => format!("the answer has {} bytes; at most {most} fit into a message", payload.len()),
            Err(Failure::Defect(defect)) => {
                self.note(defect);
                INTERNAL.to_owned()
            }
            Err(failure) => failure.to_string(),
        };
        refusal(kind, tx_id, channel_id, &refused)
    }

    /// The state that the chaincode reads and writes.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.setting.namespace
    }

    /// Why the core has not answered a request; nothing that follows may be endorsed.
    #[must_use]
    pub fn defect(&self) -> Option<Defect> {
        self.defect.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets go of open queries.
    pub(crate) fn close(&self) {
        self.queries.close();
    }

    /// Begins to answer a request; false while another one is being answered.
    pub(crate) fn begin_request(&self) -> bool {
        !self.busy.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn end_request(&self) {
        self.busy.store(false, Ordering::Release);
    }

    pub(crate) fn note(&self, defect: Defect) {
        self.defect.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(defect);
    }

    /// There is nothing to read any more when whoever asked for the transaction has gone.
    pub(crate) fn has_state(&self) -> bool {
        self.setting.simulation.as_ref().is_some_and(|simulation| !simulation.is_done())
    }

    fn request<'a>(&self, kind: i32, payload: &'a [u8]) -> Result<Option<Request<'a>>> {
        if matches!(kind, kind::GET_STATE_METADATA | kind::PUT_STATE_METADATA) {
            self.check_key_level_endorsement()?;
        }
        Request::decode(kind, payload)
    }

    fn pace(&self, kind: i32, request: &Request<'_>, payload: &[u8]) -> Whose {
        let slow = match request {
            Request::Next(id) | Request::Close(id) => self.queries.is_slow(id),
            other => other.is_large(kind, payload, &self.limits),
        };
        if slow { Whose::OursSlowly } else { Whose::Ours }
    }

    fn run(&self, request: &Request<'_>) -> Result<Vec<u8>> {
        catch(|| self.try_run(request)).unwrap_or_else(|defect| Err(defect.into()))
    }

    fn try_run(&self, request: &Request<'_>) -> Result<Vec<u8>> {
        let simulation = self.simulation()?;
        let namespace = &self.setting.namespace;
        match request {
            Request::Get(key) => {
                let found = simulation.get(namespace, key)?;
                // A read records the key alone; its value is not kept.
                self.charge(key.len())?;
                Ok(found.map(|found| found.value.into_owned()).unwrap_or_default())
            }
            Request::GetMultiple(keys) => self.get_multiple(simulation, keys),
            Request::GetMetadata(key) => {
                self.charge(key.len())?;
                let found = simulation.get(namespace, key)?;
                metadata_result(found.as_ref().map_or(&[][..], |found| &found.metadata))
            }
            Request::Write(records) => {
                records.iter().try_for_each(|record| self.write_record(simulation, record)).map(|()| Vec::new())
            }
            Request::Range { start, end, page } => self.range(simulation, start, end, page.as_ref()),
            Request::Next(id) => self.rows(&self.queries.next(id, &self.limits)?),
            Request::Close(id) => {
                self.queries.forget(id);
                Ok(Page::closed(id).encoded())
            }
        }
    }

    fn get_multiple(&self, simulation: &Simulation, keys: &[&str]) -> Result<Vec<u8>> {
        let (mut out, mut size) = (Vec::new(), 0);
        let most = self.limits.values_bytes;
        for key in keys {
            self.charge(key.len())?;
            let found = simulation.get(&self.setting.namespace, key)?;
            let value = found.as_ref().map_or(&[][..], |found| &found.value);
            size += value.len();
            if size > most {
                return Err(Failure::Refused(format!(
                    "the values have more than {most} bytes together; ask for fewer keys"
                )));
            }
            encode::present_field(&mut out, 1, value);
        }
        Ok(out)
    }

    fn write_record(&self, simulation: &Simulation, record: &WriteRecord<'_>) -> Result<()> {
        let (namespace, key) = (&self.setting.namespace, record.key);
        match record.r#type {
            kind::PUT_STATE => {
                self.charge(key.len() + record.value.len())?;
                simulation.put(namespace, key, record.value)
            }
            kind::DEL_STATE => {
                self.charge(key.len())?;
                simulation.put(namespace, key, &[])
            }
            kind::PUT_STATE_METADATA => {
                self.check_key_level_endorsement()?;
                let entry = record.metadata.clone().unwrap_or_default();
                self.charge(key.len() + entry.metakey.len() + entry.value.len())?;
                let entries = Metadata::from([(entry.metakey.to_owned(), entry.value.to_vec())]);
                simulation.put_metadata(namespace, key, entries)
            }
            _ => Err(Failure::Refused("unknown operation type".to_owned())),
        }
    }

    fn range(&self, simulation: &Simulation, start: &str, end: &str, page: Option<&PageAsked<'_>>) -> Result<Vec<u8>> {
        let size = page.and_then(|page| usize::try_from(page.size).ok()).filter(|size| *size > 0);
        // A bookmark is the page's first key.
        let start = page.map(|page| page.bookmark).filter(|bookmark| !bookmark.is_empty()).unwrap_or(start);
        if page.is_some() {
            simulation.begin_page()?;
        }
        let namespace = self.setting.namespace.clone();
        let rows = Range { scan: simulation.range(&namespace, start, end, size)?, namespace };
        let limit = self.row_limit(size);
        self.open_query(Query { rows: Box::new(rows), limit, paged: page.is_some(), slow: false })
    }

    fn open_query(&self, query: Query) -> Result<Vec<u8>> {
        self.rows(&self.queries.open(query, &self.limits)?)
    }

    fn row_limit(&self, page: Option<usize>) -> usize {
        page.unwrap_or(usize::MAX).min(self.limits.query_rows)
    }

    /// Encodes rows, counting what the read-write set keeps of them: a range's keys and versions.
    fn rows(&self, page: &Page) -> Result<Vec<u8>> {
        page.rows.iter().try_for_each(|row| self.charge(row.len()))?;
        Ok(page.encoded())
    }

    fn simulation(&self) -> Result<&Simulation> {
        let simulation = self.setting.simulation.as_deref().filter(|simulation| !simulation.is_done());
        simulation.ok_or_else(|| Failure::Refused(NO_LEDGER.to_owned()))
    }
}

/// Encodes a `StateMetadataResult` of what is stored with a key, by name.
fn metadata_result(stored: &[u8]) -> Result<Vec<u8>> {
    let stored: KvMetadataWrite<'_> = decode(stored)?;
    let entries: std::collections::BTreeMap<_, _> = stored.entries.iter().map(|one| (one.name, one.value)).collect();
    let mut out = Vec::new();
    for (name, value) in entries {
        let mut entry = Vec::with_capacity(name.len() + value.len() + 12);
        encode::bytes_field(&mut entry, 1, name.as_bytes());
        encode::bytes_field(&mut entry, 2, value);
        encode::present_field(&mut out, 1, &entry);
    }
    Ok(out)
}
