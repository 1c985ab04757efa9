// SPDX-License-Identifier: Apache-2.0
//! Ledgers that real Fabric networks made, unpacked in memory. Only tests and benches use this crate.
//!
//! The small ones lie in `tests/vectors`, with a note on who made them; larger ones may lie beside the repository.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use fastledger_wire::common::{Block, Metadata, metadata_slot};
use fastledger_wire::protobuf::Reader;
use fastledger_wire::{Message, block};
use serde_json::Value;

/// Every ledger that may be at hand, as release and name.
pub const ALL: [&str; 10] = [
    "fabric-3.1/small",
    "fabric-3.1/bypass",
    "fabric-3.1/malformed",
    "fabric-3.1/perf-2of2",
    "fabric-3.1/perf-contended",
    "fabric-1.4/pvt14",
    "fabric-1.4/v14",
    "fabric-1.4/v11",
    "fabric-1.4/tls",
    "fabric-1.3/upgraded13",
];

/// An unpacked ledger.
#[derive(Debug)]
pub struct Corpus {
    /// Release and name, as in [`ALL`].
    pub name: String,
    /// Contents by path, the archive's own folder left out.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// What a real peer made of a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The code of each transaction.
    pub codes: Vec<u8>,
    /// Hash of the header, where it was recorded.
    pub header_hash: Option<Vec<u8>>,
    /// The commit hash, empty for none.
    pub commit_hash: Vec<u8>,
}

impl Corpus {
    /// Reads a ledger of [`ALL`]; says why on stderr and gives none where it is not at hand.
    ///
    /// # Panics
    /// If the archive is there but cannot be read.
    #[must_use]
    pub fn open(name: &str) -> Option<Self> {
        let Some(path) = archive(name) else {
            eprintln!("skipped: {name} is neither in tests/vectors nor in ../shared/corpus");
            return None;
        };
        let mut files = unpack(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
        expand_block_files(&mut files);
        Some(Self { name: name.to_owned(), files })
    }

    /// The blocks as orderers delivered them, encoded `common.Block`s from block 0 on.
    #[must_use]
    pub fn delivered_blocks(&self) -> Vec<&[u8]> {
        self.blocks("blocks_orderer/", "mychannel/orderer_")
    }

    /// The blocks as a real peer committed them: with its verdicts.
    #[must_use]
    pub fn committed_blocks(&self) -> Vec<&[u8]> {
        self.blocks("blocks_peer/", "mychannel/peer_")
    }

    /// The real peer's verdicts on each block, from `expected.json`, or where there is none from the metadata of the
    /// blocks that the peer committed.
    ///
    /// # Panics
    /// If these are not what they should be.
    #[must_use]
    pub fn verdicts(&self) -> Vec<Verdict> {
        let Some(expected) = self.files.get("expected.json") else {
            return self.committed_blocks().into_iter().map(recorded).collect();
        };
        let expected: Value = serde_json::from_slice(expected).expect("JSON");
        expected["blocks"].as_array().expect("a list of blocks").iter().map(listed).collect()
    }

    /// Writes the files into a folder, for those who need paths.
    pub fn unpack(&self, dir: &Path) -> io::Result<()> {
        for (path, content) in &self.files {
            let path = dir.join(path);
            fs::create_dir_all(path.parent().unwrap_or(dir))?;
            fs::write(path, content)?;
        }
        Ok(())
    }

    fn blocks(&self, since_3: &str, until_2: &str) -> Vec<&[u8]> {
        let is_block = |path: &str| {
            (path.starts_with(since_3) || path.starts_with(until_2))
                && Path::new(path).extension() == Some("block".as_ref())
        };
        // The names are padded with zeros, so their order is that of the numbers.
        self.files.iter().filter(|(path, _)| is_block(path)).map(|(_, content)| content.as_slice()).collect()
    }
}

fn listed(block: &Value) -> Verdict {
    let field = |name: &str| unhex(block[name].as_str().expect("a text"));
    let (codes, commit_hash) = (field("transactions_filter_hex"), field("commit_hash"));
    Verdict { codes, header_hash: Some(field("header_hash")), commit_hash }
}

fn recorded(block: &[u8]) -> Verdict {
    let mut metadata = Block::decode(block).expect("a block").metadata.expect("metadata").metadata;
    metadata.resize(metadata_slot::COUNT, &[]);
    let commit_hash = Metadata::decode(metadata[metadata_slot::COMMIT_HASH]).expect("metadata").value.to_vec();
    Verdict { codes: metadata[metadata_slot::TRANSACTIONS_FILTER].to_vec(), header_hash: None, commit_hash }
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal digits");
    (0..text.len()).step_by(2).map(digits).collect()
}

fn archive(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let places = [root.join("tests/vectors"), root.join("../shared/corpus")];
    places.into_iter().map(|place| place.join(format!("{name}.tar.zst"))).find(|path| path.exists())
}

/// Adds the blocks of the block files of `peer/CHANNEL/` and `orderer/CHANNEL/`, one by one.
fn expand_block_files(files: &mut BTreeMap<String, Vec<u8>>) {
    let mut blocks = BTreeMap::new();
    for (path, content) in files.iter().filter(|(path, _)| path.ends_with("/blockfile_000000")) {
        let Some((owner, _)) = path.split_once('/') else { continue };
        let mut reader = Reader::new(content);
        while !reader.rest().is_empty() {
            let record = reader.length_prefixed().expect("a record");
            let decoded = block::decode_record(record).expect("a block");
            let (header, data, metadata) =
                (decoded.header.expect("header"), decoded.data.expect("data"), decoded.metadata.expect("metadata"));
            let encoded = block::encode_block(&header, &data.data, &metadata.metadata);
            blocks.insert(format!("blocks_{owner}/{:06}.block", header.number), encoded);
        }
    }
    files.extend(blocks);
}

fn unpack(path: &Path) -> io::Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(zstd::Decoder::new(File::open(path)?)?).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.to_string_lossy().into_owned();
        if let Some((_, inner)) = path.split_once('/').filter(|_| entry.header().entry_type().is_file()) {
            let mut content = Vec::new();
            entry.read_to_end(&mut content)?;
            files.insert(inner.to_owned(), content);
        }
    }
    Ok(files)
}
