// SPDX-License-Identifier: Apache-2.0
//! Plays AVX-IFMA's two instructions, for tests on machines that lack them: each is caught as an illegal one, done in
//! software on the registers that it names, and stepped over.

#![allow(clippy::cast_ptr_alignment, reason = "what the pointers name is read and written unaligned")]
#![allow(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "numbers of registers, and 52 bits of 104")]

use std::sync::Once;

use libc::{
    REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RAX, REG_RBP, REG_RBX, REG_RCX, REG_RDI,
    REG_RDX, REG_RIP, REG_RSI, REG_RSP, SA_SIGINFO, SIG_DFL, SIGILL, c_int, c_void, sigaction, siginfo_t, ucontext_t,
};

/// Where a signal's frame has the lower halves of the sixteen registers, and the upper ones (Intel SDM 1, 13.4).
const LOWER: usize = 160;
const UPPER: usize = 576;
/// Where it says which parts of itself are valid; others count as zeros. Bit 2 is the upper halves.
const VALID: usize = 512;

/// The general registers in the order of their numbers.
const GENERAL: [c_int; 16] = [
    REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI, REG_R8, REG_R9, REG_R10, REG_R11, REG_R12,
    REG_R13, REG_R14, REG_R15,
];

/// Has this process play the instructions from now on.
pub(super) fn play() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: zeros are a valid set of options, and the handler touches nothing but the frame that it is given.
        unsafe {
            let mut action: sigaction = std::mem::zeroed();
            action.sa_sigaction = on_illegal as extern "C" fn(c_int, *mut siginfo_t, *mut c_void) as usize;
            action.sa_flags = SA_SIGINFO;
            assert_eq!(sigaction(SIGILL, &raw const action, std::ptr::null_mut()), 0);
        }
    });
}

extern "C" fn on_illegal(_signal: c_int, _info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: the system hands the frame of the interrupted code over, whose next instruction is the illegal one.
    unsafe {
        let context = &mut *context.cast::<ucontext_t>();
        if !step(context) {
            // What else is illegal ends the process, as it would have.
            libc::signal(SIGILL, SIG_DFL);
        }
    }
}

/// Does one instruction; false if it is another one.
unsafe fn step(context: &mut ucontext_t) -> bool {
    let general = &mut context.uc_mcontext.gregs;
    let rip = general[REG_RIP as usize] as *const u8;
    // SAFETY: the longest instruction of this form has ten bytes, and code goes on behind it.
    let code: [u8; 10] = unsafe { rip.cast::<[u8; 10]>().read_unaligned() };
    let [0xc4, first, second, opcode @ (0xb4 | 0xb5), modrm, ..] = code else { return false };
    // 0F38, W1, 256 bits, 66.
    if first & 0x1f != 2 || second & 0x87 != 0x85 {
        return false;
    }
    let extended = |bit: u8| usize::from(!first >> bit & 1) << 3;
    let (destination, base) = (usize::from(modrm >> 3 & 7) | extended(7), usize::from(modrm & 7) | extended(5));
    let factor = usize::from(!second >> 3 & 15);
    let file = context.uc_mcontext.fpregs.cast::<u8>();
    // SAFETY: a machine with AVX has these parts in its frames.
    unsafe {
        let valid = file.add(VALID).cast::<u64>();
        if valid.read_unaligned() & 4 == 0 {
            file.add(UPPER).write_bytes(0, 16 * 16);
            valid.write_unaligned(valid.read_unaligned() | 4);
        }
    }
    let half = |register: usize, high: usize| {
        let place = if high == 1 { UPPER } else { LOWER };
        // SAFETY: the frame has sixteen halves of 16 bytes at each place.
        unsafe { file.add(place + 16 * register).cast::<[u64; 2]>() }
    };
    // SAFETY: as above; the halves may not be aligned.
    let read = |register: usize| unsafe { [half(register, 0).read_unaligned(), half(register, 1).read_unaligned()] };
    let (other, length) = if modrm >> 6 == 3 {
        (read(base), 5)
    } else {
        let displacement = |at: usize, bytes: usize| -> i64 {
            if bytes == 1 {
                return i64::from(code[at].cast_signed());
            }
            i64::from(i32::from_le_bytes(code[at..at + 4].try_into().expect("four bytes")))
        };
        let (mut address, mut at) = (0i64, 5);
        let mut bytes = [0, 1, 4][usize::from(modrm >> 6)];
        if modrm & 7 == 4 {
            let sib = code[5];
            at = 6;
            let (index, base) = (usize::from(sib >> 3 & 7) | extended(6), usize::from(sib & 7) | extended(5));
            if index != 4 {
                address += general[GENERAL[index] as usize] << (sib >> 6);
            }
            if sib & 7 == 5 && bytes == 0 {
                bytes = 4;
            } else {
                address += general[GENERAL[base] as usize];
            }
        } else if modrm & 7 == 5 && bytes == 0 {
            bytes = 4;
            address += general[REG_RIP as usize] + 9;
        } else {
            address += general[GENERAL[base] as usize];
        }
        if bytes > 0 {
            address += displacement(at, bytes);
        }
        // SAFETY: the instruction itself would read these 32 bytes.
        (unsafe { (address as *const [[u64; 2]; 2]).read_unaligned() }, at + bytes)
    };
    let (mut sum, factor) = (read(destination), read(factor));
    for high in 0..2 {
        for i in 0..2 {
            const MASK: u64 = (1 << 52) - 1;
            let product = u128::from(factor[high][i] & MASK) * u128::from(other[high][i] & MASK);
            let part = if opcode == 0xb4 { product as u64 & MASK } else { (product >> 52) as u64 };
            sum[high][i] = sum[high][i].wrapping_add(part);
        }
        // SAFETY: as above.
        unsafe { half(destination, high).write_unaligned(sum[high]) };
    }
    general[REG_RIP as usize] += i64::try_from(length).expect("at most ten");
    true
}

#[test]
fn both_instructions_are_played() {
    use super::words::Words;
    use super::words4::{Vex, Words4};
    if !is_x86_feature_detected!("avx2") {
        eprintln!("skipped: this machine has no AVX2");
        return;
    }
    play();
    let limb = |i: u64| i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 9;
    for i in 1..200 {
        let rows: [[u64; 4]; 8] =
            std::array::from_fn(|row| std::array::from_fn(|j| limb(i * 64 + 8 * row as u64 + j as u64)));
        let [a, b, sum, _] = Words4::<Vex>::load_columns(rows.each_ref());
        let (low, high) = (sum.add_low(a, b).to_array(), sum.add_high(a, b).to_array());
        for lane in 0..4 {
            let [a, b, sum, _] = rows[lane];
            let product = u128::from(a % (1 << 52)) * u128::from(b % (1 << 52));
            assert_eq!(u128::from(low[lane] - sum), product % (1 << 52));
            assert_eq!(u128::from(high[lane] - sum), product >> 52);
        }
    }
}
