// SPDX-License-Identifier: Apache-2.0
//! How many frames without use one end of a connection takes from the other.
//!
//! Pings, settings, window updates, priorities, resets and frames of unknown kinds cost work, and flow control does not
//! count them. So a connection has an allowance of them, which grows with time and with what the other end has to
//! acknowledge: a receiver updates two windows for a frame of data, and may measure the way with a ping.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

/// The allowance of a connection that was quiet, and what it grows by in a second.
const MOST: u64 = 5_000;
const A_SECOND: u64 = 500;

/// What it grows by for a frame of a call that was sent.
const A_FRAME: u64 = 4;

#[derive(Debug)]
pub(crate) struct Patience {
    left: Mutex<(u64, Instant)>,
    lost: Notify,
}

impl Patience {
    pub(crate) fn new() -> Self {
        Self { left: Mutex::new((MOST, Instant::now())), lost: Notify::new() }
    }

    /// Counts a frame without use; false when there were too many.
    pub(crate) fn bear(&self) -> bool {
        let mut left = self.left();
        if left.0 == 0 {
            let grown =
                u64::try_from(left.1.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_mul(A_SECOND) / 1_000;
            if grown == 0 {
                self.lost.notify_one();
                return false;
            }
            *left = (grown.min(MOST), Instant::now());
        }
        left.0 -= 1;
        true
    }

    /// Counts a frame of a call that was sent to the other end.
    pub(crate) fn sent(&self) {
        let mut left = self.left();
        left.0 = (left.0 + A_FRAME).min(MOST);
    }

    /// Waits until there were too many.
    pub(crate) async fn lost(&self) {
        self.lost.notified().await;
    }

    fn left(&self) -> MutexGuard<'_, (u64, Instant)> {
        self.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_grows_with_time_and_with_what_was_sent() {
        let patience = Patience::new();
        *patience.left() = (3, Instant::now() + std::time::Duration::from_secs(60));
        assert_eq!([patience.bear(), patience.bear(), patience.bear(), patience.bear()], [true, true, true, false]);
        patience.sent();
        patience.sent();
        assert_eq!((0..20).filter(|_| patience.bear()).count(), 8);
        if let Some(before) = Instant::now().checked_sub(std::time::Duration::from_secs(1)) {
            *patience.left() = (0, before);
            assert!(patience.bear());
        }
    }
}
