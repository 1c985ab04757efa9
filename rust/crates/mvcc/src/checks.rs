// SPDX-License-Identifier: Apache-2.0
//! What a read-write set claims, in the order in which Fabric checks it (`validator.validateTx`).

use fastledger_wire::Height;
use fastledger_wire::rwset::{CollHashedRwSet, NsRwSet, RangeQueryInfo, TxRwSet};

use crate::conflict::Conflict;
use crate::state::StateKey;

/// One claim about the state that a simulation saw.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Check<'a> {
    /// A key had this version, `None`: did not exist.
    Read { key: StateKey<'a>, expected: Option<Height> },
    /// As [`Check::Read`], of a key in a collection without a name. Writes to it end up in public state, but
    /// reads look for it where nothing is ever stored.
    ReadOfNowhere { key: StateKey<'a>, expected: Option<Height> },
    /// A range had these results.
    Range { namespace: &'a str, query: &'a RangeQueryInfo<'a> },
}

/// Per namespace: reads, then range queries, then hashed reads. The first that fails gives the code.
pub(crate) fn checks<'a>(rwset: &'a TxRwSet<'a>) -> impl Iterator<Item = Check<'a>> {
    rwset.namespaces.iter().flat_map(|namespace| {
        let hashed = namespace.collections.iter().flat_map(|collection| hashed_reads(namespace.namespace, collection));
        reads(namespace).chain(ranges(namespace)).chain(hashed)
    })
}

fn reads<'a>(namespace: &'a NsRwSet<'a>) -> impl Iterator<Item = Check<'a>> {
    namespace.public.reads.iter().map(|read| Check::Read {
        key: StateKey { namespace: namespace.namespace, collection: "", key: read.key.as_bytes() },
        expected: read.version.as_ref().map(Height::from),
    })
}

fn ranges<'a>(namespace: &'a NsRwSet<'a>) -> impl Iterator<Item = Check<'a>> {
    let queries = namespace.public.range_queries_info.iter();
    queries.map(|query| Check::Range { namespace: namespace.namespace, query })
}

fn hashed_reads<'a>(namespace: &'a str, collection: &'a CollHashedRwSet<'a>) -> impl Iterator<Item = Check<'a>> {
    collection.hashed.hashed_reads.iter().map(move |read| {
        let key = StateKey { namespace, collection: collection.collection, key: read.key_hash };
        let expected = read.version.as_ref().map(Height::from);
        if key.collection.is_empty() { Check::ReadOfNowhere { key, expected } } else { Check::Read { key, expected } }
    })
}

/// What [`Check::ReadOfNowhere`] gives.
pub(crate) fn read_of_nowhere(key: StateKey<'_>, expected: Option<Height>) -> Option<Conflict<'_>> {
    expected.is_some().then_some(Conflict::Read { key, expected, found: None, in_block: None })
}
