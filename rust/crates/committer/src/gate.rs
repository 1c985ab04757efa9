// SPDX-License-Identifier: Apache-2.0
//! How far ahead of the last committed block others may be taken in.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::size::Size;

/// Most blocks in the pipeline: small blocks need many, for one sync to serve.
pub const MAX_BLOCKS_AHEAD: usize = 128;

/// Bytes of blocks in the pipeline that keep every stage busy. More would only be parsed long before the committer
/// takes it, and be out of the caches by then. What is made of a block takes about as much memory again.
pub const BYTES_AHEAD: usize = 16 << 20;

/// Blocks that may be in the pipeline however large they are, so that the stages still overlap.
pub const LARGE_BLOCKS_AHEAD: usize = 3;

/// Most bytes of blocks in the pipeline, unless a single block is larger.
pub const MAX_BYTES_AHEAD: usize = 128 << 20;

/// Counts the blocks between intake and commit.
///
/// A configuration block closes the gate behind it: the blocks after it are checked against the configuration that it
/// brings, so they wait until it is committed.
#[derive(Debug)]
pub(crate) struct Gate {
    most_blocks: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    blocks: usize,
    bytes: usize,
    config_inside: bool,
    stopped: bool,
}

impl Gate {
    /// A gate that lets in at most so many blocks, and never more than [`MAX_BLOCKS_AHEAD`].
    pub(crate) fn new(most_blocks: usize) -> Self {
        let most_blocks = most_blocks.clamp(1, MAX_BLOCKS_AHEAD);
        Self { most_blocks, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Waits for room and enters; false when the pipeline has stopped.
    pub(crate) fn enter(&self, size: Size) -> bool {
        let mut state = self.lock();
        while !state.stopped && !state.has_room(size.bytes, self.most_blocks) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.stopped {
            return false;
        }
        state.blocks += 1;
        state.bytes += size.bytes;
        state.config_inside |= size.is_config;
        true
    }

    /// Whether what entered last is the only block inside.
    pub(crate) fn holds_one(&self) -> bool {
        self.lock().blocks == 1
    }

    /// Leaves after commit.
    pub(crate) fn leave(&self, size: Size) {
        let mut state = self.lock();
        state.blocks -= 1;
        state.bytes -= size.bytes;
        state.config_inside &= !size.is_config;
        self.changed.notify_all();
    }

    /// Turns away everybody who waits or comes.
    pub(crate) fn stop(&self) {
        self.lock().stopped = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn has_room(&self, bytes: usize, most_blocks: usize) -> bool {
        let most = if self.blocks < LARGE_BLOCKS_AHEAD { MAX_BYTES_AHEAD } else { BYTES_AHEAD };
        self.blocks == 0 || (!self.config_inside && self.blocks < most_blocks && self.bytes + bytes <= most)
    }
}

#[cfg(test)]
mod tests {
    use super::{BYTES_AHEAD, Gate, LARGE_BLOCKS_AHEAD, MAX_BLOCKS_AHEAD, MAX_BYTES_AHEAD, Size};

    const BLOCK: Size = Size { bytes: 1, is_config: false };
    const CONFIG: Size = Size { bytes: 1, is_config: true };
    use std::sync::mpsc;
    use std::time::Duration;

    /// Whether entering returns before something changes.
    fn enters(gate: &Gate, bytes: usize) -> bool {
        std::thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            scope.spawn(move || sender.send(gate.enter(Size { bytes, is_config: false })));
            let entered = receiver.recv_timeout(Duration::from_millis(50)).is_ok();
            if !entered {
                gate.stop();
            }
            entered
        })
    }

    #[test]
    fn the_gate_holds_back_what_is_too_much() {
        let full = Gate::new(MAX_BLOCKS_AHEAD);
        for _ in 0..MAX_BLOCKS_AHEAD {
            assert!(full.enter(BLOCK));
        }
        assert!(!enters(&full, 1));

        let large = Gate::new(MAX_BLOCKS_AHEAD);
        assert!(large.enter(Size { bytes: MAX_BYTES_AHEAD + 1, is_config: false }), "a large block may be alone");
        assert!(!enters(&large, 1));

        let several = Gate::new(MAX_BLOCKS_AHEAD);
        for _ in 0..LARGE_BLOCKS_AHEAD {
            assert!(several.enter(Size { bytes: BYTES_AHEAD, is_config: false }), "large blocks overlap, too");
        }
        assert!(!enters(&several, 1));
    }

    #[test]
    fn fewer_blocks_may_be_asked_for() {
        let gate = Gate::new(2);
        assert!(gate.enter(BLOCK) && gate.enter(BLOCK));
        assert!(!enters(&gate, 1));
        assert!(Gate::new(0).enter(BLOCK), "one always may");
    }

    #[test]
    fn a_configuration_block_closes_the_gate_behind_it() {
        let gate = Gate::new(MAX_BLOCKS_AHEAD);
        assert!(gate.enter(BLOCK) && gate.enter(CONFIG));
        gate.leave(BLOCK);
        assert!(!enters(&gate, 1));

        let gate = Gate::new(MAX_BLOCKS_AHEAD);
        assert!(gate.enter(CONFIG));
        gate.leave(CONFIG);
        assert!(enters(&gate, 1));
    }
}
