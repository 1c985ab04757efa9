// SPDX-License-Identifier: Apache-2.0
//! Writes staged blocks to the derived stores beside the committer, many at once.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use fastledger_ledger::Ledger;

use crate::counts::FLUSH_FAILURES;
use crate::threads::thread;

/// Fabric's logger of ledgers.
const LOGGER: &str = "kvledger";

/// Staged blocks that set the flusher to work at once.
const FLUSH_BLOCKS: usize = 16;

/// How long fewer of them wait for more. What is staged is durable in the block files and seen by everybody; a flush
/// costs about as much for sixteen small blocks as for one, and what a crash catches unflushed is judged again.
const GATHER: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
struct State {
    staged: usize,
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
        let idle = |state: &mut State| state.staged == 0 && !state.finished;
        let state = self.changed.wait_while(self.lock(), idle).unwrap_or_else(PoisonError::into_inner);
        let few = |state: &mut State| state.staged < FLUSH_BLOCKS && !state.finished;
        let gathered = self.changed.wait_timeout_while(state, GATHER, few);
        let (mut state, _) = gathered.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut state.staged) > 0
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
        if state.staged == 1 || state.staged == FLUSH_BLOCKS {
            self.shared.changed.notify_one();
        }
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
