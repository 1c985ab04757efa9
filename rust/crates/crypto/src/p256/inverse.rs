// SPDX-License-Identifier: Apache-2.0
//! Inverses modulo a 256-bit odd number, in variable time: nothing here is secret.
//!
//! The method is Bernstein and Yang's ("Fast constant-time gcd computation and modular inversion", 2019).
//! A division step looks only at the lowest bits of two numbers f and g, so 62 of them are done on single
//! words while a 2×2 matrix collects what they did; the matrix is then applied to the whole f and g, and to
//! the pair d, e that keeps d·x ≡ f and e·x ≡ g. When g reaches zero, f is ±1 and ±d is the inverse.

/// Bits of a limb. Limbs below the top one hold 0..2^62, the top one carries the sign.
const LIMB_BITS: u32 = 62;
const LIMB_MASK: i64 = (1 << LIMB_BITS) - 1;
/// Five limbs: 310 bits, enough for values in (-2m, 2m).
const LIMBS: usize = 5;
/// Rounds of 62 that cover the 741 division steps which the paper proves enough for any 256-bit input.
const MAX_ROUNDS: usize = 12;

type Wide = [i64; LIMBS];

/// An odd 256-bit modulus, made ready for inversions.
pub(crate) struct Modulus {
    limbs: Wide,
    /// The modulus' inverse modulo 2^62.
    inverse: u64,
}

/// What 62 division steps do: (f, g) becomes ([u, v], [q, r])·(f, g) / 2^62.
struct Matrix {
    u: i64,
    v: i64,
    q: i64,
    r: i64,
}

impl Modulus {
    pub(crate) const fn new(modulus: &[u64; 4]) -> Self {
        // Newton: an odd number is its own inverse modulo 8, and each round doubles the correct bits.
        let mut inverse = modulus[0];
        let mut round = 0;
        while round < 5 {
            inverse = inverse.wrapping_mul(2u64.wrapping_sub(modulus[0].wrapping_mul(inverse)));
            round += 1;
        }
        Self { limbs: widen(modulus), inverse: inverse & LIMB_MASK.cast_unsigned() }
    }

    /// The inverse of `value`, or `None` when it is a multiple of the (prime) modulus.
    pub(crate) fn invert(&self, value: &[u64; 4]) -> Option<[u64; 4]> {
        let mut f = self.limbs;
        let mut g = widen(value);
        let mut d = [0; LIMBS];
        let mut e = [1, 0, 0, 0, 0];
        let mut eta = -1;
        for _ in 0..MAX_ROUNDS {
            if g == [0; LIMBS] {
                break;
            }
            let matrix = division_steps(&mut eta, f[0].cast_unsigned(), g[0].cast_unsigned());
            self.apply_modular(&matrix, &mut d, &mut e);
            apply(&matrix, &mut f, &mut g);
        }
        let negative = f[LIMBS - 1] < 0;
        (f == [1, 0, 0, 0, 0] || f == [LIMB_MASK, LIMB_MASK, LIMB_MASK, LIMB_MASK, -1])
            .then(|| narrow(&self.canonical(d, negative)))
    }

    /// Applies the matrix to d and e, dividing by 2^62 modulo the modulus. Both stay in (-2m, m).
    fn apply_modular(&self, matrix: &Matrix, d: &mut Wide, e: &mut Wide) {
        let top = |value: &Wide| value[LIMBS - 1] >> 63;
        // Start from the multiples of m that bring negative d and e back up.
        let (sign_d, sign_e) = (top(d), top(e));
        let mut md = (matrix.u & sign_d) + (matrix.v & sign_e);
        let mut me = (matrix.q & sign_d) + (matrix.r & sign_e);
        let mut cd = product(matrix.u, d[0]) + product(matrix.v, e[0]);
        let mut ce = product(matrix.q, d[0]) + product(matrix.r, e[0]);
        // Then choose them so that the lowest limb vanishes.
        md -= low(self.inverse.wrapping_mul(word(cd)).wrapping_add(md.cast_unsigned()));
        me -= low(self.inverse.wrapping_mul(word(ce)).wrapping_add(me.cast_unsigned()));
        cd += product(self.limbs[0], md);
        ce += product(self.limbs[0], me);
        for i in 1..LIMBS {
            cd = (cd >> LIMB_BITS) + product(matrix.u, d[i]) + product(matrix.v, e[i]) + product(self.limbs[i], md);
            ce = (ce >> LIMB_BITS) + product(matrix.q, d[i]) + product(matrix.r, e[i]) + product(self.limbs[i], me);
            d[i - 1] = low(word(cd));
            e[i - 1] = low(word(ce));
        }
        d[LIMBS - 1] = word(cd >> LIMB_BITS).cast_signed();
        e[LIMBS - 1] = word(ce >> LIMB_BITS).cast_signed();
    }

    /// Brings ±d from (-2m, m) into [0, m).
    fn canonical(&self, mut d: Wide, negate: bool) -> Wide {
        if d[LIMBS - 1] < 0 {
            d = carried(|i| d[i] + self.limbs[i]);
        }
        if negate {
            d = carried(|i| -d[i]);
        }
        if d[LIMBS - 1] < 0 {
            d = carried(|i| d[i] + self.limbs[i]);
        }
        d
    }
}

/// Does 62 division steps on the low words of f and g; `eta` is minus the paper's delta.
fn division_steps(eta: &mut i64, mut f: u64, mut g: u64) -> Matrix {
    let (mut u, mut v, mut q, mut r) = (1u64, 0u64, 0u64, 1u64);
    let mut left = LIMB_BITS;
    loop {
        // Zeros at the bottom of g: steps that only halve it.
        let zeros = (g | u64::MAX << left).trailing_zeros();
        g >>= zeros;
        u <<= zeros;
        v <<= zeros;
        *eta -= i64::from(zeros);
        left -= zeros;
        if left == 0 {
            return Matrix { u: u.cast_signed(), v: v.cast_signed(), q: q.cast_signed(), r: r.cast_signed() };
        }
        if *eta < 0 {
            *eta = -*eta;
            (f, g) = (g, f.wrapping_neg());
            (u, q) = (q, u.wrapping_neg());
            (v, r) = (r, v.wrapping_neg());
        }
        // Add the multiple of f that clears as many low bits of g as the steps until the next swap allow, at most 6:
        // f·(f² − 2) is minus the inverse of f modulo 64.
        let limit = left.min(u32::try_from(*eta + 1).unwrap_or(u32::MAX)).min(6);
        let clear = (1u64 << limit) - 1;
        let w = f.wrapping_mul(g).wrapping_mul(f.wrapping_mul(f).wrapping_sub(2)) & clear;
        g = g.wrapping_add(f.wrapping_mul(w));
        q = q.wrapping_add(u.wrapping_mul(w));
        r = r.wrapping_add(v.wrapping_mul(w));
    }
}

/// Applies the matrix to f and g, dividing by 2^62 (exactly).
fn apply(matrix: &Matrix, f: &mut Wide, g: &mut Wide) {
    let mut cf = product(matrix.u, f[0]) + product(matrix.v, g[0]);
    let mut cg = product(matrix.q, f[0]) + product(matrix.r, g[0]);
    for i in 1..LIMBS {
        cf = (cf >> LIMB_BITS) + product(matrix.u, f[i]) + product(matrix.v, g[i]);
        cg = (cg >> LIMB_BITS) + product(matrix.q, f[i]) + product(matrix.r, g[i]);
        f[i - 1] = low(word(cf));
        g[i - 1] = low(word(cg));
    }
    f[LIMBS - 1] = word(cf >> LIMB_BITS).cast_signed();
    g[LIMBS - 1] = word(cg >> LIMB_BITS).cast_signed();
}

fn product(a: i64, b: i64) -> i128 {
    i128::from(a) * i128::from(b)
}

/// The low 64 bits.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the low word is what is asked for")]
fn word(value: i128) -> u64 {
    value as u64
}

/// The low 62 bits, as a limb.
fn low(value: u64) -> i64 {
    value.cast_signed() & LIMB_MASK
}

/// Builds a value limb by limb and carries it into proper limbs.
fn carried(limb: impl Fn(usize) -> i64) -> Wide {
    let mut out = [0; LIMBS];
    let mut carry = 0;
    for (i, out) in out.iter_mut().enumerate() {
        let sum = limb(i) + carry;
        carry = sum >> LIMB_BITS;
        *out = if i + 1 == LIMBS { sum } else { sum & LIMB_MASK };
    }
    out
}

const fn widen(value: &[u64; 4]) -> Wide {
    let mask = LIMB_MASK.cast_unsigned();
    [
        (value[0] & mask).cast_signed(),
        ((value[0] >> 62 | value[1] << 2) & mask).cast_signed(),
        ((value[1] >> 60 | value[2] << 4) & mask).cast_signed(),
        ((value[2] >> 58 | value[3] << 6) & mask).cast_signed(),
        (value[3] >> 56).cast_signed(),
    ]
}

fn narrow(value: &Wide) -> [u64; 4] {
    let v = value.map(i64::cast_unsigned);
    [v[0] | v[1] << 62, v[1] >> 2 | v[2] << 60, v[2] >> 4 | v[3] << 58, v[3] >> 6 | v[4] << 56]
}
