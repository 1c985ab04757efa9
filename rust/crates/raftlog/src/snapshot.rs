// SPDX-License-Identifier: Apache-2.0
//! Snapshots: files of their own, whole before the log refers to them.

use bytes::Bytes;
use fastledger_consensus::Snapshot;
use fastledger_wire::{Message as _, raftpb};

use crate::disk::Disk;
use crate::error::{LogError, Result};
use crate::frame::SnapshotId;

/// A snapshot that is not whole yet.
pub(crate) const TEMPORARY: &str = "snapshot.tmp";

/// What a snapshot is called.
pub(crate) fn name((term, index): SnapshotId) -> String {
    format!("{term:016x}-{index:016x}.snap")
}

/// Whether this is a snapshot's name.
pub(crate) fn is_one(name: &str) -> bool {
    name.strip_suffix(".snap").is_some()
}

/// Makes a snapshot durable.
pub(crate) fn write(disk: &mut impl Disk, snapshot: &Snapshot) -> Result<SnapshotId> {
    let id = (snapshot.term, snapshot.index);
    let encoded = snapshot.view().encode();
    let sum = crc32c::crc32c(&encoded).to_le_bytes();
    let mut write = || {
        disk.create(TEMPORARY, 0)?;
        disk.write(TEMPORARY, 0, &sum)?;
        disk.write(TEMPORARY, sum.len() as u64, &encoded)?;
        disk.sync(TEMPORARY)?;
        disk.rename(TEMPORARY, &name(id))?;
        disk.sync_names()
    };
    let done = write();
    done.map_err(|source| {
        let _ = disk.remove(TEMPORARY);
        LogError::Io { action: "write", path: disk.path(&name(id)), source }
    })?;
    Ok(id)
}

/// Reads a snapshot that the log refers to.
pub(crate) fn read(disk: &mut impl Disk, id: SnapshotId) -> Result<Snapshot> {
    let name = name(id);
    let path = disk.path(&name);
    let damaged = |reason: &str| LogError::Damaged { path: path.clone(), offset: 0, reason: reason.to_owned() };
    let file = disk.read(&name).map_err(|source| LogError::Io { action: "read", path: path.clone(), source })?;
    let file = Bytes::from(file);
    let (sum, encoded) = file.split_at_checked(4).ok_or_else(|| damaged("it is cut short"))?;
    if crc32c::crc32c(encoded).to_le_bytes() != sum {
        return Err(damaged("it does not have its checksum"));
    }
    let view = raftpb::Snapshot::decode(encoded).map_err(|error| damaged(&error.to_string()))?;
    let snapshot = Snapshot::of(&view, &file).ok_or_else(|| damaged("its members do not only vote"))?;
    if (snapshot.term, snapshot.index) == id { Ok(snapshot) } else { Err(damaged("it is another one under this name")) }
}
