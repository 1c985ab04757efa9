// SPDX-License-Identifier: Apache-2.0
//! Ledgers of real peers: the committed vectors, and larger ones that may lie beside the repository.

#![allow(dead_code, reason = "every test file uses some of it")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// An unpacked corpus.
pub struct Corpus {
    pub name: &'static str,
    pub path: PathBuf,
    _dir: TempDir,
}

impl Corpus {
    /// Unpacks a corpus; says why and returns `None` if it is not there.
    pub fn open(name: &'static str) -> Option<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
        let found = ["tests/vectors", "../shared/corpus"].iter().flat_map(|place| {
            ["fabric-3.1", "fabric-1.4"].map(|made| root.join(place).join(made).join(format!("{name}.tar.zst")))
        });
        let Some(archive) = found.into_iter().find(|path| path.exists()) else {
            eprintln!("skipped: corpus {name} is neither in tests/vectors nor in ../shared/corpus");
            return None;
        };
        let dir = tempfile::tempdir().unwrap();
        let unzipped = zstd::Decoder::new(File::open(archive).unwrap()).unwrap();
        tar::Archive::new(unzipped).unpack(dir.path()).unwrap();
        Some(Self { name, path: dir.path().join(name), _dir: dir })
    }

    /// The raw block file of the real peer.
    pub fn block_file(&self) -> Vec<u8> {
        let path = self.path.join("chains/blockfile_000000.zst");
        zstd::decode_all(File::open(path).unwrap()).unwrap()
    }

    /// The blocks as the real peer stored them, each a marshalled `common.Block`.
    pub fn blocks(&self) -> Vec<Vec<u8>> {
        read_sorted(&self.path.join("blocks_peer"), "")
    }
}

/// The files of a folder whose names begin so, in the order of their names.
pub fn read_sorted(dir: &Path, prefix: &str) -> Vec<Vec<u8>> {
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    let named = files.filter(|file| file.file_name().to_string_lossy().starts_with(prefix));
    let mut paths: Vec<_> = named.map(|file| file.path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).unwrap()).collect()
}
