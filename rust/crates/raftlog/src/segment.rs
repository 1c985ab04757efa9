// SPDX-License-Identifier: Apache-2.0
//! Segments: files of frames.

use crate::disk::Disk;
use crate::error::{LogError, Result};

/// Bytes that a segment is made with; a frame that is longer gets a segment of its own.
///
/// Large enough that making and deleting segments is rare, small enough that filling one with zeros holds up nobody.
pub const SEGMENT_BYTES: u64 = 16 << 20;

/// Where the first frame begins.
pub(crate) const HEADER_BYTES: u64 = 64;

const MAGIC: &[u8; 8] = b"flraft\x00\x01";

/// A file that is not whole yet.
pub(crate) const TEMPORARY: &str = "new.tmp";

/// What a segment is called.
pub(crate) fn name(number: u64) -> String {
    format!("{number:016x}.log")
}

/// The number of a segment of this name.
pub(crate) fn number(name: &str) -> Option<u64> {
    let hex = name.strip_suffix(".log").filter(|hex| hex.len() == 16)?;
    u64::from_str_radix(hex, 16).ok()
}

/// Makes a segment of so many bytes. It has its name when it is whole.
pub(crate) fn create(disk: &mut impl Disk, number: u64, member: u64, bytes: u64) -> Result<()> {
    let mut header = [MAGIC.as_slice(), &number.to_le_bytes(), &member.to_le_bytes()].concat();
    header.extend_from_slice(&crc32c::crc32c(&header).to_le_bytes());
    let mut write = || {
        disk.create(TEMPORARY, bytes)?;
        disk.write(TEMPORARY, 0, &header)?;
        disk.sync(TEMPORARY)?;
        disk.rename(TEMPORARY, &name(number))?;
        disk.sync_names()
    };
    let done = write();
    done.map_err(|source| {
        // What there is of it takes room that others need; it is made anew when this is tried again.
        let _ = disk.remove(TEMPORARY);
        LogError::Io { action: "make", path: disk.path(&name(number)), source }
    })
}

/// Checks what a segment begins with.
pub(crate) fn check(disk: &impl Disk, number: u64, member: u64, segment: &[u8]) -> Result<()> {
    let path = disk.path(&name(number));
    let damaged = |reason: &str| Err(LogError::Damaged { path: path.clone(), offset: 0, reason: reason.to_owned() });
    let Some((header, rest)) = segment.split_at_checked(24) else { return damaged("it has no header") };
    if !header.starts_with(MAGIC) || rest.get(..4) != Some(crc32c::crc32c(header).to_le_bytes().as_slice()) {
        return damaged("this is no segment's header");
    }
    if header[8..16] != number.to_le_bytes() {
        return damaged("it is another segment under this name");
    }
    let found = u64::from_le_bytes(header[16..24].try_into().unwrap_or_default());
    if found == member { Ok(()) } else { Err(LogError::OtherMember { path, found, wanted: member }) }
}
