// SPDX-License-Identifier: Apache-2.0
//! The operating system's disk.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Result, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::disk::Disk;
use crate::error::LogError;

/// Held while the log is open.
const LOCK: &str = "LOCK";

/// Zeros that are written at once.
const ZEROS: &[u8] = &[0; 1 << 20];

/// One process's folder.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    /// Files that are written: the newest segment.
    open: HashMap<String, File>,
    #[expect(dead_code, reason = "held, not used")]
    lock: File,
}

impl Folder {
    /// Takes a folder for one log, or makes it; one that was being removed goes first.
    pub fn open(path: &Path) -> std::result::Result<Self, LogError> {
        let failed = |action| move |source| LogError::Io { action, path: path.to_path_buf(), source };
        clear(&tombstone(path)).map_err(failed("finish removing what was before in"))?;
        fs::create_dir_all(path).map_err(failed("create"))?;
        sync_parent(path).map_err(failed("sync the parent of"))?;
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(path.join(LOCK));
        let lock = lock.map_err(failed("lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_path_buf(), open: HashMap::new(), lock }),
            Err(TryLockError::WouldBlock) => Err(LogError::InUse { path: path.to_path_buf() }),
            Err(TryLockError::Error(source)) => Err(failed("lock")(source)),
        }
    }

    fn file(&mut self, name: &str) -> Result<&File> {
        if !self.open.contains_key(name) {
            let file = OpenOptions::new().write(true).open(self.path.join(name))?;
            self.open.insert(name.to_owned(), file);
        }
        self.open.get(name).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Disk for Folder {
    fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn names(&mut self) -> Result<Vec<String>> {
        let names = fs::read_dir(&self.path)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        let names = names.collect::<Result<Vec<_>>>()?;
        Ok(names.into_iter().filter(|name| name != LOCK).collect())
    }

    fn read(&mut self, name: &str) -> Result<Vec<u8>> {
        fs::read(self.path.join(name))
    }

    fn create(&mut self, name: &str, bytes: u64) -> Result<()> {
        let mut file = File::create(self.path.join(name))?;
        let mut rest = bytes;
        while rest > 0 {
            let piece = usize::try_from(rest).unwrap_or(usize::MAX).min(ZEROS.len());
            file.write_all(&ZEROS[..piece])?;
            rest -= piece as u64;
        }
        self.open.insert(name.to_owned(), file);
        Ok(())
    }

    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<()> {
        self.file(name)?.write_all_at(bytes, offset)
    }

    fn sync(&mut self, name: &str) -> Result<()> {
        self.file(name)?.sync_data()
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<()> {
        fs::rename(self.path.join(from), self.path.join(to))?;
        // What stays open is written on; a snapshot is not.
        if let Some(file) = self.open.remove(from) {
            self.open.insert(to.to_owned(), file);
        }
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<()> {
        self.open.remove(name);
        fs::remove_file(self.path.join(name))
    }

    fn sync_names(&mut self) -> Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

/// Removes the log in a folder, which nobody has open. A crash leaves it whole, or gone for whoever opens it next.
pub fn remove(path: &Path) -> std::result::Result<(), LogError> {
    let failed = |source| LogError::Io { action: "remove", path: path.to_path_buf(), source };
    let gone = tombstone(path);
    clear(&gone).map_err(failed)?;
    if path.exists() {
        // Taken, so that nobody has it open, and let go with the folder.
        drop(Folder::open(path)?);
        fs::rename(path, &gone).and_then(|()| sync_parent(path)).and_then(|()| clear(&gone)).map_err(failed)?;
    }
    Ok(())
}

/// What a folder is called while it is being removed.
fn tombstone(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".removed");
    path.with_file_name(name)
}

fn clear(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done.and_then(|()| sync_parent(path)),
    }
}

fn sync_parent(path: &Path) -> Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}
