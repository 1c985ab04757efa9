// SPDX-License-Identifier: Apache-2.0
//! Snapshots in Fabric's format: the state, its hashes, the transaction ids and the collection configurations as of
//! one block, each in a data file and a metadata file, and two JSON files that name their hashes (`kvledger/snapshot.go`).

mod export;
mod file;
mod import;
mod metadata;

pub use metadata::{SignableMetadata, SnapshotMetadata};

pub(crate) use import::{FOLDER, load};

use fastledger_wire::messages;

/// First byte of every data and metadata file.
const FORMAT: u8 = 1;

/// A data file and the metadata file that counts what is in it.
#[derive(Debug, Clone, Copy)]
struct FilePair {
    data: &'static str,
    metadata: &'static str,
}

const PUBLIC_STATE: FilePair = FilePair { data: "public_state.data", metadata: "public_state.metadata" };

const PRIVATE_STATE_HASHES: FilePair =
    FilePair { data: "private_state_hashes.data", metadata: "private_state_hashes.metadata" };

const TX_IDS: FilePair = FilePair { data: "txids.data", metadata: "txids.metadata" };

const CONFIG_HISTORY: FilePair = FilePair { data: "confighistory.data", metadata: "confighistory.metadata" };

const PAIRS: [FilePair; 4] = [PUBLIC_STATE, PRIVATE_STATE_HASHES, TX_IDS, CONFIG_HISTORY];

messages! {
    /// `privacyenabledstate.SnapshotRecord`: one state.
    SnapshotRecord<'a> {
        1 => key: &'a [u8],
        2 => value: &'a [u8],
        3 => metadata: &'a [u8],
        /// Two order-preserving varints.
        4 => version: &'a [u8],
    }
}
