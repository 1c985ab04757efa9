// SPDX-License-Identifier: Apache-2.0
//! Holds outcomes back until their blocks are on stable storage, and brings as many there at once as are waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};
use fastledger_ledger::Ledger;

use crate::error::CommitError;
use crate::gate::{Gate, MAX_BLOCKS_AHEAD};
use crate::outcome::Outcome;
use crate::size::Size;
use crate::threads::thread;

/// Most bytes of a block that the committer's thread syncs itself when no other waits: syncing more takes long enough
/// for the next block to be judged meanwhile.
const OWN_SYNC_BYTES: usize = 256 << 10;

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
    ledger: Arc<Ledger>,
    durable: bool,
    gate: Arc<Gate>,
    outcomes: Sender<Outcome>,
}

impl Exit {
    /// Starts the syncing thread, which ends when the exit is dropped.
    pub(crate) fn start(
        ledger: Arc<Ledger>,
        durable: bool,
        gate: Arc<Gate>,
        outcomes: Sender<Outcome>,
    ) -> std::io::Result<(Self, JoinHandle<()>)> {
        let door = Arc::new(Door { ledger, durable, gate, outcomes });
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
        let synced = if self.durable && group.iter().any(|leaving| leaving.outcome.is_ok()) {
            self.ledger.sync().map_err(|error| error.to_string())
        } else {
            Ok(())
        };
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
