// SPDX-License-Identifier: Apache-2.0
//! Ledgers that real Fabric networks made, unpacked in memory. Only tests and benches use this crate.
//!
//! The small ones lie in `tests/vectors`, with a note on who made them; larger ones may lie beside the repository.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Every ledger that may be at hand, as release and name.
pub const ALL: [&str; 9] = [
    "fabric-3.1/small",
    "fabric-3.1/bypass",
    "fabric-3.1/malformed",
    "fabric-3.1/perf-2of2",
    "fabric-3.1/perf-contended",
    "fabric-1.4/pvt14",
    "fabric-1.4/v14",
    "fabric-1.4/v11",
    "fabric-1.4/tls",
];

/// An unpacked ledger.
#[derive(Debug)]
pub struct Corpus {
    /// Contents by path, the archive's own folder left out.
    pub files: BTreeMap<String, Vec<u8>>,
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
        let files = unpack(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
        Some(Self { files })
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

    fn blocks(&self, since_3: &str, until_2: &str) -> Vec<&[u8]> {
        let is_block = |path: &str| {
            (path.starts_with(since_3) || path.starts_with(until_2))
                && Path::new(path).extension() == Some("block".as_ref())
        };
        // The names are padded with zeros, so their order is that of the numbers.
        self.files.iter().filter(|(path, _)| is_block(path)).map(|(_, content)| content.as_slice()).collect()
    }
}

fn archive(name: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let places = [root.join("tests/vectors"), root.join("../shared/corpus")];
    places.into_iter().map(|place| place.join(format!("{name}.tar.zst"))).find(|path| path.exists())
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
