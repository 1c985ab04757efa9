// SPDX-License-Identifier: Apache-2.0
//! Ledgers that real Fabric networks made, unpacked in memory. Only tests and benches use this crate.
//!
//! The small ones are kept in `tests/vectors`, with a note on who made them. The large ones lie in the folder that
//! `FASTLEDGER_CORPUS` names, by default `../shared/corpus`, as `tests/corpora.py` looks for them too; where they are
//! missing, the tests that need them say so and are skipped, or fail if `FASTLEDGER_NO_SKIPS=1` demands everything.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use fastledger_wire::common::{Block, Metadata, metadata_slot};
use fastledger_wire::protobuf::Reader;
use fastledger_wire::{Message, block};
use serde_json::Value;

/// The ledgers that every clone has, as release and name.
pub const KEPT: [&str; 8] = [
    "fabric-3.1/small",
    "fabric-3.1/bypass",
    "fabric-3.1/malformed",
    "fabric-1.4/pvt14",
    "fabric-1.4/v14",
    "fabric-1.4/v11",
    "fabric-1.4/tls",
    "fabric-1.3/upgraded13",
];

/// The ledgers that are too large to be kept.
pub const FURTHER: [&str; 2] = ["fabric-3.1/perf-2of2", "fabric-3.1/perf-contended"];

/// Every ledger at hand: those of [`KEPT`], and what there is of [`FURTHER`].
pub fn all() -> impl Iterator<Item = Corpus> {
    KEPT.into_iter().map(Corpus::kept).chain(FURTHER.into_iter().filter_map(Corpus::further))
}

/// An unpacked ledger.
#[derive(Debug)]
pub struct Corpus {
    /// Release and name, as in [`KEPT`] and [`FURTHER`].
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
    /// Reads a ledger of [`KEPT`].
    ///
    /// # Panics
    /// If it is missing from `tests/vectors` or cannot be read.
    #[must_use]
    pub fn kept(name: &str) -> Self {
        Self::read(name, &archive(&root().join("tests/vectors"), name))
    }

    /// Reads a ledger of [`FURTHER`]; gives none where it is missing, and says so on stderr.
    ///
    /// # Panics
    /// If it cannot be read, or if it is missing while `FASTLEDGER_NO_SKIPS=1` demands everything.
    #[must_use]
    pub fn further(name: &str) -> Option<Self> {
        let path = archive(&further_ledgers(), name);
        if path.exists() {
            return Some(Self::read(name, &path));
        }
        let missing = format!("{} is missing; FASTLEDGER_CORPUS names the folder", path.display());
        assert!(env::var_os("FASTLEDGER_NO_SKIPS").is_none_or(|value| value != "1"), "{missing}");
        // Not by eprintln, which is not shown for a test that passes.
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        let _ = writeln!(io::stderr(), "skipped: {test}: {missing}");
        None
    }

    fn read(name: &str, path: &Path) -> Self {
        let mut files = unpack(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
        expand_block_files(&mut files);
        Self { name: name.to_owned(), files }
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

fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(3);
    root.expect("the crate lies three folders below the repository's root").to_owned()
}

fn further_ledgers() -> PathBuf {
    let default = || root().with_file_name("shared").join("corpus");
    env::var_os("FASTLEDGER_CORPUS").map_or_else(default, PathBuf::from)
}

fn archive(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.tar.zst"))
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
