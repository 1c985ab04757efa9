// SPDX-License-Identifier: Apache-2.0
//! The storage of one channel's ledger.
//!
//! The block files are the truth: Fabric's own format, appended and synced. Everything else is derived from them and
//! lives in one LMDB environment, written in one transaction per group of blocks together with the savepoint, so that
//! it always agrees with itself. When it is behind the block files, the blocks in between are replayed; when it is
//! missing, all of them are. The ledger judges nothing: it is told each block's effects.
//!
//! ```text
//! <ledger>/LOCK                     held while the ledger is open
//!          chains/blockfile_NNNNNN  the blocks
//!          chains/synced            as long as the chain that is known to be durable
//!          derived/                 LMDB: state, history, indexes, collections, expiries, explanations
//!          snapshot/                only in a ledger that began from a snapshot: the truth before its first block
//! ```
//!
//! A block goes through three hands:
//!
//! ```text
//!   record ──► append ──► block file                       durable
//!   effects ─► stage ───► layer in memory                  visible to new views
//!              flush ───► LMDB: journal, block index,      not replayed any more
//!                               savepoint
//!                 └─────► LMDB: stores, from the oldest    out of memory
//!                               layers, in key order
//! ```
//!
//! [`Ledger::flush`] may run in another thread. A [`View`] shows the stores and the layers over them as one.

#![deny(unsafe_code)]

mod blockfile;
mod blocks;
mod blockstore;
mod changes;
mod commit;
mod deleted_runs;
mod error;
mod flush;
mod gate;
mod held;
mod history;
mod keys;
mod layer;
mod layers;
mod ledger;
mod lmdb;
mod lock;
mod long_keys;
mod merged;
mod pages;
mod recent;
mod record;
mod recovery;
mod snapshot;
mod staged;
mod store;
mod stored;
mod stream;
mod sums;
mod synced;
mod tail;
mod values;
mod view;
mod writer;

pub use blockfile::{Location, path as block_file_path};
pub use blockstore::BlockStore;
pub use commit::{CommittedBlock, Expiry, HistoryWrite, expiring_block};
pub use error::{LedgerError, Result};
pub use history::KeyModification;
pub use ledger::{Appended, Ledger, Options};
pub use pages::check_environment;
pub use record::ChainTip;
pub use recovery::Recovery;
pub use snapshot::{SignableMetadata, SnapshotMetadata};
pub use stream::{BlockStream, Checks, StoredBlock};
pub use tail::TornTail;
pub use values::{Savepoint, TxLocation};
pub use view::View;
pub use writer::Durability;
