// SPDX-License-Identifier: Apache-2.0
//! Limbs at their bounds, and numbers of all kinds, against big integers.

use num_bigint::{BigInt, Sign};

use super::*;
use crate::p256::avx2::Avx2;
use crate::p256::avx512::Avx512;

/// Vectors of numbers that each operation is tried with.
const ROUNDS: usize = 4_000;

/// Knuth's multiplier: the same numbers in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 11
    }

    /// A limb of at most `bound`: at its bounds, next to them, small, or anything.
    fn limb(&mut self, bound: i64) -> i64 {
        let near = (self.next() % 3).cast_signed();
        match self.next() % 8 {
            0 | 1 => bound - near,
            2 | 3 => near - bound,
            4 => near - 1,
            _ => self.next().cast_signed() % (bound + 1) * (1 - 2 * (near & 1)),
        }
    }

    /// A tight number for each lane: its top limb is at most what p has there.
    fn tight<W: Products>(&mut self) -> Field52<W> {
        let top = (1 << 48) - (1 << 17);
        let mut limbs = [[0; 8]; 5];
        for lane in 0..W::LANES {
            for (i, limb) in limbs.iter_mut().enumerate() {
                limb[lane] = double(self.limb(if i < 4 { 1 << 51 } else { top }));
            }
        }
        let [a, b, c, d, e] = limbs.each_ref().map(W::from_array);
        Field52([a, b, c, d, e])
    }

    /// The sum or the difference of two of them.
    fn loose<W: Products>(&mut self) -> Field52<W> {
        let (a, b) = (self.tight::<W>(), self.tight());
        if self.next().is_multiple_of(2) { a.add(b) } else { a.sub(b) }
    }
}

#[expect(clippy::cast_precision_loss, reason = "limbs have less than 53 bits")]
fn double(limb: i64) -> u64 {
    (limb as f64).to_bits()
}

#[expect(clippy::cast_possible_truncation, reason = "limbs are integers")]
fn integer(bits: u64) -> i64 {
    let value = f64::from_bits(bits);
    assert_eq!(value.fract().to_bits() << 1, 0, "{value}");
    value as i64
}

fn p() -> BigInt {
    number(&PRIME)
}

fn number(limbs: &Limbs) -> BigInt {
    let digits: Vec<u32> = limbs.iter().flat_map(|&limb| [limb & 0xffff_ffff, limb >> 32]).map(low).collect();
    BigInt::from(num_bigint::BigUint::new(digits))
}

fn low(half: u64) -> u32 {
    u32::try_from(half).expect("32 bits")
}

/// The numbers of all lanes, as they stand.
fn numbers<W: Products>(value: Field52<W>) -> Vec<BigInt> {
    let limbs = value.0.map(W::to_array);
    let number = |lane: usize| limbs.iter().rev().fold(BigInt::ZERO, |sum, limb| (sum << 52u32) + integer(limb[lane]));
    (0..W::LANES).map(number).collect()
}

fn modulo(number: &BigInt) -> BigInt {
    ((number % p()) + p()) % p()
}

/// Demands of a result that it is tight, and congruent to what is expected in each lane.
fn check<W: Products>(what: &str, result: Field52<W>, expected: impl Fn(usize) -> BigInt) {
    for limb in &result.0[..4] {
        for bits in &limb.to_array()[..W::LANES] {
            assert!(integer(*bits).abs() <= 1 << 51, "{what}: limb {}", integer(*bits));
        }
    }
    for (lane, found) in numbers(result).iter().enumerate() {
        let magnitude = if found.sign() == Sign::Minus { -found } else { found.clone() };
        assert!(magnitude < p(), "{what}: {found}");
        assert_eq!(modulo(found), modulo(&expected(lane)), "{what}, lane {lane}");
    }
}

fn operations<W: Products>() {
    let mut random = Random(2026);
    let radix = (BigInt::from(1) << 260u32).modinv(&p()).expect("p is odd");
    let balance = number(&Field52::<W>::BALANCE);
    for _ in 0..ROUNDS {
        let (a, b, c) = (random.tight::<W>(), random.tight::<W>(), random.tight::<W>());
        let loose = random.loose::<W>();
        let [na, nb, nc, nl] = [a, b, c, loose].map(numbers);
        check("mul", a.mul(loose), |i| &na[i] * &nl[i] * &radix);
        check("square", a.square(), |i| &na[i] * &na[i] * &radix);
        check("mul_sub", a.mul_sub(loose, b), |i| &na[i] * &nl[i] * &radix - &nb[i]);
        check("chord", a.chord(b, c.sub(b)), |i| &na[i] * &na[i] * &radix - &nb[i] - &nc[i]);
        check("square_sub_twice", a.square_sub_twice(b, c), |i| &na[i] * &na[i] * &radix - &nb[i] * 2 - &nc[i]);
        check("squares_tripled", a.squares_tripled(b), |i| (&na[i] * &na[i] - &nb[i] * &nb[i]) * 3 * &radix);
        let twice = |i: usize| &na[i] * &nl[i] * 2;
        check("twice_mul_sub_square", a.twice_mul_sub_square(loose, b), |i| (twice(i) - &nb[i] * &nb[i]) * &radix);
        check("twice_mul_sub_mul", a.twice_mul_sub_mul(loose, b, c), |i| (twice(i) - &nb[i] * &nc[i] * 2) * &radix);
        check("tighten", loose.tighten(), |i| nl[i].clone());
        check("scale 1", a.scale::<1>(), |i| &na[i] * 2);
        check("scale 2", a.scale::<2>(), |i| &na[i] * 4);
        check("scale 3", a.scale::<3>(), |i| &na[i] * 8);
        check("triple", a.triple(), |i| &na[i] * 3);
        let mask = low(random.next() % 256).to_le_bytes()[0];
        check("negate", a.negate_where(mask), |i| if mask >> i & 1 == 1 { -&na[i] } else { na[i].clone() });
        check("signed_sub", a.signed_sub(mask, b).tighten(), |i| {
            if mask >> i & 1 == 1 { -&na[i] - &nb[i] } else { &na[i] - &nb[i] }
        });
        check(
            "select",
            Field52::select(mask, a, b),
            |i| if mask >> i & 1 == 1 { na[i].clone() } else { nb[i].clone() },
        );
        // What is scattered is below p, and gathered again as the same element.
        let mut entries = [Entry::default(); 8];
        Field52::scatter(a, b, &mut entries[..W::LANES]);
        for (lane, entry) in entries.iter().enumerate().take(W::LANES) {
            assert_eq!(number(&entry.x) - &balance, modulo(&na[lane]));
            assert_eq!(number(&entry.y) - &balance, modulo(&nb[lane]));
        }
        let lanes = entries.each_ref();
        check("gather x", Field52::<W>::gather_x(&lanes), |i| na[i].clone());
        check("gather y", Field52::<W>::gather_y(&lanes), |i| nb[i].clone());
        // Plain numbers of any size below 2^256.
        let plain: Vec<Entry> = (0..8).map(|_| Entry { x: [(); 4].map(|()| any(&mut random)), y: [0; 4] }).collect();
        let lanes: Vec<&Entry> = plain.iter().collect();
        check("encode", Field52::<W>::gather_x(&lanes).encode(), |i| number(&plain[i].x) << 260u32);
    }
}

/// 64 bits, all ones and all zeros more often than by chance.
fn any(random: &mut Random) -> u64 {
    match random.next() % 4 {
        0 => 0,
        1 => u64::MAX,
        _ => random.next() << 32 ^ random.next(),
    }
}

#[test]
fn limbs_at_their_bounds_in_four_lanes() {
    if crate::p256::avx2().is_none() {
        eprintln!("skipped: this machine has no AVX2");
        return;
    }
    operations::<Avx2>();
}

#[test]
fn limbs_at_their_bounds_in_eight_lanes() {
    if crate::p256::avx512().is_none() {
        eprintln!("skipped: this machine has no AVX-512");
        return;
    }
    operations::<Avx512>();
}
