// SPDX-License-Identifier: Apache-2.0
//! Views of package `common`: blocks, envelopes, headers and block metadata.

use crate::messages;

/// `common.HeaderType` values that validation distinguishes.
pub mod header_type {
    /// A configuration that an orderer has computed.
    pub const CONFIG: i32 = 1;
    /// A request to change a configuration.
    pub const CONFIG_UPDATE: i32 = 2;
    /// A transaction that endorsers signed.
    pub const ENDORSER_TRANSACTION: i32 = 3;
    /// The creation of a channel, as an orderer's system channel holds it (until 2.x).
    pub const ORDERER_TRANSACTION: i32 = 4;
    /// An update of the peers' own configuration, an experiment of 1.1.
    pub const PEER_RESOURCE_UPDATE: i32 = 7;
    /// A transaction of `FabToken`, an experiment of 1.4 that no release ever committed.
    pub const TOKEN_TRANSACTION: i32 = 9;
}

/// Slots of `common.BlockMetadata` (`common.BlockMetadataIndex`).
pub mod metadata_slot {
    /// The orderers' signatures.
    pub const SIGNATURES: usize = 0;
    /// The last configuration block's number (1.x; since 2.0 it stands in the signatures' value).
    pub const LAST_CONFIG: usize = 1;
    /// One `TxValidationCode` byte per transaction.
    pub const TRANSACTIONS_FILTER: usize = 2;
    /// The commit hash, since 1.4.1.
    pub const COMMIT_HASH: usize = 4;
    /// How many slots Fabric has given every block since 1.4.1; before, blocks had no commit hash and four slots.
    pub const COUNT: usize = 5;
}

messages! {
    /// `common.Block`.
    Block<'a> {
        1 => header: Option<BlockHeader<'a>>,
        2 => data: Option<BlockData<'a>>,
        3 => metadata: Option<BlockMetadata<'a>>,
    }

    /// `common.BlockHeader`.
    BlockHeader<'a> {
        1 => number: u64,
        2 => previous_hash: &'a [u8],
        3 => data_hash: &'a [u8],
    }

    /// `common.BlockData`: one envelope per transaction.
    BlockData<'a> {
        1 => data: Vec<&'a [u8]>,
    }

    /// `common.BlockMetadata`, by [`metadata_slot`].
    BlockMetadata<'a> {
        1 => metadata: Vec<&'a [u8]>,
    }

    /// `common.Envelope`.
    Envelope<'a> {
        1 => payload: &'a [u8],
        2 => signature: &'a [u8],
    }

    /// `common.Payload`.
    Payload<'a> {
        1 => header: Option<Header<'a>>,
        2 => data: &'a [u8],
    }

    /// `common.Header`.
    Header<'a> {
        1 => channel_header: &'a [u8],
        2 => signature_header: &'a [u8],
    }

    /// `google.protobuf.Timestamp`.
    Timestamp {
        1 => seconds: i64,
        2 => nanos: i32,
    }

    /// `common.ChannelHeader`.
    ChannelHeader<'a> {
        1 => r#type: i32,
        2 => version: i32,
        3 => timestamp: Option<Timestamp>,
        4 => channel_id: &'a str,
        5 => tx_id: &'a str,
        6 => epoch: u64,
        7 => extension: &'a [u8],
        8 => tls_cert_hash: &'a [u8],
    }

    /// `common.SignatureHeader`.
    SignatureHeader<'a> {
        1 => creator: &'a [u8],
        2 => nonce: &'a [u8],
    }

    /// `common.Metadata`.
    Metadata<'a> {
        1 => value: &'a [u8],
        2 => signatures: Vec<MetadataSignature<'a>>,
    }

    /// `common.MetadataSignature`.
    MetadataSignature<'a> {
        1 => signature_header: &'a [u8],
        2 => signature: &'a [u8],
        3 => identifier_header: &'a [u8],
    }

    /// `common.IdentifierHeader`: names a BFT consenter by its number in the channel's mapping.
    IdentifierHeader<'a> {
        1 => identifier: u32,
        2 => nonce: &'a [u8],
    }

    /// `common.LastConfig`.
    LastConfig {
        1 => index: u64,
    }

    /// `common.OrdererBlockMetadata`.
    OrdererBlockMetadata<'a> {
        1 => last_config: Option<LastConfig>,
        2 => consenter_metadata: &'a [u8],
    }
}
