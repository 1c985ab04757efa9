// SPDX-License-Identifier: Apache-2.0
//! Views of read-write sets (`ledger/rwset`, `ledger/rwset/kvrwset`), decoded down to the last key.

use crate::messages;
use crate::policies::merge_case;
use crate::protobuf::{DecodeError, Message, Value};

/// The position of a transaction in the chain; a key's version is the height of its last writer (`version.Height`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Height {
    /// Block number.
    pub block: u64,
    /// Index of the transaction in its block.
    pub tx: u64,
}

impl std::fmt::Display for Height {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}", self.block, self.tx)
    }
}

messages! {
    /// `rwset.TxReadWriteSet`.
    TxReadWriteSet<'a> {
        1 => data_model: i32,
        2 => ns_rwset: Vec<NsReadWriteSet<'a>>,
    }

    /// `rwset.NsReadWriteSet`.
    NsReadWriteSet<'a> {
        1 => namespace: &'a str,
        /// Encoded [`KvRwSet`].
        2 => rwset: &'a [u8],
        3 => collection_hashed_rwset: Vec<CollectionHashedReadWriteSet<'a>>,
    }

    /// `rwset.CollectionHashedReadWriteSet`.
    CollectionHashedReadWriteSet<'a> {
        1 => collection_name: &'a str,
        /// Encoded [`HashedRwSet`].
        2 => hashed_rwset: &'a [u8],
        3 => pvt_rwset_hash: &'a [u8],
    }

    /// `kvrwset.KVRWSet`.
    KvRwSet<'a> {
        1 => reads: Vec<KvRead<'a>>,
        2 => range_queries_info: Vec<RangeQueryInfo<'a>>,
        3 => writes: Vec<KvWrite<'a>>,
        4 => metadata_writes: Vec<KvMetadataWrite<'a>>,
    }

    /// `kvrwset.HashedRWSet`.
    HashedRwSet<'a> {
        1 => hashed_reads: Vec<KvReadHash<'a>>,
        2 => hashed_writes: Vec<KvWriteHash<'a>>,
        3 => metadata_writes: Vec<KvMetadataWriteHash<'a>>,
    }

    /// `kvrwset.Version`; absent means that the key did not exist.
    Version {
        1 => block_num: u64,
        2 => tx_num: u64,
    }

    /// `kvrwset.KVRead`.
    KvRead<'a> {
        1 => key: &'a str,
        2 => version: Option<Version>,
    }

    /// `kvrwset.KVWrite`.
    KvWrite<'a> {
        1 => key: &'a str,
        2 => is_delete: bool,
        3 => value: &'a [u8],
    }

    /// `kvrwset.KVMetadataWrite`; no entries means that the metadata is deleted.
    KvMetadataWrite<'a> {
        1 => key: &'a str,
        2 => entries: Vec<KvMetadataEntry<'a>>,
    }

    /// `kvrwset.KVMetadataEntry`.
    KvMetadataEntry<'a> {
        1 => name: &'a str,
        2 => value: &'a [u8],
    }

    /// `kvrwset.KVReadHash`.
    KvReadHash<'a> {
        1 => key_hash: &'a [u8],
        2 => version: Option<Version>,
    }

    /// `kvrwset.KVWriteHash`.
    KvWriteHash<'a> {
        1 => key_hash: &'a [u8],
        2 => is_delete: bool,
        3 => value_hash: &'a [u8],
        4 => is_purge: bool,
    }

    /// `kvrwset.KVMetadataWriteHash`.
    KvMetadataWriteHash<'a> {
        1 => key_hash: &'a [u8],
        2 => entries: Vec<KvMetadataEntry<'a>>,
    }

    /// `kvrwset.QueryReads`.
    QueryReads<'a> {
        1 => kv_reads: Vec<KvRead<'a>>,
    }

    /// `kvrwset.QueryReadsMerkleSummary`.
    QueryReadsMerkleSummary<'a> {
        1 => max_degree: u32,
        2 => max_level: u32,
        3 => max_level_hashes: Vec<&'a [u8]>,
    }
}

impl From<&Version> for Height {
    fn from(version: &Version) -> Self {
        Self { block: version.block_num, tx: version.tx_num }
    }
}

/// `kvrwset.RangeQueryInfo`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RangeQueryInfo<'a> {
    /// Inclusive.
    pub start_key: &'a str,
    /// Exclusive; empty means to the end of the namespace.
    pub end_key: &'a str,
    /// Whether the simulation saw the end of the range.
    pub itr_exhausted: bool,
    /// What the simulation saw.
    pub reads_info: ReadsInfo<'a>,
}

/// `kvrwset.RangeQueryInfo.reads_info`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ReadsInfo<'a> {
    /// The oneof is not set.
    #[default]
    Unset,
    /// Every key and version.
    RawReads(QueryReads<'a>),
    /// Hashes over keys and versions.
    ReadsMerkleHashes(QueryReadsMerkleSummary<'a>),
}

impl<'a> Message<'a> for RangeQueryInfo<'a> {
    fn merge_field(&mut self, number: u32, value: Value<'a>, depth: u32) -> Result<bool, DecodeError> {
        use crate::protobuf::Field;
        match number {
            1 => self.start_key.merge_value(value, depth),
            2 => self.end_key.merge_value(value, depth),
            3 => self.itr_exhausted.merge_value(value, depth),
            4 => merge_case(
                &mut self.reads_info,
                value,
                depth,
                |reads| match reads {
                    ReadsInfo::RawReads(raw) => Some(std::mem::take(raw)),
                    _ => None,
                },
                ReadsInfo::RawReads,
            ),
            5 => merge_case(
                &mut self.reads_info,
                value,
                depth,
                |reads| match reads {
                    ReadsInfo::ReadsMerkleHashes(summary) => Some(std::mem::take(summary)),
                    _ => None,
                },
                ReadsInfo::ReadsMerkleHashes,
            ),
            _ => Ok(false),
        }
    }
}

/// A read-write set decoded to the keys (`rwsetutil.TxRwSet`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TxRwSet<'a> {
    /// In the order of the transaction.
    pub namespaces: Vec<NsRwSet<'a>>,
}

/// One namespace of a [`TxRwSet`] (`rwsetutil.NsRwSet`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NsRwSet<'a> {
    /// Chaincode name; empty for the channel's configuration.
    pub namespace: &'a str,
    /// Public reads and writes.
    pub public: KvRwSet<'a>,
    /// Hashes of private reads and writes, by collection.
    pub collections: Vec<CollHashedRwSet<'a>>,
}

/// One collection of an [`NsRwSet`] (`rwsetutil.CollHashedRwSet`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CollHashedRwSet<'a> {
    /// Collection name.
    pub collection: &'a str,
    /// Hashed reads and writes.
    pub hashed: HashedRwSet<'a>,
    /// SHA-256 of the private read-write set.
    pub pvt_rwset_hash: &'a [u8],
}

impl<'a> TxRwSet<'a> {
    /// Decodes `ChaincodeAction.results` (`TxRwSet.FromProtoBytes`).
    pub fn decode(results: &'a [u8]) -> Result<Self, DecodeError> {
        let message = TxReadWriteSet::decode(results)?;
        let namespaces = message.ns_rwset.into_iter().map(NsRwSet::decode).collect::<Result<_, _>>()?;
        Ok(Self { namespaces })
    }
}

impl<'a> NsRwSet<'a> {
    fn decode(message: NsReadWriteSet<'a>) -> Result<Self, DecodeError> {
        let collections = message
            .collection_hashed_rwset
            .into_iter()
            .map(|collection| {
                Ok(CollHashedRwSet {
                    collection: collection.collection_name,
                    hashed: HashedRwSet::decode(collection.hashed_rwset)?,
                    pvt_rwset_hash: collection.pvt_rwset_hash,
                })
            })
            .collect::<Result<_, DecodeError>>()?;
        Ok(Self { namespace: message.namespace, public: KvRwSet::decode(message.rwset)?, collections })
    }

    /// Whether the namespace is written, metadata and hashes included (`txWritesToNamespace`).
    #[must_use]
    pub fn writes(&self) -> bool {
        !self.public.writes.is_empty()
            || !self.public.metadata_writes.is_empty()
            || self.collections.iter().any(|collection| {
                !collection.hashed.hashed_writes.is_empty() || !collection.hashed.metadata_writes.is_empty()
            })
    }
}
