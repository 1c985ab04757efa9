// SPDX-License-Identifier: Apache-2.0
//! Snapshot files: a format byte, then varints and length-prefixed bytes (`common/ledger/snapshot/file.go`).

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use fastledger_wire::{Hash, encode};
use sha2::{Digest, Sha256};

use super::{FORMAT, FilePair};
use crate::error::{IoContext, LedgerError, Result};

/// Bytes gathered before they are hashed and written.
const BUFFER_BYTES: usize = 1 << 17;

/// Writes one file and hashes it on the way.
pub(super) struct Writer {
    path: PathBuf,
    file: BufWriter<File>,
    hasher: Sha256,
    scratch: Vec<u8>,
}

impl Writer {
    pub(super) fn create(dir: &Path, name: &str) -> Result<Self> {
        let path = dir.join(name);
        let file = create(&path)?;
        let mut writer = Self {
            path,
            file: BufWriter::with_capacity(BUFFER_BYTES, file),
            hasher: Sha256::new(),
            scratch: Vec::new(),
        };
        writer.scratch.push(FORMAT);
        writer.write_scratch()?;
        Ok(writer)
    }

    pub(super) fn varint(&mut self, number: u64) -> Result<()> {
        encode::varint(&mut self.scratch, number);
        self.write_scratch()
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        encode::length_prefixed(&mut self.scratch, bytes);
        self.write_scratch()
    }

    fn write_scratch(&mut self) -> Result<()> {
        self.hasher.update(&self.scratch);
        self.file.write_all(&self.scratch).context("write", &self.path)?;
        self.scratch.clear();
        Ok(())
    }

    /// Brings the file to stable storage and returns its hash.
    pub(super) fn finish(mut self) -> Result<Hash> {
        self.file.flush().and_then(|()| self.file.get_ref().sync_all()).context("write", &self.path)?;
        Ok(self.hasher.finalize().into())
    }
}

/// Creates a file that nobody changes later, as Fabric does.
pub(super) fn create(path: &Path) -> Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o444).open(path).context("create", path)
}

/// Writes a pair of files whose metadata is the number of entries; neither is made if there are none.
pub(super) struct CountedWriter {
    dir: PathBuf,
    pair: FilePair,
    data: Option<Writer>,
    count: u64,
}

impl CountedWriter {
    pub(super) fn new(dir: &Path, pair: FilePair) -> Self {
        Self { dir: dir.to_path_buf(), pair, data: None, count: 0 }
    }

    /// The data file for one more entry.
    pub(super) fn entry(&mut self) -> Result<&mut Writer> {
        self.count += 1;
        let data = match self.data.take() {
            Some(data) => data,
            None => Writer::create(&self.dir, self.pair.data)?,
        };
        Ok(self.data.insert(data))
    }

    /// Names and hashes of the files.
    pub(super) fn finish(self) -> Result<Vec<(&'static str, Hash)>> {
        let Some(data) = self.data else { return Ok(Vec::new()) };
        let mut metadata = Writer::create(&self.dir, self.pair.metadata)?;
        metadata.varint(self.count)?;
        Ok(vec![(self.pair.data, data.finish()?), (self.pair.metadata, metadata.finish()?)])
    }
}

/// Reads one file.
pub(super) struct Reader {
    path: PathBuf,
    file: BufReader<File>,
    /// Bytes of the file not yet read; no length may be more.
    left: u64,
}

impl Reader {
    /// `None` if there is no such file.
    pub(super) fn open(dir: &Path, name: &str) -> Result<Option<Self>> {
        let path = dir.join(name);
        let file = match File::open(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other.context("open", &path)?,
        };
        let left = file.metadata().context("read", &path)?.len();
        let mut reader = Self { path, file: BufReader::with_capacity(BUFFER_BYTES, file), left };
        match reader.byte()? {
            FORMAT => Ok(Some(reader)),
            other => Err(reader.wrong(format!("format {other} is not known; {FORMAT} is"))),
        }
    }

    /// A file that must be there.
    pub(super) fn require(dir: &Path, name: &str) -> Result<Self> {
        let missing = || LedgerError::Snapshot { path: dir.join(name), reason: "the file is missing".into() };
        Self::open(dir, name)?.ok_or_else(missing)
    }

    fn byte(&mut self) -> Result<u8> {
        let Some(byte) = self.file.fill_buf().context("read", &self.path)?.first().copied() else {
            return Err(self.wrong("it ends too early"));
        };
        self.file.consume(1);
        self.left = self.left.saturating_sub(1);
        Ok(byte)
    }

    pub(super) fn varint(&mut self) -> Result<u64> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                break;
            }
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(self.wrong("a number has more than 64 bits"))
    }

    /// Reads length-prefixed bytes into `buffer`.
    pub(super) fn bytes(&mut self, buffer: &mut Vec<u8>) -> Result<()> {
        let length = self.varint()?;
        if length > self.left {
            return Err(self.wrong(format!("an entry of {length} bytes, where {} are left", self.left)));
        }
        buffer.resize(usize::try_from(length).map_err(|_| self.wrong("an entry is too long"))?, 0);
        self.file.read_exact(buffer).context("read", &self.path)?;
        self.left -= length;
        Ok(())
    }

    /// Reads a length-prefixed text.
    pub(super) fn text(&mut self) -> Result<String> {
        let mut buffer = Vec::new();
        self.bytes(&mut buffer)?;
        String::from_utf8(buffer).map_err(|_| self.wrong("a text is not UTF-8"))
    }

    /// There must be nothing more.
    pub(super) fn finish(&self) -> Result<()> {
        if self.left == 0 { Ok(()) } else { Err(self.wrong(format!("{} bytes follow the last entry", self.left))) }
    }

    pub(super) fn wrong(&self, reason: impl Into<String>) -> LedgerError {
        LedgerError::Snapshot { path: self.path.clone(), reason: reason.into() }
    }
}

/// SHA-256 of a file.
pub(super) fn hash(path: &Path) -> Result<Hash> {
    let mut file = BufReader::with_capacity(BUFFER_BYTES, File::open(path).context("open", path)?);
    let mut hasher = Sha256::new();
    loop {
        let buffer = file.fill_buf().context("read", path)?;
        if buffer.is_empty() {
            return Ok(hasher.finalize().into());
        }
        hasher.update(buffer);
        let length = buffer.len();
        file.consume(length);
    }
}
