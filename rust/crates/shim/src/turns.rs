// SPDX-License-Identifier: Apache-2.0
//! Whose work is next where there is more of it than workers.
//!
//! A piece of work that runs cannot be taken back. So nobody gets as many workers as are free then: one caller alone
//! has half of them at most, two a third each, and there is always as much room for one more. Of those who wait,
//! whoever has the fewest workers is next; else they take turns. So whoever has a thousand pieces waiting delays
//! nobody else.

use std::collections::VecDeque;

use bytes::Bytes;
use rustc_hash::FxHashMap;

/// Work that waits, by caller.
///
/// Whoever has put something in, or has finished something, asks [`Turns::take`] once for what may be done next: then
/// nothing waits that could be done.
pub(crate) struct Turns<T> {
    free: usize,
    waiting: VecDeque<(Bytes, VecDeque<T>)>,
    running: FxHashMap<Bytes, usize>,
}

impl<T> Turns<T> {
    /// Begins with nothing; so many may work at a time.
    pub(crate) fn new(workers: usize) -> Self {
        Self { free: workers, waiting: VecDeque::new(), running: FxHashMap::default() }
    }

    /// Adds a caller's work, behind what the same caller has there.
    pub(crate) fn put(&mut self, caller: &Bytes, work: T) {
        match self.waiting.iter_mut().find(|(waiting, _)| waiting == caller) {
            Some((_, queue)) => queue.push_back(work),
            None => self.waiting.push_back((caller.clone(), VecDeque::from([work]))),
        }
    }

    /// The next work; none when there is none, or no worker for it.
    pub(crate) fn take(&mut self) -> Option<T> {
        // The first of those with the fewest: whoever was served last is the last.
        let place = (0..self.waiting.len()).min_by_key(|place| self.running_of(&self.waiting[*place].0))?;
        if self.running_of(&self.waiting[place].0) >= self.free {
            return None;
        }
        let (caller, mut queue) = self.waiting.remove(place)?;
        let work = queue.pop_front()?;
        *self.running.entry(caller.clone()).or_default() += 1;
        self.free -= 1;
        if !queue.is_empty() {
            self.waiting.push_back((caller, queue));
        }
        Some(work)
    }

    /// Knows that a caller's work is finished.
    pub(crate) fn done(&mut self, caller: &Bytes) {
        self.free += 1;
        if let Some(running) = self.running.get_mut(caller) {
            *running -= 1;
            if *running == 0 {
                self.running.remove(caller);
            }
        }
    }

    fn running_of(&self, caller: &Bytes) -> usize {
        self.running.get(caller).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: Bytes = Bytes::from_static(b"A");
    const B: Bytes = Bytes::from_static(b"B");
    const C: Bytes = Bytes::from_static(b"C");

    /// Puts in what a caller wants, and says how many workers it gets.
    fn take_all(turns: &mut Turns<Bytes>, caller: &Bytes, wanted: usize) -> usize {
        for _ in 0..wanted {
            turns.put(caller, caller.clone());
        }
        std::iter::from_fn(|| turns.take()).count()
    }

    #[test]
    fn callers_take_turns() {
        let mut turns = Turns::new(4);
        for (caller, number) in [(A, 0), (A, 1), (A, 2), (B, 10), (C, 20)] {
            turns.put(&caller, (caller.clone(), number));
        }
        let order = std::iter::from_fn(|| {
            let (caller, number) = turns.take()?;
            turns.done(&caller);
            Some(number)
        });
        assert_eq!(order.collect::<Vec<_>>(), [0, 10, 20, 1, 2]);
    }

    #[test]
    fn nobody_has_more_workers_than_are_free() {
        for (workers, alone) in [(1, 1), (2, 1), (3, 2), (4, 2), (64, 32)] {
            assert_eq!(take_all(&mut Turns::new(workers), &A, workers + 5), alone);
        }
    }

    #[test]
    fn many_who_want_all_leave_a_worker_for_whoever_comes() {
        let mut turns = Turns::new(64);
        let taken = (0..8).map(|name| take_all(&mut turns, &vec![name].into(), 100));
        assert_eq!(taken.collect::<Vec<_>>(), [32, 16, 8, 4, 2, 1, 1, 0]);
    }

    #[test]
    fn in_the_end_all_have_the_same() {
        let mut turns = Turns::new(64);
        let mut running = VecDeque::new();
        for caller in [A, B, C] {
            let taken = take_all(&mut turns, &caller, 1000);
            running.extend(vec![caller; taken]);
        }
        for _ in 0..500 {
            turns.done(&running.pop_front().expect("some run"));
            running.extend(std::iter::from_fn(|| turns.take()));
        }
        for caller in [A, B, C] {
            let mine = running.iter().filter(|running| **running == caller).count();
            assert!((15..=17).contains(&mine), "{mine} of {caller:?}");
        }
    }

    proptest! {
        /// Whoever puts or finishes takes once; then taking again finds nothing, and all is done.
        #[test]
        fn nothing_waits_that_could_be_done(workers in 1usize..=6, steps in prop::collection::vec(0u8..4, 0..60)) {
            let mut turns = Turns::new(workers);
            let mut running = VecDeque::new();
            let (mut put, mut begun) = (0, 0);
            for step in steps {
                if step < 3 {
                    let caller = Bytes::from(vec![step]);
                    turns.put(&caller, caller.clone());
                    put += 1;
                } else if let Some(caller) = running.pop_front() {
                    turns.done(&caller);
                } else {
                    continue;
                }
                let taken = turns.take();
                begun += usize::from(taken.is_some());
                running.extend(taken);
                prop_assert!(running.len() <= workers);
                prop_assert!(turns.take().is_none());
            }
            while let Some(caller) = running.pop_back() {
                turns.done(&caller);
                let taken = turns.take();
                begun += usize::from(taken.is_some());
                running.extend(taken);
            }
            prop_assert_eq!(begun, put);
        }
    }
}
