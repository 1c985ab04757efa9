// SPDX-License-Identifier: Apache-2.0
//! One transaction: reads the committed state, keeps its writes to itself, says what it did.
//!
//! All reads are as of one height, whatever is committed meanwhile, and none sees a write of the transaction itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fastledger_mvcc::{StateKey, VersionedValue};
use fastledger_wire::Height;
use fastledger_wire::hash::sha256;

use crate::failure::{Failure, Result};
use crate::rwset::{Metadata, ReadWriteSet};
use crate::scan::RangeScan;
use crate::state::State;

/// Namespace, collection (empty for public state) and key.
type Place = (String, String, String);

/// One transaction on one channel; several threads may use it.
pub struct Simulation {
    tx_id: String,
    doing: Mutex<Doing>,
}

#[derive(Default)]
struct Doing {
    /// None once the simulation is done.
    state: Option<Arc<dyn State>>,
    set: ReadWriteSet,
    ranges: Vec<(String, Arc<RangeScan>)>,
    written: BTreeMap<Place, Vec<u8>>,
    wrote: bool,
    queried_private: bool,
    paged: bool,
}

impl Simulation {
    /// Begins; the transaction's id is for error texts.
    #[must_use]
    pub fn new(state: Arc<dyn State>, tx_id: String) -> Self {
        Self { tx_id, doing: Mutex::new(Doing { state: Some(state), ..Doing::default() }) }
    }

    /// Reads a key; none when it does not exist.
    pub fn get(&self, ns: &str, key: &str) -> Result<Option<VersionedValue<'static>>> {
        let mut doing = self.lock();
        let found = doing.state()?.get(StateKey { namespace: ns, collection: "", key: key.as_bytes() })?;
        doing.set.read(ns, key, found.as_ref().map(|found| found.version));
        Ok(found)
    }

    /// Writes a key; an empty value deletes it.
    pub fn put(&self, ns: &str, key: &str, value: &[u8]) -> Result<()> {
        let mut doing = self.begin_write()?;
        doing.note(ns, "", key)?;
        doing.set.write(ns, key, value.to_vec());
        Ok(())
    }

    /// Replaces a key's metadata.
    pub fn put_metadata(&self, ns: &str, key: &str, entries: Metadata) -> Result<()> {
        let mut doing = self.begin_write()?;
        doing.note(ns, "", key)?;
        doing.set.write_metadata(ns, key, entries);
        Ok(())
    }

    /// Reads keys from `start` up to `end`, which is no bound when it is empty; with a page, at most so many.
    pub fn range(&self, ns: &str, start: &str, end: &str, page: Option<usize>) -> Result<Arc<RangeScan>> {
        let mut doing = self.lock();
        let scan = Arc::new(RangeScan::new(doing.state()?, ns, start, end, page));
        doing.ranges.push((ns.to_owned(), Arc::clone(&scan)));
        Ok(scan)
    }

    /// Goes on in a transaction that writes nothing, as pages are for those alone.
    pub fn begin_page(&self) -> Result<()> {
        let mut doing = self.lock();
        if doing.wrote {
            return Err(self.unsupported("Paginated queries are supported only in a read-only transaction"));
        }
        doing.paged = true;
        Ok(())
    }

    /// Goes on in a transaction that writes nothing, as queries of private data are for those alone.
    pub fn begin_private_query(&self) -> Result<()> {
        let mut doing = self.lock();
        if doing.wrote {
            return Err(self.unsupported("Queries on pvt data is supported only in a read-only transaction"));
        }
        doing.queried_private = true;
        Ok(())
    }

    /// Records that a private key was read, and at which version.
    pub fn read_hash(&self, ns: &str, coll: &str, key: &str, version: Option<Height>) {
        self.lock().set.read_hash(ns, coll, key, version);
    }

    /// Writes a private key; an empty value deletes it, with `is_purge` also what was kept of it.
    pub fn put_private(&self, ns: &str, coll: &str, key: &str, value: &[u8], is_purge: bool) -> Result<()> {
        let mut doing = self.begin_write()?;
        doing.note(ns, coll, key)?;
        doing.set.write_private(ns, coll, key, value.to_vec(), is_purge);
        Ok(())
    }

    /// Replaces a private key's metadata.
    pub fn put_private_metadata(&self, ns: &str, coll: &str, key: &str, entries: Metadata) -> Result<()> {
        let mut doing = self.begin_write()?;
        doing.note(ns, coll, key)?;
        doing.set.write_private_metadata(ns, coll, key, entries);
        Ok(())
    }

    /// Encodes what was read and written: the public set, and the private one if there is any.
    pub fn results(&self) -> (Vec<u8>, Option<Vec<u8>>) {
        let mut doing = self.lock();
        for (ns, scan) in std::mem::take(&mut doing.ranges) {
            doing.set.add_range(&ns, scan.finish());
        }
        doing.set.build()
    }

    /// Namespaces that were read or written, in order.
    #[must_use]
    pub fn namespaces(&self) -> Vec<String> {
        self.lock().set.namespaces().map(str::to_owned).collect()
    }

    /// The keys that are written, in order, and the committed metadata of each; empty for none.
    #[must_use]
    pub fn written(&self) -> Vec<(Place, Vec<u8>)> {
        self.lock().written.iter().map(|(place, metadata)| (place.clone(), metadata.clone())).collect()
    }

    /// Whether nobody may use it any more.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.lock().state.is_none()
    }

    /// Refuses to go on where the simulation is done.
    pub fn check_open(&self) -> Result<()> {
        self.lock().state().map(drop)
    }

    /// Lets go of the state, and of what was read and written; harmless when repeated.
    pub fn done(&self) {
        let doing = std::mem::take(&mut *self.lock());
        drop(doing);
    }

    fn begin_write(&self) -> Result<MutexGuard<'_, Doing>> {
        let mut doing = self.lock();
        doing.state()?;
        let queried = "Transaction has already performed queries on pvt data. Writes are not allowed";
        let paged = "Transaction has already performed a paginated query. Writes are not allowed";
        if doing.queried_private {
            return Err(self.unsupported(queried));
        }
        if doing.paged {
            return Err(self.unsupported(paged));
        }
        doing.wrote = true;
        Ok(doing)
    }

    /// Fabric's text, misspelt as there.
    fn unsupported(&self, why: &str) -> Failure {
        Failure::Refused(format!("txid [{}]: unsuppored transaction. {why}", self.tx_id))
    }

    fn lock(&self) -> MutexGuard<'_, Doing> {
        self.doing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Doing {
    fn state(&self) -> Result<Arc<dyn State>> {
        let done = || Failure::Refused("this instance should not be used after calling Done()".to_owned());
        self.state.clone().ok_or_else(done)
    }

    /// Keeps the committed metadata of a key that is written: it says who must endorse that.
    fn note(&mut self, ns: &str, coll: &str, key: &str) -> Result<()> {
        let hash = sha256(&[key.as_bytes()]);
        let stored = if coll.is_empty() { key.as_bytes() } else { &hash };
        let found = self.state()?.get(StateKey { namespace: ns, collection: coll, key: stored })?;
        let metadata = found.map(|found| found.metadata.into_owned()).unwrap_or_default();
        self.written.insert((ns.to_owned(), coll.to_owned(), key.to_owned()), metadata);
        Ok(())
    }
}
