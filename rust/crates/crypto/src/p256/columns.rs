// SPDX-License-Identifier: Apache-2.0
//! Products of numbers whose limbs are doubles, and their reduction modulo p.
//!
//! A processor without a multiplication of 52-bit integers in lanes still has one in its fused multiply-add: it forms
//! all 106 bits of a product of doubles, and rounds once. Added to 1.5·2^104, whose last bit weighs 2^52, a product of
//! two limbs leaves its high half there: h = a·b + 1.5·2^104. What was rounded away is l = a·b − (h − 1.5·2^104), and
//! l + 1.5·2^52 leaves the low half in its last bits. Both halves can then be taken as integers: with their exponents
//! still on them, which are the same always and are taken off a column beforehand ([`start`]). Halves are signed and at
//! most 2^51, which is exact as long as |a·b| is at most 2^103. (Emmart, Zheng and Weems, "Faster modular exponentiation using double precision
//! floating point arithmetic on the GPU", 2018; they round towards zero. Rounding to nearest is what processors do
//! unasked, and makes the halves signed.)
//!
//! p = 2^256 − 2^224 + 2^192 + 2^96 − 1 is −1 modulo 2^52, so the Montgomery quotient of each step is the lowest column
//! itself, and adding quotient·p clears it by adding quotient·(p + 1), where p + 1 = 2^44·2^52 + 2^36·2^156 + top·2^208.

use super::doubles::Doubles;

pub(crate) const LIMB_BITS: u32 = 52;
pub(crate) const LIMB_MASK: u64 = (1 << LIMB_BITS) - 1;
/// Half of what a limb counts up to.
pub(crate) const HALF: u64 = 1 << (LIMB_BITS - 1);

/// 2^52: a double whose last bits are those of a number below 2^52 that is added to it.
pub(crate) const UNSIGNED: u64 = 0x4330_0000_0000_0000;
/// 1.5·2^52: so is this for numbers from −2^51 to 2^51.
pub(crate) const SIGNED: u64 = 0x4338_0000_0000_0000;
/// 1.5·2^104: the same for multiples of 2^52.
pub(crate) const SIGNED_HIGH: u64 = 0x4678_0000_0000_0000;
/// 2^52 + 1: times 1.5·2^52 it is 1.5·2^104 + 1.5·2^52, which is no double.
const BOTH: u64 = 0x4330_0000_0000_0001;
/// 2^52 + 2^51: what to take off for a limb between −2^51 and 2^51, from its sum with 2^51 under an exponent.
pub(crate) const UNSIGNED_HALF: u64 = SIGNED;

/// The top limb of p + 1, 2^48 − 2^16, as a double.
pub(crate) const TOP: f64 = 281_474_976_645_120.0;

/// What the lower columns stay above zero by, so that shifting them needs no sign; and what their carry is larger for it.
const BIAS: u64 = 1 << 62;
const BIAS_CARRY: u64 = BIAS >> LIMB_BITS;

/// Ten columns of 52 bits: a product, before and after its reduction. Numbers in lanes are signed, and have to be below
/// 2^61 in any column.
type Columns<W> = [W; 10];

/// Five limbs, as doubles.
pub(crate) type Number<W> = [W; 5];

/// Products in each column, where all limbs meet each other.
const OF_PRODUCT: [u64; 9] = [1, 2, 3, 4, 5, 4, 3, 2, 1];
/// Products in each column, where those that are equal have been put together.
const OF_SQUARE: [u64; 9] = [1, 1, 2, 2, 3, 2, 2, 1, 1];

/// Products in each column, of two kinds together.
const fn sum(mut one: [u64; 9], other: [u64; 9]) -> [u64; 9] {
    let mut i = 0;
    while i < 9 {
        one[i] += other[i];
        i += 1;
    }
    one
}

/// What columns start from, so that all that comes with numbers, but is none of them, has vanished in the end:
///
/// - the exponents of halves, of `products` and of the reduction's one product a step;
/// - a bias of [`BIAS`] + 2^51 in all but the last column, which makes limbs between −2^51 and 2^51 of what carries leave;
/// - what the reduction's quotients are larger by than they should be, for the same reason.
///
/// `more` are numbers, [`SIGNED`] on each, that are to be added to the upper five columns.
const fn start(products: [u64; 9], more: u64) -> [u64; 10] {
    let mut columns = [0u64; 10];
    let mut i = 0;
    while i < 9 {
        columns[i] = columns[i].wrapping_sub(SIGNED.wrapping_mul(products[i])).wrapping_add(BIAS + HALF);
        columns[i + 1] = columns[i + 1].wrapping_sub(SIGNED_HIGH.wrapping_mul(products[i])).wrapping_sub(BIAS_CARRY);
        i += 1;
    }
    // A quotient q counts as q + 2^51 there, and comes under the exponent of 2^52.
    let exponent = UNSIGNED >> 16;
    i = 0;
    while i < 5 {
        columns[i + 2] = columns[i + 2].wrapping_sub((exponent << 8) + (1 << 43));
        columns[i + 4] = columns[i + 4].wrapping_sub(SIGNED.wrapping_add(exponent + (1 << 35)));
        columns[i + 5] = columns[i + 5].wrapping_sub(SIGNED_HIGH.wrapping_add(3 * ((1 << 47) - (1 << 15))));
        columns[i + 5] = columns[i + 5].wrapping_sub(SIGNED.wrapping_mul(more));
        i += 1;
    }
    columns[9] = columns[9].wrapping_add(SIGNED);
    columns
}

/// Adds a·b to column k and the next.
#[inline(always)]
fn accumulate<W: Doubles>(t: &mut Columns<W>, k: usize, a: W, b: W) {
    let high = W::multiply_add(a, b, W::splat(SIGNED_HIGH));
    t[k + 1] = t[k + 1].add(high);
    let rest = W::multiply_sub(W::splat(SIGNED), W::splat(BOTH), high);
    t[k] = t[k].add(W::multiply_add(a, b, rest));
}

/// Straight-line code: nested loops are not always unrolled, and then the columns are in memory.
macro_rules! accumulate {
    ($t:ident, $a:ident, $b:ident: $($i:literal $j:literal),*) => {
        $(accumulate(&mut $t, $i + $j, $a[$i], $b[$j]);)*
    };
}

#[inline(always)]
fn splat<W: Doubles>(columns: [u64; 10]) -> Columns<W> {
    let [a, b, c, d, e, f, g, h, i, j] = columns;
    [
        W::splat(a),
        W::splat(b),
        W::splat(c),
        W::splat(d),
        W::splat(e),
        W::splat(f),
        W::splat(g),
        W::splat(h),
        W::splat(i),
        W::splat(j),
    ]
}

/// Adds a·b.
#[inline(always)]
fn product<W: Doubles>(mut t: Columns<W>, a: &Number<W>, b: &Number<W>) -> Columns<W> {
    accumulate!(t, a, b: 0 0, 0 1, 1 0, 0 2, 1 1, 2 0, 0 3, 1 2, 2 1, 3 0, 0 4, 1 3, 2 2, 3 1, 4 0);
    accumulate!(t, a, b: 1 4, 2 3, 3 2, 4 1, 2 4, 3 3, 4 2, 3 4, 4 3, 4 4);
    t
}

/// Adds a·b, for two numbers of which one is the other or its negative: b = ±a.
#[inline(always)]
fn square_of<W: Doubles>(mut t: Columns<W>, a: &Number<W>, b: &Number<W>) -> Columns<W> {
    let c = &[a[0].plus(a[0]), a[1].plus(a[1]), a[2].plus(a[2]), a[3].plus(a[3])];
    accumulate!(t, a, b: 0 0);
    accumulate!(t, c, b: 0 1, 0 2);
    accumulate!(t, a, b: 1 1);
    accumulate!(t, c, b: 0 3, 1 2, 0 4, 1 3);
    accumulate!(t, a, b: 2 2);
    accumulate!(t, c, b: 1 4, 2 3, 2 4);
    accumulate!(t, a, b: 3 3);
    accumulate!(t, c, b: 3 4);
    accumulate!(t, a, b: 4 4);
    t
}

/// The number with the other sign.
#[inline(always)]
fn negative<W: Doubles>(a: &Number<W>) -> Number<W> {
    let zero = W::splat(0);
    [zero.minus(a[0]), zero.minus(a[1]), zero.minus(a[2]), zero.minus(a[3]), zero.minus(a[4])]
}

/// Twice what is in the columns, and what others start from.
#[inline(always)]
fn twice<W: Doubles>(t: Columns<W>, start: Columns<W>) -> Columns<W> {
    let [a, b, c, d, e, f, g, h, i, j] = t;
    let [k, l, m, n, o, p, q, r, s, u] = start;
    [
        a.add(a).add(k),
        b.add(b).add(l),
        c.add(c).add(m),
        d.add(d).add(n),
        e.add(e).add(o),
        f.add(f).add(p),
        g.add(g).add(q),
        h.add(h).add(r),
        i.add(i).add(s),
        j.add(j).add(u),
    ]
}

/// Subtracts a tight number from the outcome of a product.
#[inline(always)]
fn subtract<W: Doubles>(t: &mut Columns<W>, number: &Number<W>) {
    let signed = W::splat(SIGNED);
    t[5] = t[5].add(signed.minus(number[0]));
    t[6] = t[6].add(signed.minus(number[1]));
    t[7] = t[7].add(signed.minus(number[2]));
    t[8] = t[8].add(signed.minus(number[3]));
    t[9] = t[9].add(signed.minus(number[4]));
}

/// One step of the reduction: clears column i.
#[inline(always)]
fn clear<W: Doubles>(t: &mut Columns<W>, i: usize) {
    // The quotient plus 2^51, under the exponent of 2^52.
    let quotient = t[i].keep(W::splat(LIMB_MASK), W::splat(UNSIGNED));
    let (low, rest) = (t[i].and(W::splat(0xffff)), quotient.shr(16));
    t[i + 1] = t[i + 1].add(t[i].shr(LIMB_BITS)).add(low.shl(44));
    t[i + 2] = t[i + 2].add(rest.shl(8));
    t[i + 3] = t[i + 3].add(low.shl(36));
    t[i + 4] = t[i + 4].add(rest);
    accumulate(t, i + 4, quotient, W::splat(const { TOP.to_bits() }));
}

/// The Montgomery reduction, without the last carries: the upper five columns.
#[inline(always)]
fn reduce<W: Doubles>(mut t: Columns<W>) -> [W; 5] {
    clear(&mut t, 0);
    clear(&mut t, 1);
    clear(&mut t, 2);
    clear(&mut t, 3);
    clear(&mut t, 4);
    [t[5], t[6], t[7], t[8], t[9]]
}

/// Subtracts the multiple of p that is next to the number, so that what is left is at most a little above p/2.
#[inline(always)]
fn tighten<W: Doubles>([a, b, c, d, e]: [W; 5]) -> [W; 5] {
    // p = 2^256 − 2^224 + 2^192 + 2^96 − 1, and limb i weighs 2^52i. Over all is the exponent on the top limb.
    let multiple = e.add(W::splat(1 << 47)).shr(48).sub(W::splat(SIGNED >> 48));
    [
        a.add(multiple),
        b.sub(multiple.shl(44)),
        c,
        d.sub(multiple.shl(36)),
        e.sub(multiple.shl(48)).add(multiple.shl(16)),
    ]
}

/// The last carries: limbs between −2^51 and 2^51.
#[inline(always)]
fn carry<W: Doubles>([a, b, c, d, e]: [W; 5]) -> [W; 5] {
    let b = b.add(a.shr(LIMB_BITS));
    let c = c.add(b.shr(LIMB_BITS));
    let d = d.add(c.shr(LIMB_BITS));
    let e = e.add(d.shr(LIMB_BITS));
    [limb(a), limb(b), limb(c), limb(d), e.minus(W::splat(SIGNED))]
}

/// The low bits of a column that are 2^51 more than a limb.
#[inline(always)]
pub(crate) fn limb<W: Doubles>(column: W) -> W {
    column.keep(W::splat(LIMB_MASK), W::splat(UNSIGNED)).minus(W::splat(UNSIGNED_HALF))
}

/// Three times the number, with the biases as they were.
#[inline(always)]
fn triple<W: Doubles>([a, b, c, d, e]: [W; 5]) -> [W; 5] {
    let lowest = W::splat(2 * (BIAS + HALF));
    let bias = W::splat(2 * (BIAS + HALF - BIAS_CARRY));
    let top = W::splat((SIGNED - BIAS_CARRY).wrapping_mul(2));
    [
        a.add(a).add(a.sub(lowest)),
        b.add(b).add(b.sub(bias)),
        c.add(c).add(c.sub(bias)),
        d.add(d).add(d.sub(bias)),
        e.add(e).add(e.sub(top)),
    ]
}

/// a·b: tight from a tight and a loose one.
#[inline(always)]
pub(crate) fn mul<W: Doubles>(a: &Number<W>, b: &Number<W>) -> Number<W> {
    let start = splat(const { start(OF_PRODUCT, 0) });
    carry(reduce(product(start, a, b)))
}

/// a²: tight from tight.
#[inline(always)]
pub(crate) fn square<W: Doubles>(a: &Number<W>) -> Number<W> {
    let start = splat(const { start(OF_SQUARE, 0) });
    carry(reduce(square_of(start, a, a)))
}

/// a·b − c: tight from a and c tight and b loose.
#[inline(always)]
pub(crate) fn mul_sub<W: Doubles>(a: &Number<W>, b: &Number<W>, c: &Number<W>) -> Number<W> {
    let mut t = product(splat(const { start(OF_PRODUCT, 1) }), a, b);
    subtract(&mut t, c);
    carry(tighten(reduce(t)))
}

/// a² − b − c: tight from tight.
#[inline(always)]
pub(crate) fn square_sub<W: Doubles>(a: &Number<W>, b: &Number<W>, c: &Number<W>) -> Number<W> {
    let mut t = square_of(splat(const { start(OF_SQUARE, 2) }), a, a);
    subtract(&mut t, b);
    subtract(&mut t, c);
    carry(tighten(reduce(t)))
}

/// a² − 2·b − c: tight from tight.
#[inline(always)]
pub(crate) fn square_sub_twice<W: Doubles>(a: &Number<W>, b: &Number<W>, c: &Number<W>) -> Number<W> {
    let mut t = square_of(splat(const { start(OF_SQUARE, 3) }), a, a);
    subtract(&mut t, b);
    subtract(&mut t, b);
    subtract(&mut t, c);
    carry(tighten(reduce(t)))
}

/// 3·(a² − b²): tight from tight.
#[inline(always)]
pub(crate) fn squares_tripled<W: Doubles>(a: &Number<W>, b: &Number<W>) -> Number<W> {
    let start = splat(const { start(sum(OF_SQUARE, OF_SQUARE), 0) });
    let t = square_of(square_of(start, a, a), b, &negative(b));
    carry(tighten(triple(reduce(t))))
}

/// 2·a·b − c²: tight from a and c tight and b loose.
///
/// The reduction divides by 16p and leaves half a p of its own: there is no need to tighten, nor is there below.
#[inline(always)]
pub(crate) fn twice_mul_sub_square<W: Doubles>(a: &Number<W>, b: &Number<W>, c: &Number<W>) -> Number<W> {
    let start = splat(const { start(sum(sum(OF_PRODUCT, OF_PRODUCT), OF_SQUARE), 0) });
    let t = twice(product(splat([0; 10]), a, b), start);
    carry(reduce(square_of(t, c, &negative(c))))
}

/// 2·(a·b − c·d): tight from b loose and the others tight.
#[inline(always)]
pub(crate) fn twice_mul_sub_mul<W: Doubles>(a: &Number<W>, b: &Number<W>, c: &Number<W>, d: &Number<W>) -> Number<W> {
    const OF_BOTH: [u64; 9] = sum(OF_PRODUCT, OF_PRODUCT);
    let start = splat(const { start(sum(OF_BOTH, OF_BOTH), 0) });
    let t = product(product(splat([0; 10]), a, b), c, &negative(d));
    carry(reduce(twice(t, start)))
}

/// The functions above as functions of their own: inlined wherever they are used they would make a hundred thousand
/// instructions.
pub(crate) trait Products: Doubles {
    fn mul(a: &Number<Self>, b: &Number<Self>) -> Number<Self>;
    fn square(a: &Number<Self>) -> Number<Self>;
    fn mul_sub(a: &Number<Self>, b: &Number<Self>, c: &Number<Self>) -> Number<Self>;
    fn square_sub(a: &Number<Self>, b: &Number<Self>, c: &Number<Self>) -> Number<Self>;
    fn square_sub_twice(a: &Number<Self>, b: &Number<Self>, c: &Number<Self>) -> Number<Self>;
    fn squares_tripled(a: &Number<Self>, b: &Number<Self>) -> Number<Self>;
    fn twice_mul_sub_square(a: &Number<Self>, b: &Number<Self>, c: &Number<Self>) -> Number<Self>;
    fn twice_mul_sub_mul(a: &Number<Self>, b: &Number<Self>, c: &Number<Self>, d: &Number<Self>) -> Number<Self>;
}

/// Compiles them for a kind of registers and the instructions that these come with.
macro_rules! products {
    ($registers:ty, $features:literal) => {
        products!(
            $registers, $features:
            mul(a, b), square(a), mul_sub(a, b, c), square_sub(a, b, c), square_sub_twice(a, b, c),
            squares_tripled(a, b), twice_mul_sub_square(a, b, c), twice_mul_sub_mul(a, b, c, d)
        );
    };
    ($registers:ty, $features:literal: $($name:ident($($number:ident),*)),*) => {
        impl super::columns::Products for $registers {
            $(
                #[inline(always)]
                fn $name($($number: &super::columns::Number<Self>),*) -> super::columns::Number<Self> {
                    #[target_feature(enable = $features)]
                    #[inline(never)]
                    fn compiled($($number: &super::columns::Number<$registers>),*) -> super::columns::Number<$registers> {
                        super::columns::$name($($number),*)
                    }
                    // SAFETY: the machine has the features; see the module's text.
                    unsafe { compiled($($number),*) }
                }
            )*
        }
    };
}
pub(crate) use products;
