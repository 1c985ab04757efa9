// SPDX-License-Identifier: Apache-2.0
//! Pieces of equal size, cut from slabs of whole huge pages.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::region::{HUGE_PAGE, Region};

/// Types of which any bytes make a value.
///
/// # Safety
/// Every bit pattern is a valid value, and dropping one does nothing.
pub unsafe trait Plain: Copy + Send + Sync + 'static {}

// SAFETY: integers are.
unsafe impl Plain for u64 {}

/// Where pieces come from. A piece that is dropped leaves its place to the next, in the slab of lowest address that has
/// one: so there are never more slabs than the most pieces at one time took. A slab without pieces goes back to the
/// system, but for one: where pieces are replaced one by one, it would be taken again at once.
pub struct Slabs<T> {
    /// Values of a piece.
    length: usize,
    /// Slabs by their addresses.
    mapped: Mutex<BTreeMap<usize, Slab>>,
    values: PhantomData<fn() -> T>,
}

struct Slab {
    region: Region,
    /// One bit for each place that is taken.
    taken: u64,
}

impl<T: Plain> Slabs<T> {
    /// Slabs for pieces of so many values, of whole huge pages and at most 64 pieces each.
    ///
    /// # Panics
    /// If a piece is smaller than a 64th of a huge page.
    #[must_use]
    pub const fn new(length: usize) -> Self {
        let slabs = Self { length, mapped: Mutex::new(BTreeMap::new()), values: PhantomData };
        assert!(slabs.piece_bytes() > 0 && slabs.places() <= 64, "pieces are no smaller than 32 KiB");
        slabs
    }

    const fn piece_bytes(&self) -> usize {
        self.length * size_of::<T>()
    }

    const fn slab_bytes(&self) -> usize {
        self.piece_bytes().next_multiple_of(HUGE_PAGE)
    }

    /// Pieces of a slab.
    const fn places(&self) -> usize {
        self.slab_bytes() / self.piece_bytes()
    }

    /// A piece for the taking: zeros, or what an earlier one held.
    ///
    /// Ends the program where there is no memory, as any allocation does.
    #[expect(clippy::missing_panics_doc, reason = "a slab with room is there by then")]
    pub fn take(&'static self) -> Piece<T> {
        let all = u64::MAX >> (64 - self.places());
        let mut slabs = self.lock();
        if slabs.values().all(|slab| slab.taken == all) {
            let region = Region::new(self.slab_bytes());
            slabs.insert(region.start().as_ptr().addr(), Slab { region, taken: 0 });
        }
        let slab = slabs.values_mut().find(|slab| slab.taken != all).expect("one was just put there");
        let place = slab.taken.trailing_ones();
        slab.taken |= 1 << place;
        // SAFETY: the slab has as many places.
        let start = unsafe { slab.region.start().add(place as usize * self.piece_bytes()) };
        Piece { start: start.cast(), slabs: self }
    }

    /// Bytes taken from the system at present.
    pub fn bytes(&self) -> usize {
        self.lock().len() * self.slab_bytes()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, Slab>> {
        self.mapped.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves the place of a piece to the next.
    fn put_back(&self, piece: usize) {
        let mut slabs = self.lock();
        let (&start, slab) = slabs.range_mut(..=piece).next_back().expect("a piece lies in a slab");
        slab.taken &= !(1 << ((piece - start) / self.piece_bytes()));
        let spare = if slabs.values().filter(|slab| slab.taken == 0).count() > 1 { slabs.remove(&start) } else { None };
        drop(slabs);
        // Nobody waits while the system takes it back.
        drop(spare);
    }
}

/// Values beside each other on a huge page, where there are such pages. Aligned as `T`, at least.
pub struct Piece<T: Plain> {
    start: NonNull<T>,
    slabs: &'static Slabs<T>,
}

// SAFETY: a piece owns its values, which may be sent and shared.
unsafe impl<T: Plain> Send for Piece<T> {}
// SAFETY: see above.
unsafe impl<T: Plain> Sync for Piece<T> {}

impl<T: Plain> Deref for Piece<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: the place holds as many values, which any bytes are, and is this piece's alone. It is aligned: a slab
        // is to a huge page, and a place to the size of the values before it.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.slabs.length) }
    }
}

impl<T: Plain> DerefMut for Piece<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: see above.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.slabs.length) }
    }
}

impl<T: Plain> Drop for Piece<T> {
    fn drop(&mut self) {
        self.slabs.put_back(self.start.as_ptr().addr());
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// Values of an eighth of a huge page.
    const EIGHTH: usize = HUGE_PAGE / 8 / size_of::<u64>();

    #[test]
    fn eight_pieces_make_a_slab_and_places_are_used_again() {
        static SLABS: Slabs<u64> = Slabs::new(EIGHTH);
        let mut pieces: Vec<_> = (0..8).map(|_| SLABS.take()).collect();
        assert_eq!(SLABS.bytes(), HUGE_PAGE);
        for (i, piece) in pieces.iter_mut().enumerate() {
            piece.fill(i as u64);
        }
        let place = pieces.remove(4).as_ptr();
        let again = SLABS.take();
        assert_eq!((again.as_ptr(), SLABS.bytes()), (place, HUGE_PAGE));
        let another = SLABS.take();
        assert_eq!((another.iter().sum::<u64>(), SLABS.bytes()), (0, 2 * HUGE_PAGE));
        for (piece, i) in pieces.iter().zip([0, 1, 2, 3, 5, 6, 7]) {
            assert!(piece.iter().all(|&value| value == i));
        }
    }

    #[test]
    fn empty_slabs_go_back_but_for_one() {
        static SLABS: Slabs<u64> = Slabs::new(EIGHTH);
        assert_eq!(SLABS.bytes(), 0);
        let pieces: Vec<_> = (0..40).map(|_| SLABS.take()).collect();
        assert_eq!(SLABS.bytes(), 5 * HUGE_PAGE);
        drop(pieces);
        assert_eq!(SLABS.bytes(), HUGE_PAGE);
        // One comes and goes, and the system hears nothing of it.
        drop(SLABS.take());
        assert_eq!(SLABS.bytes(), HUGE_PAGE);
    }

    #[test]
    fn a_piece_may_be_larger_than_a_huge_page() {
        static SLABS: Slabs<u64> = Slabs::new(20 * EIGHTH);
        let (mut first, second) = (SLABS.take(), SLABS.take());
        assert_eq!(SLABS.bytes(), 6 * HUGE_PAGE);
        first.fill(7);
        assert!(second.iter().all(|&value| value == 0));
    }

    #[test]
    fn threads_get_pieces_of_their_own() {
        static SLABS: Slabs<u64> = Slabs::new(EIGHTH);
        thread::scope(|scope| {
            for thread in 0..4u64 {
                scope.spawn(move || {
                    for round in 0..50 {
                        let mark = thread << 32 | round;
                        let mut pieces: Vec<_> = (0..5).map(|_| SLABS.take()).collect();
                        for piece in &mut pieces {
                            piece.fill(mark);
                        }
                        thread::yield_now();
                        assert!(pieces.iter().all(|piece| piece.iter().all(|&value| value == mark)));
                    }
                });
            }
        });
        // Twenty pieces at most were there at the same time.
        assert_eq!(SLABS.bytes(), HUGE_PAGE);
    }
}
