// SPDX-License-Identifier: Apache-2.0
//! Channels on disk.
//!
//! Two forms hold the same blocks, each an encoded `common.Block`:
//!
//! - a **folder** of files `NNNNNN.block`, six digits or more, one for each block;
//! - a **stream**, one file in which each block follows its length, a base-128 varint as in protobuf.
//!
//! Beside either stands what a peer will decide, one line of JSON for each block:
//! `{"number": 7, "is_measured": true, "predicted": "000b"}`, two hexadecimal digits for each transaction.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use fastledger_wire::encode;
use fastledger_wire::hash::hex;
use serde::Serialize;

use crate::blocks::GeneratedBlock;
use crate::error::{Result, WorkloadError};

/// In a folder, the name of the file that holds the verdicts; beside a stream, the ending of its name.
pub const PREDICTED: &str = "predicted.jsonl";

/// Bytes of a block that [`read_stream`] accepts; no real node could receive more (`comm.MaxRecvMsgSize`).
pub const MAX_BLOCK_BYTES: u64 = 100 << 20;

/// Writes a folder, which is made if need be.
pub fn write_folder(folder: &Path, blocks: impl Iterator<Item = GeneratedBlock>) -> Result<()> {
    fs::create_dir_all(folder).map_err(|reason| broken(folder, reason))?;
    let mut predictions = Output::create(folder.join(PREDICTED))?;
    for block in blocks {
        let path = folder.join(format!("{:06}.block", block.number));
        fs::write(&path, &block.bytes).map_err(|reason| broken(&path, reason))?;
        predictions.write(&prediction(&block)?)?;
    }
    predictions.finish()
}

/// Writes a stream, and the verdicts to a file of the same name and `.predicted.jsonl`.
pub fn write_stream(path: &Path, blocks: impl Iterator<Item = GeneratedBlock>) -> Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(PREDICTED);
    let mut predictions = Output::create(PathBuf::from(name))?;
    let mut stream = Output::create(path.to_owned())?;
    for block in blocks {
        let mut length = Vec::with_capacity(5);
        encode::varint(&mut length, block.bytes.len() as u64);
        stream.write(&length)?;
        stream.write(&block.bytes)?;
        predictions.write(&prediction(&block)?)?;
    }
    stream.finish()?;
    predictions.finish()
}

/// Reads a stream's blocks, one after the other.
pub fn read_stream(path: &Path) -> Result<impl Iterator<Item = Result<Vec<u8>>> + use<>> {
    let path = path.to_owned();
    let file = File::open(&path).map_err(|reason| broken(&path, reason))?;
    let mut reader = BufReader::new(file);
    Ok(std::iter::from_fn(move || next_block(&mut reader).map_err(|reason| broken(&path, reason)).transpose()))
}

fn next_block(reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    if reader.fill_buf()?.is_empty() {
        return Ok(None);
    }
    let length = length(reader)?;
    if length > MAX_BLOCK_BYTES {
        let text = format!("a block of {length} bytes, more than the {MAX_BLOCK_BYTES} that one may have");
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    let mut block = Vec::new();
    if reader.take(length).read_to_end(&mut block)? as u64 == length {
        return Ok(Some(block));
    }
    Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file ends inside a block"))
}

fn length(reader: &mut impl Read) -> io::Result<u64> {
    let mut value = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let mut byte = [0];
        reader.read_exact(&mut byte)?;
        value |= u64::from(byte[0] & 0x7f) << shift;
        if byte[0] < 0x80 {
            return Ok(value);
        }
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, "a block's length has more than 64 bits"))
}

fn prediction(block: &GeneratedBlock) -> Result<Vec<u8>> {
    #[derive(Serialize)]
    struct Prediction {
        number: u64,
        is_measured: bool,
        predicted: String,
    }
    let GeneratedBlock { number, is_measured, .. } = *block;
    let mut line = serde_json::to_vec(&Prediction { number, is_measured, predicted: hex(&block.predicted) })?;
    line.push(b'\n');
    Ok(line)
}

/// A file being written, that knows its name.
struct Output {
    path: PathBuf,
    writer: BufWriter<File>,
}

impl Output {
    fn create(path: PathBuf) -> Result<Self> {
        let file = File::create(&path).map_err(|reason| broken(&path, reason))?;
        Ok(Self { path, writer: BufWriter::new(file) })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.writer.write_all(bytes).map_err(|reason| broken(&self.path, reason))
    }

    fn finish(mut self) -> Result<()> {
        self.writer.flush().map_err(|reason| broken(&self.path, reason))
    }
}

fn broken(path: &Path, reason: io::Error) -> WorkloadError {
    WorkloadError::Io { path: path.to_owned(), reason }
}
