// SPDX-License-Identifier: Apache-2.0
//! Keeps LMDB's map from moving under a transaction: any number pass, or one alone changes the map.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

#[derive(Debug, Default)]
struct State {
    inside: usize,
    closed: bool,
}

/// Counts the transactions that use the map.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

/// The right to use the map.
#[derive(Debug)]
pub(crate) struct Pass(Arc<Gate>);

/// The right to change the map.
#[derive(Debug)]
pub(crate) struct Closed<'g>(&'g Gate);

impl Gate {
    /// Waits while the map changes.
    pub(crate) fn enter(self: &Arc<Self>) -> Pass {
        let mut state = self.lock();
        while state.closed {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.inside += 1;
        Pass(Arc::clone(self))
    }

    /// Does not wait while the map changes.
    pub(crate) fn try_enter(self: &Arc<Self>) -> Option<Pass> {
        let mut state = self.lock();
        if state.closed {
            return None;
        }
        state.inside += 1;
        Some(Pass(Arc::clone(self)))
    }

    /// Lets nobody in and waits until all are out; gives up after `patience` and says how many stayed.
    pub(crate) fn close(&self, patience: Duration) -> Result<Closed<'_>, usize> {
        let deadline = Instant::now() + patience;
        let mut state = self.lock();
        while state.closed {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.closed = true;
        let closed = Closed(self);
        while state.inside > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let inside = state.inside;
                drop(state);
                drop(closed);
                return Err(inside);
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(closed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Clone for Pass {
    fn clone(&self) -> Self {
        self.0.lock().inside += 1;
        Self(Arc::clone(&self.0))
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.0.lock().inside -= 1;
        self.0.changed.notify_all();
    }
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        self.0.lock().closed = false;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
mod tests {
    use super::*;

    #[test]
    fn closing_waits_for_those_inside_and_keeps_others_out() {
        let gate = Arc::new(Gate::default());
        let pass = gate.enter();
        assert_eq!(gate.close(Duration::from_millis(1)).err(), Some(1));
        let other = Arc::clone(&gate);
        let closer = std::thread::spawn(move || drop(other.close(Duration::from_secs(10)).unwrap()));
        drop(pass);
        closer.join().unwrap();
        let _again = gate.enter();
    }
}
