// SPDX-License-Identifier: Apache-2.0
//! Calls that wait for nothing but their client: for a message that is not whole, or for an answer to be taken.
//!
//! They cost a client nothing, so there may be many of them; whoever needs their place, or the memory they hold, has it.
//! They stand in the order in which anything came of them last.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::memory::{Held, SMALL_BYTES};

/// A call of which nothing came for so long gives way to any of other connections that needs memory.
const STALLED: Duration = Duration::from_secs(10);

/// What a call must know to give way, and what is weighed before.
pub(crate) struct Place {
    pub(crate) guest: u64,
    pub(crate) held: Arc<Held>,
    yielded: Notify,
}

impl Place {
    pub(crate) fn new(guest: u64, held: Arc<Held>) -> Self {
        Self { guest, held, yielded: Notify::new() }
    }

    /// Waits until the call has to give way.
    pub(crate) async fn yielded(&self) {
        self.yielded.notified().await;
    }
}

#[derive(Default)]
pub(crate) struct Waiting(Mutex<Queue>);

#[derive(Default)]
struct Queue {
    next: u64,
    places: BTreeMap<u64, (Arc<Place>, Instant)>,
}

impl Queue {
    fn append(&mut self, place: Arc<Place>) -> u64 {
        let number = self.next;
        self.next += 1;
        self.places.insert(number, (place, Instant::now()));
        number
    }
}

impl Waiting {
    /// Has a call wait until what is returned is dropped.
    pub(crate) fn wait(self: &Arc<Self>, place: &Arc<Place>) -> Waits {
        let number = self.lock().append(Arc::clone(place));
        Waits { waiting: Arc::clone(self), number }
    }

    /// Has the call give way that waits for longest; false when none waits.
    pub(crate) fn give_way(&self) -> bool {
        let first = self.lock().places.pop_first();
        first.is_some_and(|(_, (place, _))| {
            place.yielded.notify_one();
            true
        })
    }

    /// Has a call of another guest give way that holds memory and has stalled, or else one of the `greediest`.
    pub(crate) fn give_memory(&self, to: u64, greediest: Option<u64>) {
        let mut queue = self.lock();
        let holds =
            |(_, (place, _)): &(&u64, &(Arc<Place>, Instant))| place.guest != to && place.held.mine() > SMALL_BYTES;
        let stalled = |(_, (_, since)): &(&u64, &(Arc<Place>, Instant))| since.elapsed() >= STALLED;
        let found = queue.places.iter().take_while(stalled).find(holds);
        let found =
            found.or_else(|| queue.places.iter().filter(holds).find(|(_, (place, _))| Some(place.guest) == greediest));
        if let Some(number) = found.map(|(number, _)| *number)
            && let Some((place, _)) = queue.places.remove(&number)
        {
            place.yielded.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// That a call waits.
pub(crate) struct Waits {
    waiting: Arc<Waiting>,
    number: u64,
}

impl Waits {
    /// Something came: the call goes to the queue's end, unless it had to give way already.
    pub(crate) fn again(&mut self) {
        let mut queue = self.waiting.lock();
        if let Some((place, _)) = queue.places.remove(&self.number) {
            self.number = queue.append(place);
        }
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.waiting.lock().places.remove(&self.number);
    }
}
