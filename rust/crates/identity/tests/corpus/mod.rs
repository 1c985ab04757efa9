// SPDX-License-Identifier: Apache-2.0
//! Ledgers that real Fabric made, unpacked in memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use fastledger_wire::Message;
use fastledger_wire::common::{Block, ChannelHeader, Envelope, Payload, SignatureHeader, header_type, metadata_slot};

/// Blocks and verdicts of one corpus.
pub struct Corpus {
    pub name: String,
    /// Encoded `common.Block`s as the orderer delivered them, from block 0 on.
    pub blocks: Vec<Vec<u8>>,
    /// The real peer's transactions filter of each block.
    pub codes: Vec<Vec<u8>>,
}

/// Where an archive lies; the large ones are kept beside the repository only.
fn archive(release: &str, name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let file = format!("{release}/{name}.tar.zst");
    [root.join("tests/vectors").join(&file), root.join("../shared/corpus").join(&file)].into_iter().find(|p| p.exists())
}

impl Corpus {
    /// Reads a corpus, `None` (and a word on stderr) where it is not there.
    pub fn read(release: &str, name: &str) -> Option<Self> {
        let Some(path) = archive(release, name) else {
            eprintln!("skipped: corpus {release}/{name} is not here");
            return None;
        };
        let archive = File::open(&path).expect("open the archive");
        let mut archive = tar::Archive::new(zstd::Decoder::new(archive).expect("read the archive"));
        let mut blocks = BTreeMap::new();
        let mut codes = BTreeMap::new();
        for entry in archive.entries().expect("list the archive") {
            let mut entry = entry.expect("read an entry");
            let path = entry.path().expect("a path").to_string_lossy().into_owned();
            let mut contents = Vec::new();
            if path.ends_with("/expected.json") {
                entry.read_to_end(&mut contents).expect("read the verdicts");
                codes.extend(expected_codes(&contents));
            } else if let Some((is_delivered, number)) = block_name(&path) {
                entry.read_to_end(&mut contents).expect("read a block");
                if is_delivered {
                    blocks.insert(number, contents);
                } else {
                    codes.insert(number, filter(&contents));
                }
            }
        }
        let (blocks, codes) = (blocks.into_values().collect(), codes.into_values().collect());
        Some(Self { name: name.to_owned(), blocks, codes })
    }
}

/// The filters in `expected.json`.
fn expected_codes(json: &[u8]) -> BTreeMap<u64, Vec<u8>> {
    let expected: serde_json::Value = serde_json::from_slice(json).expect("JSON");
    let blocks = expected["blocks"].as_array().expect("blocks");
    let code = |tx: &serde_json::Value| u8::try_from(tx["code"].as_u64().expect("a code")).expect("a byte");
    let codes = |block: &serde_json::Value| block["txs"].as_array().expect("transactions").iter().map(code).collect();
    blocks.iter().map(|block| (block["number"].as_u64().expect("a number"), codes(block))).collect()
}

/// Whether it is a block as delivered (or as committed by a 1.4 peer), and its number.
fn block_name(path: &str) -> Option<(bool, u64)> {
    let (folder, file) = path.rsplit_once('/')?;
    let stem = file.strip_suffix(".block")?;
    if let Some(number) = stem.strip_prefix("orderer_").or_else(|| stem.strip_prefix("peer_")) {
        let own_channel = folder.ends_with("/mychannel");
        return own_channel.then_some((stem.starts_with("orderer"), number.parse().ok()?));
    }
    folder.ends_with("/blocks_orderer").then_some((true, stem.parse().ok()?))
}

fn filter(block: &[u8]) -> Vec<u8> {
    let block = Block::decode(block).expect("a block");
    block.metadata.expect("metadata").metadata[metadata_slot::TRANSACTIONS_FILTER].to_vec()
}

/// The parts of a transaction that tell who made it.
pub struct Transaction<'a> {
    pub r#type: i32,
    pub channel_id: &'a str,
    pub creator: &'a [u8],
    pub payload: &'a [u8],
    pub data: &'a [u8],
    pub signature: &'a [u8],
}

impl<'a> Transaction<'a> {
    pub fn decode(envelope: &'a [u8]) -> Option<Self> {
        let envelope = Envelope::decode(envelope).ok()?;
        let payload = Payload::decode(envelope.payload).ok()?;
        let header = payload.header?;
        let channel_header = ChannelHeader::decode(header.channel_header).ok()?;
        let signature_header = SignatureHeader::decode(header.signature_header).ok()?;
        Some(Self {
            r#type: channel_header.r#type,
            channel_id: channel_header.channel_id,
            creator: signature_header.creator,
            payload: envelope.payload,
            data: payload.data,
            signature: envelope.signature,
        })
    }

    pub fn is_config(&self) -> bool {
        self.r#type == header_type::CONFIG
    }
}
