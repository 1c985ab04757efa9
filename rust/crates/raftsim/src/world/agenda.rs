// SPDX-License-Identifier: Apache-2.0
//! What happens when.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Events in the order of their time, and of those at one time in the order in which they were put down.
#[derive(Debug)]
pub(super) struct Agenda<E> {
    due: BinaryHeap<Due<E>>,
    next: u64,
}

#[derive(Debug)]
struct Due<E> {
    when: u64,
    number: u64,
    event: E,
}

impl<E> Agenda<E> {
    pub(super) fn new() -> Self {
        Self { due: BinaryHeap::new(), next: 0 }
    }

    pub(super) fn put(&mut self, when: u64, event: E) {
        self.due.push(Due { when, number: self.next, event });
        self.next += 1;
    }

    /// The next event, and its time.
    pub(super) fn take(&mut self) -> Option<(u64, E)> {
        self.due.pop().map(|due| (due.when, due.event))
    }
}

impl<E> Ord for Due<E> {
    /// The earliest is the greatest, as a heap gives that first.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.when, other.number).cmp(&(self.when, self.number))
    }
}

impl<E> PartialOrd for Due<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Due<E> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<E> Eq for Due<E> {}
