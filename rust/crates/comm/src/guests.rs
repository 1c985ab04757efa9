// SPDX-License-Identifier: Apache-2.0
//! Who is connected to a server, and who has to go when there is no room for another one.
//!
//! A connection is used while one of its calls has sent a message. When all places are taken, the one that never was
//! used goes first, then the one that was used the longest ago; its client connects again when it has something to ask.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustc_hash::FxHashMap;
use tokio::sync::{Notify, Semaphore};

use crate::memory::Memory;

/// Calls of one connection that whoever answers is told of at a time, so that all connections have their turn.
const TURN_CALLS: usize = 16;

/// A connection.
pub(crate) struct Guest {
    pub(crate) id: u64,
    pub(crate) received: Arc<Memory>,
    leaves: Notify,
    turn: Semaphore,
}

impl Guest {
    /// Waits until its place is needed.
    pub(crate) async fn leaves(&self) {
        self.leaves.notified().await;
    }
}

#[derive(Default)]
pub(crate) struct Guests {
    present: Mutex<Present>,
    /// How many calls of whom were told since the last time that events were taken.
    told: Mutex<FxHashMap<u64, (Arc<Guest>, usize)>>,
}

#[derive(Default)]
struct Present {
    next: u64,
    guests: FxHashMap<u64, Seat>,
    /// Those that are not used, by whether they ever were, and since when.
    unused: BTreeMap<(bool, u64), u64>,
}

struct Seat {
    guest: Arc<Guest>,
    calls: usize,
    unused: (bool, u64),
}

impl Guests {
    /// Takes a connection in, in place of another one if need be; none while `most` are in use.
    pub(crate) fn enter(self: &Arc<Self>, most: usize, received: &Arc<Memory>) -> Option<Stay> {
        let mut present = self.lock();
        if present.guests.len() >= most && !present.make_room() {
            return None;
        }
        let id = present.next();
        let turn = Semaphore::new(TURN_CALLS);
        let guest = Arc::new(Guest { id, received: Arc::new(received.part()), leaves: Notify::new(), turn });
        let unused = (false, id);
        present.unused.insert(unused, id);
        present.guests.insert(id, Seat { guest: Arc::clone(&guest), calls: 0, unused });
        Some(Stay { guests: Arc::clone(self), guest })
    }

    /// Has the one go that is to go first, where there is one.
    pub(crate) fn make_room(&self) {
        self.lock().make_room();
    }

    /// Whether a connection was ever used.
    pub(crate) fn was_used(&self, guest: &Guest) -> bool {
        self.lock().guests.get(&guest.id).is_some_and(|seat| seat.calls > 0 || seat.unused.0)
    }

    /// A call of a connection has sent a message; it uses the connection until what is returned is dropped.
    pub(crate) fn used(self: &Arc<Self>, guest: &Arc<Guest>) -> Use {
        let mut present = self.lock();
        if let Some(seat) = present.guests.get_mut(&guest.id) {
            seat.calls += 1;
            if seat.calls == 1 {
                let unused = seat.unused;
                present.unused.remove(&unused);
            }
        }
        drop(present);
        Use { guests: Arc::clone(self), guest: guest.id }
    }

    /// The connection that holds most, where that is more than twice of what this one holds.
    pub(crate) fn greediest(&self, than: &Guest) -> Option<u64> {
        let present = self.lock();
        let most = present.guests.values().map(|seat| &seat.guest).max_by_key(|guest| guest.received.held());
        most.filter(|guest| guest.received.held() > 2 * than.received.held()).map(|guest| guest.id)
    }

    /// Waits until a connection has its turn to tell of a call.
    pub(crate) async fn turn(&self, guest: &Arc<Guest>) {
        if let Ok(permit) = guest.turn.acquire().await {
            permit.forget();
            self.told().entry(guest.id).or_insert_with(|| (Arc::clone(guest), 0)).1 += 1;
        }
    }

    /// Begins the next round of turns.
    pub(crate) fn next_round(&self) {
        for (guest, calls) in std::mem::take(&mut *self.told()).into_values() {
            guest.turn.add_permits(calls);
        }
    }

    fn unuse(&self, guest: u64) {
        let mut present = self.lock();
        let since = (true, present.next());
        if let Some(seat) = present.guests.get_mut(&guest) {
            seat.calls -= 1;
            if seat.calls == 0 {
                seat.unused = since;
                present.unused.insert(since, guest);
            }
        }
    }

    fn leave(&self, guest: u64) {
        let mut present = self.lock();
        if let Some(seat) = present.guests.remove(&guest) {
            present.unused.remove(&seat.unused);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Present> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told(&self) -> MutexGuard<'_, FxHashMap<u64, (Arc<Guest>, usize)>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Present {
    fn make_room(&mut self) -> bool {
        let first = self.unused.pop_first().and_then(|(_, id)| self.guests.remove(&id));
        first.is_some_and(|seat| {
            seat.guest.leaves.notify_one();
            true
        })
    }

    fn next(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

/// That a connection is there.
pub(crate) struct Stay {
    guests: Arc<Guests>,
    pub(crate) guest: Arc<Guest>,
}

impl Drop for Stay {
    fn drop(&mut self) {
        self.guests.leave(self.guest.id);
    }
}

/// That a call uses a connection.
pub(crate) struct Use {
    guests: Arc<Guests>,
    guest: u64,
}

impl Drop for Use {
    fn drop(&mut self) {
        self.guests.unuse(self.guest);
    }
}
