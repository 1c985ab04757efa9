// SPDX-License-Identifier: Apache-2.0
//! What the log asks of a disk: files in one folder. A simulator has another one than the operating system's.

use std::io::Result;
use std::path::PathBuf;

/// One folder with files, which are named and not opened.
pub trait Disk: Send {
    /// What to call a file in errors.
    fn path(&self, name: &str) -> PathBuf;

    /// The names of all files.
    fn names(&mut self) -> Result<Vec<String>>;

    /// All that a file holds.
    fn read(&mut self, name: &str) -> Result<Vec<u8>>;

    /// Makes a file of so many zeros, in place of one that is there.
    fn create(&mut self, name: &str, bytes: u64) -> Result<()>;

    /// Writes into a file; durable when it is synced.
    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<()>;

    /// Makes what was written into a file durable (`fdatasync`).
    fn sync(&mut self, name: &str) -> Result<()>;

    /// Gives a file another name, in place of one that has it; durable when the folder is synced.
    fn rename(&mut self, from: &str, to: &str) -> Result<()>;

    /// Removes a file; durable when the folder is synced.
    fn remove(&mut self, name: &str) -> Result<()>;

    /// Makes names durable.
    fn sync_names(&mut self) -> Result<()>;
}
