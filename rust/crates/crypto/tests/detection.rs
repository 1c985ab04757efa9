// SPDX-License-Identifier: Apache-2.0
//! Which engine a verifier takes where nobody names one.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use fastledger_crypto::{Engine, Verifier, VerifierOptions};

/// What the system says of the processor; `None` where it says nothing.
fn fastest_by_flags() -> Option<&'static str> {
    if !cfg!(target_arch = "x86_64") {
        return Some("portable");
    }
    let told = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let flags: Vec<&str> = told.lines().find(|line| line.starts_with("flags"))?.split_whitespace().collect();
    let has = |all: &[&str]| all.iter().all(|flag| flags.contains(flag));
    Some(match () {
        () if has(&["avx512f", "avx512dq", "avx512_vbmi2", "avx512ifma", "bmi2"]) => "ifma",
        () if has(&["avx512f", "bmi2"]) => "avx512",
        () if has(&["avx2", "fma", "bmi2"]) => "avx2",
        () => "portable",
    })
}

/// An emulator may show the flags of the machine that it runs on: whoever starts one names the engine.
#[test]
fn the_fastest_engine_that_the_machine_has_is_taken() {
    if Engine::from_environment().unwrap().is_some() {
        eprintln!("skipped: the environment names an engine");
        return;
    }
    let named = std::env::var("FASTLEDGER_EXPECTED_ENGINE").ok();
    let Some(expected) = named.or_else(|| fastest_by_flags().map(str::to_owned)) else {
        eprintln!("skipped: this system does not tell what its processor has");
        return;
    };
    assert_eq!(Verifier::new(VerifierOptions::default()).engine().name(), expected);
}
