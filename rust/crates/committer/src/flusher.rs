// SPDX-License-Identifier: Apache-2.0
//! Writes staged blocks to the derived stores beside the committer, many at once when blocks queue up.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use fastledger_ledger::Ledger;

use crate::counts::FLUSH_FAILURES;
use crate::threads::thread;

/// Fabric's logger of ledgers.
const LOGGER: &str = "kvledger";

/// Staged blocks that set the flusher to work although more are coming.
const FLUSH_BLOCKS: usize = 16;

#[derive(Debug, Default)]
struct State {
    staged: usize,
    wanted: bool,
    finished: bool,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is something to flush; false at the end.
    fn wait(&self) -> bool {
        let mut state = self.lock();
        while !state.wanted && !state.finished {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let work = state.staged > 0;
        state.staged = 0;
        state.wanted = false;
        work || !state.finished
    }
}

/// The flusher's thread and its instructions.
///
/// A flush that fails is told and counted, and no loss: the blocks are durable and stay staged, staging more tries
/// again, and fails where that does.
pub(crate) struct Flusher {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Flusher {
    pub(crate) fn start(ledger: Arc<Ledger>) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let run = {
            let shared = Arc::clone(&shared);
            move || {
                while shared.wait() {
                    if let Err(error) = ledger.flush() {
                        metrics::counter!(FLUSH_FAILURES).increment(1);
                        log::error!(target: LOGGER, "the state, history and index of stored blocks are not written: {error}");
                    }
                }
            }
        };
        Ok(Self { shared, thread: Some(thread("flush", run)?) })
    }

    /// Counts a staged block.
    pub(crate) fn staged(&self) {
        let mut state = self.shared.lock();
        state.staged += 1;
        if state.staged >= FLUSH_BLOCKS {
            state.wanted = true;
            self.shared.changed.notify_one();
        }
    }

    /// Flushes what is staged, since nothing else is to be done.
    pub(crate) fn flush_soon(&self) {
        self.shared.lock().wanted = true;
        self.shared.changed.notify_one();
    }
}

impl Drop for Flusher {
    fn drop(&mut self) {
        self.shared.lock().finished = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
