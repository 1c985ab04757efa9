// SPDX-License-Identifier: Apache-2.0
//! The key space, and how transactions choose from it.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, Zipf};

use crate::error::{Result, WorkloadError};
use crate::spec::{KeyDistribution, Spec};

/// Digits of the shortest key.
const MIN_DIGITS: usize = 9;

/// Names of keys; their order is that of the numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyNames {
    digits: usize,
}

impl KeyNames {
    /// Names for so many keys and for the end behind the last.
    pub(crate) fn new(keys: u64) -> Self {
        Self { digits: keys.to_string().len().max(MIN_DIGITS) }
    }

    /// The name of the key of this number.
    pub(crate) fn name(self, key: u64) -> String {
        format!("key{key:0digits$}", digits = self.digits)
    }
}

/// Draws keys, by their numbers.
#[derive(Debug)]
pub(crate) struct KeyChooser {
    keys: u64,
    law: Law,
    /// Has no factor in common with the number of keys, so that multiplying by it scatters ranks over all of them.
    stride: u64,
}

#[derive(Debug)]
enum Law {
    Uniform,
    Zipf(Zipf<f64>),
    RoundRobin { next: u64 },
}

impl KeyChooser {
    pub(crate) fn new(spec: &Spec) -> Result<Self> {
        let law = match spec.key_distribution {
            KeyDistribution::Uniform => Law::Uniform,
            KeyDistribution::RoundRobin => Law::RoundRobin { next: 0 },
            KeyDistribution::Zipf { exponent } => Law::Zipf(zipf(spec.keys, exponent)?),
        };
        Ok(Self { keys: spec.keys, law, stride: stride(spec.keys) })
    }

    /// Draws so many different keys, at most as many as there are. One that was drawn before gives way to the next
    /// higher one that was not.
    pub(crate) fn draw(&mut self, rng: &mut impl Rng, count: usize) -> Vec<u64> {
        let mut drawn = Vec::with_capacity(count);
        for _ in 0..count {
            let mut key = self.draw_one(rng);
            while drawn.contains(&key) {
                key = (key + 1) % self.keys;
            }
            drawn.push(key);
        }
        drawn
    }

    /// Draws one key.
    pub(crate) fn draw_one(&mut self, rng: &mut impl Rng) -> u64 {
        match &mut self.law {
            Law::Uniform => rng.random_range(0..self.keys),
            Law::Zipf(zipf) => {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 1 to the keys")]
                let rank = zipf.sample(rng) as u64;
                self.scatter(rank.clamp(1, self.keys) - 1)
            }
            Law::RoundRobin { next } => {
                let rank = *next;
                *next = (rank + 1) % self.keys;
                self.scatter(rank)
            }
        }
    }

    fn scatter(&self, rank: u64) -> u64 {
        // Both are below 2^32, so the product is no overflow.
        rank * self.stride % self.keys
    }
}

fn zipf(keys: u64, exponent: f64) -> Result<Zipf<f64>> {
    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
    let keys = keys as f64;
    Zipf::new(keys, exponent).map_err(|error| WorkloadError::Spec {
        key: "key_distribution.zipf.exponent",
        value: exponent.to_string(),
        allowed: error.to_string(),
    })
}

/// The number nearest below the golden section of the keys without a common factor.
fn stride(keys: u64) -> u64 {
    (1..=keys * 618 / 1000).rev().find(|stride| greatest_common_divisor(*stride, keys) == 1).unwrap_or(1)
}

fn greatest_common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_xoshiro::Xoshiro256PlusPlus;

    use super::{KeyChooser, KeyNames};
    use crate::spec::{KeyDistribution, Spec};

    fn draw(keys: u64, key_distribution: KeyDistribution, count: u64) -> Vec<u64> {
        let spec = Spec { keys, key_distribution, ..Spec::default() };
        let mut chooser = KeyChooser::new(&spec).unwrap();
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        (0..count).map(|_| chooser.draw_one(&mut rng)).collect()
    }

    fn frequencies(keys: u64, drawn: &[u64]) -> Vec<u32> {
        let mut frequencies = vec![0u32; usize::try_from(keys).unwrap()];
        for key in drawn {
            frequencies[usize::try_from(*key).unwrap()] += 1;
        }
        frequencies.sort_unstable_by(|a, b| b.cmp(a));
        frequencies
    }

    #[test]
    fn round_robin_visits_every_key_once_in_a_turn() {
        for keys in [1, 2, 3, 10, 97, 1_000] {
            let drawn = draw(keys, KeyDistribution::RoundRobin, 2 * keys);
            assert!(frequencies(keys, &drawn).iter().all(|times| *times == 2), "{keys}");
        }
    }

    #[test]
    fn zipf_follows_its_law() {
        let drawn = draw(1_000, KeyDistribution::Zipf { exponent: 1.0 }, 100_000);
        let frequencies = frequencies(1_000, &drawn);
        let harmonic: f64 = (1..=1_000).map(|rank| 1.0 / f64::from(rank)).sum();
        for (rank, found) in (1u32..).zip(&frequencies).take(10) {
            let expected = 100_000.0 / harmonic / f64::from(rank);
            assert!((f64::from(*found) / expected - 1.0).abs() < 0.1, "rank {rank}: {found} for {expected}");
        }
    }

    #[test]
    fn uniform_is_level() {
        let frequencies = frequencies(100, &draw(100, KeyDistribution::Uniform, 100_000));
        assert!(frequencies[0] < 1_150 && frequencies[99] > 850, "{frequencies:?}");
    }

    #[test]
    fn several_keys_are_different_ones() {
        let spec = Spec { keys: 5, key_distribution: KeyDistribution::Zipf { exponent: 3.0 }, ..Spec::default() };
        let mut chooser = KeyChooser::new(&spec).unwrap();
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut drawn = chooser.draw(&mut rng, 5);
        drawn.sort_unstable();
        assert_eq!(drawn, [0, 1, 2, 3, 4]);
    }

    #[test]
    fn names_sort_as_numbers_do() {
        let names = KeyNames::new(10_000_000_000);
        let mut sorted = [0, 9, 10, 999_999_999, 1_000_000_000, 10_000_000_000].map(|key| names.name(key));
        sorted.sort_unstable();
        assert_eq!(sorted[0], "key00000000000");
        assert_eq!(sorted[5], "key10000000000");
        assert_eq!(KeyNames::new(10).name(7), "key000000007");
    }
}
