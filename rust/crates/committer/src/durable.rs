// SPDX-License-Identifier: Apache-2.0
//! Holds outcomes back until their blocks are on stable storage, and brings as many there at once as are waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};
use fastledger_ledger::LedgerError;

use crate::error::CommitError;
use crate::gate::{Gate, MAX_BLOCKS_AHEAD};
use crate::outcome::Outcome;
use crate::size::Size;
use crate::threads::thread;

/// Most bytes of a block that the committer's thread syncs itself when no other waits: syncing more takes long enough
/// for the next block to be judged meanwhile.
const OWN_SYNC_BYTES: usize = 256 << 10;

/// Brings to stable storage every block that was appended before it was called.
pub(crate) type SyncAll = Box<dyn Fn() -> Result<(), LedgerError> + Send + Sync>;

/// A block's outcome on its way out, and the room that it holds in the pipeline.
pub(crate) struct Leaving {
    pub outcome: Outcome,
    pub size: Size,
}

/// The way out of the pipeline, which outcomes take in order.
///
/// One sync serves all blocks that were appended before it began: a block that waits alone is synced at once, and
/// behind a slow disk more of them gather for the next.
pub(crate) struct Exit {
    door: Arc<Door>,
    waiting: Sender<Leaving>,
    /// Outcomes that the syncing thread has.
    held: Arc<AtomicUsize>,
}

/// Lets outcomes out, of which the blocks are on stable storage.
struct Door {
    /// None where outcomes do not wait for the disk.
    sync: Option<SyncAll>,
    gate: Arc<Gate>,
    outcomes: Sender<Outcome>,
}

impl Exit {
    /// Starts the syncing thread, which ends when the exit is dropped.
    pub(crate) fn start(
        sync: Option<SyncAll>,
        gate: Arc<Gate>,
        outcomes: Sender<Outcome>,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let door = Arc::new(Door { sync, gate, outcomes });
        let held = Arc::<AtomicUsize>::default();
        let (waiting, leaving) = bounded(MAX_BLOCKS_AHEAD);
        let run = {
            let (door, held) = (Arc::clone(&door), Arc::clone(&held));
            move || sync_all(&door, &leaving, &held)
        };
        Ok((Self { door, waiting, held }, thread("sync", run)?))
    }

    /// Takes an outcome; `is_last` says that no block waits to be judged. Whether there is anybody to let it out.
    pub(crate) fn leave(&self, leaving: Leaving, is_last: bool) -> bool {
        if is_last && leaving.size.bytes <= OWN_SYNC_BYTES && self.held.load(Ordering::Acquire) == 0 {
            // Waking the other thread, and being waited for, would take longer.
            self.door.let_out(vec![leaving]);
            return true;
        }
        self.held.fetch_add(1, Ordering::AcqRel);
        self.waiting.send(leaving).is_ok()
    }
}

fn sync_all(door: &Door, waiting: &Receiver<Leaving>, held: &AtomicUsize) {
    while let Ok(first) = waiting.recv() {
        let group: Vec<Leaving> = std::iter::once(first).chain(waiting.try_iter()).collect();
        let count = group.len();
        door.let_out(group);
        held.fetch_sub(count, Ordering::AcqRel);
    }
}

impl Door {
    fn let_out(&self, group: Vec<Leaving>) {
        let sync = self.sync.as_ref().filter(|_| group.iter().any(|leaving| leaving.outcome.is_ok()));
        let synced = sync.map_or(Ok(()), |sync| sync().map_err(|error| error.to_string()));
        for Leaving { outcome, size } in group {
            let outcome = match (&synced, outcome) {
                (Err(text), Ok(_)) => {
                    self.gate.stop();
                    Err(CommitError::NotDurable(text.clone()))
                }
                (_, outcome) => outcome,
            };
            self.gate.leave(size);
            drop(self.outcomes.send(outcome));
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests say what they expect")]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicU64;
    use std::sync::mpsc;

    use crossbeam_channel::unbounded;
    use fastledger_wire::TxValidationCode;

    use crate::outcome::CommitResult;
    use crate::timings::Timings;

    const SMALL: usize = 100;

    /// A pipeline behind the judge: blocks that were appended, the disk, and who waits for outcomes.
    struct Pipeline {
        exit: Option<Exit>,
        thread: Option<JoinHandle<()>>,
        gate: Arc<Gate>,
        appended: Arc<AtomicU64>,
        outcomes: Receiver<Outcome>,
    }

    impl Pipeline {
        /// `sync` gets the number of blocks that were appended before it was called.
        fn new(sync: impl Fn(u64) -> Result<(), LedgerError> + Send + Sync + 'static) -> Self {
            let (gate, appended) = (Arc::new(Gate::new(MAX_BLOCKS_AHEAD)), Arc::<AtomicU64>::default());
            let sync: SyncAll = {
                let appended = Arc::clone(&appended);
                Box::new(move || sync(appended.load(Ordering::Acquire)))
            };
            let (sender, outcomes) = unbounded();
            let (exit, thread) = Exit::start(Some(sync), Arc::clone(&gate), sender).unwrap();
            Self { exit: Some(exit), thread: Some(thread), gate, appended, outcomes }
        }

        /// Appends the next block and sends its outcome out.
        fn judge(&self, bytes: usize, is_last: bool) {
            let size = Size { bytes, is_config: false };
            assert!(self.gate.enter(size));
            self.gate.judged(size);
            let number = self.appended.fetch_add(1, Ordering::AcqRel);
            assert!(self.exit.as_ref().unwrap().leave(Leaving { outcome: Ok(result(number)), size }, is_last));
        }
    }

    impl Drop for Pipeline {
        fn drop(&mut self) {
            self.exit = None;
            self.thread.take().unwrap().join().unwrap();
        }
    }

    fn result(number: u64) -> CommitResult {
        CommitResult {
            number,
            header_hash: [0; 32],
            data_hash: [0; 32],
            commit_hash: None,
            notes: Vec::new(),
            codes: vec![TxValidationCode::Valid],
            private_effects: Vec::new(),
            stored_codes: Vec::new(),
            stored_commit_hash: Vec::new(),
            timings: Timings::default(),
        }
    }

    fn failure() -> LedgerError {
        LedgerError::WriterFailed { reason: "the disk is gone".to_owned() }
    }

    #[test]
    fn an_outcome_leaves_in_its_turn_and_after_its_block_is_on_the_disk() {
        let on_disk = Arc::<AtomicU64>::default();
        let pipeline = {
            let on_disk = Arc::clone(&on_disk);
            Pipeline::new(move |appended| {
                on_disk.fetch_max(appended, Ordering::AcqRel);
                Ok(())
            })
        };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for number in 0..1_000 {
                    let bytes = if number % 5 == 0 { OWN_SYNC_BYTES + 1 } else { SMALL };
                    pipeline.judge(bytes, number % 3 == 0);
                }
            });
            for number in 0..1_000 {
                assert_eq!(pipeline.outcomes.recv().unwrap().unwrap().number, number);
                assert!(on_disk.load(Ordering::Acquire) > number);
            }
        });
    }

    #[test]
    fn one_sync_takes_along_what_gathers_behind_a_slow_one_and_a_small_block_does_not_overtake() {
        let ((begun, begins), (release, released)) = (mpsc::channel(), bounded(0));
        let pipeline = Pipeline::new(move |appended| {
            begun.send(appended).unwrap();
            released.recv().unwrap()
        });
        pipeline.judge(SMALL, false);
        assert_eq!(begins.recv().unwrap(), 1);
        // While the first one is on its way to the disk.
        pipeline.judge(SMALL, false);
        pipeline.judge(SMALL, false);
        pipeline.judge(SMALL, true);
        assert!(pipeline.outcomes.is_empty());
        release.send(Ok(())).unwrap();
        assert_eq!(begins.recv().unwrap(), 4);
        release.send(Ok(())).unwrap();
        let left: Vec<u64> = (0..4).map(|_| pipeline.outcomes.recv().unwrap().unwrap().number).collect();
        assert_eq!(left, [0, 1, 2, 3]);
    }

    #[test]
    fn a_block_that_does_not_reach_the_disk_is_not_committed_and_none_follows() {
        for is_last in [true, false] {
            let pipeline = Pipeline::new(|_| Err(failure()));
            pipeline.judge(SMALL, is_last);
            let error = pipeline.outcomes.recv().unwrap().unwrap_err();
            assert!(matches!(&error, CommitError::NotDurable(text) if *text == failure().to_string()), "{error}");
            assert!(!pipeline.gate.enter(Size { bytes: SMALL, is_config: false }), "the pipeline has stopped");
        }
    }
}
