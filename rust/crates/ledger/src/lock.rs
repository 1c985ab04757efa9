// SPDX-License-Identifier: Apache-2.0
//! One process per ledger.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use crate::error::{IoContext, LedgerError, Result};

/// Holds the ledger's `LOCK` file; the operating system lets it go when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct LedgerLock(#[expect(dead_code, reason = "held, not used")] File);

impl LedgerLock {
    pub(crate) fn take(dir: &Path) -> Result<Self> {
        let path = dir.join("LOCK");
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path).context("create", &path)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(LedgerError::InUse { path: dir.to_path_buf() }),
            Err(TryLockError::Error(source)) => Err(source).context("lock", &path),
        }
    }
}
