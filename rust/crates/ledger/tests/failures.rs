// SPDX-License-Identifier: Apache-2.0
//! Full disks, folders that cannot be written, second processes, kills: clear errors, nothing damaged.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fastledger_ledger::{Durability, Ledger, LedgerError, Options};
use fastledger_mvcc::state::StateReader;
use support::{Effects, append, key, open, options, record, state_key};

/// Keeps other tests from starting processes meanwhile: between fork and exec those hold open, and locked, whatever this
/// one has just closed.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file system of its own, for as long as the value lives.
struct Mount(tempfile::TempDir);

impl Mount {
    /// `None`, with the reason printed, where mounting is not allowed.
    fn tmpfs(bytes: usize) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let size = format!("size={bytes}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(dir.path()).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Self(dir));
        }
        eprintln!("skipped: mounting a small file system takes root's rights");
        None
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn remount(&self, how: &str) {
        let status = Command::new("mount").args(["-o", &format!("remount,{how}")]).arg(self.path()).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        drop(Command::new("umount").args(["-l"]).arg(self.path()).status());
    }
}

fn is_full(error: &LedgerError) -> bool {
    let source = match error {
        LedgerError::Io { source, .. } | LedgerError::Derived { source: heed::Error::Io(source), .. } => source,
        other => panic!("{other}"),
    };
    source.kind() == ErrorKind::StorageFull
}

#[test]
fn a_full_disk_stops_appending_and_damages_nothing() {
    let _alone = alone();
    let Some(disk) = Mount::tmpfs(4 << 20) else { return };
    let dir = disk.path().join("ledger");
    let (ledger, _) = open(&dir);
    Effects::default().put(key("cc", "", b"a"), 0, "v").commit(&ledger);
    let filler = disk.path().join("filler");
    fs::write(&filler, vec![0; 2 << 20]).unwrap();
    let error = loop {
        let previous = ledger.tip().unwrap().header_hash;
        if let Err(error) = ledger.append(&record(ledger.height(), &previous, 10, 20_000)) {
            break error;
        }
    };
    assert!(is_full(&error) && error.to_string().contains("blockfile_000000"), "{error}");
    let height = ledger.height();
    let file = fs::read(dir.join("chains/blockfile_000000")).unwrap();
    let last = ledger.block(height - 1).unwrap().location;
    assert_eq!(file.len() as u64, last.end(), "nothing of the block that did not fit is left");
    assert!(ledger.view().unwrap().version(state_key(&key("cc", "", b"a"))).unwrap().is_some());
    fs::remove_file(&filler).unwrap();
    append(&ledger, 10, 20_000);
    assert_eq!(ledger.blocks(0).unwrap().count() as u64, height + 1);
    drop(ledger);
    let (_, recovery) = open(&dir);
    assert_eq!((recovery.replay, recovery.torn), (1..height + 1, None));
}

#[test]
fn a_full_disk_keeps_blocks_staged_until_there_is_room() {
    let _alone = alone();
    let Some(disk) = Mount::tmpfs(6 << 20) else { return };
    let dir = disk.path().join("ledger");
    let (ledger, _) = open(&dir);
    let big = |number: u64| {
        let key = key("cc", "", &number.to_be_bytes());
        Effects::default().put(key, 0, &"v".repeat(50_000))
    };
    let filler = disk.path().join("filler");
    fs::write(&filler, vec![0; 3 << 20]).unwrap();
    let mut number = 0;
    let error = loop {
        big(number).stage(&ledger);
        number += 1;
        if let Err(error) = ledger.flush() {
            break error;
        }
    };
    assert!(is_full(&error), "{error}");
    let all_there = |ledger: &Ledger, count: u64| {
        let view = ledger.view().unwrap();
        (0..count).all(|i| view.version(state_key(&key("cc", "", &i.to_be_bytes()))).unwrap().is_some())
    };
    assert!(all_there(&ledger, number), "staged blocks stay visible");
    assert_eq!(ledger.savepoint().unwrap().tip.number, number - 2);
    fs::remove_file(&filler).unwrap();
    ledger.flush().unwrap();
    drop(ledger);
    let (ledger, recovery) = open(&dir);
    assert!(recovery.replay.is_empty() && recovery.rebuilding.is_none());
    assert!(all_there(&ledger, number));
}

#[test]
fn a_full_disk_stops_opening() {
    let _alone = alone();
    let Some(disk) = Mount::tmpfs(1 << 20) else { return };
    for filler in [1 << 20, (1 << 20) - 40_960, (1 << 20) - 131_072] {
        let filler_path = disk.path().join("filler");
        fs::write(&filler_path, vec![0; filler]).unwrap();
        let dir = disk.path().join("ledger");
        match Ledger::open(&dir, options()) {
            Ok((ledger, _)) => drop(append(&ledger, 1, 10)),
            Err(error) => assert!(is_full(&error), "{error}"),
        }
        fs::remove_file(&filler_path).unwrap();
        drop(open(&dir));
        fs::remove_dir_all(&dir).unwrap();
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let _alone = alone();
    let Some(disk) = Mount::tmpfs(4 << 20) else { return };
    let dir = disk.path().join("ledger");
    Effects::default().put(key("cc", "", b"a"), 0, "v").commit(&open(&dir).0);
    disk.remount("ro");
    for path in [&dir, &disk.path().join("other")] {
        let Err(error) = Ledger::open(path, options()) else { panic!("opened") };
        assert!(
            matches!(&error, LedgerError::Io { source, path: named, .. }
                if source.kind() == ErrorKind::ReadOnlyFilesystem && named.starts_with(path)),
            "{error}"
        );
    }
    disk.remount("rw");
    assert_eq!(open(&dir).0.committed_height(), 1);
}

#[test]
fn a_ledger_is_open_once() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let (ledger, _) = open(dir.path());
    Effects::default().commit(&ledger);
    let refused = |error: Option<LedgerError>| matches!(error, Some(LedgerError::InUse { .. }));
    assert!(refused(Ledger::open(dir.path(), options()).err()));
    assert!(!child("try_to_open", dir.path()).status().unwrap().success(), "another process is refused too");
    drop(ledger);
    assert!(child("try_to_open", dir.path()).status().unwrap().success());
    open(dir.path());
}

#[test]
fn unusable_options_are_named() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let refused = |options: Options, name: &str| {
        let Err(error) = Ledger::open(dir.path(), options) else { panic!("accepted {name}") };
        assert!(error.to_string().contains(name), "{error}");
    };
    refused(Options { lanes: 0, ..options() }, "lanes");
    refused(Options { map_bytes: 1 << 50, ..options() }, "map_bytes");
    refused(Options { map_bytes: (1 << 20) + 1, ..options() }, "map_bytes");
}

#[test]
fn the_map_grows_under_views_that_come_and_go() {
    let _alone = alone();
    let dir = tempfile::tempdir().unwrap();
    let (ledger, _) = Ledger::open(dir.path(), Options { map_bytes: 1 << 20, ..options() }).unwrap();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let view = ledger.view().unwrap();
                    let height = view.height();
                    for number in 0..height {
                        let found = view.version(state_key(&key("cc", "", &number.to_be_bytes()))).unwrap();
                        assert_eq!(found.map(|version| version.block), Some(number), "height {height}");
                    }
                }
            });
        }
        for number in 0..150u64 {
            let value = "v".repeat(50_000);
            Effects::default().put(key("cc", "", &number.to_be_bytes()), 0, &value).stage(&ledger);
            if number % 3 == 0 {
                ledger.flush().unwrap();
            }
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

/// This test's executable, running one of the functions below in a process of its own.
fn child(what: &str, dir: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "in_a_child", "--include-ignored"]);
    command.env("LEDGER_CHILD", what).env("LEDGER_DIR", dir).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

#[test]
#[ignore = "runs in processes that other tests start"]
fn in_a_child() {
    let _alone = alone();
    let (Ok(what), Some(dir)) = (std::env::var("LEDGER_CHILD"), std::env::var_os("LEDGER_DIR")) else { return };
    match what.as_str() {
        "try_to_open" => drop(open(Path::new(&dir))),
        "write" => write_forever(Path::new(&dir), Durability::EachAppend),
        _ => write_forever(Path::new(&dir), Durability::EachFlush),
    }
}

fn effects(number: u64) -> Effects {
    let counter = Effects::default().put(key("cc", "", b"counter"), 0, &format!("{number}"));
    let mut effects = counter.put(key("cc", "", &number.to_be_bytes()), 0, &"v".repeat(300));
    effects.tx_ids = vec![format!("{number:064x}")];
    effects
}

fn write_forever(dir: &Path, durability: Durability) {
    let (ledger, recovery) = Ledger::open(dir, Options { durability, block_file_bytes: 20_000, ..options() }).unwrap();
    replay(&ledger, recovery.replay);
    loop {
        for _ in 0..3 {
            let number = ledger.height();
            let appended = append(&ledger, 2, 1000);
            effects(number).with(&appended, |block| ledger.stage(block)).unwrap();
        }
        ledger.flush().unwrap();
    }
}

fn replay(ledger: &Ledger, numbers: std::ops::Range<u64>) {
    for block in ledger.blocks(numbers.start).unwrap() {
        let block = block.unwrap();
        let header = fastledger_wire::block::decode_record(&block.record).unwrap().header.unwrap();
        let tip = fastledger_ledger::ChainTip {
            number: block.number,
            header_hash: fastledger_wire::hash::header_hash(&header),
            previous_hash: header.previous_hash.try_into().ok(),
        };
        let appended = fastledger_ledger::Appended { tip, location: block.location };
        effects(block.number).with(&appended, |block| ledger.stage(block)).unwrap();
    }
    ledger.flush().unwrap();
}

/// Kills a writer again and again; whatever it had appended is there, once, and the derived data agrees.
#[test]
fn killed_writers_lose_and_double_nothing() {
    let _alone = alone();
    for mode in ["write", "write in groups"] {
        let dir = tempfile::tempdir().unwrap();
        let mut height = 0;
        for round in 0..25u64 {
            let mut writer = child(mode, dir.path()).spawn().unwrap();
            // Spread over the start, the replay and the writing.
            std::thread::sleep(Duration::from_micros(2_000 + round * 7_919 % 40_000));
            writer.kill().unwrap();
            writer.wait().unwrap();
            let (ledger, recovery) =
                Ledger::open(dir.path(), Options { block_file_bytes: 20_000, ..options() }).unwrap();
            assert!(recovery.rebuilding.is_none() || height == 0, "{recovery:?}");
            assert!(ledger.height() >= height, "a block was lost");
            height = ledger.height();
            replay(&ledger, recovery.replay);
            let numbers: Vec<_> = ledger.blocks(0).unwrap().map(|block| block.unwrap().number).collect();
            assert_eq!(numbers, (0..height).collect::<Vec<_>>());
            let view = ledger.view().unwrap();
            for number in 0..height {
                assert!(view.tx_id_exists(&format!("{number:064x}")).unwrap());
            }
            let counter = view.get(state_key(&key("cc", "", b"counter"))).unwrap();
            assert_eq!(
                counter.map(|value| value.value.into_owned()),
                height.checked_sub(1).map(|n| n.to_string().into_bytes())
            );
        }
        assert!(height > 10, "the writers wrote next to nothing: {height} blocks");
    }
}
