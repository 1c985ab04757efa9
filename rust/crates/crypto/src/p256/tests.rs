// SPDX-License-Identifier: Apache-2.0
//! The engine's parts against big integers, and crafted collisions against the library.

use std::sync::LazyLock;

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use num_bigint::BigUint;

use super::batch::{Claim, GENERATOR_WINDOW, KEY_WINDOW, accumulators};
use super::digits::{Digits, Digits1, Window};
use super::field::{Field, PRIME};
use super::inverse::Modulus;
use super::lanes::Entry;
use super::limbs::{self, Limbs, from_be_bytes};
use super::order::{self, ORDER};
use super::portable::Field1;
use super::scalar::{self, Scalar1, Scalars};
use super::{Arithmetic, ladder};

static P: LazyLock<BigUint> = LazyLock::new(|| big(&PRIME));
static N: LazyLock<BigUint> = LazyLock::new(|| big(&ORDER));

fn big(limbs: &Limbs) -> BigUint {
    limbs.iter().rev().fold(BigUint::ZERO, |sum, &limb| (sum << 64u32) + limb)
}

fn to_limbs(number: &BigUint) -> Limbs {
    let mut digits = number.to_u64_digits();
    digits.resize(4, 0);
    digits.try_into().expect("256 bits")
}

fn random() -> Limbs {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).unwrap();
    from_be_bytes(&bytes)
}

/// Numbers below 2^256 that carries and borrows trip over.
fn awkward(modulus: &Limbs) -> Vec<Limbs> {
    let modulus = big(modulus);
    let mut all = vec![[0; 4], [1, 0, 0, 0], [2, 0, 0, 0], [u64::MAX; 4], [u64::MAX, 0, 0, 0], [0, 0, 0, 1 << 63]];
    for delta in 1..3u32 {
        all.push(to_limbs(&(&modulus - delta)));
        all.push(to_limbs(&(&modulus + delta)));
        all.push(to_limbs(&(&modulus / delta)));
    }
    all.push([0, u64::MAX, 0, u64::MAX]);
    all.push([0xfff0_0000_0000_0000; 4]);
    all.extend((0..6).map(|_| random()));
    all
}

fn below_p() -> Vec<Limbs> {
    awkward(&PRIME).into_iter().filter(|value| big(value) < *P).collect()
}

fn entry(x: Limbs, y: Limbs) -> Entry {
    Entry { x, y }
}

/// The first lane as a plain number; all lanes must agree.
fn plain<F: Field>(value: F) -> BigUint {
    // A product with a one that is not in Montgomery form divides by the radix.
    let decoded = value.tighten().mul(raw::<F>(&[1, 0, 0, 0]));
    let mut entries = [Entry::default(); 8];
    F::scatter(decoded, value.tighten(), &mut entries[..F::LANES]);
    assert!(entries[..F::LANES].iter().all(|entry| entry == &entries[0]));
    let [x, y] = [entries[0].x, entries[0].y].map(|stored| big(&stored) - big(&F::BALANCE));
    assert!(x < *P && y < *P);
    x
}

/// The number as it stands, in all lanes, not brought into Montgomery form.
fn raw<F: Field>(value: &Limbs) -> F {
    let entry = entry(limbs::add(value, &F::BALANCE).0, [0; 4]);
    F::gather_x(&[&entry; 8])
}

fn field_operations<F: Field>(values: &[Limbs]) {
    for a in values {
        assert_eq!(plain(F::gather_x(&[&entry(*a, [0; 4]); 8]).encode()), big(a) % &*P);
        assert_eq!(plain(F::constant(a)), big(a) % &*P);
    }
    assert_eq!(plain(F::one()), BigUint::from(1u32));
    for a in values {
        let (fa, pa) = (raw::<F>(a), plain(raw::<F>(a)));
        assert_eq!(plain(fa.square()), &pa * &pa % &*P);
        assert_eq!(plain(fa.triple()), &pa * 3u32 % &*P);
        assert_eq!(plain(fa.scale::<1>()), &pa * 2u32 % &*P);
        assert_eq!(plain(fa.scale::<3>()), &pa * 8u32 % &*P);
        assert_eq!(fa.zeros(), if pa == BigUint::ZERO { F::all_lanes() } else { 0 });
        match fa.invert() {
            Some(inverse) => assert_eq!(plain(inverse) * &pa % &*P, BigUint::from(1u32)),
            None => assert_eq!(pa, BigUint::ZERO),
        }
        for b in values {
            let (fb, pb) = (raw::<F>(b), plain(raw::<F>(b)));
            assert_eq!(plain(fa.add(fb)), (&pa + &pb) % &*P);
            assert_eq!(plain(fa.sub(fb)), (&pa + &*P - &pb) % &*P);
            assert_eq!(plain(fa.mul(fb)), &pa * &pb % &*P);
            assert_eq!(plain(fa.squares_tripled(fb)), (&pa * &pa + &*P * &pb - &pb * &pb) * 3u32 % &*P);
            // The loosest that a loose factor gets here: a sum of both extremes, and 4p − b + a.
            assert_eq!(plain(fa.mul(fa.add(fb))), &pa * (&pa + &pb) % &*P);
            assert_eq!(plain(fb.mul(fa.sub(fb))), &pb * (&pa + &*P - &pb) % &*P);
            for c in &values[..6] {
                let (fc, pc) = (raw::<F>(c), plain(raw::<F>(c)));
                let product = &pa * (&pb + &*P - &pc) + &*P;
                assert_eq!(plain(fa.mul_sub(fb.sub(fc), fc)), (product - &pc) % &*P);
                let square = &pa * &pa + &*P * 2u32;
                assert_eq!(plain(fa.chord(fb, fc.sub(fb))), (&square - &pb - &pc) % &*P);
                assert_eq!(plain(fa.square_sub_twice(fb, fc)), (&square + &*P - &pb * 2u32 - &pc) % &*P);
                let twice = &pa * (&pb + &*P - &pc) * 2u32;
                assert_eq!(plain(fa.twice_mul_sub_square(fb.sub(fc), fc)), (&twice + &*P * &pc - &pc * &pc) % &*P);
                let products = twice + &*P * &pa * 2u32 - &pa * &pc * 2u32;
                assert_eq!(plain(fa.twice_mul_sub_mul(fb.sub(fc), fa, fc)), products % &*P);
            }
        }
    }
    // Operations that want a number below p and not zero.
    for a in values.iter().filter(|a| big(a) < *P && **a != [0; 4]) {
        let (fa, pa) = (raw::<F>(a), plain(raw::<F>(a)));
        assert_eq!(plain(fa.negate_where(0)), pa);
        assert_eq!(plain(fa.negate_where(0xff)), &*P - &pa);
        for b in values {
            let (fb, pb) = (raw::<F>(b), plain(raw::<F>(b)));
            assert_eq!(plain(fa.signed_sub(0, fb)), (&pa + &*P - &pb) % &*P);
            assert_eq!(plain(fa.signed_sub(0xff, fb)), (&*P * 2u32 - &pa - &pb) % &*P);
            assert_eq!(plain(fb.mul(fa.signed_sub(0xff, fb))), &pb * (&*P * 2u32 - &pa - &pb) % &*P);
        }
    }
}

#[test]
fn portable_field_operations() {
    // This field keeps all numbers below p.
    field_operations::<Field1>(&below_p());
}

#[cfg(target_arch = "x86_64")]
#[test]
fn avx512_field_operations() {
    if super::avx512().is_none() {
        eprintln!("skipped: this machine has no AVX-512");
        return;
    }
    field_operations::<super::f52::Field52<super::avx512::Avx512>>(&below_p());
}

#[cfg(target_arch = "x86_64")]
#[test]
fn avx2_field_operations() {
    if super::avx2().is_none() {
        eprintln!("skipped: this machine has no AVX2");
        return;
    }
    field_operations::<super::f52::Field52<super::avx2::Avx2>>(&below_p());
}

#[cfg(target_arch = "x86_64")]
#[test]
fn ifma_field_operations() {
    if !super::words8::detected() {
        eprintln!("skipped: this machine has no AVX-512 IFMA");
        return;
    }
    field_operations::<super::ifma::IfmaField<super::words8::Words8>>(&awkward(&PRIME));
    if super::avx_ifma_by_avx512().is_some() {
        field_operations::<super::ifma::IfmaField<super::words4::Words4<super::words4::Evex>>>(&awkward(&PRIME));
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn lanes_are_independent() {
    if super::words8::detected() {
        independent_lanes::<super::ifma::IfmaField<super::words8::Words8>>();
    }
    if super::avx_ifma_by_avx512().is_some() {
        independent_lanes::<super::ifma::IfmaField<super::words4::Words4<super::words4::Evex>>>();
    }
    if super::avx512().is_some() {
        independent_lanes::<super::f52::Field52<super::avx512::Avx512>>();
    }
    if super::avx2().is_some() {
        independent_lanes::<super::f52::Field52<super::avx2::Avx2>>();
    }
}

fn independent_lanes<F: Field>() {
    let entries: Vec<Entry> = (0..8).map(|_| entry(random(), random())).collect();
    let lanes: Vec<&Entry> = entries.iter().collect();
    let (x, y) = (F::gather_x(&lanes).encode(), F::gather_y(&lanes).encode());
    let mixed = F::select(0b1010_0110, x, y).mul(x.sub(y)).invert().expect("no zeros");
    let mut out = [Entry::default(); 8];
    F::scatter(mixed, F::one(), &mut out);
    for (i, (entry, out)) in entries.iter().zip(&out).enumerate().take(F::LANES) {
        let (x, y) = (big(&entry.x), big(&entry.y));
        let chosen = if 0b1010_0110 >> i & 1 == 1 { &x } else { &y };
        let expected = (chosen * (&x + &*P * 2u32 - &y)).modinv(&P).expect("no zeros");
        let radix = BigUint::from(1u32) << 260u32;
        assert_eq!(big(&out.x) - big(&F::BALANCE), expected * radix % &*P);
    }
    // Zeros are found in the lane that has them, and keep the others from being inverted.
    let zero = F::select(0b0000_0100, x.sub(x).tighten(), x);
    assert_eq!(zero.zeros(), 0b0000_0100);
    assert!(zero.invert().is_none());
}

#[test]
fn inverses() {
    for (prime, modulus) in [(&PRIME, Modulus::new(&PRIME)), (&ORDER, Modulus::new(&ORDER))] {
        let (prime, values) = (big(prime), awkward(prime));
        for value in values.iter().copied().chain((0..200).map(|_| random())) {
            let expected = (big(&value) % &prime).modinv(&prime);
            assert_eq!(modulus.invert(&value).map(|inverse| big(&inverse)), expected, "{value:x?}");
        }
    }
}

/// All digits of a scalar, lane by lane: their signed values modulo n.
fn values(digits: &impl Digits, lane: usize, window: Window) -> Vec<BigUint> {
    let value = |position| {
        let (indices, negative) = digits.get(position);
        assert!(indices[lane] < window.values() as u64);
        let magnitude = (BigUint::from(2 * indices[lane] + 1) << (window.bits * position)) % &*N;
        if negative >> lane & 1 == 1 { &*N - magnitude } else { magnitude }
    };
    (0..window.count).map(value).collect()
}

/// Products, quotients and digits of `lanes` scalars side by side.
fn scalar_operations<S: Scalars>(lanes: usize) {
    let numbers = awkward(&ORDER);
    // Each number meets each other one in some lane.
    let vector = |shift: usize| -> Vec<Limbs> { (0..8).map(|i| numbers[(i + shift) % numbers.len()]).collect() };
    let gather = |numbers: &[Limbs]| S::gather(std::array::from_fn(|i| &numbers[i]));
    for shift in 0..numbers.len() {
        let divisors: Vec<Limbs> =
            vector(shift).iter().map(|s| if order::in_range(s) { *s } else { [7, 0, 0, 0] }).collect();
        let more: Vec<Limbs> = (0..8).map(|_| to_limbs(&(big(&random()) % &*N + 1u32))).collect();
        let mut inverses = vec![gather(&divisors), gather(&more), gather(&divisors)];
        scalar::invert_all(&mut inverses);
        for other in 0..numbers.len() {
            let numerators = vector(other);
            let quotient = inverses[2].mul(gather(&numerators));
            let window = [KEY_WINDOW, GENERATOR_WINDOW, ladder::WINDOW, Window::of(2), Window::of(16)][other % 5];
            let digits = quotient.digits(window);
            for lane in 0..lanes {
                let expected = big(&numerators[lane]) * big(&divisors[lane]).modinv(&N).expect("in range") % &*N;
                let sum: BigUint = values(&digits, lane, window).into_iter().sum();
                assert_eq!(sum % &*N, expected, "{window:?} {:x?} / {:x?}", numerators[lane], divisors[lane]);
            }
        }
    }
    assert!(gather(&[[0; 4]; 8]).invert().is_none());
    scalar::invert_all::<S>(&mut []);
}

#[test]
fn portable_scalar_operations() {
    scalar_operations::<Scalar1>(1);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn ifma_scalar_operations() {
    if !super::words8::detected() {
        eprintln!("skipped: this machine has no AVX-512 IFMA");
        return;
    }
    scalar_operations::<super::ifma_scalar::IfmaScalars<super::words8::Words8>>(8);
    if super::avx_ifma_by_avx512().is_some() {
        scalar_operations::<super::ifma_scalar::IfmaScalars<super::words4::Words4<super::words4::Evex>>>(4);
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn scalar_operations_in_lanes() {
    if super::avx512().is_some() {
        scalar_operations::<super::scalar_lanes::ScalarLanes<super::avx512::Avx512>>(8);
    }
    if super::avx2().is_some() {
        scalar_operations::<super::scalar_lanes::ScalarLanes<super::avx2::Avx2>>(4);
    }
}

#[test]
fn scalars_in_range() {
    for k in awkward(&ORDER) {
        assert_eq!(order::in_range(&k), big(&k) != BigUint::ZERO && big(&k) < *N);
    }
}

/// k·G by the library, for k not zero.
fn multiple(k: &BigUint) -> Entry {
    let mut bytes = k.to_bytes_be();
    bytes.splice(0..0, vec![0; 32 - bytes.len()]);
    let key = PrivateKey::from_private_key(&ECDH_P256, &bytes).unwrap().compute_public_key().unwrap();
    super::point(key.as_ref()[1..].try_into().unwrap()).expect("a point of the curve")
}

fn engines() -> Vec<(&'static str, &'static dyn Arithmetic)> {
    let mut engines = vec![("portable", super::portable())];
    engines.extend(super::avx2().map(|avx2| ("avx2", avx2)));
    engines.extend(super::avx512().map(|avx512| ("avx512", avx512)));
    engines.extend(super::ifma().map(|ifma| ("ifma", ifma)));
    engines.extend(super::avx_ifma().map(|avx_ifma| ("avx_ifma", avx_ifma)));
    engines.extend(super::avx_ifma_by_avx512().map(|engine| ("avx_ifma_by_avx512", engine)));
    engines
}

/// A point known as a + b·q times the generator, q the key's secret: coefficients modulo n.
type Linear = (BigUint, BigUint);

/// The points that are summed for a claim, in the order of its rows.
fn rows(u1: &Limbs, u2: &Limbs, tabled: bool) -> Vec<Linear> {
    let window = if tabled { KEY_WINDOW } else { ladder::WINDOW };
    let mut key = values(&Digits1::new(u2, window), 0, window);
    if !tabled {
        key = vec![key[1..].iter().sum::<BigUint>() % &*N, key[0].clone()];
    }
    let generator = values(&Digits1::new(u1, GENERATOR_WINDOW), 0, GENERATOR_WINDOW);
    let key = key.into_iter().map(|b| (BigUint::ZERO, b));
    key.chain(generator.into_iter().map(|a| (a, BigUint::ZERO))).collect()
}

/// All additions that summing the rows takes: what is added to what.
fn additions(rows: &[Linear], accumulators: usize) -> Vec<(Linear, Linear)> {
    let mut additions = Vec::new();
    let mut sums = rows[..accumulators].to_vec();
    let mut add = |sums: &mut [Linear], to: usize, addend: Linear| {
        additions.push((sums[to].clone(), addend.clone()));
        sums[to] = ((&sums[to].0 + addend.0) % &*N, (&sums[to].1 + addend.1) % &*N);
    };
    for (i, row) in rows.iter().enumerate().skip(accumulators) {
        add(&mut sums, i % accumulators, row.clone());
    }
    let mut left = accumulators;
    while left > 1 {
        let half = left.div_ceil(2);
        for i in half..left {
            let addend = sums[i].clone();
            add(&mut sums, i - half, addend);
        }
        left = half;
    }
    assert_eq!(additions.len(), rows.len() - 1);
    additions
}

/// A valid claim, and its key, such that addition number `number` meets equal (or opposite) points; `None` where only
/// q = 0 would do that.
fn collision(number: usize, opposite: bool, tabled: bool, accumulators: usize) -> Option<(Claim, Entry)> {
    let (u1, u2) = (to_limbs(&(big(&random()) % &*N)), to_limbs(&(big(&random()) % &*N)));
    let ((a1, b1), (a2, b2)) = additions(&rows(&u1, &u2, tabled), accumulators).swap_remove(number);
    let sign = |n: BigUint| if opposite { &*N - n } else { n };
    let q = (sign(a2) + &*N - a1) * (b1 + &*N - sign(b2)).modinv(&N)? % &*N;
    if q == BigUint::ZERO {
        return None;
    }
    let (u1, u2) = (big(&u1), big(&u2));
    let k = (&u1 + &u2 * &q) % &*N;
    if k == BigUint::ZERO {
        // The whole sum is infinity: no r is right.
        let claim = Claim { e: to_limbs(&u1), r: to_limbs(&u2), s: [1, 0, 0, 0] };
        return Some((claim, multiple(&q)));
    }
    let r = big(&multiple(&k).x) % &*N;
    let s = &r * u2.modinv(&N)? % &*N;
    let e = u1 * &s % &*N;
    Some((Claim { e: to_limbs(&e), r: to_limbs(&r), s: to_limbs(&s) }, multiple(&q)))
}

/// Verifies claims in chunks that make an engine keep this many accumulators.
fn verify(arithmetic: &dyn Arithmetic, claims: &[Claim], keys: &[Entry], tabled: bool, chunk: usize) -> Vec<bool> {
    let mut valid = vec![false; claims.len()];
    for ((claims, keys), valid) in claims.chunks(chunk).zip(keys.chunks(chunk)).zip(valid.chunks_mut(chunk)) {
        if tabled {
            let built = arithmetic.build(keys);
            arithmetic.verify_tabled(claims, &built.iter().collect::<Vec<_>>(), valid);
        } else {
            arithmetic.verify_untabled(claims, keys, valid);
        }
    }
    valid
}

/// Equal and opposite points at every single addition, every sum of which must still come out right.
#[test]
fn collisions_at_every_addition() {
    for (tabled, points) in [(true, KEY_WINDOW.count + GENERATOR_WINDOW.count), (false, 2 + GENERATOR_WINDOW.count)] {
        for (name, arithmetic) in engines() {
            for chunk in [16, 160] {
                let accumulators = accumulators(points, chunk, arithmetic.lanes());
                let (mut claims, mut keys, mut crafted) = (Vec::new(), Vec::new(), 0);
                for number in 0..points - 1 {
                    let opposite = random()[0] & 1 == 1;
                    if let Some((claim, key)) = collision(number, opposite, tabled, accumulators) {
                        claims.push(claim);
                        keys.push(key);
                        crafted += 1;
                    }
                }
                // Sums of the generator alone cannot collide.
                assert!(crafted >= if tabled { 30 } else { 6 }, "{crafted} of {points}");
                // Fill up to whole chunks with claims that meet no collision and are not valid.
                while claims.len() % chunk != 0 {
                    claims.push(Claim { e: random(), ..claims[0] });
                    keys.push(keys[0]);
                }
                let valid = verify(arithmetic, &claims, &keys, tabled, chunk);
                for (i, (claim, valid)) in claims.iter().zip(valid).enumerate() {
                    let expected = i < crafted && claim.s != [1, 0, 0, 0];
                    assert_eq!(
                        valid, expected,
                        "{name}, tabled {tabled}, {accumulators} sums, {i}: {claim:x?} {:x?}",
                        keys[i]
                    );
                }
            }
        }
    }
}

/// What the compiler made of `avx_ifma`, on machines that lack its instructions: good claims, those that meet equal and
/// opposite points, and bad ones.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[test]
#[ignore = "takes minutes: each multiplication is a signal"]
fn avx_ifma_is_right_where_it_is_played() {
    let Some(arithmetic) = super::avx_ifma_played() else {
        eprintln!("skipped: this machine has no AVX2");
        return;
    };
    for (tabled, points) in [(true, KEY_WINDOW.count + GENERATOR_WINDOW.count), (false, 2 + GENERATOR_WINDOW.count)] {
        let accumulators = accumulators(points, 6, arithmetic.lanes());
        let numbers = (0..points - 1).rev().step_by(3);
        let crafted = numbers.filter_map(|number| collision(number, number % 2 == 0, tabled, accumulators));
        let (mut claims, mut keys): (Vec<Claim>, Vec<Entry>) = crafted.take(3).unzip();
        let expected: Vec<bool> = claims.iter().map(|claim| claim.s != [1, 0, 0, 0]).chain([false; 3]).collect();
        claims.extend([0, 1, 2].map(|i| Claim { e: random(), ..claims[i] }));
        keys.extend([0, 1, 2].map(|i| keys[i]));
        assert_eq!(verify(arithmetic, &claims, &keys, tabled, 6), expected);
    }
}

/// What crafted claims cost: all of a batch, or one among good ones. Run in release:
/// `cargo test --release -p fastledger-crypto hostile -- --ignored --nocapture`.
#[test]
#[ignore = "measures time"]
fn hostile_batches_cost_at_most_four_times_as_much() {
    const CHUNK: usize = super::CHUNK;
    for (tabled, points) in [(true, KEY_WINDOW.count + GENERATOR_WINDOW.count), (false, 2 + GENERATOR_WINDOW.count)] {
        for (name, arithmetic) in engines() {
            let accumulators = accumulators(points, CHUNK, arithmetic.lanes());
            // Opposite points at the first addition that can have any: infinity stays until the end.
            let first = (0..points - 1).find_map(|number| collision(number, true, tabled, accumulators));
            let (hostile, hostile_key) = first.expect("some addition collides");
            let (good, good_key) = (Claim { e: random(), ..hostile }, multiple(&big(&[77, 0, 0, 0])));
            let measure = |crafted: usize, hostile: Claim| {
                let claims: Vec<Claim> = (0..CHUNK).map(|i| if i < crafted { hostile } else { good }).collect();
                let keys: Vec<Entry> = (0..CHUNK).map(|i| if i < crafted { hostile_key } else { good_key }).collect();
                let tables = arithmetic.build(&[hostile_key, good_key]);
                let tables: Vec<_> = (0..CHUNK).map(|i| &tables[usize::from(i >= crafted)]).collect();
                let mut valid = vec![false; CHUNK];
                let mut once = || {
                    let start = std::time::Instant::now();
                    if tabled {
                        arithmetic.verify_tabled(&claims, &tables, &mut valid);
                    } else {
                        arithmetic.verify_untabled(&claims, &keys, &mut valid);
                    }
                    start.elapsed().as_secs_f64()
                };
                (0..200).map(|_| once()).fold(f64::INFINITY, f64::min)
            };
            let usual = measure(0, good);
            for (what, hostile) in [("opposite points", hostile), ("small r", Claim { r: [5, 0, 0, 0], ..good })] {
                for crafted in [1, CHUNK] {
                    let ratio = measure(crafted, hostile) / usual;
                    println!("{name}, tabled {tabled}, {what} in {crafted} of {CHUNK}: {ratio:.2} times as much");
                    assert!(ratio < 4.0);
                }
            }
        }
    }
}
