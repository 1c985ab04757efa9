// SPDX-License-Identifier: Apache-2.0
//! Holds outcomes back until their blocks are on stable storage, and brings as many there at once as are waiting.

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender};
use fastledger_ledger::Ledger;

use crate::error::CommitError;
use crate::gate::Gate;
use crate::outcome::Outcome;
use crate::size::Size;
use crate::threads::thread;

/// A block's outcome on its way out, and the room that it holds in the pipeline.
pub(crate) struct Leaving {
    pub outcome: Outcome,
    pub size: Size,
}

/// Starts the thread that lets outcomes out in order.
///
/// One sync serves all blocks that were appended before it began: a block that waits alone is synced at once, and
/// behind a slow disk more of them gather for the next.
pub(crate) fn start(
    ledger: Arc<Ledger>,
    durable: bool,
    gate: Arc<Gate>,
    waiting: Receiver<Leaving>,
    outcomes: Sender<Outcome>,
) -> std::io::Result<JoinHandle<()>> {
    thread("sync", move || {
        while let Ok(first) = waiting.recv() {
            let group: Vec<Leaving> = std::iter::once(first).chain(waiting.try_iter()).collect();
            let synced = if durable && group.iter().any(|leaving| leaving.outcome.is_ok()) {
                ledger.sync().map_err(|error| error.to_string())
            } else {
                Ok(())
            };
            for Leaving { outcome, size } in group {
                let outcome = match (&synced, outcome) {
                    (Err(text), Ok(_)) => {
                        gate.stop();
                        Err(CommitError::NotDurable(text.clone()))
                    }
                    (_, outcome) => outcome,
                };
                gate.leave(size);
                drop(outcomes.send(outcome));
            }
        }
    })
}
